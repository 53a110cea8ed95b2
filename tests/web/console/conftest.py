"""A newsroom with people of every role, served from a thread, and clients that are signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.clock import SystemClock
from data.models import Rule
from data.sample.articles import draft_articles
from data.settings import Settings
from data.store import Store
from data.store.people import ROLES
from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn
from recommender.service import Service, ensure_default_weights
from recommender.web.app import create_app
from recommender.web.console.sessions import COOKIE
from scheduler.campaigns import ensure_default_campaigns

ARTICLES = 160  # enough for ten places and fifty readers
PASSWORD = "correct horse battery"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


@dataclass
class Room:
    """A served newsroom."""

    url: str
    store: Store
    app: Any
    service: Service
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return SystemClock().now()

    def token(self, role: str) -> str:
        """A new session of the person of a role."""
        person = next(one for one in self.store.people() if one.email == email(role))
        return self.store.open_session(person.id, now=self.now)

    def client(self, role: str | None, **headers: str) -> httpx.Client:
        """A browser-like client; signed in unless `role` is None. It follows no redirects."""
        cookies = {COOKIE: self.token(role)} if role else {}
        given = {"accept": "text/html", "origin": self.url} | headers
        self.clients.append(httpx.Client(base_url=self.url, headers=given, cookies=cookies, timeout=60))
        return self.clients[-1]

    def newest(self, place: int = 0) -> str:
        """The key of a recent article."""
        return self.store.newest_keys(place + 1)[place]

    def close(self) -> None:
        for client in self.clients:
            client.close()


def email(role: str) -> str:
    """The address of the test newsroom's person of a role."""
    return f"{role}@herald.example"


def fill(store: Store, now: datetime) -> None:
    """Articles of some days, two of them hostile; forty readers with devices and a few reads; people of every role."""
    store.migrate()
    store.put_articles([one.article for one in draft_articles(1, now)[-ARTICLES:]], now=now)
    source = {"id": "evil", "name": HOSTILE}
    hostile = {"title": HOSTILE, "summary": HOSTILE, "body": HOSTILE * 3, "category": HOSTILE[:60], "author": HOSTILE}
    at = (now - timedelta(minutes=1)).isoformat()
    for key in ("evil-1", HOSTILE[:60]):
        shape = {
            "id": key,
            "url": f"https://evil.example/{len(key)}",
            "published_at": at,
            "source": source,
            "news_value": 4,
        }
        store.put_articles([ArticleIn.model_validate({**shape, **hostile, "language": "en"})], now=now)
    keys = store.newest_keys(60)
    store.put_readers([ReaderIn(id=f"r{n}", followed_topics=["sport"] if n % 2 else []) for n in range(40)], now=now)
    store.put_devices([(f"r{n}", DeviceIn(fid=f"fid-{n}", platform="android")) for n in range(30)], now=now)
    store.put_device("desk", DeviceIn(fid="test-phone", platform="ios", is_test=True), now=now)
    events = [
        EventIn(id=f"e{n}", reader=f"r{n % 40}", article=keys[2 + n % 58], kind="read", at=now - timedelta(minutes=n))
        for n in range(200)
    ]
    store.add_events(events, now=now)
    ensure_default_weights(store, now)
    ensure_default_campaigns(store, now)
    for role in ROLES:
        store.add_person(email(role), role, PASSWORD, now=now)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file of the test newsroom; copied for tests that change it."""
    path = tmp_path_factory.mktemp("console") / "filled.db"
    with Store.open(f"sqlite:///{path}") as store:
        fill(store, SystemClock().now())
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@contextmanager
def room_over(path: Path, serving: Any) -> Iterator[Room]:
    """Serve a database file."""
    settings, clock = Settings(index_dir=None), SystemClock()
    with Store.open(f"sqlite:///{path}") as store:
        service = Service(store, settings, clock)
        app = create_app(store, service, settings, clock)
        with serving(app) as url:
            made = Room(url, store, app, service)
            yield made
            made.close()


@pytest.fixture(scope="session")
def shared_room(filled: Path, serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A newsroom for tests that leave no trace others would mind."""
    path = tmp_path_factory.mktemp("shared") / "room.db"
    path.write_bytes(filled.read_bytes())
    with room_over(path, serving) as room:
        now = room.now
        pin = {"kind": "pin", "target_key": room.newest(8), "slot": 2, "author": HOSTILE, "reason": HOSTILE}
        room.store.add_rule(Rule(**pin, starts_at=now, ends_at=now + timedelta(hours=30)))
        room.service.refresh()
        yield room


@pytest.fixture
def room(filled: Path, serving: Any, tmp_path: Path) -> Iterator[Room]:
    """A newsroom of the test's own."""
    path = tmp_path / "room.db"
    path.write_bytes(filled.read_bytes())
    with room_over(path, serving) as made:
        yield made


@pytest.fixture
def password() -> str:
    """The password of everybody in the test newsroom."""
    return PASSWORD


@pytest.fixture
def hostile() -> str:
    """A text that would run as script, markup or template if a page let it."""
    return HOSTILE

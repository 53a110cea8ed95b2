"""A real server on a free port of this machine, in a thread, and a client that holds a key."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from data.clock import SystemClock
from data.settings import Settings
from data.store import Store
from recommender.service import Service
from recommender.web.app import create_app
from recommender.web.server import address, listen


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application from a thread of this process; yields its URL."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


class Newsroom:
    """One served application with its store, and clients of each role."""

    def __init__(self, url: str, store: Store) -> None:
        self.url, self.store = url, store
        self.keys = {role: store.create_key(role, now=SystemClock().now()) for role in ("app", "ingest", "operator")}
        self.clients: list[httpx.Client] = []

    def client(self, role: str | None) -> httpx.Client:
        """A client with a key of `role`, or with none."""
        headers = {"authorization": f"Bearer {self.keys[role]}"} if role else {}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=60))
        return self.clients[-1]


@contextmanager
def newsroom_over(store: Store, **options: Any) -> Iterator[Newsroom]:
    """Serve a store with settings of the test's own."""
    settings, clock = Settings(**options), SystemClock()
    with serving(create_app(store, Service(store, settings, clock), settings, clock)) as url:
        newsroom = Newsroom(url, store)
        yield newsroom
        for client in newsroom.clients:
            client.close()


@pytest.fixture
def newsroom(sqlite_store: Store) -> Iterator[Newsroom]:
    """An empty newsroom that asks for keys."""
    with newsroom_over(sqlite_store) as made:
        yield made


@pytest.fixture
def client(newsroom: Newsroom) -> httpx.Client:
    """A client that may do everything."""
    return newsroom.client("operator")


@pytest.fixture
def demo(sqlite_store: Store) -> Iterator[httpx.Client]:
    """A keyless client of an empty demo, whose pages are open to this machine."""
    with newsroom_over(sqlite_store, public_reads=True) as made:
        yield made.client(None)


@pytest.fixture
def item() -> Callable[..., dict[str, Any]]:
    """Makes an article as a publisher sends it, published an hour ago."""

    def make(key: str, **fields: Any) -> dict[str, Any]:
        at = SystemClock().now().timestamp() - 3_600
        published_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        given = {
            "id": key,
            "url": f"https://news.example/{key}",
            "title": f"Harbour bridge {key} reopens to trams",
            "published_at": published_at,
            "body": f"Trams cross the harbour bridge again after repairs, the city's engineers said. Report {key}.",
            "source": {"id": "courier", "name": "The Courier"},
            "category": "city",
            "language": "en",
        }
        return given | fields

    return make


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Makes an event that happened now."""

    def make(key: str, **fields: Any) -> dict[str, Any]:
        at = SystemClock().now().isoformat()
        return {"id": key, "reader": "r1", "article": "a1", "kind": "read", "at": at} | fields

    return make

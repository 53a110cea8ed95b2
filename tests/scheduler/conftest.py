"""A small newsroom to plan for: articles with stories, readers with devices, a morning campaign."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.alerts import CampaignRow, Due, DueArticle, DueCampaign, Wishes
from data.campaigns import Campaigns
from data.clock import SystemClock
from data.store import Store
from data.values import RuleRow
from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn
from recommender import rules
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.snapshot import Snapshot
from scheduler.fake_fcm.script import make_script
from scheduler.fake_fcm.server import FakeFcm, running
from scheduler.fcm import FcmSender
from scheduler.fcm_transport import Transport
from scheduler.message import Composer, Outgoing
from scheduler.pace import Limits
from scheduler.pacer import Pacer
from scheduler.planning import Planner
from scheduler.projects import FixedBearer, Project

NOW = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)  # a Monday
TEXTS = {
    "tariffs": "Washington and Tokyo agree on new tariffs for cars and steel after months of talks",
    "flood": "Rivers rise over their banks in the south as heavy rain goes on for a third day",
    "opera": "The opera house opens its season with a new production of an old favourite",
}


class Newsroom:
    """Writes what a test needs and hands out snapshots of it."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, NOW
        self.rules: list[RuleRow] = []
        self.campaigns = Campaigns(store)

    def articles(self, **fields: Any) -> None:
        """The three articles, three hours old; `fields` for all of them."""
        for key, text in TEXTS.items():
            self.article(key, text, **fields)

    def article(self, key: str, text: str, **fields: Any) -> None:
        """One article, alone in its story unless `story` names another's key."""
        story = fields.pop("story", key)
        given: dict[str, Any] = {
            "id": key,
            "url": f"https://news.example/{key}",
            "title": text[:40],
            "summary": text,
            "published_at": self.now - timedelta(hours=3),
            "source": {"id": "herald", "name": "The Herald"},
            "language": "en",
            "news_value": 4,
            "topics": [key],
        }
        self.store.put_articles([ArticleIn.model_validate(given | fields)], now=self.now)
        ids = self.store.article_ids([key, story])
        self.store.assign_stories([(ids[key], ids[story])], now=self.now)

    def reader(self, key: str, *, devices: int = 1, **fields: Any) -> None:
        """One reader with so many devices."""
        self.store.put_readers([ReaderIn.model_validate({"id": key} | fields)], now=self.now)
        for number in range(devices):
            self.store.put_device(key, DeviceIn(fid=f"{key}-{number}", platform="android"), now=self.now)

    def reads(self, reader: str, *articles: str, at: datetime | None = None) -> None:
        """The reader reads these articles."""
        at = at or self.now - timedelta(hours=1)
        events = [
            EventIn(id=f"{reader}/{one}/{at}", reader=reader, article=one, kind="read", at=at) for one in articles
        ]
        assert self.store.add_events(events, now=max(at, self.now)).accepted == len(articles)

    def campaign(self, **fields: Any) -> CampaignRow:
        """The morning campaign: 07:30 on weekdays, no jitter, no hold, no bar, nobody held out."""
        given: dict[str, Any] = {"local_times": ("07:30",), "weekdays": (0, 1, 2, 3, 4), "policy": {"holdout_share": 0}}
        key = fields.pop("key", "morning")
        self.campaigns.ensure([CampaignRow(0, key, key.title(), **given | fields)], now=self.now - timedelta(days=1))
        return self.campaigns.get(key)

    def snapshot(self) -> Snapshot:
        """The news as it is in the store now."""
        sources = self.store.sources()
        texts = self.store.article_texts(0)
        known = rules.resolve(
            self.rules,
            "push",
            {one.key: one.id for one in self.store.articles(t.id for t in texts)},
            {one.key: one.id for one in sources.values()},
        )
        popularity = Popularity().add(self.store.events_since(0))
        return Snapshot(ArticleIndex.build(texts), popularity, sources, rules={"push": known})

    def planner(self, **options: Any) -> Planner:
        return Planner(self.store, self.snapshot, **options)


@pytest.fixture
def newsroom(sqlite_store: Store) -> Newsroom:
    return Newsroom(sqlite_store)


@pytest.fixture
def newsroom_on_each(store: Store) -> Newsroom:
    return Newsroom(store)


def due_of(**flat: Any) -> Due:
    """A delivery from the names of its parts' fields, of which none is in two parts but for an id, a key and a kind:
    those have `article_` or `campaign_` before them."""

    def part(kind: Any, prefix: str) -> Any:
        names = {name: f"{prefix}{name}" if name in ("id", "key", "kind") else name for name in kind.__struct_fields__}
        return kind(**{name: flat.pop(given) for name, given in names.items() if given in flat})

    parts = {
        "article": part(DueArticle, "article_"),
        "campaign": part(DueCampaign, "campaign_"),
        "wishes": part(Wishes, ""),
    }
    return Due(**flat, **parts)


@pytest.fixture
def make_due() -> Callable[..., Due]:
    def make(**fields: Any) -> Due:
        given: dict[str, Any] = {
            "id": 1,
            "key": "d1",
            "campaign_id": 1,
            "campaign_key": "morning",
            "campaign_kind": "digest",
            "policy": {},
            "slot": "2026-03-02T07:30",
            "attempt": 1,
            "expires_at": NOW + timedelta(hours=6),
            "article_id": 7,
            "article_key": "tariffs",
            "title": "New tariffs",
            "summary": TEXTS["tariffs"],
            "url": "https://news.example/tariffs",
            "image_url": "https://news.example/tariffs.jpg",
            "source_key": "herald",
            "category": "World",
            "topics": ("Trade",),
            "published_at": NOW - timedelta(hours=1),
            "embargo_until": None,
            "retracted_at": None,
            "story_id": 7,
            "reader_id": 1,
            "zone": "UTC",
            "push": True,
            "quiet_from": "22:00",
            "quiet_until": "07:00",
            "daily_cap": 4,
            "muted_topics": (),
            "muted_sources": (),
            "muted_stories": (),
            "fid": "fid-1",
            "token": None,
            "platform": "ios",
            "is_test": False,
            "device_state": "active",
            "device_reader_id": 1,
        }
        return due_of(**given | fields)

    return make


def rule(kind: str, target: str, key: str, *, surface: str = "all") -> RuleRow:
    """A desk rule in effect around NOW."""
    ends_at = NOW + timedelta(days=1)
    return RuleRow(1, kind, surface, target, key, 0.3, None, NOW - timedelta(days=1), ends_at, "editor", "")


@pytest.fixture
def make_rule() -> Callable[..., RuleRow]:
    return rule


@pytest.fixture
def now() -> datetime:
    return NOW


def verdicts(report: Any) -> dict[str, str]:
    """reader -> verdict."""
    return {one.reader: one.verdict for one in report.endings}


@pytest.fixture
def verdicts_of() -> Callable[[Any], dict[str, str]]:
    return verdicts


# --- sending ---

QUIET = {"quota": {"per_minute": None, "per_device_minute": None}}  # a fake that takes everything


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeFcm]]:
    """Starts loopback FCMs: `fake(rules=[...])` plays that script; all quotas are off unless given."""
    with ExitStack() as running_now:

        def start(**script: Any) -> FakeFcm:
            return running_now.enter_context(running(make_script(QUIET | script)))

        yield start


@pytest.fixture
def sender_to() -> Iterator[Callable[..., FcmSender]]:
    """Makes senders for a fake: no ramp, no practical limit, a bearer the fake takes."""
    made: list[FcmSender] = []

    def make(server: FakeFcm, **options: Any) -> FcmSender:
        bearer = options.pop("bearer", FixedBearer())
        limits = options.pop("limits", Limits(quota_per_minute=60_000_000, share=1.0, ramp_s=0))
        transport = {"connections": 2, "ca_file": server.ca_file} | options.pop("transport", {})
        ids = options.pop("projects", {"": "demo-news"})
        base = options.pop("url", server.url)
        known = {app: Project(app, one, f"{base}/v1/projects/{one}/messages:send", bearer) for app, one in ids.items()}
        pacer = options.pop("pacer", None) or Pacer(limits, rng=random.Random(1))
        made.append(FcmSender(known, Transport(**transport), pacer, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def many(make_due: Callable[..., Due]) -> Callable[..., list[Outgoing]]:
    """Makes messages to as many devices, `fid-0` and on; `fields` may be a function of the number."""

    def make(count: int, start: int = 0, **fields: Any) -> list[Outgoing]:
        now = SystemClock().now()
        composer = Composer()
        given = {"expires_at": now + timedelta(hours=1), "platform": "android"}

        def due(number: int) -> Due:
            own = {name: value(number) if callable(value) else value for name, value in fields.items()}
            return make_due(**{"id": number, "key": f"d{number}", "fid": f"fid-{number}"} | given | own)

        return [composer.compose(due(number), now) for number in range(start, start + count)]

    return make

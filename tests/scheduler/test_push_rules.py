"""Whatever readers do, editors order and campaigns plan: no alert leaves that breaks a rule, told by a plain oracle."""

import importlib.util
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.clock import FixedClock
from data.desk_alerts import DeskAlerts
from data.models import Article, Campaign, Delivery, Reader
from data.store import Store
from data.store.database import table
from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn
from recommender import policies
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.push_policy import BUILT_IN
from recommender.snapshot import Snapshot
from scheduler import delivery
from scheduler.delivery import Deliverer
from scheduler.desk_alerts import plan_alert
from scheduler.planning import Planner
from scheduler.sender import LogSender

START = datetime(2026, 3, 26, 4, 0, tzinfo=UTC)  # a Thursday; Europe's clocks change on Sunday
ZONES = ("UTC", "Europe/Prague", "America/New_York", "Asia/Kathmandu")
ARTICLES, READERS = 24, 4


def _oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger_oracle", Path(__file__).parent / "ledger_oracle.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle = _oracle()


class Silent:
    """Where the messages of a log sender go."""

    def write(self, _: str) -> None: ...
    def flush(self) -> None: ...


@dataclass
class Room:
    """A newsroom whose every change is also written down for the oracle."""

    store: Store
    limits: dict[str, Any]
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    lives: dict[str, Any] = field(default_factory=dict)
    updates: list[tuple[datetime, str]] = field(default_factory=list)
    retracted: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.articles = [f"a{number}" for number in range(ARTICLES)]
        self.story = {key: f"a{number % 9}" for number, key in enumerate(self.articles)}
        self.published = {key: START + timedelta(hours=4 * number - 12) for number, key in enumerate(self.articles)}
        self.topics = {key: [f"t{number % 3}"] for number, key in enumerate(self.articles)}
        self.source = {key: f"s{number % 2}" for number, key in enumerate(self.articles)}
        self._fill()
        self.planner = Planner(self.store, self._snapshots(), page=3)
        self.deliverer = Deliverer(self.store, LogSender(Silent()), self.clock)  # type: ignore[arg-type]
        self.number = 0

    def _fill(self) -> None:
        given = [
            {
                "id": key, "url": f"https://n.example/{key}", "title": f"News {key}", "summary": f"words of {key}",
                "published_at": self.published[key], "source": {"id": self.source[key], "name": "S"},
                "language": "en", "news_value": 3, "topics": self.topics[key],
            }
            for key in self.articles
        ]  # fmt: skip
        self.store.put_articles([ArticleIn.model_validate(one) for one in given], now=START)
        ids = self.store.article_ids(self.articles)
        self.store.assign_stories([(ids[key], ids[self.story[key]]) for key in self.articles], now=START)
        self.ids = ids
        policies.publish(self.store, self.limits, by="ada", reason="test", now=START)

    def _snapshots(self) -> Callable[[], Snapshot]:
        made = Snapshot(ArticleIndex.build(self.store.article_texts(0)), Popularity(), self.store.sources())
        return lambda: made

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # --- what happens ---

    def reader(self, number: int, **fields: Any) -> None:
        key = f"r{number}"
        known = self.lives.get(key)
        before = known.states[-1][1] if known else {
            "push": True, "zone": "UTC", "quiet_from": "22:00", "quiet_until": "07:00", "daily_cap": 4,
            "muted_topics": [], "muted_sources": [], "followed_stories": [], "followed_topics": [],
        }  # fmt: skip
        after = before | fields
        self.store.put_readers([ReaderIn.model_validate({"id": key} | after)], now=self.now)
        if known is None:
            self.lives[key] = known = oracle.Life(key, self.now)
            for device in range(1 + number % 2):
                fid = f"{key}-{device}"
                self.store.put_device(key, DeviceIn(fid=fid, platform="android"), now=self.now)
        known.states.append((self.now, after))

    def does(self, number: int, kind: str, article: str) -> None:
        self.number += 1
        life, at = self.lives[f"r{number}"], self.now
        event = EventIn(id=f"e{self.number}", reader=life.key, article=article, kind=kind, at=at)  # type: ignore[arg-type]
        self.store.add_events([event], now=at)
        life.events.append((at, kind, article))

    def renew(self, article: str) -> None:
        story = self.story[article]
        self.store.renew_story(self.ids[story], by="ada", now=self.now)
        self.updates.append((self.now, story))

    def retract(self, article: str) -> None:
        self.store.retract_article(article, now=self.now)
        self.retracted.append((self.now, article))

    def alert(self, article: str, kind: str, audience: dict[str, str], *, lifts: bool) -> None:
        if self.published[article] > self.now or any(one == article for _, one in self.retracted):
            return
        alerts, policy = DeskAlerts(self.store), {"overrides_quiet": True} if lifts else {}
        number = alerts.write(
            *(self.ids[article], "Title", "Body"),
            audience=audience, policy=policy, by="ada", reason="", now=self.now, kind=kind,
        )  # fmt: skip
        alerts.send(number, by="bo", now=self.now, hold_s=0)
        plan_alert(self.planner, number, now=self.now)

    def tick(self) -> None:
        for campaign in Campaigns(self.store).all():
            self.planner.tick(campaign, self.now)

    def drain(self) -> None:
        self.deliverer.drain()

    # --- what left ---

    def left(self) -> list[Any]:
        d, c, a, r = (table(one).c for one in (Delivery, Campaign, Article, Reader))
        query = select(
            d.sent_at, r.key.label("reader"), c.key.label("campaign"), c.kind, d.slot, a.key.label("article"),
            d.update_no, c.policy,
        )  # fmt: skip
        joined = table(Delivery).join(table(Campaign)).join(table(Article), a.id == d.article_id)
        query = query.select_from(joined.join(table(Reader), r.id == d.reader_id)).where(d.state == "sent")
        first: dict[tuple[str, str, str], Any] = {}
        with self.store.reading() as connection:
            for row in connection.execute(query.order_by(d.sent_at, d.id)):
                lifts = bool(row.policy.get("overrides_quiet"))
                alert = (row.reader, row.campaign, row.kind, row.slot, row.article, row.update_no, lifts)
                first.setdefault((row.reader, row.campaign, row.slot), oracle.Left(row.sent_at, *alert))
        return list(first.values())

    def broken(self) -> list[str]:
        news = oracle.News(self.story, self.topics, self.source, self.published, self.updates, self.retracted)
        return list(oracle.broken(self.left(), self.lives, news, BUILT_IN.as_dict() | self.limits))


# --- what may happen ---


class Chance:
    """Draws a whole life from a seed: limits, campaigns, people, what happens; dense enough for every rule to bite."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def one(self, *values: Any) -> Any:
        return self.rng.choice(values)

    def limits(self) -> dict[str, Any]:
        return {
            "personal_cap": self.one(1, 2, 3, 4),
            "breaking_cap": self.one(1, 2, 6),
            "daily_cap": self.one(1, 3, 6, 10),
            "hourly_cap": self.one(1, 2, 5),
            "personal_gap_s": self.one(0, 1_800, 7_200, 20_000),
            "editorial_gap_s": self.one(0, 1_800),
            "weekly_budget": self.one(0, 3, 8, 21),
            "first_days": self.one(0, 1, 3),
            "first_cap": self.one(1, 2),
            "stop_after": self.one(0, 2, 4, 10),
            "stop_days": self.one(1, 7),
            "holdout_share": self.one(0, 0, 0.3),
            "told_window_h": self.one(3, 12, 48),
        }

    def choices(self) -> dict[str, Any]:
        drawn = {
            "push": self.rng.random() < 0.9,
            "zone": self.one(*ZONES),
            "quiet_from": self.one("00:00", "22:00", "23:30", "12:00"),
            "quiet_until": self.one("00:00", "06:30", "07:00", "12:30"),
            "daily_cap": self.one(0, 2, 4, 9, 9),
            "muted_topics": self.one([], [], ["t0"], ["t1"]),
            "muted_sources": self.one([], [], ["s1"]),
            "followed_topics": self.one([], ["t2"], ["t0", "t1"]),
        }
        return {name: value for name, value in drawn.items() if self.rng.random() < 0.5}

    def campaign(self) -> dict[str, Any]:
        return {
            "kind": self.one("digest", "digest", "follow_up"),
            "local_times": self.one(
                ("07:30", "12:00", "18:40"), ("09:00", "09:50", "15:00"), ("00:15", "02:30", "21:45")
            ),
            "jitter_s": self.one(0, 420),
            "hold_s": self.one(0, 0, 900),
            "freshness_h": self.one(10.0, 48.0),
            "send_time": self.one("local_time", "local_time", "best_hour"),
            "spread_s": self.one(0, 0, 3_600),
        }

    def act(self) -> tuple[Any, ...]:
        reader, article = self.rng.randrange(READERS), f"a{self.rng.randrange(ARTICLES)}"
        kinds = ("does", "does", "does", "reader", "alert", "alert", "renew", "retract")
        name = self.rng.choices(kinds, (4, 4, 4, 4, 4, 4, 2, 1))[0]
        if name == "does":
            return name, reader, self.one("read", "push_open"), article
        if name == "reader":
            return name, reader, self.choices()
        if name == "alert":
            audience = self.one({}, {"kind": "topic", "value": "t2"}, {"kind": "language", "value": "en"})
            return name, article, self.one("manual", "breaking"), {"kind": "everyone"} | audience, self.one(True, False)
        return name, article

    def story(self, steps: int) -> list[Any]:
        """(minutes that pass, acts before the plan, acts between plan and send, minutes between), step by step."""
        acts = [[self.act() for _ in range(self.one(0, 0, 1, 2))] for _ in range(2 * steps)]
        minutes = [self.one(1, 10, 45, 130, 200) for _ in range(steps)]
        return [(minutes[n], acts[2 * n], acts[2 * n + 1], self.one(0, 0, 1, 40)) for n in range(steps)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows; every example works on a copy."""
    path = tmp_path_factory.mktemp("rules") / "empty.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def play(empty: Path, seed: int, steps: int = 40) -> tuple[list[Any], list[str]]:
    """The alerts that left in the life of a seed, and the rules they broke."""
    chance = Chance(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty, folder)
        with Store.open(f"sqlite:///{path}") as store:
            room = Room(store, chance.limits())
            rows = [CampaignRow(0, f"c{n}", f"C{n}", **chance.campaign()) for n in range(chance.one(1, 2, 3))]
            Campaigns(store).ensure(rows, now=START)
            for number in range(READERS):
                room.reader(number, **chance.choices())
            live(room, chance.story(steps))
            return room.left(), room.broken()


def live(room: Room, story: Any) -> None:
    """Step by step: time passes, things happen, plans are made, things happen, messages leave."""
    for minutes, before, between, wait in story:
        room.clock.advance(minutes=minutes)
        _act(room, before)
        room.tick()
        room.clock.advance(minutes=wait)
        _act(room, between)
        room.drain()


def _act(room: Room, given_acts: Any) -> None:
    for name, *values in given_acts:
        if name == "alert":
            article, kind, audience, lifts = values
            room.alert(article, kind, audience, lifts=lifts)
        elif name == "reader":
            room.reader(values[0], **values[1])
        else:
            getattr(room, name)(*values)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_no_rule_is_ever_broken(empty: Path, seed: int) -> None:
    assert play(empty, seed, steps=25)[1] == []


@pytest.mark.stress
def test_no_rule_is_ever_broken_in_many_more_lives(empty: Path) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(int(os.environ.get("NEWSBELL_LIVES", "300"))):
        left, broken = play(empty, seed)
        assert broken == [], seed
        kinds.update(one.kind for one in left)
    assert min(kinds[one] for one in ("digest", "follow_up", "manual", "breaking")) > 0


def test_the_oracle_sees_what_the_last_look_would_have_stopped(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "Recheck", lambda _now, **_: lambda _due: None)
    assert any(play(empty, seed)[1] for seed in (1, 0, 2, 3))

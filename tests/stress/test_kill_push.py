"""A planner and three senders killed at random, the database restarted, clocks stepped, two leaders at once.

A loopback FCM counts what was really posted. At most one POST for a campaign's slot and device, none lost: every
delivery ends in a closed state.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.fcm_servers import fake
from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.clock import SystemClock
from data.errors import NewsbellError
from data.leases import LEADER, Leases
from data.models import Delivery, DeliveryEvent, Plan
from data.outbox import Outbox
from data.store import Store
from data.store.database import table
from data.wire import ArticleIn, DeviceIn, ReaderIn

CHILDREN = Path(__file__).with_name("a_newsroom.py")
DELIVERIES, EVENTS, PLANS = table(Delivery), table(DeliveryEvent), table(Plan)
CLOSED = {"sent", "gone", "failed", "unknown", "cancelled", "expired", "suppressed"}
SLOT_MIN = 5  # a campaign's slot every so many minutes of its readers' clocks
SCRIPT = {
    "log_requests": True,
    "latency": {"kind": "lognormal", "ms": 60, "p95_ms": 300},
    "rules": [{"answer": "reset_stream", "share": 0.003}, {"answer": "unavailable", "share": 0.002}],
}


@dataclass
class Size:
    """How long and how hard."""

    kills: int
    readers: int
    articles: int
    per_second: float
    restarts: int  # of PostgreSQL
    rivals: int  # times that two lead at once
    seconds: float  # gives up after


SMALL = Size(kills=8, readers=40, articles=12, per_second=400.0, restarts=1, rivals=1, seconds=150.0)
FULL = Size(kills=200, readers=250, articles=80, per_second=400.0, restarts=12, rivals=12, seconds=1_500.0)


@dataclass
class Server:
    """The database: `restart` ends every connection and comes back; None where there is no server."""

    url: str
    restart: Callable[[], None] | None = None


@contextmanager
def postgres() -> Iterator[Server]:
    """A server of its own, crashed and started again by `restart`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver
        from pgserver.postgres_server import pg_ctl
    server = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-postgres-"), cleanup_mode="delete")

    def restart() -> None:
        pg_ctl(["restart", "-w", "-m", "immediate"], pgdata=server.pgdata, user=server.system_user, timeout=60)

    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    with Store.open(url) as store:
        store.migrate()
    yield Server(url, restart)
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "postgres":
        with postgres() as server:
            yield server
        return
    url = f"sqlite:///{tmp_path / 'newsbell.db'}"
    with Store.open(url) as store:
        store.migrate()
    yield Server(url)


def fill(store: Store, size: Size) -> None:
    """Articles of one story each, readers with one device or two, two campaigns that ring every few minutes."""
    now = SystemClock().now()
    given = [
        ArticleIn.model_validate(
            {
                "id": f"a{number}",
                "url": f"https://news.example/a{number}",
                "title": f"Story number {number}",
                "summary": f"What happened in place {number}, as told by witness {number * 7}.",
                "published_at": now - timedelta(hours=1, seconds=number),
                "source": {"id": "herald", "name": "The Herald"},
                "language": "en",
            }
        )
        for number in range(size.articles)
    ]
    store.put_articles(given, now=now)
    ids = store.article_ids([one.id for one in given])
    store.assign_stories([(one, one) for one in ids.values()], now=now)
    awake = {"quiet_from": "00:00", "quiet_until": "00:00", "daily_cap": 50}
    for number in range(size.readers):
        zone = ("Europe/Prague", "Asia/Kolkata", "UTC")[number % 3]
        store.put_readers([ReaderIn.model_validate({"id": f"r{number}", "zone": zone} | awake)], now=now)
        for device in range(1 + number % 2):
            store.put_device(f"r{number}", DeviceIn(fid=f"r{number}-{device}", platform="android"), now=now)
    walls = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1_440)]
    policy = {"holdout_share": 0, "daily_cap": 50, "min_gap_s": 0, "group_cap": 50, "hourly_cap": 50}
    policy |= {"weekly_budget": 0, "first_days": 0, "stop_after": 0}  # many alerts: it is not about how many
    for start, key in enumerate(("even", "odd")):
        times = tuple(walls[start * 2 :: SLOT_MIN])
        row = CampaignRow(0, key, key, local_times=times, policy=policy, freshness_h=48.0, ttl_s=86_400)
        Campaigns(store).ensure([row], now=now)


@dataclass
class Children:
    """The processes, by the name of their place; the clock they share, and each one's own."""

    process: "subprocess.Popen[str]"
    clock: Any  # (places + 1,) seconds: everybody's, then each place's
    pids: dict[str, int] = field(default_factory=dict)

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the children's parent has ended"
        return answer

    def start(self, place: str) -> None:
        role, number = place.split()
        self.pids[place] = int(self.ask(f"start {role} {number}").split()[-1])

    def kill(self, place: str) -> None:
        assert self.ask(f"kill {self.pids.pop(place)}").startswith("killed"), f"{place} had ended by itself"


PLACES = ("planner 1", "sender 2", "sender 3", "sender 4")


class Trouble:
    """What happens to the children, drawn from one seed."""

    def __init__(self, children: Children, store: Store, server: Server, size: Size, seed: int) -> None:
        self.children, self.store, self.server, self.size = children, store, server, size
        self.rng = random.Random(seed)
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Until everything planned has happened."""
        for place in PLACES:
            self.children.start(place)
        restarts = self._some(self.size.restarts if self.server.restart else 0)
        rivals, until_s = self._some(self.size.rivals), time.monotonic() + self.size.seconds
        while self.done["killed"] < self.size.kills:
            assert time.monotonic() < until_s, f"too slow: {dict(self.done)}"
            number = self.done["killed"]
            time.sleep(self.rng.uniform(0.02, 1.6))
            self._step()
            if number in restarts and self.server.restart:
                restarts.discard(number)
                self.server.restart()
                self.done["database restarted"] += 1
            if number in rivals:
                rivals.discard(number)
                self._rival()
            self._kill(self.rng.choice(PLACES))

    def _some(self, count: int) -> set[int]:
        return set(self.rng.sample(range(1, self.size.kills), count))

    def _kill(self, place: str) -> None:
        self.children.kill(place)
        self.done["killed"] += 1
        self.done[f"killed {place.split(maxsplit=1)[0]}"] += 1
        self.children.start(place)

    def _step(self) -> None:
        """Time goes on by leaps, and each process's own clock may be wrong by minutes."""
        self.children.clock[0] += self.rng.uniform(10, 90)
        if self.rng.random() < 0.2:
            place = self.rng.randrange(1, len(self.children.clock))
            self.children.clock[place] = self.rng.choice((0.0, self.rng.uniform(-240, 240)))
            self.done["clock stepped"] += 1

    def _rival(self) -> None:
        """Another takes the lead from a leader that goes on believing in itself until its next heartbeat.

        On PostgreSQL the old leader is stopped while its lease ends. On SQLite a stopped process may hold the lock
        without which nobody writes: there the other's clock is ahead, so that the lease seems to have ended.
        """
        frozen, before = self.children.pids["planner 1"], self._fence()
        if self.server.restart:
            self.children.ask(f"stop {frozen}")
            self.children.clock[0] += 10
        self.children.clock[5] = self.children.clock[1] + 10
        self.children.start("planner 5")
        until_s = time.monotonic() + 15
        while self._fence() == before and time.monotonic() < until_s:
            time.sleep(0.02)
        self.done["two leaders"] += self._fence() != before
        self.children.ask(f"continue {frozen}")
        time.sleep(self.rng.uniform(0.05, 1.5))
        self.children.kill("planner 5")
        self.done["killed"] += 1

    def _fence(self) -> int:
        for _ in range(100):
            try:
                found = Leases(self.store).holder(LEADER)
            except (NewsbellError, SQLAlchemyError):
                time.sleep(0.1)
            else:
                return found[1] if found else 0
        raise AssertionError("the database does not come back")


@contextmanager
def children_of(server: Server, folder: Path, tls: str, ca_file: Path, size: Size) -> Iterator[Children]:
    file = folder / "clock"
    clock = np.memmap(file, np.float64, mode="w+", shape=(6,))
    command = [sys.executable, str(CHILDREN), server.url, str(file), tls, str(ca_file), str(size.per_second)]
    pipe = subprocess.PIPE
    with (folder / "children.log").open("w") as errors:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=dict(os.environ))
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready")
            yield Children(process, clock)
        finally:
            process.communicate(timeout=30)


def calm(children: Children, store: Store) -> None:
    """Nobody dies any more: wait until one more slot is planned and nothing is due, every lease having ended."""
    for place in PLACES:
        if place not in children.pids:
            children.start(place)
    children.clock[1:] = 0.0
    children.clock[0] += SLOT_MIN * 60
    outbox, until_s = Outbox(store), time.monotonic() + 240
    before = sum(outbox.counts().values())
    while sum(outbox.counts().values()) == before and time.monotonic() < until_s - 180:
        time.sleep(0.2)
    while time.monotonic() < until_s:
        states = set(outbox.counts())
        if states <= CLOSED:
            return
        children.clock[0] += 5  # the clock of whoever planned may have been ahead
        if not {"held", "ready"} & states:
            now = SystemClock().now() + timedelta(seconds=float(children.clock[0]))
            outbox.recover(now + timedelta(hours=1))  # as the leader does when the leases have ended
        time.sleep(0.5)
    raise AssertionError(f"not drained: {outbox.counts()}")


def check(store: Store, lines: list[dict[str, Any]]) -> Counter[str]:
    """The promises, from the rows and from what the server saw. Returns the figures."""
    with store.reading() as connection:
        rows = {row.key: row for row in connection.execute(select(DELIVERIES))}
        events = connection.execute(select(EVENTS).order_by(EVENTS.c.id)).all()
        plans = connection.execute(select(PLANS)).all()
    posts, accepted = Counter(line["delivery"] for line in lines), Counter[str]()
    for line in lines:
        accepted[line["delivery"]] += line["is_accepted"]
    place = {key: (row.campaign_id, row.slot, row.device_id) for key, row in rows.items()}
    assert set(posts) <= set(rows), "a message was posted that is in no outbox"
    by_place = Counter[Any]()
    for key, number in posts.items():
        by_place[place[key]] += number
    assert max(by_place.values(), default=0) <= 1, "a device got two POSTs for one slot"
    assert len(set(place.values())) == len(rows)
    for key, row in rows.items():
        assert row.state in CLOSED, f"{key} is left {row.state}"
        if row.state == "sent":
            assert accepted[key] == 1
        elif row.state != "unknown":
            assert posts[key] == 0, f"{key} is {row.state} ({row.reason}) and was posted"
    _check_events(rows, events)
    figures = Counter({f"ended {row.state}": 0 for row in rows.values()})
    for row in rows.values():
        figures[f"ended {row.state}"] += 1
        figures["unknown, accepted by FCM"] += row.state == "unknown" and accepted[row.key] == 1
        figures["unknown, never posted"] += row.state == "unknown" and posts[row.key] == 0
    figures |= Counter({"deliveries": len(rows), "POSTs": len(lines), "plans": len(plans)})
    figures["plans cut short"] = sum(not plan.funnel for plan in plans)
    return figures


def _check_events(rows: dict[str, Any], events: list[Any]) -> None:
    """Each delivery's transitions are one chain from its planning to the state it is in."""
    chains = defaultdict(list)
    for event in events:
        chains[event.delivery_id].append(event)
    for row in rows.values():
        chain = chains[row.id]
        assert chain[0].before is None
        assert [one.before for one in chain[1:]] == [one.after for one in chain[:-1]], row.key
        assert chain[-1].after == row.state, row.key


def check_planned(store: Store, first_at: datetime) -> None:
    """No slot is lost: after the last kill every reader with a device has a delivery, or a verdict in a whole plan."""
    with store.reading() as connection:
        plans = connection.execute(select(PLANS)).all()
    for campaign in Campaigns(store).all():
        until = Campaigns(store).planned_until(campaign)
        whole = sorted((p.slots_from, p.slots_until) for p in plans if p.campaign_id == campaign.id and p.funnel)
        assert until is not None
        slot = first_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        walls = set(campaign.local_times)
        while slot <= until:
            if f"{slot:%H:%M}" in walls and slot > first_at + timedelta(minutes=1):
                assert any(begin < slot <= end for begin, end in whole), f"{campaign.key}: nobody planned {slot}"
            slot += timedelta(minutes=1)


def suffer(server: Server, folder: Path, size: Size, seed: int) -> Counter[str]:
    with Store.open(server.url) as store, fake(folder, **SCRIPT) as fcm:
        fill(store, size)
        first_at = SystemClock().now()
        with children_of(server, folder, fcm.url, fcm.ca_file, size) as children:
            trouble = Trouble(children, store, server, size, seed)
            trouble.run()
            calm(children, store)
        told = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{fcm.plain_port}/_fake/log?lines=10000000").read())
        assert len(told["lines"]) == told["posts"]
        check_planned(store, first_at)
        return trouble.done + check(store, told["lines"])


@pytest.mark.timeout(420)
def test_a_few_kills_lose_nothing_and_ring_no_phone_twice(database: Server, tmp_path: Path) -> None:
    figures = suffer(database, tmp_path, SMALL, seed=1)
    assert figures["killed"] >= SMALL.kills
    assert figures["ended sent"] > 0


@pytest.mark.stress
@pytest.mark.timeout(2400)
def test_two_hundred_kills_lose_nothing_and_ring_no_phone_twice(database: Server, tmp_path: Path) -> None:
    figures = suffer(database, tmp_path, FULL, seed=int(os.environ.get("SEED", "1")))
    sys.stdout.write(f"\n{'PostgreSQL' if database.restart else 'SQLite'}: {dict(sorted(figures.items()))}\n")
    assert figures["killed"] >= FULL.kills
    assert figures["two leaders"] > 0
    assert figures["ended sent"] > 1_000

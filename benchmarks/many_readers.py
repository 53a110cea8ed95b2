"""A plan for very many readers on one database, a process of its own: `python -m benchmarks.many_readers URL WAY SEED`.

`fill` writes articles, readers, devices and reads by SQL alone. WAY `plan` plans for everybody as the scheduler does
and tells the share of each step; `sessions` does the same for 10,000 readers the way one begins with SQLModel.
"""

import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import numpy as np
from sqlalchemy import insert, text

from benchmarks.archive import Archive
from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.clock import instant, micros
from data.models import Article, Delivery, DeliveryEvent, Device, Event, Reader, Source
from data.store import Store
from data.store.database import table
from recommender.popularity import Popularity
from recommender.snapshot import Snapshot
from scheduler.planning import Planner

ARTICLES, READS, CANDIDATES, SOURCES = 20_000, 40, 1_000, 200
NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
NOT_READ = ("ix_event_article_id_kind", "ix_event_at", "ix_event_batch")  # indexes of reads that a plan never uses
SAMPLES = 100_003  # of Zipf's law; a prime, so that the samples meet every reader differently
PEERS = 10_000
CAMPAIGN = CampaignRow(
    *(0, "evening", "Evening"),
    local_times=("18:25",),
    freshness_h=48.0,  # one a story: the 4,000 articles of two days are more than enough candidates
    policy={"holdout_share": 0.02, "max_candidates": CANDIDATES},
)


def archive(seed: int) -> Archive:
    """The news: the same in every process."""
    return Archive(ARTICLES, seed)


def times_us(news: Archive) -> np.ndarray[Any, np.dtype[np.int64]]:
    """When the articles were published, the newest just before NOW."""
    at_us = news._news.published_at_us[:ARTICLES]
    return at_us + (micros(NOW) - 60_000_000 - int(at_us.max()))


def fill(store: Store, readers: int, seed: int) -> None:
    """Everything that a plan reads. The events come in the order of time, so that a reader's lie far apart."""
    news = archive(seed)
    with store.transaction() as connection:
        for name in NOT_READ:
            connection.execute(text(f"drop index {name}"))
        connection.execute(
            insert(table(Source)), [{"id": n, "key": f"s{n}", "name": f"S{n}"} for n in range(1, SOURCES + 1)]
        )
        connection.execute(insert(table(Article)), list(_articles(news)))
    _by_sql(store, readers, seed)
    Campaigns(store).ensure([CAMPAIGN], now=NOW - timedelta(days=1))


def _articles(news: Archive) -> Iterator[dict[str, Any]]:
    at_us, columns = times_us(news), news._news
    for row in range(ARTICLES):
        yield {
            "id": row + 1,
            "key": f"a{row}",
            "url": f"https://news.example/a{row}",
            "title": f"Article {row}",
            "body": "",
            "published_at": instant(int(at_us[row])),
            "source_id": int(columns.source[row]) + 1,
            "story_id": int(columns.story[row]) + 1,
            "language": "en",
            "topics": [],
            "places": [],
            "received_at": NOW,
            "rev": row + 1,
        }


_NUMBERS = "with recursive n(i) as (select {first} union all select i + 1 from n where i < {last})"
_SERIES = "with n(i) as (select generate_series({first}::bigint, {last}::bigint))"
_READERS = """{n} insert into reader (id, key, zone, language, push, quiet_from, quiet_until, daily_cap,
    followed_topics, muted_topics, muted_sources, followed_stories, muted_stories, created_at)
    select i, 'reader-' || i, 'UTC', 'en', {true}, '23:00', '07:00', 4,
    '[]', case when i % 9 = 0 then {sport} else '[]' end, '[]', '[]', '[]', {now} from n"""
_DEVICES = """{n} insert into device (id, fid, reader_id, platform, app, is_test, state, seen_at)
    select i, 'installation-' || i, i, 'ios', '', {false}, 'active', {now} from n"""
_EVENTS = """{n} insert into event (id, key, reader_id, article_id, kind, at, received_at, dwell_s, batch)
    select i, 'event-' || {padded}, 1 + (i * 48271) % {readers}, z.article_id, 'read',
    {start} + i * {step}, {now}, 30 + i % 60, i / 1000 from n join zipf z on z.number = (i * 7919) % {samples}"""


def _by_sql(store: Store, readers: int, seed: int) -> None:
    rng, events = np.random.default_rng(seed), readers * READS
    of = np.minimum((ARTICLES ** rng.random(SAMPLES)).astype(int), ARTICLES)
    span_us = 14 * 86_400_000_000
    json_ = "cast({} as jsonb)" if store.is_postgres else "{}"
    given = {
        "true": "true" if store.is_postgres else "1",
        "false": "false" if store.is_postgres else "0",
        "sport": """'["sport"]'""",
        "now": micros(NOW),
        "readers": readers,
        "samples": SAMPLES,
        "start": micros(NOW) - span_us,
        "step": (span_us - 600_000_000) // events,
        "padded": "lpad(i::text, 10, '0')" if store.is_postgres else "printf('%010d', i)",
    }
    made = _READERS
    if store.is_postgres:
        made = made.replace("'[]'", json_.format("'[]'")).replace("{sport}", json_.format("{sport}"))
    with store.transaction() as connection:
        connection.execute(text("create table zipf (number integer primary key, article_id integer not null)"))
        rows = [{"n": number, "a": article} for number, article in enumerate(of.tolist())]
        connection.execute(text("insert into zipf values (:n, :a)"), rows)
    _run(store, ["drop index ix_event_history"])
    for statement, count in ((made, readers), (_DEVICES, readers), (_EVENTS, events)):
        for first in range(1, count + 1, 2_000_000):
            last = min(first + 1_999_999, count)
            numbers = (_SERIES if store.is_postgres else _NUMBERS).format(first=first, last=last)
            _run(store, [statement.format(n=numbers, **given)])
    _run(store, ["create index ix_event_history on event (reader_id, at, id, article_id, kind, dwell_s)", "analyze"])
    if store.is_postgres:  # as autovacuum does in time: an index alone can then answer
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum event")


def _run(store: Store, statements: list[str]) -> None:
    """In one transaction, as fast as the database will: what is lost in a crash is filled again."""
    with store.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        hurry = ["set synchronous_commit = off", "set maintenance_work_mem = '1GB'"]
        hurry += ["set session_replication_role = replica"]  # the keys are right, no need to look them up

        if not store.is_postgres:
            hurry = [
                "pragma synchronous = off",
                "pragma foreign_keys = off",
                "pragma cache_size = -1000000",
                "pragma temp_store = memory",
                "begin",
            ]
        for one in (*hurry, *statements):
            driver.execute(one)
        driver.commit()
        connection.invalidate()  # nobody else may have it so


def snapshot_of(store: Store, seed: int) -> tuple[Snapshot, Archive]:
    """The news as a scheduler holds it."""
    news = archive(seed)
    index = news.index()
    index = replace(index, columns=replace(index.columns, published_at_us=times_us(news)))
    return Snapshot(index, Popularity(), store.sources()), news


class Stopwatch:
    """CPU and wall seconds of methods, each without those it calls that are watched too."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.wall_s: dict[str, float] = defaultdict(float)
        self._inner: list[list[float]] = []

    def watch(self, owner: Any, name: str, step: str) -> None:
        """Count `owner.name` as part of a step."""
        plain: Callable[..., Any] = getattr(owner, name)

        @wraps(plain)
        def watched(*args: Any, **options: Any) -> Any:
            self._inner.append([0.0, 0.0])
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return plain(*args, **options)
            finally:
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                inner = self._inner.pop()
                self.wall_s[step] += wall - inner[0]
                self.cpu_s[step] += cpu - inner[1]
                if self._inner:
                    self._inner[-1][0] += wall
                    self._inner[-1][1] += cpu

        setattr(owner, name, watched)


def plan(store: Store, seed: int) -> dict[str, Any]:
    """The plan of everybody: whole and by step."""
    from scheduler import planning

    snapshot, _ = snapshot_of(store, seed)
    campaign = Campaigns(store).get("evening")
    planner = Planner(store, lambda: snapshot)
    watch = Stopwatch()
    watch.watch(store, "_column_page", "readers")
    watch.watch(store, "history_columns", "histories")
    watch.watch(planner, "_devices", "devices")
    watch.watch(planner.ledger, "told", "told before, planned before")
    watch.watch(planner.ledger, "tally", "told before, planned before")
    watch.watch(planner.outbox, "planned", "told before, planned before")
    watch.watch(planner, "_write", "write")
    watch.watch(planning, "judge", "judge")
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter(), time.process_time()
    report = planner.at(campaign, NOW)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "steps_cpu_s": dict(watch.cpu_s) | {"else": cpu - sum(watch.cpu_s.values())},
        "steps_wall_s": dict(watch.wall_s) | {"else": wall - sum(watch.wall_s.values())},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mb": before_mb,
        "candidates": report.candidates,
        "deliveries": report.deliveries,
        "funnel": dict(report.funnel),
    }


def sessions(store: Store, seed: int, readers: int = PEERS) -> dict[str, Any]:
    """One session a reader, objects for rows, a commit for each: no caps, gaps or mutes are even looked at."""
    from sqlmodel import Session, select

    _, news = snapshot_of(store, seed)
    Campaigns(store).ensure([replace(CAMPAIGN, key="by-session", name="By session")], now=NOW)
    campaign = Campaigns(store).get("by-session").id
    words = news.words
    C = words[ARTICLES - CANDIDATES :].T.tocsc()  # terms x candidates
    slot, made = "2026-03-02T18:25", 0
    wall, cpu = time.perf_counter(), time.process_time()
    for reader_id in range(1, readers + 1):
        with Session(store.engine) as session:
            reader = session.get_one(Reader, reader_id)
            devices = session.exec(select(Device).where(Device.reader_id == reader.id, Device.state == "active")).all()
            reads = session.exec(
                select(Event).where(Event.reader_id == reader.id).order_by(table(Event).c.at.desc()).limit(200)
            ).all()
            told = session.exec(select(Delivery).where(Delivery.reader_id == reader.id)).all()
            if not reader.push or not reads:
                continue
            rows = np.array([one.article_id - 1 for one in reads])
            profile = words[rows].sum(axis=0)
            scores = np.asarray(profile @ C).ravel() / np.linalg.norm(profile)
            seen = {one.article_id for one in reads} | {one.article_id for one in told}
            best = next(int(one) for one in np.argsort(-scores) if ARTICLES - CANDIDATES + 1 + int(one) not in seen)
            for device in devices:
                delivery = Delivery(
                    key=f"by-session-{device.id}", campaign_id=campaign, reader_id=reader.id, device_id=device.id,
                    article_id=ARTICLES - CANDIDATES + 1 + best, slot=slot, state="ready", planned_at=NOW,
                    not_before_at=NOW, expires_at=NOW + timedelta(hours=6), score=float(scores[best]), parts={},
                )  # fmt: skip
                session.add(delivery)
                session.flush()
                session.add(DeliveryEvent(delivery_id=delivery.id, at=NOW, after="ready", reason="planned"))
                made += 1
            session.commit()
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "readers": readers,
        "deliveries": made,
    }


def main() -> None:
    """Run one way and print its figures as JSON."""
    url, way, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Store.open(url) as store:
        told = plan(store, seed) if way == "plan" else sessions(store, seed, *map(int, sys.argv[4:]))
        print(json.dumps(told))


if __name__ == "__main__":
    main()

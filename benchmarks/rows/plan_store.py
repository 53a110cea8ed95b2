"""From the store to the outbox: readers, histories and told stories read, judged and written, on each database."""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from benchmarks import many_readers
from benchmarks.measure import timed
from benchmarks.report import Report
from benchmarks.steps import Steps
from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.clock import FixedClock
from data.models import Device, Event, Reader
from data.sample import generate
from data.settings import load_settings
from data.store import Store
from data.store.database import table
from recommender.service import Service
from scheduler.planning import Planner

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
READS = 40
LARGE = 1_000_000
WAYS = ("plan", "sessions")
PEER = "SQLModel, a session each"


def run(options: argparse.Namespace) -> Iterator[Report]:
    """One table a database; every stage of a plan for everybody, alone and together."""
    count = 1_000 if options.quick else 20_000
    for name, url in _databases():
        with url as address, Store.open(address) as store:
            store.migrate()
            yield measure(f"plan_store_{name}", store, count, options)
    if options.large:
        for name, url in _databases():
            with url as address:
                yield _large(name, address, options.seed)


def _large(name: str, url: str, seed: int) -> Steps:
    """A million readers: 40 million reads are written first, which takes a quarter of an hour and 6 to 9 GB of disk."""
    with Store.open(url) as store:
        store.migrate()
        many_readers.fill(store, LARGE, seed)
    told = [_told([sys.executable, "-m", "benchmarks.many_readers", url, way, str(seed)]) for way in WAYS]
    return large_report(name, LARGE, *told, seed=seed)


def large_report(name: str, readers: int, plan: dict[str, Any], peer: dict[str, Any], *, seed: int) -> Steps:
    """The table of what the two ways told."""
    whole = "plan, store to outbox"
    lines = [{"name": whole, "readers": readers, "cpu_s": plan["cpu_s"], "wall_s": plan["wall_s"]}]
    lines += [
        {"name": step, "readers": readers, "cpu_s": cpu_s, "wall_s": plan["steps_wall_s"][step]}
        for step, cpu_s in plan["steps_cpu_s"].items()
    ]
    lines.append({"name": PEER, "readers": peer["readers"], "cpu_s": peer["cpu_s"], "wall_s": peer["wall_s"]})
    each = {way: {kind: one[f"{kind}_s"] / one["readers"] for kind in ("cpu", "wall")} for way, one in
            (("ours", plan | {"readers": readers}), ("peer", peer))}  # fmt: skip
    facts = {
        "readers": readers,
        "candidates": plan["candidates"],
        "deliveries written": plan["deliveries"],
        "readers a wall second": readers / plan["wall_s"],
        "times a session each, CPU": each["peer"]["cpu"] / each["ours"]["cpu"],
        "times a session each, wall": each["peer"]["wall"] / each["ours"]["wall"],
        "peak resident MB of the process": plan["peak_mb"],
        "of which before the plan began (news, index, libraries)": plan["before_mb"],
    }
    facts |= {f"ended {verdict}": number for verdict, number in plan["funnel"].items()}
    return Steps(
        f"plan_store_{readers}_{name}",
        f"{readers:,} readers of {READS} reads each by Zipf's law over {many_readers.ARTICLES:,} articles: read, judged"
        " and written to the outbox.",
        facts,
        lines,
        caveats=[
            "CPU of the planning process: a PostgreSQL server's own is in no column, but in the wall time.",
            "The peer looks at no cap, gap, quiet hour or mute. Indexes of reads that a plan never uses are left out.",
        ],
        command=f"python -m benchmarks plan_store --large --seed {seed}",
        peer=PEER,
    )


def _told(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[-3:])}: {done.stderr[-600:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def measure(name: str, store: Store, count: int, options: argparse.Namespace) -> Report:
    """CPU of this process (a PostgreSQL server works in another one) and wall, milliseconds a reader."""
    newsroom = generate(seed=1, now=NOW)
    store.put_articles(newsroom.articles, now=NOW)
    _readers(store, count, options.seed)
    Campaigns(store).ensure(
        [CampaignRow(0, "evening", "Evening", local_times=("18:25",), policy={"holdout_share": 0.02})],
        now=NOW - timedelta(days=1),
    )
    campaign, service = Campaigns(store).get("evening"), Service(store, load_settings(), FixedClock(NOW))
    service.refresh()
    planner = Planner(store, lambda: service.snapshot)
    ids = np.concatenate([page.id for page in store.reader_column_pages(["UTC"], size=20_000)])
    stages: dict[str, Any] = {
        "plan, store to outbox": lambda: planner.at(campaign, NOW),
        "plan, nothing written (dry run)": lambda: planner.at(campaign, NOW, is_written=False),
        "readers as columns": lambda: list(store.reader_column_pages(["UTC"], size=20_000)),
        "readers as rows, as before": lambda: list(store.reader_pages(size=2_000)),
        "histories as columns": lambda: store.history_columns(ids, until=NOW),
        "histories by rows, as before": lambda: store.histories(ids.tolist(), until=NOW),
        "devices": lambda: store.devices_of(ids.tolist()),
    }
    stages["plan, nothing written (dry run)"]()  # whatever is compiled at first use
    order = ["plan, nothing written (dry run)", *list(stages)[2:], "plan, store to outbox"]  # what is written stays
    times, made = {}, None
    for stage in order:
        found, cpu_s, wall_s = timed(stages[stage])
        made = found if stage == "plan, store to outbox" else made
        times[stage] = cpu_s / count * 1e3, wall_s / count * 1e3
    lines = [_line(stage, *times[stage]) for stage in stages]
    facts = {"readers": count, "readers a wall second, store to outbox": 1e3 / times["plan, store to outbox"][1]}
    facts |= {f"ended {verdict}": number for verdict, number in getattr(made, "funnel", {}).items()}
    return Report(
        name,
        f"{count:,} readers of {READS} reads each over the {len(newsroom.articles)} articles of the sample.",
        facts | {f"{stage}, wall ms": wall for stage, (_, wall) in times.items()},
        lines,
        caveats=["Each stage once. CPU of this process alone: a PostgreSQL server's is another's."],
        command=f"python -m benchmarks plan_store --seed {options.seed}",
    )


def _line(name: str, cpu_ms: float, wall_ms: float) -> dict[str, Any]:
    same = dict.fromkeys(("cpu_ms", "cpu_ms_p90", "cpu_ms_p99", "cpu_ms_mean"), cpu_ms)
    return {"name": name, **same, "wall_ms": wall_ms, "rounds": 1}


def _readers(store: Store, count: int, seed: int) -> None:
    """Readers, a device and READS events each, written in bulk; the events in the order of time, as they come."""
    rng = np.random.default_rng(seed)
    articles = np.array([text.id for text in store.article_texts(0)])
    quiet = {
        "zone": "UTC",
        "language": "en",
        "push": True,
        "quiet_from": "23:00",
        "quiet_until": "07:00",
        "daily_cap": 4,
    }
    lists = ("followed_topics", "muted_topics", "muted_sources", "followed_stories", "muted_stories")
    readers = [
        {
            "id": n,
            "key": f"r{n}",
            "created_at": NOW,
            **quiet,
            **{name: [] for name in lists},
            "muted_topics": ["sport"] * (n % 9 == 0),
        }
        for n in range(1, count + 1)
    ]
    devices = [
        {
            "id": n,
            "fid": f"f{n}",
            "reader_id": n,
            "platform": "ios",
            "is_test": False,
            "state": "active",
            "seen_at": NOW,
        }
        for n in range(1, count + 1)
    ]
    of = rng.permutation(np.repeat(np.arange(1, count + 1), READS)).tolist()
    article = articles[(len(articles) ** rng.random(len(of)) - 1).astype(int)].tolist()
    start = NOW - timedelta(days=14)
    step = timedelta(days=13, hours=23) / len(of)
    with store.transaction() as connection:
        connection.execute(insert(table(Reader)), readers)
        connection.execute(insert(table(Device)), devices)
        for first in range(0, len(of), 50_000):
            rows = [
                {
                    "key": f"e{n}", "reader_id": of[n], "article_id": article[n], "kind": "read",
                    "at": start + n * step,
                    "received_at": NOW, "dwell_s": 30.0, "batch": 1 + n // 1_000,
                }
                for n in range(first, min(first + 50_000, len(of)))
            ]  # fmt: skip
            connection.execute(insert(table(Event)), rows)


def _databases() -> Iterator[tuple[str, Any]]:
    yield "sqlite", _sqlite()
    try:
        import pgserver  # noqa: F401
    except ImportError:
        print("not measured: PostgreSQL, pgserver is not installed")
        return
    yield "postgres", _postgres()


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'bench.db'}"


@contextmanager
def _postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver
    server = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-bench-"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()

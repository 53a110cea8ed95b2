"""One HTTP answer: for-you, related and events, beside a bare server and FastAPI with scikit-learn; needs wrk."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from benchmarks.http.load import GET, PACED, POST, Load, server, wrk
from benchmarks.http.newsroom import Newsroom, Size, event_body, zipf
from benchmarks.report import Report
from data.event_lines import read_quickly
from data.store import Store

OURS, BARE, PLAIN = "recommender.web.app:from_environment", "benchmarks.http.peers:bare", "benchmarks.http.peers:plain"
PATHS = 20_000
RATE = 300
CALLS = {"for_you": "/v1/readers/r{}/for-you", "related": "/v1/articles/a{}/related"}


def run(options: argparse.Namespace) -> Iterator[Report]:
    """For SQLite and PostgreSQL: two tables of lists, one of events."""
    size = Size(2_000, 300) if options.quick else Size(options.articles or 200_000, 10_000)
    seconds = 4 if options.quick else 15
    for kind in ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
            folder, newsroom = Path(name), Newsroom(size, options.seed)
            with Store.open(url) as store:
                newsroom.fill(store)
                key = store.create_key("operator", now=newsroom.now)
                if store.is_postgres:
                    with store.transaction() as connection:
                        connection.exec_driver_sql("analyze")
            bench = Bench(kind, url, key, folder, size, seconds, options.seed)
            with server(OURS, url) as (where, pid):
                lists = {call: bench.lists(call, where, pid) for call in CALLS}
                paced = {call: bench.paced(call, where, pid) for call in CALLS}
                events = bench.events(where, pid)
            for call, ours in lists.items():
                yield bench.report(call, ours, paced[call], with_plain=kind == "sqlite")
            yield events


class Bench:
    """Runs against one database."""

    def __init__(self, kind: str, url: str, key: str, folder: Path, size: Size, seconds: int, seed: int) -> None:
        self.kind, self.url, self.key, self.folder = kind, url, key, folder
        self.size, self.seconds, self.seed = size, seconds, seed
        self.body = folder / "body"

    def script(self, call: str) -> str:
        """Readers and articles by Zipf."""
        many = self.size.readers if call == "for_you" else self.size.articles
        numbers = zipf(np.random.default_rng(self.seed), many, PATHS)
        paths = self.folder / f"{call}.txt"
        paths.write_text("\n".join(CALLS[call].format(one) for one in numbers))
        return GET.format(paths=paths, key=self.key)

    def lists(self, call: str, where: str, pid: int) -> Load:
        """As many requests as one worker answers; keeps an answer for the bare server."""
        sample = httpx.get(where + CALLS[call].format(1), headers={"authorization": f"Bearer {self.key}"}, timeout=60)
        (self.folder / f"{call}.body").write_bytes(sample.raise_for_status().content)
        wrk(where, pid, self.script(call), self.folder, seconds=2)
        return wrk(where, pid, self.script(call), self.folder, seconds=self.seconds)

    def paced(self, call: str, where: str, pid: int) -> Load:
        """RATE requests a second, at random times."""
        connections = 30
        script = self.script(call) + PACED.format(each_ms=1e3 * connections / RATE)
        return wrk(where, pid, script, self.folder, connections=connections, seconds=self.seconds)

    def report(self, call: str, ours: Load, paced: Load, *, with_plain: bool) -> Report:
        """The table of one list."""
        body = self.folder / f"{call}.body"
        with server(BARE, self.url, BENCH_BODY=str(body)) as (where, pid):
            bare = wrk(where, pid, self.script(call), self.folder, seconds=self.seconds)
        lines = [_line(f"Newsbell {call}", ours), _line("(a) bare uvicorn, the same bytes", bare)]
        share = bare.cpu_ms / ours.cpu_ms
        facts: dict[str, Any] = {
            "articles": self.size.articles,
            "of them in the window": self.size.window,
            "readers": self.size.readers,
            "bytes of an answer": body.stat().st_size,
            "requests per CPU second": 1e3 / ours.cpu_ms,
            "of (a)": f"{100 * share:.1f} %",
            f"at {paced.rate:.0f} requests/s: p50 ms": paced.p50_ms,
            f"at {paced.rate:.0f} requests/s: p99 ms": paced.p99_ms,
            "not answered 200": ours.failed + paced.failed,
        }
        if with_plain:
            with server(PLAIN, self.url) as (where, pid):
                plain = wrk(where, pid, self.script(call), self.folder, connections=2, seconds=self.seconds)
            lines.append(_line("(b) FastAPI + pydantic + scikit-learn", plain))
            facts["times (b)"] = plain.cpu_ms / ours.cpu_ms
        name = f"http_{call}_{self.kind}"
        return Report(name, "CPU time of the server for one request.", facts, lines, command=self.command)

    def events(self, where: str, pid: int) -> Report:
        """Batches of 100, and 64 clients with one event each beside one transaction for each."""
        facts: dict[str, Any] = {}
        lines = []
        for size, connections in ((100, 8), (1, 64)):
            script = POST.format(
                run=uuid4().hex,
                key=self.key,
                size=size,
                at=datetime.now(UTC).isoformat(),
                readers=self.size.readers,
                articles=self.size.articles,
            )
            before = self._count()
            load = wrk(where, pid, script, self.folder, connections=connections, seconds=self.seconds)
            accepted = self._count() - before
            facts[f"accepted a second, {connections} clients, {size} a post"] = accepted / load.seconds
            facts[f"p99 ms, {connections} clients, {size} a post"] = load.p99_ms
            facts[f"not answered 202, {size} a post"] = load.failed
            lines.append(_line(f"Newsbell, {connections} clients, {size} a post", load))
        alone = self._one_by_one()
        facts["one transaction for each event, in process: a second"] = alone
        facts["64 clients beside that"] = facts["accepted a second, 64 clients, 1 a post"] / alone
        about = "CPU time of the server for one post of events."
        return Report(f"http_events_{self.kind}", about, facts, lines, command=self.command)

    def _count(self) -> int:
        with Store.open(self.url) as store:
            return store.count_events()

    def _one_by_one(self) -> float:
        import time

        with Store.open(self.url) as store:
            posts = [read_quickly(event_body(uuid4().hex, 1)) for _ in range(300)]
            start = time.perf_counter()
            for post in posts:
                assert post
                store.append_events([post.good], now=datetime.now(UTC))
            return len(posts) / (time.perf_counter() - start)

    @property
    def command(self) -> str:
        return f"python -m benchmarks http --articles {self.size.articles} --seed {self.seed}"


def _line(name: str, load: Load) -> dict[str, Any]:
    same = dict.fromkeys(("cpu_ms", "cpu_ms_p90", "cpu_ms_p99", "cpu_ms_mean"), load.cpu_ms)
    latency = {"wall_ms_p50": load.p50_ms, "wall_ms_p99": load.p99_ms}
    return {"name": name, **same, **latency, "requests": load.requests, "requests_a_second": load.rate}


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="newsbell-"))
    import pgserver

    cluster = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-postgres-"), cleanup_mode="delete")
    try:
        yield cluster.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        cluster.cleanup()

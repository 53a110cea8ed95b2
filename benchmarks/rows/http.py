"""One HTTP answer: for-you, related and events, beside a bare server and FastAPI with scikit-learn; needs wrk."""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from benchmarks.http.load import GET, PACED, POST, Load, asked_memory, server, wrk
from benchmarks.http.newsroom import Newsroom, Size, event_body, zipf
from benchmarks.http.prepared import postgres, prepare
from benchmarks.http.stream import ARTICLES_A_S, EVENTS_A_S, stream
from benchmarks.report import Report
from data.event_lines import read_quickly
from data.store import Store
from recommender.web.memory import SAME_S

OURS, BARE, PLAIN = None, "benchmarks.http.peers:bare", "benchmarks.http.peers:plain"
PATHS = 300_000
RATE = 300
WARM = 5  # times as long as a run: then nearly every reader was asked for once
FEW = 200  # readers and articles of the run that memory answers
CALLS = {"for_you": "/v1/readers/r{}/for-you", "related": "/v1/articles/a{}/related"}
RANKED = {"for_you": "?exclude=none-such", "related": "?reader=none-such"}  # such a query is never kept


def run(options: argparse.Namespace) -> Iterator[Report]:
    """For SQLite and PostgreSQL: two tables of lists, one of events."""
    size = Size(2_000, 300) if options.quick else Size(options.articles or 200_000, 10_000)
    seconds = 3 if options.quick else 12
    with tempfile.TemporaryDirectory() as name:
        folder = options.kept or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        newsroom = Newsroom(size, options.seed)
        url = prepare(folder, newsroom)
        yield from measured("sqlite", url, folder, newsroom, seconds)
        with postgres(folder) as copy_url:
            yield from measured("postgres", copy_url, folder, newsroom, seconds)


def measured(kind: str, url: str, folder: Path, newsroom: Newsroom, seconds: int) -> Iterator[Report]:
    """The reports of one database."""
    with Store.open(url) as store:
        key = store.create_key("operator", now=datetime.now(UTC))
    bench = Bench(kind, url, key, folder, newsroom, seconds)
    with server(OURS, url, NEWSBELL_INDEX_DIR=str(folder / "index")) as (where, pid):
        lists = {call: bench.lists(call, where, pid) for call in CALLS}
        events = bench.events(where, pid)
    plain = bench.plain() if kind == "sqlite" else {}
    for call, ours in lists.items():
        yield bench.report(call, ours, plain.get(call))
    yield events


@dataclass(frozen=True)
class Lists:
    """The runs of one call."""

    mixed: Load  # by Zipf's law, after a run to warm up; of for-you as long as a list is kept
    memory: Load  # of a few, again and again
    ranked: Load  # none from memory
    paced: Load  # by Zipf's law, RATE a second
    paced_ranked: Load
    going_on: Load  # by Zipf's law, RATE a second, while events and articles arrive


class Bench:
    """Runs against one database."""

    def __init__(self, kind: str, url: str, key: str, folder: Path, newsroom: Newsroom, seconds: int) -> None:
        self.kind, self.url, self.key, self.folder = kind, url, key, folder
        self.newsroom, self.size, self.seconds, self.seed = newsroom, newsroom.size, seconds, newsroom.seed

    @property
    def period_s(self) -> int:
        """How long a for-you list of which nothing changes is kept, or a quick run."""
        return max(self.seconds, int(SAME_S)) if self.size.readers > FEW * 10 else self.seconds

    def script(self, call: str, *, first: int = 0, many: int | None = None, query: str = "") -> str:
        """Readers and articles by Zipf's law, each drawn once and asked for in the order of the draw."""
        most = self.size.readers if call == "for_you" else self.size.articles
        numbers = zipf(np.random.default_rng(self.seed), min(many or most, most), PATHS)
        paths = self.folder / f"{call}.txt"
        paths.write_text("\n".join(CALLS[call].format(one) + query for one in numbers))
        return GET.format(paths=paths, key=self.key, first=first)

    def lists(self, call: str, where: str, pid: int) -> Lists:
        """Every run of one call against our server; keeps an answer for the bare one."""
        sample = httpx.get(where + CALLS[call].format(1), headers={"authorization": f"Bearer {self.key}"}, timeout=60)
        (self.folder / f"{call}.body").write_bytes(sample.raise_for_status().content)

        def load(*, seconds: int = self.seconds, is_paced: bool = False, **which: Any) -> Load:
            connections = 30 if is_paced else 16
            script = self.script(call, **which) + (PACED.format(each_ms=1e3 * connections / RATE) if is_paced else "")
            asked, hits = asked_memory(where, call)
            found = wrk(where, pid, script, self.folder, connections=connections, seconds=seconds)
            asked_then, hits_then = asked_memory(where, call)
            return replace(found, asked=asked_then - asked, hits=hits_then - hits)

        ranked = load(query=RANKED[call], seconds=max(self.seconds // 2, 2))
        warm = load(seconds=WARM * self.seconds)
        # A for-you list is ranked again when SAME_S are over: the run is as long, so that each is once.
        mixed = load(first=warm.requests, seconds=self.period_s if call == "for_you" else self.seconds)
        paced = load(first=warm.requests + mixed.requests, is_paced=True)
        paced_ranked = load(query=RANKED[call], is_paced=True)
        with stream(where, self.key, self.newsroom):
            going_on = load(first=warm.requests + mixed.requests + paced.requests, is_paced=True)
        load(many=FEW, seconds=2)
        memory = load(many=FEW, seconds=max(self.seconds // 2, 2))
        return Lists(mixed, memory, ranked, paced, paced_ranked, going_on)

    def plain(self) -> dict[str, Load]:
        """Both calls against the straightforward server, which learns its vocabulary once."""
        with server(PLAIN, self.url) as (where, pid):
            return {
                call: wrk(where, pid, self.script(call), self.folder, connections=2, seconds=self.seconds)
                for call in CALLS
            }

    def report(self, call: str, ours: Lists, plain: Load | None) -> Report:
        """The table of one list."""
        body = self.folder / f"{call}.body"
        with server(BARE, self.url, BENCH_BODY=str(body)) as (where, pid):
            bare = wrk(where, pid, self.script(call), self.folder, seconds=max(self.seconds // 2, 2))
        mixed, paced, ranked, going_on = ours.mixed, ours.paced, ours.paced_ranked, ours.going_on
        lines = [
            _line(f"Newsbell {call}, by Zipf's law", mixed),
            _line("Newsbell, all from memory", ours.memory),
            _line("Newsbell, all ranked", ours.ranked),
            _line("Newsbell, by Zipf's law, while events and articles arrive (their cost included)", going_on),
            _line("(a) bare uvicorn, the same bytes", bare),
        ]
        facts: dict[str, Any] = {
            "articles": self.size.articles,
            "of them in the window": self.size.window,
            "readers": self.size.readers,
            "bytes of an answer": body.stat().st_size,
            "from memory, by Zipf's law": f"{100 * mixed.hit_share:.1f} %",
            "requests per CPU second": 1e3 / mixed.cpu_ms,
            "of (a)": f"{100 * bare.cpu_ms / mixed.cpu_ms:.1f} %",
            "of (a), from memory": f"{100 * bare.cpu_ms / ours.memory.cpu_ms:.1f} %",
            "of (a), ranked": f"{100 * bare.cpu_ms / ours.ranked.cpu_ms:.1f} %",
            f"at {paced.rate:.0f} requests/s: p50 ms": paced.p50_ms,
            f"at {paced.rate:.0f} requests/s: p99 ms": paced.p99_ms,
            f"at {paced.rate:.0f} requests/s: from memory": f"{100 * paced.hit_share:.1f} %",
            f"at {ranked.rate:.0f} requests/s, all ranked: p50 ms": ranked.p50_ms,
            f"at {ranked.rate:.0f} requests/s, all ranked: p99 ms": ranked.p99_ms,
            "while it goes on: events and articles a second": f"{EVENTS_A_S}, {ARTICLES_A_S}",
            "while it goes on: from memory": f"{100 * going_on.hit_share:.1f} %",
            "while it goes on: p50 ms": going_on.p50_ms,
            "while it goes on: p99 ms": going_on.p99_ms,
            "not answered 200": sum(one.failed for one in vars(ours).values()),
        }
        if plain:
            lines.append(_line("(b) FastAPI + pydantic + scikit-learn", plain))
            facts["times (b)"] = plain.cpu_ms / mixed.cpu_ms
            facts["times (b), ranked"] = plain.cpu_ms / ours.ranked.cpu_ms
        name = f"http_{call}_{self.kind}"
        return Report(name, "CPU time of the server for one request.", facts, lines, command=self.command)

    def events(self, where: str, pid: int) -> Report:
        """Batches of 100, and 64 clients with one event each beside one transaction for each."""
        facts: dict[str, Any] = {}
        lines = []
        for size, connections, is_even in ((100, 8, False), (100, 32, False), (1, 64, False), (100, 8, True)):
            before = self._count()
            load = wrk(
                where,
                pid,
                self._posts(size, is_even=is_even),
                self.folder,
                connections=connections,
                seconds=self.seconds,
            )
            accepted = self._count() - before
            what = f"{connections} clients, {size} a post{', drawn evenly' if is_even else ''}"
            facts[f"accepted a second, {what}"] = accepted / load.seconds
            facts[f"p99 ms, {what}"] = load.p99_ms
            facts[f"not answered 202, {what}"] = load.failed
            lines.append(_line(f"Newsbell, {what}", load))
        alone = self._one_by_one()
        facts["one transaction for each event, in process: a second"] = alone
        facts["64 clients beside that"] = facts["accepted a second, 64 clients, 1 a post"] / alone
        about = "CPU time of the server for one post of events; readers and articles drawn by Zipf's law."
        return Report(f"http_events_{self.kind}", about, facts, lines, command=self.command)

    def _posts(self, size: int, *, is_even: bool) -> str:
        """What wrk posts."""
        random = np.random.default_rng(self.seed)
        exponent = 0.0 if is_even else 1.0
        readers, articles = (zipf(random, many, PATHS, exponent) for many in (self.size.readers, self.size.articles))
        drawn = self.folder / "events.txt"
        pairs = zip(readers.tolist(), articles.tolist(), strict=True)
        drawn.write_text("\n".join(f'"reader":"r{reader}","article":"a{article}"' for reader, article in pairs))
        at = datetime.now(UTC).isoformat()
        return POST.format(run=uuid4().hex, key=self.key, size=size, at=at, drawn=drawn)

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

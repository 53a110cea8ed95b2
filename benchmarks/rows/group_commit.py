"""Group commit: posts of one event by 64 clients of one process, by how long a transaction waits for company."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from benchmarks.http.newsroom import Newsroom, Size
from benchmarks.http.prepared import database
from benchmarks.report import Report
from data.clock import SystemClock
from data.event_lines import EventLine
from data.store import Store
from recommender.observe import Observer
from recommender.writer import Writer

WINDOWS_MS = (0.0, 0.5, 1.0, 2.0, 5.0)
CLIENTS = 64


class Heard(Observer):
    """Counts transactions."""

    def __init__(self) -> None:
        self.observer: Observer = self
        self.transactions = 0

    def written(self, posts: int, events: int, seconds: float) -> None:  # noqa: ARG002
        self.transactions += 1


def run(options: argparse.Namespace) -> Iterator[Report]:
    """One table for each kind of database; the line compared with is the one without a window."""
    for kind in ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url, Store.open(url) as store:
            Newsroom(Size(1_000, 1_000), options.seed).fill(store)
            lines = [_line(store, window, 1.0 if options.quick else 3.0) for window in WINDOWS_MS]
            about = f"{CLIENTS} clients, each posts one event after the other; wall time of a post."
            yield Report(
                f"group_commit_{kind}",
                about,
                {str(line["name"]): line["told"] for line in lines},
                lines,
                command=f"python -m benchmarks group_commit --seed {options.seed}",
            )


def _line(store: Store, window_ms: float, seconds: float) -> dict[str, Any]:
    heard = Heard()
    writer = Writer(store, SystemClock(), heard, window_s=window_ms / 1e3)
    writer.start()
    took = asyncio.run(_clients(writer, seconds))
    writer.stop()
    ms = np.array(took) * 1e3
    each = len(ms) / max(heard.transactions, 1)
    told = f"{len(ms) / seconds:,.0f} posts/s, {each:.1f} a transaction, p99 {np.percentile(ms, 99):.1f} ms"
    names = ("cpu_ms", "cpu_ms_p90", "cpu_ms_p99", "cpu_ms_mean")
    values = [*np.percentile(ms, (50, 90, 99)), ms.mean()]
    return {"name": f"window {window_ms:g} ms", "told": told, **dict(zip(names, map(float, values), strict=True))}


async def _clients(writer: Writer, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    took: list[float] = []

    async def client(number: int) -> None:
        while (start := time.perf_counter()) < until:
            at_us = int(datetime.now(UTC).timestamp() * 1e6)
            await writer.add([EventLine(uuid4().hex, f"r{number}", f"a{number}", "read", at_us)])
            took.append(time.perf_counter() - start)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return took

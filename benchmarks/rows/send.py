"""Sending: the transport alone, and from the outbox with claiming and settling, beside what others use."""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.fcm_outbox import fill
from benchmarks.fcm_servers import LATENCY_MS, Server, fake, has_nginx, nginx, tree_cpu_s
from benchmarks.rates import Rates, cpu_us
from data.store import Store

REFERENCE = "send_each"
COUNTS = {"newsbell": 60_000, "send_each": 3_000, "send_each_async": 2_000, "aiohttp": 10_000}
ONE_CORE = ("taskset", "-c", "0")
Open = Callable[[Path], AbstractContextManager[Server]]


def run(options: argparse.Namespace) -> Iterator[Rates]:
    """Transport on nginx and on the fake, outbox on SQLite and PostgreSQL, and (--large) memory over two million."""
    small = 0.05 if options.quick else 1.0
    command = f"python -m benchmarks send{' --quick' if options.quick else ''}"
    servers: dict[str, Open] = {"fake": fake} | ({"nginx": nginx} if has_nginx() else {})
    for name in reversed(servers):
        for pinned in (True, False):
            yield _transport(name, servers[name], small, command, pinned=pinned)
    for name in reversed(servers):
        yield _outbox(name, servers[name], round((90_000 if name == "nginx" else 10_000) * small), command)
    if options.large:
        yield _memory(servers.get("nginx", fake), command)


def _transport(name: str, server: Open, small: float, command: str, *, pinned: bool) -> Rates:
    lines = []
    with _running(server) as running:
        for _ in range(2):  # rounds in turn; the better of each counts, for all alike
            for client, count in COUNTS.items():
                scale = small if name == "nginx" else small / 3
                lines.append(_client(running, client, max(500, round(count * scale)), pinned=pinned))
    best = [min((one for one in lines if one["name"] == client), key=cpu_us) for client in COUNTS]
    where = "one core each" if pinned else "no core assigned"
    return Rates(
        f"send_transport_{name}{'_one_core' if pinned else ''}",
        f"Messages to {name} over TLS, every answer after {LATENCY_MS} ms; {where}. The better of two rounds.",
        {},
        best,
        checks=[f"{one['name']}: {one['sent']:,} of {one['messages']:,} accepted" for one in best],
        command=command,
        reference=REFERENCE,
    )


def _outbox(name: str, server: Open, count: int, command: str) -> Rates:
    """`send_each` (no outbox at all) with a core of its own and without, then draining on each database by one and by
    two processes."""
    lines: list[dict[str, Any]] = []
    with _running(server) as running:
        some = max(500, count // 15)
        lines.append(_client(running, REFERENCE, some, pinned=True))
        lines.append(_client(running, REFERENCE, some, pinned=False) | {"name": f"{REFERENCE}, no core assigned"})
        for database, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
            for processes in (1, 2):
                with opened() as (url, pid):
                    lines.append(_drained(running, database, url, count, processes, pid))
    return Rates(
        f"send_outbox_{name}",
        f"{count:,} deliveries claimed, judged again, sent to {name} over TLS ({LATENCY_MS} ms) and settled.",
        {},
        lines,
        checks=[
            f"{one['name']}: {one['sent']:,} of {one.get('deliveries', one['messages']):,} sent"
            f"{', the others held out' if one['sent'] < one.get('deliveries', 0) else ''}"
            for one in lines
        ],
        caveats=[
            "`send_each` writes nothing down; SQLite is part of the client.",
            "The reference has a core of its own, which is when it is cheapest; nothing else here has.",
            "The client's CPU is the sum over its processes.",
        ],
        command=command,
        reference=REFERENCE,
    )


def _memory(server: Open, command: str) -> Rates:
    with _running(server) as running:
        told = _told([sys.executable, "-m", "benchmarks.fcm_clients", "memory", *_where(running), "2000000"])
    return Rates(
        "send_memory",
        "Two million messages by one sender in one call.",
        {"resident MB after every 100,000": told["rss_mb"]},
        [{"name": "newsbell", **told}],
        command=f"{command} --large",
    )


def _client(server: Server, client: str, count: int, *, pinned: bool) -> dict[str, Any]:
    before = server.cpu_s()
    arguments = [sys.executable, "-m", "benchmarks.fcm_clients", client, *_where(server), str(count)]
    told = _told([*ONE_CORE, *arguments] if pinned else arguments)
    return {"name": client, **told, "server_cpu_s": server.cpu_s() - before}


def _drained(
    server: Server, database: str, url: str, count: int, processes: int, database_pid: int | None = None
) -> dict[str, Any]:
    with Store.open(url) as store:
        store.migrate()
        fill(store, count)
    command = [sys.executable, "-m", "benchmarks.fcm_outbox", url, *_where(server)]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
    for one in workers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    before, began = server.cpu_s(), time.perf_counter()
    database_before = tree_cpu_s(database_pid) if database_pid else 0.0
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [json.loads(one.communicate()[0]) for one in workers]
    seconds = time.perf_counter() - began
    plural = "processes" if processes > 1 else "process"
    own = {"database_cpu_s": tree_cpu_s(database_pid) - database_before} if database_pid else {}
    return own | {
        "name": f"outbox on {database}, {processes} {plural}",
        "messages": sum(one["sent"] for one in told),  # the others are readers held out of every alert
        "deliveries": count,
        "sent": sum(one["sent"] for one in told),
        "seconds": min(seconds, max(one["seconds"] for one in told)),
        "cpu_s": sum(one["cpu_s"] for one in told),
        "server_cpu_s": server.cpu_s() - before,
    }


def _told(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[-5:])}: {done.stderr[-600:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _where(server: Server) -> list[str]:
    return [str(server.port), str(server.ca_file)]


@contextlib.contextmanager
def _running(server: Open) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="newsbell-bench-") as folder:
        Path(folder).chmod(0o755)  # nginx's worker is another user
        with server(Path(folder)) as running:
            yield running


@contextlib.contextmanager
def _sqlite() -> Iterator[tuple[str, None]]:
    with tempfile.TemporaryDirectory(prefix="newsbell-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'bench.db'}", None


@contextlib.contextmanager
def _postgres() -> Iterator[tuple[str, int]]:
    """Its address and its process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver
    server = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-postgres-"), cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://"), int(server.get_pid())
    finally:
        server.cleanup()

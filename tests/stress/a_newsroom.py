"""Run by a test: forks workers and senders at once, their programs imported and the news read before.

`a_newsroom.py DATABASE CLOCK TLS_URL CA PER_SECOND` reads lines from stdin: `start planner 1`, `start sender 2` (the
number is the clock's), `kill PID`, `stop PID`, `continue PID`; each gets a line in answer. Ends with stdin,
killing all.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from data.clock import SystemClock
from data.paces import Paces
from data.settings import load_settings
from data.store import Store
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.snapshot import Snapshot
from scheduler.delivery import Deliverer
from scheduler.fcm import FcmSender
from scheduler.fcm_transport import Transport
from scheduler.message import Composer
from scheduler.pace import Limits
from scheduler.pacer import Pacer
from scheduler.projects import FixedBearer, Project
from scheduler.runner import Runner

LEASE_S = 900.0  # of a claim, by clocks that jump: no jump is as long
LEADS_S = 3.0


class SteppedClock:
    """The machine's clock and what a file says: seconds for everybody, and seconds of this process alone."""

    def __init__(self, file: Path, number: int) -> None:
        self.steps_s = np.memmap(file, np.float64, mode="r")
        self.number = number

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self.steps_s[0] + self.steps_s[self.number]))


def snapshot_of(store: Store) -> Snapshot:
    return Snapshot(ArticleIndex.build(store.article_texts(0)), Popularity(), store.sources())


def sender_to(store: Store, tls: str, ca_file: Path, per_second: float) -> FcmSender:
    pacer = Pacer(Limits(per_second * 75, 0.8, 0.0), Paces(store))
    project = Project("", "demo-news", f"{tls}/v1/projects/demo-news/messages:send", FixedBearer())
    return FcmSender({"": project}, Transport(connections=2, ca_file=ca_file), pacer)


def plan(store: Store, clock: SteppedClock, sender: FcmSender, snapshot: Snapshot) -> None:
    settings = load_settings(database_url=str(store.engine.url), tick_s=1)
    runner = Runner(store, settings, clock, sender=sender, snapshot=lambda: snapshot, lease_s=LEADS_S)
    runner.deliverer.lease_s = LEASE_S
    while True:
        with contextlib.suppress(Exception):  # the database is away: as a supervisor would, try again
            runner.start()
            break
        time.sleep(0.1)
    threading.Event().wait()


def send(store: Store, clock: SteppedClock, sender: FcmSender) -> None:
    deliverer = Deliverer(store, sender, clock, lease_s=LEASE_S, composer=Composer())
    while True:
        try:
            deliverer.drain()
        except Exception:
            logging.exception("drain")
            time.sleep(0.1)
        time.sleep(0.02)


def child(role: str, number: int, snapshot: Snapshot, arguments: list[str]) -> None:
    url, clock_file, tls, ca_file, per_second = arguments
    clock, store = SteppedClock(Path(clock_file), number), Store.open(url)
    sender = sender_to(store, tls, Path(ca_file), float(per_second))
    plan(store, clock, sender, snapshot) if role == "planner" else send(store, clock, sender)


def main() -> None:
    arguments = sys.argv[1:]
    with Store.open(arguments[0]) as store:
        snapshot = snapshot_of(store)
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(message)s", stream=sys.stderr)
    alive: set[int] = set()
    signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "continue": signal.SIGCONT}
    print("ready", SystemClock().now().isoformat(), flush=True)  # noqa: T201
    for line in sys.stdin:
        what, *rest = line.split()
        if what == "start":
            pid = os.fork()
            if pid == 0:
                os.close(0)
                child(rest[0], int(rest[1]), snapshot, arguments)
                os._exit(3)
            alive.add(pid)
        else:
            pid = int(rest[0])
            os.kill(pid, signals[what])
            if what == "kill":
                _, status = os.waitpid(pid, 0)
                alive.discard(pid)
                what = "killed" if os.WIFSIGNALED(status) else f"had ended with {status}"
        print(what, pid, flush=True)  # noqa: T201
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()

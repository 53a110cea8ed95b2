"""Run by a test as a process of its own: obeys as a worker does, and never comes back from its post.

`a_broadcaster.py DATABASE FILE NOW BEFORE|AFTER`: hangs before the message leaves, or after it left (a line in FILE).
"""

import sys
import time
from datetime import datetime
from pathlib import Path

from conftest import Newsroom

from data.alerts import Outcome
from data.clock import FixedClock
from data.settings import Settings
from data.store import Store
from scheduler.runner import Runner


class Hangs:
    """A sender that is asked for topics alone."""

    def __init__(self, path: Path, when: str) -> None:
        self.path, self.when = path, when

    def send(self, messages: object) -> object:
        return iter(())

    def post(self, _app: str, body: bytes) -> Outcome:
        if self.when == "AFTER":
            with self.path.open("ab") as posted:
                posted.write(body + b"\n")
        sys.stdout.write("posting\n")
        sys.stdout.flush()
        time.sleep(600)
        return Outcome("sent")


if __name__ == "__main__":
    url, path, now, when = sys.argv[1:]
    with Store.open(url) as store:
        clock, sender = FixedClock(datetime.fromisoformat(now)), Hangs(Path(path), when)
        runner = Runner(store, Settings(index_dir=None), clock, sender=sender, snapshot=Newsroom(store).snapshot)  # type: ignore[arg-type]
        runner.lead()
        runner.obey()

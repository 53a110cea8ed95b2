"""Run by a test as a process of its own: drains, and never comes back from its second send."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from data.alerts import Outcome
from data.clock import FixedClock
from data.store import Store
from scheduler.delivery import Deliverer
from scheduler.message import Outgoing
from scheduler.sender import LogSender, open_messages


class Slow(LogSender):
    """Writes two messages, then hangs before it says how the second ended."""

    def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        for number, sent in enumerate(super().send(messages)):
            if number == 1:
                time.sleep(600)
            yield sent


if __name__ == "__main__":
    url, path, now = sys.argv[1:]
    with Store.open(url) as store, open_messages(Path(path)) as stream:
        clock = FixedClock(datetime.fromisoformat(now))
        Deliverer(store, Slow(stream), clock, settle_every_s=3_600).drain()

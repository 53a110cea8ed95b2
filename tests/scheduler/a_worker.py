"""Run by a test as a process of its own: a worker on the real clock that appends what it sends to a file."""

import logging
import sys
from pathlib import Path

from conftest import Newsroom

from data.clock import SystemClock
from data.settings import load_settings
from data.store import Store
from scheduler.runner import Runner
from scheduler.sender import LogSender, open_messages

if __name__ == "__main__":
    url, path, lease_s = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    with Store.open(url) as store, open_messages(Path(path)) as stream:
        settings = load_settings(database_url=url, tick_s=1)
        runner = Runner(
            store,
            settings,
            SystemClock(),
            sender=LogSender(stream),
            snapshot=Newsroom(store).snapshot,
            lease_s=float(lease_s),
        )
        runner.run_until_signal()

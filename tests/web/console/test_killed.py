"""Publish, restore and pause, killed at random moments: each happened whole with its audit entry, or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from data.clock import SystemClock
from data.store import Store
from recommender.service import ensure_default_weights
from scheduler.campaigns import ensure_default_campaigns

KILLS = {"sqlite": 4, "postgresql": 2}
WORKER = Path(__file__).with_name("desk_until_killed.py")


def test_a_kill_leaves_no_change_without_its_entry(database_url: str) -> None:
    now, chance = SystemClock().now(), random.Random(8)
    with Store.open(database_url) as store:
        ensure_default_weights(store, now)
        ensure_default_campaigns(store, now)
        for _ in range(KILLS[database_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]]):
            run_and_kill(database_url, chance.uniform(0.02, 0.3))
            check(store)
        assert number(store, "select count(*) from weight_set where surface = 'for_you'") > 3


def run_and_kill(url: str, after_s: float) -> None:
    """Let the worker work for a moment, then kill it as the system would."""
    worker = subprocess.Popen([sys.executable, str(WORKER), url], stdout=subprocess.PIPE, env=os.environ)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"working\n"
    time.sleep(after_s)
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=30)


def check(store: Store) -> None:
    """One live version, an entry for every version and none without, a campaign as its last entry says."""
    assert number(store, "select count(*) from weight_set where live and surface = 'for_you'") == 1
    versions = number(store, "select count(*) from weight_set where surface = 'for_you'")
    entries = number(store, "select count(*) from change where what = 'published weights' and target = 'for_you'")
    assert entries == versions
    newest = number(store, "select max(version) from weight_set where surface = 'for_you'")
    assert number(store, "select version from weight_set where live and surface = 'for_you'") == newest
    last = next((one for one in store.changes(limit=50) if one.what in {"paused push", "resumed push"}), None)
    with store.reading() as connection:
        state = connection.execute(text("select state from campaign")).scalar_one()
    assert state == ("paused" if last and last.what == "paused push" else "on")


def number(store: Store, query: str) -> int:
    with store.reading() as connection:
        return int(connection.execute(text(query)).scalar_one())

"""The changes of the desk, killed at random moments: each happened whole with its audit entry, or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from data.clock import SystemClock, micros
from data.store import Store
from recommender.service import ensure_default_weights
from scheduler.campaigns import ensure_default_campaigns

KILLS = {"sqlite": 4, "postgresql": 2}
WORKER = Path(__file__).with_name("desk_until_killed.py")


def test_a_kill_leaves_no_change_without_its_entry(database_url: str, article: Any) -> None:
    now, chance = SystemClock().now(), random.Random(8)
    with Store.open(database_url) as store:
        store.put_articles([article("a1")], now=now)
        ensure_default_weights(store, now)
        ensure_default_campaigns(store, now)
        for _ in range(KILLS[database_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]]):
            run_and_kill(database_url, chance.uniform(0.05, 0.8))
            check(store)
            check_others(store)
        assert number(store, "select count(*) from weight_set where surface = 'for_you'") > 2
        assert number(store, "select count(*) from experiment") > 0


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
    published = "from weight_set where surface = 'for_you' and reason <> 'for an experiment'"
    versions = number(store, f"select count(*) {published}")
    entries = number(store, "select count(*) from change where what = 'published weights' and target = 'for_you'")
    assert entries == versions
    newest = number(store, f"select max(version) {published}")
    assert number(store, "select version from weight_set where live and surface = 'for_you'") == newest
    last = next((one for one in store.changes(limit=50) if one.what in {"paused push", "resumed push"}), None)
    with store.reading() as connection:
        state = connection.execute(text("select state from campaign")).scalar_one()
    assert state == ("paused" if last and last.what == "paused push" else "on")


def check_others(store: Store) -> None:
    """A target has its boost while it runs and no longer; replays and policies have their entries."""
    with store.reading() as connection:
        rows = connection.execute(text("select id, state, rule_id from reach_target")).all()
        now = micros(SystemClock().now())
        active = set(connection.execute(text(f"select id from rule where ends_at > {now}")).scalars())
    assert {row.rule_id for row in rows if row.state == "on"} == active
    what = "select count(*) from change where what = '{}'"
    assert number(store, what.format("set a reach target for")) == len(rows)
    over = number(store, what.format("stopped the reach target for"))
    assert over == sum(row.state == "stopped" for row in rows)
    assert number(store, what.format("started")) == number(store, "select count(*) from replay")
    assert number(store, what.format("stopped")) == number(store, "select count(*) from replay where state = 'stopped'")
    experiments = "select count(*) from experiment"
    assert number(store, what.format("started experiment")) == number(store, experiments)
    assert number(store, what.format("stopped experiment")) == number(store, f"{experiments} where state = 'stopped'")
    kept = number(store, "select count(*) from weight_set where reason = 'for an experiment'")
    assert kept == number(store, what.format("kept weights for an experiment")) == number(store, experiments)
    entries = "select count(*) from change where what = 'published' and target = 'push policy'"
    assert number(store, entries) == number(store, "select count(*) from policy")
    assert number(store, "select count(*) from policy where live") <= 1


def number(store: Store, query: str) -> int:
    with store.reading() as connection:
        return int(connection.execute(text(query)).scalar_one())

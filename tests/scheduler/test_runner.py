"""The worker: one leads, commands are obeyed, a killed leader is replaced, a stop is clean."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from data.clock import FixedClock
from data.commands import Commands
from data.leases import LEADER, Leases
from data.models import Command
from data.outbox import Outbox
from data.settings import load_settings
from data.store.database import table
from data.values import ServedPage
from scheduler.jobs import jobs
from scheduler.runner import Runner
from scheduler.sender import LogSender

if TYPE_CHECKING:
    from conftest import Newsroom

WORKER = Path(__file__).with_name("a_worker.py")


class Lines(list[str]):
    """A stream that keeps what is written."""

    def write(self, text: str) -> None:
        self.append(text)

    def flush(self) -> None: ...


def runner(newsroom: "Newsroom", clock: FixedClock, lines: Lines | None = None) -> Runner:
    sender = LogSender(Lines() if lines is None else lines)  # type: ignore[arg-type]
    return Runner(newsroom.store, load_settings(), clock, sender=sender, snapshot=newsroom.snapshot)


def a_morning(newsroom: "Newsroom") -> FixedClock:
    newsroom.articles()
    newsroom.reader("anna")
    newsroom.campaign()
    return FixedClock(newsroom.now - timedelta(minutes=5))


def tick(worker: Runner) -> None:
    for duty in (worker.lead, worker.obey, worker.plan, worker.deliver, worker.recover, worker.reach):
        duty()


def test_a_tick_at_the_right_minute_plans_and_sends_once(newsroom_on_each: "Newsroom") -> None:
    clock, lines = a_morning(newsroom_on_each), Lines()
    worker = runner(newsroom_on_each, clock, lines)
    tick(worker)
    assert lines == []
    clock.advance(minutes=5)
    tick(worker)
    clock.advance(seconds=10)
    tick(worker)
    assert [json.loads(line)["message"]["fid"] for line in lines] == ["anna-0"]


def test_of_two_workers_one_leads_and_the_other_does_nothing(newsroom_on_each: "Newsroom") -> None:
    clock, lines = a_morning(newsroom_on_each), Lines()
    one, two = runner(newsroom_on_each, clock, lines), runner(newsroom_on_each, clock, lines)
    clock.advance(minutes=5)
    for worker in (two, one, two):
        tick(worker)
    assert (two.fence, one.fence, len(lines)) == (1, None, 1)


def test_a_silent_leader_is_replaced_when_its_lease_ends(newsroom: "Newsroom") -> None:
    clock = a_morning(newsroom)
    old, new = runner(newsroom, clock), runner(newsroom, clock)
    tick(old)
    tick(new)
    assert new.fence is None
    clock.advance(seconds=old.lease_s)
    tick(new)
    assert new.fence == 2
    # The old one was only asleep: it notices, and what it does in between is refused by the fence.
    tick(old)
    assert old.fence is None


def test_people_pause_resume_and_cancel(newsroom: "Newsroom") -> None:
    clock, lines = a_morning(newsroom), Lines()
    worker, commands = runner(newsroom, clock, lines), Commands(newsroom.store)
    campaign = newsroom.campaign(key="held", hold_s=3_600)
    clock.advance(minutes=5)
    commands.ask("pause", {"campaign": "morning"}, author="eva", now=clock.now())
    tick(worker)
    assert lines == []
    commands.ask("cancel", {"campaign": campaign.key}, author="eva", now=clock.now())
    commands.ask("resume", {"campaign": "morning"}, author="eva", now=clock.now())
    commands.ask("dance", {}, author="eva", now=clock.now())
    tick(worker)
    assert Outbox(newsroom.store).counts() == {"cancelled": 1}
    assert newsroom.campaigns.get("morning").state == "on"
    with newsroom.store.reading() as connection:
        rows = connection.execute(select(table(Command).c.state, table(Command).c.result)).all()
    assert [row.state for row in rows] == ["done", "done", "done", "failed"]
    assert rows[1].result == "cancelled 1"
    assert "there are pause and resume" in rows[3].result


def test_only_ticks_live_in_the_scheduler() -> None:
    class Idle:
        lead = obey = plan = deliver = recover = reach = judge = forget = learn = staticmethod(lambda: None)

    made = jobs(Idle(), load_settings(tick_s=30), lease_s=15)
    assert [(job.name, job.every_s) for job in made] == [
        ("lead", 5.0),
        ("obey", 1.0),
        ("plan", 30.0),
        ("deliver", 1.0),
        ("recover", 15.0),
        ("reach", 60.0),
        ("judge", 900.0),
        ("forget", 3600.0),
        ("learn", 600.0),
    ]


def test_the_leader_forgets_what_was_served_long_ago(newsroom: "Newsroom") -> None:
    clock = a_morning(newsroom)
    pages = [
        ServedPage(f"s{days}", "for_you", None, None, clock.now() - timedelta(days=days), 0, (1, 2), 1)
        for days in (1, 89, 91, 400)
    ]
    assert newsroom.store.add_served(pages) == 4
    leader, other = runner(newsroom, clock, Lines()), runner(newsroom, clock, Lines())
    leader.lead()
    other.lead()
    other.forget()
    assert all(newsroom.store.served(page.served_id) for page in pages)
    leader.forget()
    assert [bool(newsroom.store.served(page.served_id)) for page in pages] == [True, True, False, False]


def test_a_worker_starts_ticks_and_stops_giving_its_lease_back(newsroom: "Newsroom") -> None:
    clock, lines = a_morning(newsroom), Lines()
    clock.advance(minutes=5)
    worker = runner(newsroom, clock, lines)
    worker.start()
    until = time.monotonic() + 20
    while not lines and time.monotonic() < until:
        time.sleep(0.05)
    worker.stop()
    assert len(lines) == 1
    holder = Leases(newsroom.store).holder(LEADER)
    assert holder is not None
    assert holder[0] == ""


def test_a_tick_that_fails_is_logged_and_the_next_runs(newsroom: "Newsroom", caplog: pytest.LogCaptureFixture) -> None:
    from scheduler.jobs import Job
    from scheduler.runner import _guarded

    def fails() -> None:
        raise OSError("the disk is full")

    _guarded(Job("plan", 1.0, fails))
    assert "plan failed; the next tick tries again" in caplog.text


@pytest.fixture
def start_worker(newsroom_on_each: "Newsroom", database_url: str, tmp_path: Path) -> Any:
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> tuple["subprocess.Popen[bytes]", Path]:
        path = tmp_path / f"{name}.jsonl"
        command = [sys.executable, str(WORKER), database_url, str(path), "3"]
        running.append(subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL))
        return running[-1], path

    yield start
    for worker in running:
        worker.kill()
        worker.wait()


def wait_for(met: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 60
    while not met():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.05)


def test_a_killed_leader_is_replaced_and_a_terminated_one_ends_cleanly(
    newsroom_on_each: "Newsroom", start_worker: Any
) -> None:
    newsroom = newsroom_on_each
    leases = Leases(newsroom.store)

    def fence() -> int:
        found = leases.holder(LEADER)
        return found[1] if found and found[0] else 0

    first, _ = start_worker("first")
    wait_for(lambda: fence() == 1, "the first leads")
    second, messages = start_worker("second")
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: fence() == 2, "the second leads after the lease ended")

    newsroom.now = datetime.now(UTC)
    newsroom.articles()
    newsroom.reader("anna", quiet_from="00:00", quiet_until="00:00")
    soon = (newsroom.now - timedelta(minutes=1)).strftime("%H:%M")
    newsroom.campaign(key="now", local_times=(soon,), weekdays=())
    wait_for(lambda: messages.exists() and messages.read_text().count("\n") == 1, "the alert is sent")
    os.kill(second.pid, signal.SIGTERM)
    assert second.wait(30) == 0
    assert fence() == 0
    assert Outbox(newsroom.store).counts() == {"sent": 1}

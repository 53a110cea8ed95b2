"""A scheduler killed while it broadcasts: the message leaves at most once, and what became of it is told."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data.alerts import Outcome
from data.broadcasts import LEASE_S, Broadcasts
from data.clock import FixedClock
from data.desk_alerts import DeskAlerts
from data.errors import InvalidInput
from data.settings import Settings
from scheduler.broadcast import Broadcaster
from scheduler.runner import Runner

if TYPE_CHECKING:
    from conftest import Newsroom

PROCESS = Path(__file__).with_name("a_broadcaster.py")
LIFTED = {"overrides_quiet": True}


class Posts:
    """A sender that remembers what it posted to topics."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def send(self, _messages: Any) -> Any:
        return iter(())

    def post(self, _app: str, body: bytes) -> Outcome:
        self.bodies.append(body)
        return Outcome("sent")


def written(room: "Newsroom") -> int:
    """An alert for everybody whose hold is over."""
    room.article("tariffs", "New tariffs on cars")
    room.reader("anna")
    alerts = DeskAlerts(room.store)
    given = {"audience": {"kind": "everyone"}, "policy": LIFTED, "by": "ada", "reason": "x", "now": room.now}
    number = alerts.write(room.store.article_ids(["tariffs"])["tariffs"], "Tariffs", "", **given)
    alerts.send(number, by="lea", now=room.now, hold_s=0, way="broadcast")
    return number


def killed_while_posting(room: "Newsroom", url: str, path: Path, when: str) -> None:
    command = [sys.executable, str(PROCESS), url, str(path), room.now.isoformat(), when]
    with subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"posting\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL


def another_leads(room: "Newsroom", after_s: float) -> Posts:
    """The next scheduler, so long after the first began to post."""
    sender, clock = Posts(), FixedClock(room.now + timedelta(seconds=after_s))
    runner = Runner(room.store, Settings(index_dir=None), clock, sender=sender, snapshot=room.snapshot)
    runner.lead()
    runner.obey()
    runner.recover()
    runner.stop()
    return sender


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_a_broadcast_whose_sender_is_killed_ends_unknown_and_is_never_posted_again(
    newsroom_on_each: "Newsroom", database_url: str, tmp_path: Path, when: str
) -> None:
    room, path = newsroom_on_each, tmp_path / "posted"
    alert, ledger = written(room), Broadcasts(newsroom_on_each.store)
    killed_while_posting(room, database_url, path, when)
    assert ledger.counts() == {"sending": 1}
    posted = [another_leads(room, after_s) for after_s in (20, LEASE_S - 1, LEASE_S, LEASE_S + 3_000)]
    assert [one.bodies for one in posted] == [[]] * 4
    assert len(path.read_bytes().splitlines() if path.exists() else []) == (when == "AFTER")
    assert ledger.counts() == {"unknown": 1}
    assert ledger.all()[0]["reason"] == "the sender vanished"
    noted = room.store.changes(limit=9, target=f"alert {alert}")
    assert [one.what for one in noted].count("does not know what became of") == 1  # told once


def test_a_broadcast_under_way_is_left_alone_until_its_lease_is_over_and_a_late_answer_holds(
    newsroom_on_each: "Newsroom",
) -> None:
    room, ledger = newsroom_on_each, Broadcasts(newsroom_on_each.store)
    room.article("tariffs", "New tariffs on cars")
    during: list[dict[str, int]] = []

    def slow(_app: str, _body: bytes) -> Outcome:
        for after_s in (LEASE_S - 1, LEASE_S):
            ledger.recover(room.now + timedelta(seconds=after_s))
            during.append(ledger.counts())
        return Outcome("sent", "projects/p/messages/1")

    broadcaster = Broadcaster(room.store, slow, FixedClock(room.now))
    assert broadcaster.send(room.store.article("tariffs")).state == "sent"
    assert during == [{"sending": 1}, {"unknown": 1}]
    assert ledger.counts() == {"sent": 1}
    assert ledger.recover(room.now + timedelta(days=1)) == []


def test_what_could_not_be_posted_at_all_failed_and_may_be_tried_again(newsroom_on_each: "Newsroom") -> None:
    room, ledger = newsroom_on_each, Broadcasts(newsroom_on_each.store)
    room.article("tariffs", "New tariffs on cars")

    def no_project(_app: str, _body: bytes) -> Outcome:
        raise InvalidInput("no project for this app")

    clock = FixedClock(room.now)
    with pytest.raises(InvalidInput):
        Broadcaster(room.store, no_project, clock).send(room.store.article("tariffs"))
    assert ledger.counts() == {"failed": 1}
    assert Broadcaster(room.store, Posts().post, clock).send(room.store.article("tariffs")).state == "sent"

"""Delivery: judged again at the last moment, sent at most once, also when the sender is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from data.alerts import Due, Outcome
from data.clock import FixedClock
from data.models import Delivery
from data.outbox import Outbox
from data.store.database import table
from data.wire import DeviceIn, ReaderIn
from recommender.push_recheck import Recheck
from scheduler.delivery import Deliverer
from scheduler.message import Outgoing

if TYPE_CHECKING:
    from conftest import Newsroom

SLOW_SENDER = Path(__file__).with_name("slow_sender.py")


class Recorder:
    """A sender that remembers what it was given and ends every send the same way."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.outcome = outcome or Outcome("sent", "log/1")

    def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        for message in messages:
            self.sent.append(message.body["message"])
            yield message, self.outcome


def planned(newsroom: "Newsroom", **campaign: Any) -> None:
    """Two readers with three devices, all of them about to be told of the one story."""
    newsroom.article("tariffs", "New tariffs on cars", topics=["trade"])
    newsroom.reader("anna", devices=2)
    newsroom.reader("ben")
    newsroom.planner().at(newsroom.campaign(**campaign), newsroom.now)


def drain(newsroom: "Newsroom", now: datetime | None = None, sender: Any = None, **options: Any) -> Any:
    sender = sender or Recorder()
    deliverer = Deliverer(newsroom.store, sender, FixedClock(now or newsroom.now), **options)
    return deliverer.drain(), sender


def ends(newsroom: "Newsroom") -> dict[str, int]:
    """(state, reason) of every delivery, counted by `state reason`."""
    found: dict[str, int] = {}
    with newsroom.store.reading() as connection:
        for row in connection.execute(select(table(Delivery).c.state, table(Delivery).c.reason)):
            name = f"{row.state} {row.reason}".strip()
            found[name] = found.get(name, 0) + 1
    return found


def test_what_is_ready_is_sent_once_to_every_device(newsroom_on_each: "Newsroom") -> None:
    planned(newsroom_on_each)
    drained, sender = drain(newsroom_on_each)
    assert drained.sent == 3
    assert sorted(one["fid"] for one in sender.sent) == ["anna-0", "anna-1", "ben-0"]
    assert drain(newsroom_on_each)[1].sent == []
    assert ends(newsroom_on_each) == {"sent": 3}


def test_nothing_leaves_before_its_hold_is_over(newsroom: "Newsroom") -> None:
    planned(newsroom, hold_s=600)
    assert drain(newsroom, newsroom.now + timedelta(seconds=599))[0].sent == 0
    assert drain(newsroom, newsroom.now + timedelta(seconds=600))[0].sent == 3


def test_a_plan_cancelled_while_held_reaches_nobody(newsroom: "Newsroom") -> None:
    planned(newsroom, hold_s=600)
    outbox = Outbox(newsroom.store)
    assert outbox.cancel(plan_id=outbox.plans()[0].id, now=newsroom.now, reason="wrong headline") == 3
    assert drain(newsroom, newsroom.now + timedelta(hours=1))[1].sent == []
    assert ends(newsroom) == {"cancelled wrong headline": 3}


def test_what_changed_since_the_plan_is_obeyed(newsroom: "Newsroom") -> None:
    planned(newsroom)
    newsroom.store.put_readers([ReaderIn(id="ben", push=False)], now=newsroom.now)
    newsroom.reads("anna", "tariffs", at=newsroom.now)
    assert drain(newsroom)[1].sent == []
    assert ends(newsroom) == {"suppressed already_read": 2, "suppressed opted_out": 1}


def test_a_retracted_article_is_not_sent(newsroom: "Newsroom") -> None:
    planned(newsroom)
    newsroom.store.retract_article("tariffs", now=newsroom.now)
    drain(newsroom)
    assert ends(newsroom) == {"suppressed retracted": 3}


def test_a_rule_written_after_the_plan_stops_it(newsroom: "Newsroom", make_rule: Any) -> None:
    from data.models import Rule

    planned(newsroom)
    row = make_rule("block", "topic", "Trade", surface="push")
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__ if name != "id"}
    newsroom.store.add_rule(Rule(**fields))
    drain(newsroom)
    assert ends(newsroom) == {"suppressed blocked": 3}


def test_a_phone_that_changed_hands_keeps_silent(newsroom: "Newsroom") -> None:
    planned(newsroom)
    newsroom.store.put_device("cleo", DeviceIn(fid="ben-0", platform="ios"), now=newsroom.now)
    drain(newsroom)
    assert ends(newsroom) == {"sent": 2, "suppressed device_moved": 1}


def test_a_delivery_that_waited_into_the_night_is_not_sent(newsroom: "Newsroom") -> None:
    planned(newsroom, ttl_s=86_400)
    drain(newsroom, newsroom.now.replace(hour=22, minute=30))
    assert ends(newsroom) == {"suppressed quiet_hours": 3}


def test_news_that_waited_too_long_expires(newsroom: "Newsroom") -> None:
    planned(newsroom, ttl_s=3_600)
    assert drain(newsroom, newsroom.now + timedelta(hours=1))[0].expired == 3
    assert ends(newsroom) == {"expired freshness ended": 3}


def test_what_cannot_be_composed_fails_alone(newsroom: "Newsroom") -> None:
    newsroom.article("tariffs", "New tariffs on cars", url="https://news.example/" + "é" * 1_900)
    newsroom.reader("anna")
    newsroom.planner().at(newsroom.campaign(), newsroom.now)
    drained, sender = drain(newsroom)
    assert (drained.failed, sender.sent) == (1, [])


def test_a_stop_gives_back_what_was_claimed_and_not_sent(newsroom: "Newsroom") -> None:
    planned(newsroom)
    sender = Recorder()
    drain(newsroom, sender=sender, claimed_at_once=1, is_stopping=lambda: len(sender.sent) >= 2)
    assert len(sender.sent) == 2
    assert ends(newsroom) == {"sent": 2, "ready the sender was stopped": 1}
    assert drain(newsroom)[0].sent == 1


def test_a_sender_that_breaks_loses_no_outcome_it_reported(newsroom: "Newsroom") -> None:
    class Breaks(Recorder):
        def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
            yield next(iter(super().send(messages)))
            raise OSError("the network went away")

    planned(newsroom)
    with pytest.raises(OSError, match="network"):
        drain(newsroom, sender=Breaks())
    assert ends(newsroom) == {"sent": 1, "sending": 2}
    Outbox(newsroom.store).recover(newsroom.now + timedelta(minutes=5))
    assert drain(newsroom, newsroom.now + timedelta(minutes=5))[1].sent == []
    assert ends(newsroom) == {"sent": 1, "unknown the sender vanished": 2}


def test_a_worker_killed_between_send_and_settle_never_sends_again(
    newsroom_on_each: "Newsroom", database_url: str, tmp_path: Path
) -> None:
    planned(newsroom_on_each)
    messages = tmp_path / "messages.jsonl"
    command = [sys.executable, str(SLOW_SENDER), database_url, str(messages), newsroom_on_each.now.isoformat()]
    worker = subprocess.Popen(command, env=dict(os.environ))
    wait_for_lines(messages, 2, worker)
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.wait() == -signal.SIGKILL
    assert ends(newsroom_on_each) == {"sending": 3}

    later = newsroom_on_each.now + timedelta(minutes=10)
    assert Outbox(newsroom_on_each.store).recover(later) == 3
    assert drain(newsroom_on_each, later)[1].sent == []
    assert ends(newsroom_on_each) == {"unknown the sender vanished": 3}
    fids = [json.loads(line)["message"]["fid"] for line in messages.read_text().splitlines()]
    assert len(fids) == len(set(fids)) == 2


def wait_for_lines(path: Path, count: int, worker: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and worker.poll() is None:
        if path.exists() and path.read_text().count("\n") >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"the worker sent nothing (exit {worker.poll()})")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"retracted_at": datetime.fromisoformat("2026-03-02T07:00:00+00:00")}, "retracted"),
        ({"embargo_until": datetime.fromisoformat("2026-03-02T07:32:00+00:00")}, "embargoed"),
        ({"device_state": "gone"}, "no_device"),
        ({"device_reader_id": 2}, "device_moved"),
        ({"campaign_kind": "test"}, "test_only"),
        ({"campaign_kind": "test", "is_test": True}, None),
        ({"push": False}, "opted_out"),
        ({"has_read": True}, "already_read"),
        ({"told_us": -1}, "already_told"),
        ({"told_us": -48 * 3_600_000_000 + 1}, "already_told"),
        ({"told_us": -48 * 3_600_000_000}, None),
        ({"told_us": -2 * 3_600_000_000, "policy": {"told_window_h": 2}}, None),
        ({"muted_topics": ("trade",)}, "muted"),
        ({"muted_topics": ("WORLD",)}, "muted"),
        ({"muted_sources": ("herald",)}, "muted"),
        ({"muted_stories": ("7",)}, "muted"),
        ({"zone": "America/New_York"}, "quiet_hours"),
        ({"zone": "America/New_York", "policy": {"overrides_quiet": True}}, None),
        ({"alerts_us": (-1,) * 4}, "daily_cap"),
        ({"daily_cap": 0}, "daily_cap"),
        ({"alerts_us": (-1,)}, "too_soon"),
        ({"alerts_us": (-7_200_000_000,)}, None),
        ({"alerts_us": (-86_400_000_000,) * 4}, None),
        ({"alerts_us": (-8_000_000_000,) * 4, "daily_cap": 9, "groups": (2,) * 4}, None),
        ({"alerts_us": (-8_000_000_000,) * 4, "daily_cap": 9}, "daily_cap"),
        ({"campaign_kind": "manual", "alerts_us": (-1_800_000_000,)}, None),
        ({"campaign_kind": "manual", "alerts_us": (-1_800_000_000,) * 2}, "too_soon"),
        ({"campaign_kind": "breaking", "alerts_us": (-1,)}, None),
        (
            {"campaign_kind": "breaking", "alerts_us": (-8_000_000_000,) * 6, "groups": (2,) * 6, "daily_cap": 9},
            "daily_cap",
        ),
        ({"other_days": 15}, None),  # a Monday: six are left for seven days, one for this one
        ({"other_days": 15, "today": 1}, "weekly_budget"),
        ({"other_days": 21}, "weekly_budget"),
        ({"other_days": 21, "campaign_kind": "manual"}, None),
        ({"unopened": 9, "newest_us": -1}, None),
        ({"unopened": 10, "newest_us": -1}, "stop_loss"),
        ({"unopened": 10, "newest_us": -7 * 86_400_000_000}, None),
        ({"reader_since_us": -1, "alerts_us": (-8_000_000_000,)}, None),
        ({"reader_since_us": -1, "alerts_us": (-8_000_000_000,) * 2}, "daily_cap"),
        ({"policy": {"holdout_share": 1.0}}, "holdout"),
    ],
)
def test_the_last_look_names_the_first_reason(
    make_due: Callable[..., Due], now: datetime, fields: dict[str, Any], reason: str | None
) -> None:
    from data.clock import micros

    if "alerts_us" in fields:
        fields = fields | {"alerts_us": tuple(micros(now) + one for one in fields["alerts_us"])}
    moments = {
        name: micros(now) + fields[name] for name in ("told_us", "newest_us", "reader_since_us") if name in fields
    }
    fields = fields | moments
    assert Recheck(now)(make_due(**fields)) == reason


@pytest.mark.parametrize(
    ("target", "key", "stops"),
    [
        ("article", "tariffs", True),
        ("article", "flood", False),
        ("story", "7", True),
        ("source", "herald", True),
        ("topic", "trade", True),
        ("topic", "world", True),
        ("topic", "", False),
    ],
)
def test_a_block_stops_exactly_its_target(
    make_due: Callable[..., Due], make_rule: Any, now: datetime, *, target: str, key: str, stops: bool
) -> None:
    blocked = Recheck(now, rules=[make_rule("block", target, key)])(make_due())
    assert blocked == ("blocked" if stops else None)
    assert Recheck(now, rules=[make_rule("block", target, key, surface="related")])(make_due()) is None
    assert Recheck(now, rules=[make_rule("boost", target, key)])(make_due()) is None

"""The queue of an outbox on SQLite and PostgreSQL: what waits is in it, and nothing else is."""

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from data import migrate
from data.alerts import CampaignRow, Outcome
from data.campaigns import Campaigns
from data.models import Delivery, Waiting
from data.store import Store
from data.store.database import table

if TYPE_CHECKING:
    from conftest import Newsroom

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
D, W = table(Delivery), table(Waiting)


def test_what_is_to_go_again_after_its_end_is_given_up_when_its_time_comes(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f3", not_before_at=NOW + timedelta(hours=2)))
    (due,) = room.claim()
    room.outbox.settle([(due, Outcome("ready", retry_at=NOW + timedelta(hours=8)))], NOW)
    assert not room.outbox.is_due(NOW + timedelta(hours=1))
    assert room.outbox.is_due(NOW + timedelta(hours=2))
    assert room.outbox.expire(NOW + timedelta(hours=7)) == 1, "the other, which never went"
    assert room.claim(NOW + timedelta(hours=7)) == ()
    assert not room.outbox.is_due(NOW + timedelta(hours=7))
    assert room.outbox.is_due(NOW + timedelta(hours=8))
    assert room.outbox.expire(NOW + timedelta(hours=8)) == 1
    assert room.outbox.counts() == {"expired": 2}


def test_waiting_deliveries_are_noticed_when_their_time_comes(room: "Newsroom") -> None:
    assert not room.outbox.is_due(NOW)
    room.add(room.delivery("f1", not_before_at=NOW + timedelta(minutes=1)), hold=True)
    assert not room.outbox.is_due(NOW)
    assert room.outbox.is_due(NOW + timedelta(minutes=1))


def queue(store: Store) -> list[tuple[int, bool, int]]:
    """What waits: (delivery, is it held, when it may go)."""
    with store.reading() as connection:
        rows = connection.execute(select(W.c.delivery_id, W.c.is_held, W.c.not_before_at).order_by(W.c.delivery_id))
        return [(row.delivery_id, row.is_held, row.not_before_at) for row in rows]


def waiting(store: Store) -> list[tuple[int, bool, int]]:
    """The same by the deliveries' states."""
    with store.reading() as connection:
        open_ = D.c.state.in_(("held", "ready"))
        rows = connection.execute(select(D.c.id, D.c.state, D.c.not_before_at).where(open_).order_by(D.c.id))
        return [(row.id, row.state == "held", row.not_before_at) for row in rows]


def told(store: Store) -> dict[str, bool | None]:
    with store.reading() as connection:
        return {row.state: row.is_told for row in connection.execute(select(D.c.state, D.c.is_told))}


def test_what_waits_is_in_the_queue_and_nothing_else_is(room: "Newsroom") -> None:
    later = NOW + timedelta(minutes=1)
    room.add(room.delivery("f1", not_before_at=later), room.delivery("f2"), hold=True)
    room.add(room.delivery("f3"), room.delivery("f4", expires_at=later))
    assert len(queue(room.store)) == 4
    steps: list[Any] = [
        lambda: room.outbox.release(NOW),
        lambda: room.outbox.expire(later),
        lambda: room.outbox.claim(NOW, limit=1, lease_s=60, recheck=lambda due: "opted_out"),
        lambda: room.outbox.settle(
            [(due, Outcome("ready", retry_at=later + timedelta(seconds=5))) for due in room.claim()], NOW
        ),
        lambda: room.outbox.release(later),
        lambda: room.outbox.settle([(due, Outcome("gone")) for due in room.claim(later)], later),
        lambda: room.outbox.cancel(campaign_id=room.campaign.id, now=later, reason="stop"),
    ]
    for step in steps:
        step()
        assert queue(room.store) == waiting(room.store)
    assert queue(room.store) == []
    assert told(room.store) == dict.fromkeys(("expired", "suppressed", "gone", "cancelled"), False)


def test_a_campaign_that_sends_at_least_once_waits_again_for_a_sender_that_vanished(room: "Newsroom") -> None:
    Campaigns(room.store).ensure([CampaignRow(id=0, key="again", name="", mode="at_least_once")], now=NOW)
    again = Campaigns(room.store).get("again")
    plan = room.outbox.begin_plan(again, now=NOW, slots_from=NOW, slots_until=NOW)
    room.outbox.add(plan, [room.delivery("f1")], now=NOW)
    (first,) = room.claim()
    later = NOW + timedelta(seconds=60)
    room.outbox.recover(later)
    assert queue(room.store) == waiting(room.store) != []
    (second,) = room.claim(later)
    assert room.outbox.settle([(first, Outcome("sent"))], later) == 0  # of the attempt before
    assert room.outbox.recover(later) == 0  # the first lease is over, the second is not
    assert room.outbox.settle([(second, Outcome("sent"))], later) == 1
    assert (second.attempt, room.outbox.counts(), told(room.store)) == (2, {"sent": 1}, {"sent": True})


def test_what_waits_of_a_reader_who_is_gone_is_passed_over_once(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f3"))
    room.store.erase_reader("anna")
    assert [due.fid for due in room.claim()] == ["f3"]
    assert queue(room.store) == []


def test_the_database_refuses_a_story_told_that_nobody_heard_of(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    with pytest.raises(IntegrityError), room.store.transaction() as connection:
        connection.execute(update(D).values(state="cancelled"))
    with pytest.raises(IntegrityError), room.store.transaction() as connection:
        connection.execute(update(D).values(is_told=False))


def test_a_database_from_before_the_queue_keeps_what_waits_and_what_was_claimed(room: "Newsroom") -> None:
    room.add(room.delivery("f1", "a2"), hold=True)
    room.add(room.delivery("f3"), room.delivery("f4"))
    first, second = room.claim()
    room.outbox.settle([(first, Outcome("failed"))], NOW)
    room.add(room.delivery("f2"))
    before = room.outbox.counts()
    with room.store.transaction() as connection:
        command.downgrade(migrate.config(connection), "0008")
    assert room.store.migrate()[0] == "0009"
    logging.getLogger("alembic").setLevel(logging.WARNING)
    assert room.outbox.counts() == before == {"held": 1, "sending": 1, "failed": 1, "ready": 1}
    assert queue(room.store) == waiting(room.store)
    assert told(room.store) == {"held": True, "sending": True, "failed": False, "ready": True}
    assert [due.fid for due in room.claim()] == ["f2"]
    assert room.outbox.recover(NOW + timedelta(seconds=60)) == 2
    assert room.outbox.settle([(second, Outcome("sent"))], NOW) == 1

"""The outbox on SQLite and PostgreSQL: what goes in once, what comes out once, and every step noted."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError

from data.alerts import Due, Outcome
from data.campaigns import Campaigns
from data.errors import Conflict, NotFound
from data.leases import LEADER, Leases
from data.models import Article, Delivery
from data.store.database import table
from data.wire import DeviceIn, EventIn

if TYPE_CHECKING:
    from conftest import Newsroom

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SLOT = "2026-03-02T07:30"
D = table(Delivery)


def test_a_device_gets_a_slot_once_whoever_plans(room: "Newsroom") -> None:
    assert room.add(room.delivery("f1"), room.delivery("f2"), room.delivery("f3")) == 3
    again = room.outbox.begin_plan(room.campaign, now=NOW, slots_from=NOW, slots_until=NOW)
    other_article = room.delivery("f1", "a2", key="another")
    assert room.outbox.add(again, [other_article, room.delivery("f4")], now=NOW) == 1
    assert room.outbox.counts() == {"ready": 4}


def test_a_device_hears_of_a_story_once_until_an_update(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    assert room.add(room.delivery("f1", slot="2026-03-03T07:30", key="again")) == 0
    assert room.add(room.delivery("f1", slot="2026-03-03T07:30", key="update", update_no=1)) == 1


def test_what_was_cancelled_may_be_told_by_a_later_slot(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), hold=True)
    assert room.outbox.cancel(plan_id=room.plan_id, now=NOW, reason="wrong") == 1
    assert room.add(room.delivery("f1", key="same slot")) == 0
    assert room.add(room.delivery("f1", slot="2026-03-02T12:30", key="later")) == 1


def test_the_way_of_a_delivery_is_written_down(room: "Newsroom") -> None:
    one = room.delivery("f1", not_before_at=NOW + timedelta(minutes=5))
    room.add(one, hold=True)
    assert room.outbox.release(NOW) == 0
    later = NOW + timedelta(minutes=5)
    assert room.outbox.release(later) == 1
    (due,) = room.claim(later)
    assert room.outbox.counts() == {"sending": 1}
    assert room.outbox.settle([(due, Outcome("sent", "log/1"))], later) == 1
    assert room.history(one.key) == [(None, "held"), ("held", "ready"), ("ready", "sending"), ("sending", "sent")]
    assert (due.article.key, due.fid, due.attempt, due.campaign.key) == ("a1", "f1", 1, "morning")


def test_nothing_is_claimed_twice_or_too_early(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f3", not_before_at=NOW + timedelta(minutes=1)))
    assert [due.fid for due in room.claim()] == ["f1"]
    assert room.claim() == ()


def test_a_paused_campaign_is_not_claimed(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    Campaigns(room.store).set_state("morning", "paused")
    assert room.claim() == ()
    Campaigns(room.store).set_state("morning", "on")
    assert len(room.claim()) == 1


def test_a_recheck_that_fails_ends_a_delivery_with_its_reason(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f3"))

    def refuse(due: Due) -> str | None:
        return "opted_out" if due.fid == "f1" else None

    claim = room.outbox.claim(NOW, limit=10, lease_s=60, recheck=refuse)
    assert (len(claim.due), claim.suppressed) == (1, 1)
    with room.store.reading() as connection:
        rows = connection.execute(select(D.c.state, D.c.reason).order_by(D.c.id)).all()
    assert [tuple(row) for row in rows] == [("suppressed", "opted_out"), ("sending", "")]


def test_what_is_too_old_expires_before_and_during_a_claim(room: "Newsroom") -> None:
    room.add(room.delivery("f1", expires_at=NOW), room.delivery("f3", expires_at=NOW + timedelta(seconds=1)))
    assert room.outbox.expire(NOW) == 1
    claim = room.outbox.claim(NOW + timedelta(seconds=1), limit=9, lease_s=60, recheck=lambda due: None)
    assert (claim.due, claim.expired) == ((), 1)
    assert room.outbox.counts() == {"expired": 2}


def test_a_vanished_sender_leaves_unknown_and_nothing_is_sent_again(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    (due,) = room.claim()
    assert room.outbox.recover(NOW + timedelta(seconds=59)) == 0
    assert room.outbox.recover(NOW + timedelta(seconds=60)) == 1
    assert room.outbox.counts() == {"unknown": 1}
    assert room.claim(NOW + timedelta(hours=1)) == ()
    # The sender was only slow: what it says about its one attempt is the truth.
    assert room.outbox.settle([(due, Outcome("sent"))], NOW) == 1
    assert room.outbox.counts() == {"sent": 1}


@pytest.mark.parametrize(("told", "state"), [("sent", "sent"), ("unknown", "unknown"), ("ready", "unknown")])
def test_an_answer_that_comes_while_it_is_given_up_is_noted_as_what_it_changed(
    room: "Newsroom", told: Any, state: str
) -> None:
    room.add(*(room.delivery(fid) for fid in ("f1", "f3", "f4")))
    due = room.claim()
    giving_up, given_up = threading.Event(), NOW + timedelta(seconds=61)

    def hold(_: Any) -> None:
        if threading.current_thread() is other:
            giving_up.set()
            time.sleep(0.4)  # long enough for the answer to come and to wait for these rows

    other = threading.Thread(target=room.outbox.recover, args=(given_up,))
    listen(room.store.engine, "commit", hold)
    other.start()
    assert giving_up.wait(30)
    changed = room.outbox.settle([(one, Outcome(told)) for one in due], given_up)
    other.join()
    assert changed == (3 if told == "sent" else 0)
    assert room.outbox.counts() == {state: 3}
    steps: list[tuple[str | None, str]] = [(None, "ready"), ("ready", "sending"), ("sending", "unknown")]
    for one in due:
        assert room.history(one.key) == steps + [("unknown", "sent")] * (told == "sent")


def test_a_settled_delivery_is_not_settled_again(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    (due,) = room.claim()
    room.outbox.settle([(due, Outcome("gone"))], NOW)
    assert room.outbox.settle([(due, Outcome("sent"))], NOW) == 0
    assert room.outbox.counts() == {"gone": 1}


def test_the_claim_sees_what_happened_since_the_plan(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f3"), room.delivery("f4"))
    read = EventIn(id="e1", reader="anna", article="a1", kind="open", at=NOW)
    room.store.add_events([read], now=NOW)
    room.store.retract_article("a1", now=NOW)
    room.store.put_device("cleo", DeviceIn(fid="f3", platform="ios"), now=NOW)
    due = {one.fid: one for one in room.claim()}
    assert due["f1"].has_read
    assert not due["f3"].has_read
    assert due["f3"].device_reader_id != due["f3"].reader_id
    assert due["f4"].article.retracted_at == NOW


def test_another_article_of_the_story_counts_as_read_and_as_told(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    room.outbox.settle([(due, Outcome("sent")) for due in room.claim()], NOW)
    with room.store.transaction() as connection:
        articles = table(Article)
        connection.execute(update(articles).values(story_id=room.articles["a1"]))
    room.add(room.delivery("f2", "a2", slot="2026-03-02T12:30"), room.delivery("f3", "a2", slot="2026-03-02T12:30"))
    room.store.add_events([EventIn(id="e1", reader="ben", article="a1", kind="read", at=NOW)], now=NOW)
    due = {one.fid: one for one in room.claim(NOW + timedelta(hours=5))}
    assert due["f2"].told_us
    assert due["f2"].alerts_us == (int(NOW.timestamp() * 1_000_000),)
    assert (due["f3"].told_us, due["f3"].has_read) == (0, True)


def test_two_alerts_to_one_reader_are_never_judged_in_one_claim(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f2"), room.delivery("f1", "a2", slot="2026-03-02T12:30"))
    claim = room.outbox.claim(NOW, limit=10, lease_s=60, recheck=lambda due: None)
    assert ([due.fid for due in claim.due], claim.postponed) == (["f1", "f2"], 1)


def test_an_alert_to_two_devices_is_one_alert_in_the_ledger(room: "Newsroom") -> None:
    room.add(room.delivery("f1"), room.delivery("f2"), room.delivery("f3", "a2"))
    told = room.outbox.told([room.readers["ben"], room.readers["anna"]], since=NOW - timedelta(hours=24))
    assert sorted(zip(told.row.tolist(), told.story_id.tolist(), strict=True)) == [
        (0, room.articles["a2"]),
        (1, room.articles["a1"]),
    ]
    later = room.outbox.told([room.readers["anna"]], since=NOW, story_ids=[room.articles["a2"]])
    assert len(later.row) == 0


def test_readers_whose_slot_is_planned_are_known_also_when_it_was_cancelled(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    room.outbox.cancel(campaign_id=room.campaign.id, now=NOW, reason="stop")
    found = room.outbox.planned(room.campaign.id, list(room.readers.values()), [SLOT])
    assert found == {(room.readers["anna"], SLOT)}


def test_a_leader_of_yesterday_writes_nothing(room: "Newsroom") -> None:
    leases = Leases(room.store)
    old = leases.acquire(LEADER, "one", now=NOW, ttl_s=10)
    new = leases.acquire(LEADER, "two", now=NOW + timedelta(seconds=10), ttl_s=10)
    assert old is not None
    assert new == old + 1
    with pytest.raises(Conflict, match="another scheduler leads"):
        room.outbox.add(room.plan_id, [room.delivery("f1")], now=NOW, fence=old)
    room.outbox.add(room.plan_id, [room.delivery("f1")], now=NOW, fence=new)
    with pytest.raises(Conflict):
        room.claim(fence=old)
    assert len(room.claim(fence=new)) == 1


def test_the_database_refuses_a_state_it_does_not_know_and_a_send_without_a_lease(room: "Newsroom") -> None:
    room.add(room.delivery("f1"))
    for state in ("flying", "sending"):
        with pytest.raises(IntegrityError), room.store.transaction() as connection:
            connection.execute(update(D).values(state=state))


def test_many_senders_at_once_share_the_outbox_without_overlap(room: "Newsroom") -> None:
    readers = [f"r{number}" for number in range(60)]
    room.store.put_devices([(key, DeviceIn(fid=f"d-{key}", platform="web")) for key in readers], now=NOW)
    found = [room.store.reader(key) for key in readers]
    devices = room.store.devices_of(one.id for one in found if one)
    room.devices |= {device.fid: device for device in devices}
    room.add(*(room.delivery(device.fid) for device in devices))
    claimed: list[str] = []

    def work() -> None:
        while due := room.outbox.claim(NOW, limit=7, lease_s=60, recheck=lambda one: None).due:
            claimed.extend(one.fid for one in due)
            room.outbox.settle([(one, Outcome("sent")) for one in due], NOW)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Where rows are locked a sender may see an empty outbox for a moment: one more look finds the rest.
    work()
    assert sorted(claimed) == sorted(device.fid for device in devices)
    assert room.outbox.counts() == {"sent": 60}


def test_a_plan_keeps_its_funnel(room: "Newsroom") -> None:
    room.outbox.finish_plan(room.plan_id, funnel={"SEND": 3}, examples=[{"reader": "anna"}])
    found = room.outbox.plan(room.plan_id)
    assert (found.funnel, found.examples) == ({"SEND": 3}, [{"reader": "anna"}])
    assert [one.id for one in room.outbox.plans(room.campaign.id)] == [room.plan_id]
    with pytest.raises(NotFound, match="no plan 999"):
        room.outbox.plan(999)

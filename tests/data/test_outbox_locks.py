"""Whoever changes many deliveries locks them by id, so that two who meet wait for each other and never in a circle."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import OperationalError

from data.alerts import CampaignRow, Due, NewDelivery, Outcome
from data.campaigns import Campaigns
from data.models import Delivery
from data.outbox import Outbox
from data.store import Store
from data.store.database import table
from data.wire import DeviceIn, ReaderIn

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
D = table(Delivery)
COUNT = 6


@dataclass
class Sending:
    """Deliveries under way, in a table that holds the one of the lowest id last."""

    store: Store
    due: tuple[Due, ...]
    ids: list[int]


@pytest.fixture
def sending(store: Store, article: Any) -> Sending:
    if not store.is_postgres:
        pytest.skip("on SQLite there is one writer and no lock on a row")
    store.put_articles([article("a")], now=NOW)
    store.put_readers([ReaderIn(id=f"r{one}") for one in range(COUNT)], now=NOW)
    for one in range(COUNT):
        store.put_device(f"r{one}", DeviceIn(fid=f"f{one}", platform="ios"), now=NOW)
    Campaigns(store).ensure(
        [CampaignRow(0, "once", "Once"), CampaignRow(0, "again", "", mode="at_least_once")], now=NOW
    )
    outbox, devices = Outbox(store), store.devices_of([store.reader(f"r{n}").id for n in range(COUNT)])  # type: ignore[union-attr]
    for place, device in enumerate(devices):
        campaign = Campaigns(store).get("once" if place % 2 else "again")
        plan_id = outbox.begin_plan(campaign, now=NOW, slots_from=NOW, slots_until=NOW)
        number, ends_at = store.article_ids(["a"])["a"], NOW + timedelta(hours=6)
        made = NewDelivery(device.fid, device.reader_id, device.id, number, number, 0, "s", NOW, ends_at)
        outbox.add(plan_id, [made], now=NOW)
    due = outbox.claim(NOW, limit=COUNT, lease_s=60, recheck=lambda _due: None).due
    ids = sorted(one.id for one in due)
    for number in reversed(ids):  # each new version goes behind: a scan now meets the highest id first
        with store.transaction() as connection:
            connection.execute(update(D).where(D.c.id == number).values(score=0.5))
    return Sending(store, due, ids)


def waiting(connection: Connection) -> bool:
    query = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    return bool(connection.execute(query).scalar_one())


def locked_while_waiting_for(sending: Sending, number: int, act: Callable[[], Any]) -> set[int]:
    """The deliveries that `act` has locked when it comes to `number`, which somebody else holds."""
    store, held = sending.store, set()
    with store.engine.connect() as holder, store.engine.connect() as looker:
        holder.execute(select(D.c.id).where(D.c.id == number).with_for_update())
        thread = threading.Thread(target=act)
        thread.start()
        until = time.monotonic() + 30
        while not waiting(looker):
            looker.rollback()
            assert time.monotonic() < until
            time.sleep(0.01)
        for one in sending.ids:
            looker.rollback()
            try:
                looker.execute(select(D.c.id).where(D.c.id == one).with_for_update(nowait=True))
            except OperationalError:
                held.add(one)
        looker.rollback()
        holder.rollback()
        thread.join(timeout=30)
    return held - {number}


def test_recovering_locks_deliveries_by_id(sending: Sending) -> None:
    middle = sending.ids[COUNT // 2]
    found = locked_while_waiting_for(sending, middle, lambda: Outbox(sending.store).recover(LATER))
    assert found == {one for one in sending.ids if one < middle}
    assert Outbox(sending.store).counts() == {"ready": 3, "unknown": 3}


def test_settling_locks_deliveries_by_id_in_whatever_order_they_ended(sending: Sending) -> None:
    middle = sending.ids[COUNT // 2]
    ended = [(due, Outcome("sent")) for due in sorted(sending.due, key=lambda one: -one.id)]
    found = locked_while_waiting_for(sending, middle, lambda: Outbox(sending.store).settle(ended, LATER))
    assert found == {one for one in sending.ids if one < middle}
    assert Outbox(sending.store).counts() == {"sent": COUNT}


def test_recovering_and_settling_at_once_end_without_a_deadlock(sending: Sending) -> None:
    ended = [(due, Outcome("sent")) for due in sorted(sending.due, key=lambda one: -one.id)]
    outbox, wrong, start = Outbox(sending.store), [], threading.Barrier(2)

    def run(act: Callable[[], Any]) -> None:
        start.wait()
        try:
            act()
        except OperationalError as error:
            wrong.append(error)

    acts = (lambda: outbox.recover(LATER), lambda: outbox.settle(ended, LATER))
    both = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=30)
    assert wrong == []
    assert sum(outbox.counts().values()) == COUNT

"""A newsroom with an outbox."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from data.alerts import CampaignRow, Due, NewDelivery
from data.campaigns import Campaigns
from data.models import Delivery, DeliveryEvent
from data.outbox import Outbox
from data.store import Store
from data.store.database import table
from data.wire import DeviceIn, ReaderIn

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SLOT = "2026-03-02T07:30"
D, E = table(Delivery), table(DeliveryEvent)


class Newsroom:
    """Three readers, one of them with two devices, two articles and a campaign."""

    def __init__(self, store: Store, article: Any) -> None:
        self.store, self.outbox = store, Outbox(store)
        store.put_articles([article("a1"), article("a2", body="Something else entirely.")], now=NOW)
        store.put_readers([ReaderIn(id=key) for key in ("anna", "ben", "cleo")], now=NOW)
        for reader, fid in (("anna", "f1"), ("anna", "f2"), ("ben", "f3"), ("cleo", "f4")):
            store.put_device(reader, DeviceIn(fid=fid, platform="ios"), now=NOW)
        self.articles = store.article_ids(["a1", "a2"])
        store.assign_stories([(one, one) for one in self.articles.values()], now=NOW)
        self.readers = {key: store.reader(key).id for key in ("anna", "ben", "cleo")}  # type: ignore[union-attr]
        self.devices = {device.fid: device for device in store.devices_of(self.readers.values())}
        Campaigns(store).ensure([CampaignRow(id=0, key="morning", name="Morning")], now=NOW)
        self.campaign = Campaigns(store).get("morning")
        self.plan_id = self.outbox.begin_plan(self.campaign, now=NOW, slots_from=NOW, slots_until=NOW)

    def delivery(self, fid: str, article: str = "a1", slot: str = SLOT, **fields: Any) -> NewDelivery:
        device, number = self.devices[fid], self.articles[article]
        made = NewDelivery(
            key=f"{fid}-{article}-{slot}",
            reader_id=device.reader_id,
            device_id=device.id,
            article_id=number,
            story_id=number,
            update_no=0,
            slot=slot,
            not_before_at=NOW,
            expires_at=NOW + timedelta(hours=6),
            score=0.5,
            parts={"similarity": 0.5},
        )
        return replace(made, **fields)

    def add(self, *deliveries: NewDelivery, hold: bool = False) -> int:
        return self.outbox.add(self.plan_id, deliveries, now=NOW, hold=hold)

    def claim(self, now: datetime = NOW, **options: Any) -> tuple[Due, ...]:
        return self.outbox.claim(now, limit=100, lease_s=60, recheck=lambda due: None, **options).due

    def history(self, key: str) -> list[tuple[str | None, str]]:
        with self.store.reading() as connection:
            rows = connection.execute(
                select(E.c.before, E.c.after).join(D, D.c.id == E.c.delivery_id).where(D.c.key == key).order_by(E.c.id)
            )
            return [(row.before, row.after) for row in rows]


@pytest.fixture
def room(store: Store, article: Any) -> Newsroom:
    return Newsroom(store, article)

"""What happened in a span of time that is over, for replays: sessions of readers, plans, scores of alerts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, select, type_coerce

from data.alerts import CampaignRow, PlanRow
from data.campaigns import Campaigns
from data.models import Delivery, Device, Event, Plan, Reader
from data.store import Store
from data.store.database import table

EVENTS, READERS, DELIVERIES, PLANS, DEVICES = (table(one) for one in (Event, Reader, Delivery, Plan, Device))
OPENS = ("open", "read", "finish")
GAP_US = 30 * 60_000_000  # a reader who does nothing for half an hour has left


@dataclass(frozen=True, slots=True)
class Session:
    """One visit: what a reader opened, from the first opening on, until half an hour without one."""

    reader_id: int
    reader: str
    at_us: int
    article_ids: frozenset[int]


class PastRows:
    """Reads the log of events and of alerts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def sessions(self, first_at: datetime, last_at: datetime, *, limit: int = 500_000) -> list[Session]:
        """The sessions that began in (first, last], by reader and time; of more than `limit` events the newest."""
        at_us = type_coerce(EVENTS.c.at, BigInteger)
        query = select(EVENTS.c.reader_id, READERS.c.key, at_us.label("at_us"), EVENTS.c.article_id).join(
            READERS, READERS.c.id == EVENTS.c.reader_id
        )
        query = query.where(EVENTS.c.at > first_at, EVENTS.c.at <= last_at, EVENTS.c.kind.in_(OPENS))
        with self.store.reading() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.at.desc()).limit(limit)).all()
        found: list[Session] = []
        last_us = 0
        for row in sorted(rows, key=lambda one: (one.reader_id, one.at_us)):
            if found and found[-1].reader_id == row.reader_id and row.at_us - last_us <= GAP_US:
                known = found[-1]
                article_ids = known.article_ids | {row.article_id}
                found[-1] = Session(known.reader_id, known.reader, known.at_us, article_ids)
            else:
                found.append(Session(row.reader_id, row.key, row.at_us, frozenset({row.article_id})))
            last_us = row.at_us
        return found

    def plans(self, first_at: datetime, last_at: datetime) -> list[tuple[CampaignRow, PlanRow]]:
        """The plans of campaigns that run by themselves, made in (first, last]."""
        campaigns = {one.id: one for one in Campaigns(self.store).all() if one.kind not in {"manual", "test"}}
        query = select(PLANS).where(PLANS.c.planned_at > first_at, PLANS.c.planned_at <= last_at).order_by(PLANS.c.id)
        with self.store.reading() as connection:
            rows = connection.execute(query).all()
        plans = [PlanRow(**{name: getattr(row, name) for name in PlanRow.__dataclass_fields__}) for row in rows]
        return [(campaigns[one.campaign_id], one) for one in plans if one.campaign_id in campaigns]

    def reachable(self, *, limit: int) -> list[tuple[int, str]]:
        """Readers who want alerts and have a device: number and key, some of them, always the same."""
        has = select(DEVICES.c.reader_id).where(DEVICES.c.state == "active", DEVICES.c.is_test.is_(False))
        query = select(READERS.c.id, READERS.c.key).where(READERS.c.push, READERS.c.id.in_(has))
        with self.store.reading() as connection:
            rows = connection.execute(query.order_by(READERS.c.id * 7919 % 10_007, READERS.c.id).limit(limit))
            return [(row.id, row.key) for row in rows]

    def scores(self, now: datetime, *, days: int = 28, limit: int = 50_000) -> list[tuple[float, bool]]:
        """Scores of alerts that were sent, and whether each was opened; the newest first."""
        opened = select(EVENTS.c.delivery_key).where(EVENTS.c.kind == "push_open", EVENTS.c.delivery_key.is_not(None))
        got = (DELIVERIES.c.state.in_(("sent", "unknown")), DELIVERIES.c.sent_at > now - timedelta(days=days))
        query = select(DELIVERIES.c.score, DELIVERIES.c.key.in_(opened).label("opened")).where(*got)
        with self.store.reading() as connection:
            rows = connection.execute(query.where(DELIVERIES.c.score > 0).order_by(DELIVERIES.c.id.desc()).limit(limit))
            return [(float(row.score), bool(row.opened)) for row in rows]

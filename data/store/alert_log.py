"""Alerts that were sent, and what became of them: what learning reads."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, case, exists, func, select, type_coerce

from data.models import Delivery, Event, Reader
from data.store.database import Database, table

DELIVERIES, EVENTS, READERS = table(Delivery), table(Event), table(Reader)


class SentAlert(NamedTuple):
    """One alert to one reader, on however many devices."""

    reader_id: int
    zone: str
    has_push: bool  # whether the reader has alerts switched on now
    sent_at_us: int
    score: float
    opened: bool


class AlertLog(Database):
    """The outbox as a log."""

    def alerts_sent(self, from_at: datetime, until_at: datetime) -> list[SentAlert]:
        """The alerts that may have reached somebody in [from, until), by reader and time; opened on any device."""
        tapped = exists().where(EVENTS.c.kind == "push_open", EVENTS.c.delivery_key == DELIVERIES.c.key)
        tapped = tapped.where(EVENTS.c.reader_id == DELIVERIES.c.reader_id)
        sent_at = type_coerce(DELIVERIES.c.sent_at, BigInteger)
        one = (DELIVERIES.c.reader_id, DELIVERIES.c.campaign_id, DELIVERIES.c.slot)
        query = (
            select(
                DELIVERIES.c.reader_id, READERS.c.zone, READERS.c.push, func.min(sent_at).label("sent_at_us"),
                func.max(DELIVERIES.c.score), func.max(case((tapped, 1), else_=0)),
            )
            .join(READERS, READERS.c.id == DELIVERIES.c.reader_id)
            .where(DELIVERIES.c.state.in_(("sent", "unknown")))
            .where(DELIVERIES.c.sent_at >= from_at, DELIVERIES.c.sent_at < until_at)
            .group_by(*one, READERS.c.zone, READERS.c.push)
            .order_by(DELIVERIES.c.reader_id, "sent_at_us")
        )  # fmt: skip
        with self.reading() as connection:
            return [
                SentAlert(reader, zone, bool(push), int(at_us), float(score), bool(opened))
                for reader, zone, push, at_us, score, opened in connection.execute(query)
            ]

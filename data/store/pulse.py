"""How the day goes: counts by the hour, and whom articles reached."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import cast, func, select
from sqlalchemy.types import BigInteger

from data.clock import micros
from data.models import Delivery, Event
from data.store.database import Database, chunks, table

EVENTS, DELIVERIES = table(Event), table(Delivery)
HOUR_US = 3_600_000_000


class Pulse(Database):
    """Counts for the first page; each asks an index by time."""

    def hourly_events(self, kinds: Sequence[str], until_at: datetime, hours: int = 24) -> list[int]:
        """How many events of these kinds happened in each of the last hours, oldest first."""
        return self._hourly(EVENTS.c.at, EVENTS.c.kind.in_(kinds), until_at, hours)

    def hourly_sends(self, until_at: datetime, hours: int = 24) -> list[int]:
        """How many messages were handed over in each of the last hours, oldest first."""
        return self._hourly(DELIVERIES.c.sent_at, DELIVERIES.c.state.in_(("sent", "unknown")), until_at, hours)

    def readers_reached(self, article_ids: Iterable[int]) -> dict[int, int]:
        """How many readers had each of these articles on the screen or read it."""
        found: dict[int, int] = {}
        with self.reading() as connection:
            for part in chunks(list(article_ids)):
                query = select(EVENTS.c.article_id, func.count(EVENTS.c.reader_id.distinct()))
                rows = connection.execute(query.where(EVENTS.c.article_id.in_(part)).group_by(EVENTS.c.article_id))
                found.update((article, int(number)) for article, number in rows)
        return found

    def count_reached(self, article_ids: Iterable[int]) -> int:
        """How many readers had any of these articles on the screen or read it."""
        which = EVENTS.c.article_id.in_(list(article_ids))
        with self.reading() as connection:
            return int(connection.execute(select(func.count(EVENTS.c.reader_id.distinct())).where(which)).scalar_one())

    def _hourly(self, at: Any, which: Any, until_at: datetime, hours: int) -> list[int]:
        from_at = until_at - timedelta(hours=hours)
        first_us = micros(from_at)
        past_us = cast(at, BigInteger) - first_us
        hour = (past_us - past_us % HOUR_US) / HOUR_US
        query = select(hour.label("hour"), func.count()).where(which, at > from_at, at <= until_at)
        counts = [0] * hours
        with self.reading() as connection:
            for number, count in connection.execute(query.group_by("hour")):
                counts[min(int(number), hours - 1)] += int(count)
        return counts

"""What readers did."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Row, delete, func, select, type_coerce

from data.errors import NotFound
from data.event_lines import EventLine
from data.models import Event
from data.store.append import Append
from data.store.database import Database, bump, chunks, count, table
from data.values import EventBatch, EventResult, Histories, IntArray
from data.wire import EVENT_KINDS, EventIn

EVENTS = table(Event)
KIND_NUMBER = {kind: number for number, kind in enumerate(EVENT_KINDS)}
_AT_US = type_coerce(EVENTS.c.at, BigInteger).label("at_us")  # arrays want the stored integer, not a datetime each
_HISTORY_COLUMNS = [EVENTS.c.reader_id, EVENTS.c.article_id, _AT_US, EVENTS.c.kind, EVENTS.c.dwell_s]


class Events(Database):
    """The read log: append-only, each event once."""

    def add_events(self, batch: Sequence[EventIn], *, now: datetime) -> EventResult:
        """Append events in one transaction; returns after the commit.

        An event whose id is known is a duplicate and changes nothing. Rejected with a reason: an article nobody put,
        a time more than five minutes ahead. A reader never seen is created.
        """
        return self.append_events([[EventLine.of(event) for event in batch]], now=now)[0]

    def append_events(self, posts: Sequence[Sequence[EventLine]], *, now: datetime) -> list[EventResult]:
        """`add_events` for several posts at once, in one transaction; a result for each."""
        with self.transaction_of_known() as connection:
            return Append(self, connection, now).run(posts)

    def withdraw_event(self, key: str) -> None:
        """Forget an event, as if it had not happened; NotFound if there is none of this id."""
        with self.transaction() as connection:
            bump(connection, "event")
            if not connection.execute(delete(EVENTS).where(EVENTS.c.key == key)).rowcount:
                raise NotFound(f"no event {key!r}; check the id, or post the event first")

    def histories(
        self,
        reader_ids: Iterable[int],
        *,
        limit: int = 200,
        until: datetime | None = None,
        impressions: bool = False,
    ) -> Histories:
        """The newest `limit` events of each reader, newest first; impressions only if asked for."""
        wanted = np.fromiter((int(one) for one in reader_ids), np.int64)
        found: dict[int, list[Row[Any]]] = {}
        with self.reading() as connection:
            for part in chunks(wanted.tolist()):
                for row in connection.execute(_history_query(part, limit, until, impressions)):
                    found.setdefault(row[0], []).append(row)
        return _histories(wanted, [found.get(int(one), []) for one in wanted])

    def events_since(self, batch: int, *, limit: int = 100_000) -> EventBatch:
        """Events with a batch number above `batch`, whole batches only, about `limit` at most."""
        last = self.ask("select batch from event where batch > ? order by batch limit 1 offset ?", (batch, limit))
        upto = last[0][0] if last else 2**62
        # By the driver: rows that are objects take five times as long.
        rows = self.ask(
            "select article_id, reader_id, at, kind, batch from event "
            "where batch > ? and batch <= ? order by batch, id",
            (batch, upto),
        )
        article_id, reader_id, at_us, kind, number = zip(*rows, strict=True) if rows else ((), (), (), (), (batch,))
        return EventBatch(
            last=number[-1],
            article_id=np.array(article_id, np.int64),
            reader_id=np.array(reader_id, np.int64),
            at_us=np.array(at_us, np.int64),
            kind=np.array([KIND_NUMBER[one] for one in kind], np.int8),
        )

    def event_batch(self) -> int:
        """The last batch number; cheap enough to poll."""
        return int(self.ask("select value from counter where name = 'event'")[0][0])

    def received_in(self, batch: int) -> int | None:
        """When the events of one batch number were received, in microseconds; None where it has none."""
        rows = self.ask("select received_at from event where batch = ? limit 1", (batch,))
        return rows[0][0] if rows else None

    def batch_before(self, at: datetime) -> int:
        """The last batch number whose events all happened before `at`; 0 if there is none."""
        query = select(func.min(EVENTS.c.batch)).where(EVENTS.c.at >= at)
        with self.reading() as connection:
            first = connection.execute(query).scalar()
            return int(first) - 1 if first is not None else count(connection, "event")

    def count_events(self) -> int:
        """How many events there are."""
        with self.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(EVENTS)).scalar_one())


def _history_query(readers: Sequence[int], limit: int, until: datetime | None, impressions: bool) -> Any:
    query = select(*_HISTORY_COLUMNS, EVENTS.c.id).where(EVENTS.c.reader_id.in_(readers))
    if not impressions:
        query = query.where(EVENTS.c.kind != "impression")
    if until is not None:
        query = query.where(EVENTS.c.at <= until)
    newest = (EVENTS.c.at.desc(), EVENTS.c.id.desc())
    if len(readers) == 1:
        return query.order_by(*newest).limit(limit)
    place = func.row_number().over(partition_by=EVENTS.c.reader_id, order_by=newest).label("place")
    inner = query.add_columns(place).subquery()
    return select(inner).where(inner.c.place <= limit).order_by(inner.c.reader_id, inner.c.place)


def _histories(wanted: IntArray, per_reader: list[list[Row[Any]]]) -> Histories:
    rows = [row[1:5] for part in per_reader for row in part]  # a slice of a row is a tuple: no look-up by name
    article_id, at_us, kind, dwell_s = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Histories(
        reader_id=wanted,
        indptr=np.cumsum([0, *map(len, per_reader)]).astype(np.int64),
        article_id=np.array(article_id, np.int64),
        at_us=np.array(at_us, np.int64),
        kind=np.array([KIND_NUMBER[one] for one in kind], np.int8),
        dwell_s=np.array(dwell_s, np.float64).astype(np.float32),  # None becomes nan
    )

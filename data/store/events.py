"""What readers did."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Row, func, select, type_coerce

from data.models import ArticleName, Event
from data.store.database import Database, bump, chunks, count, table
from data.store.readers import reader_ids
from data.values import EventBatch, EventResult, Histories, IntArray
from data.wire import EVENT_KINDS, FUTURE_GRACE, EventIn

EVENTS, NAMES = table(Event), table(ArticleName)
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
        rejected = [(i, _late_reason(e, now)) for i, e in enumerate(batch) if e.at > now + FUTURE_GRACE]
        refused = {index for index, _ in rejected}
        with self.transaction() as connection:
            number = bump(connection, "event")  # also makes event writers take turns: what we look up stays true
            articles = _article_numbers(connection, {event.article for event in batch})
            for index, event in enumerate(batch):
                if index not in refused and event.article not in articles:
                    rejected.append((index, f"article: {event.article!r} is unknown; put the article first"))
                    refused.add(index)
            good = {event.id: event for index, event in enumerate(batch) if index not in refused}
            known = _known_events(connection, list(good))
            fresh = [event for key, event in good.items() if key not in known]
            self._append(connection, fresh, articles, number, now)
        duplicates = len(batch) - len(rejected) - len(fresh)
        return EventResult(len(fresh), duplicates, tuple(sorted(rejected)))

    def _append(
        self, connection: Connection, fresh: list[EventIn], articles: dict[str, int], number: int, now: datetime
    ) -> None:
        if not fresh:
            return
        readers = reader_ids(connection, self, {event.reader for event in fresh}, now)
        rows = [
            {
                "key": event.id,
                "reader_id": readers[event.reader],
                "article_id": articles[event.article],
                "kind": event.kind,
                "at": event.at,
                "received_at": now,
                "dwell_s": event.dwell_s,
                "served_id": event.served_id,
                "position": event.position,
                "surface": event.surface,
                "delivery_key": event.delivery_id,
                "batch": number,
            }
            for event in fresh
        ]
        connection.execute(self.insert(Event), rows)

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
        columns = [EVENTS.c.article_id, EVENTS.c.reader_id, _AT_US, EVENTS.c.kind, EVENTS.c.batch]
        with self.reading() as connection:
            upto = connection.execute(
                select(EVENTS.c.batch).where(EVENTS.c.batch > batch).order_by(EVENTS.c.batch).offset(limit).limit(1)
            ).scalar()
            query = select(*columns).where(EVENTS.c.batch > batch).order_by(EVENTS.c.batch, EVENTS.c.id)
            rows = connection.execute(query if upto is None else query.where(EVENTS.c.batch <= upto)).all()
        return EventBatch(
            last=rows[-1].batch if rows else batch,
            article_id=np.array([row.article_id for row in rows], np.int64),
            reader_id=np.array([row.reader_id for row in rows], np.int64),
            at_us=np.array([row.at_us for row in rows], np.int64),
            kind=np.array([KIND_NUMBER[row.kind] for row in rows], np.int8),
        )

    def event_batch(self) -> int:
        """The last batch number; cheap enough to poll."""
        with self.reading() as connection:
            return count(connection, "event")

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


def _late_reason(event: EventIn, now: datetime) -> str:
    return f"at: {event.at.isoformat()} is in the future (now {now.isoformat()}); check the device's clock"


def _article_numbers(connection: Connection, keys: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunks([f"key:{key}" for key in sorted(keys)]):
        rows = connection.execute(select(NAMES.c.name, NAMES.c.article_id).where(NAMES.c.name.in_(part)))
        found.update((row.name.removeprefix("key:"), row.article_id) for row in rows)
    return found


def _known_events(connection: Connection, keys: list[str]) -> set[str]:
    found: set[str] = set()
    for part in chunks(keys):
        found.update(connection.execute(select(EVENTS.c.key).where(EVENTS.c.key.in_(part))).scalars())
    return found


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

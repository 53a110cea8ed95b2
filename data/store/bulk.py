"""Readers and their histories as arrays, straight from the driver: what a plan for everybody reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.clock import micros
from data.store.database import Database
from data.values import CHOICES, Histories, IntArray, ReaderColumns, wall_s
from data.wire import EVENT_KINDS

_KIND_NUMBER = {kind: number for number, kind in enumerate(EVENT_KINDS)}
_PLAIN = "id, key, zone, language, push, quiet_from, quiet_until, daily_cap, created_at"
_FOREVER_US = 2**62
_READERS = "SELECT {fields} FROM reader WHERE id > {last} AND zone IN {zones} ORDER BY id LIMIT {size}"
_EVENTS = (
    "SELECT reader_id, article_id, at, kind, dwell_s FROM event WHERE reader_id IN {readers} AND kind <> 'impression'"
    " AND at <= {until} ORDER BY reader_id DESC, at DESC, id DESC"
)
_OPENS = (
    "SELECT r.zone, e.at / 3600000000, count(*) FROM event e JOIN reader r ON r.id = e.reader_id"
    " WHERE e.kind IN {kinds} AND e.at > {since} GROUP BY 1, 2 ORDER BY 1, 2"
)
_EVENTS_AT_ONCE = 5_000  # readers in one query


class Bulk(Database):
    """Whole tables as arrays, without an object a row."""

    def reader_column_pages(self, zones: Iterable[str], *, size: int) -> Iterator[ReaderColumns]:
        """The readers of these zones, `size` at a time by number; each page is its own short transaction."""
        last, wanted = 0, sorted(zones)
        fields = ", ".join([_PLAIN, *CHOICES])
        while wanted:
            rows = self._rows(_READERS, fields=fields, last=last, zones=wanted, size=size)
            if not rows:
                return
            yield _reader_columns(rows)
            last = rows[-1][0]

    def history_columns(self, reader_ids: IntArray, *, limit: int = 200, until: datetime | None = None) -> Histories:
        """The newest `limit` events of each reader but impressions, newest first; readers in the order asked.

        As `Store.histories`, without an object an event. Cost: all events of the readers are read.
        """
        until_us = _FOREVER_US if until is None else micros(until)
        parts = [
            _event_arrays(
                self._rows(_EVENTS, readers=reader_ids[first : first + _EVENTS_AT_ONCE].tolist(), until=until_us)
            )
            for first in range(0, len(reader_ids), _EVENTS_AT_ONCE)
        ]
        return (
            _histories(reader_ids, [np.concatenate(one) for one in zip(*parts, strict=True)], limit)
            if parts
            else (_histories(reader_ids, _event_arrays([]), limit))
        )

    def opens_by_hour(self, *, since: datetime, kinds: Sequence[str]) -> list[tuple[str, int, int]]:
        """(zone of the reader, hours since 1970, how many) of everybody's events of these kinds since then.

        Cost: all events since then are read once by the database.
        """
        rows = self._rows(_OPENS, kinds=list(kinds), since=micros(since))
        return [(str(name), int(hour), int(many)) for name, hour, many in rows]

    def _rows(self, query: str, **values: Any) -> list[Any]:
        """The rows as the driver makes them; a list is one parameter, whatever its length."""
        shown, given = {}, []
        for name, value in values.items():
            if name == "fields":
                shown[name] = value
            elif isinstance(value, list):
                kind = "text" if isinstance(value[0], str) else "bigint"
                ours = f"(SELECT unnest(%s::{kind}[]))"
                shown[name] = ours if self.is_postgres else "(SELECT value FROM json_each(?))"
                given.append(value if self.is_postgres else json.dumps(value))
            else:
                shown[name] = "%s" if self.is_postgres else "?"
                given.append(value)
        with self.reading() as connection:
            return list(connection.exec_driver_sql(query.format(**shown), tuple(given)).cursor.fetchall())


def _reader_columns(rows: Sequence[Any]) -> ReaderColumns:
    columns = list(zip(*rows, strict=True))
    ids, keys, zones, languages, push, begin, end, cap, since_us = columns[:9]
    zone_names, zone = _numbered(zones)
    language_names, language = _numbered(languages)
    lists = {name: _lists(values) for name, values in zip(CHOICES, columns[9:], strict=True)}
    return ReaderColumns(
        id=np.array(ids, np.int64),
        key=keys,
        zone=zone,
        zones=zone_names,
        language=language,
        languages=language_names,
        push=np.array(push, np.bool_),
        quiet_from_s=np.array([wall_s(one) for one in begin], np.int32),
        quiet_until_s=np.array([wall_s(one) for one in end], np.int32),
        daily_cap=np.array(cap, np.int32),
        since_us=np.array(since_us, np.int64),
        **lists,
    )


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The different names, and each one's place among them."""
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return tuple(place), np.array([place[name] for name in names], np.int32)


def _lists(values: Sequence[Any]) -> dict[int, tuple[str, ...]]:
    """Row -> list, where it is not empty. SQLite hands out JSON text, PostgreSQL lists."""
    found = ((row, json.loads(one) if isinstance(one, str) else one) for row, one in enumerate(values) if one != "[]")
    return {row: tuple(one) for row, one in found if one}


def _event_arrays(rows: Sequence[Any]) -> list[NDArray[Any]]:
    reader, article, at_us, kind, dwell_s = zip(*rows, strict=True) if rows else ((),) * 5
    return [
        np.array(reader, np.int64),
        np.array(article, np.int64),
        np.array(at_us, np.int64),
        np.array([_KIND_NUMBER[one] for one in kind], np.int8),
        np.array(dwell_s, np.float64).astype(np.float32),  # None becomes nan
    ]


def _histories(wanted: IntArray, events: Sequence[NDArray[Any]], limit: int) -> Histories:
    """Each reader's run of events, at most `limit`, in the readers' order."""
    reader = events[0]
    first = np.flatnonzero(np.diff(reader, prepend=-1)) if len(reader) else np.zeros(0, np.int64)
    lengths = np.diff(np.append(first, len(reader)))
    order = np.argsort(reader[first], kind="stable")
    known, first, lengths = reader[first][order], first[order], lengths[order]
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    mine = known[place] == wanted if len(known) else np.zeros(len(wanted), bool)
    count = np.where(mine, np.minimum(lengths[place], limit), 0) if len(known) else np.zeros(len(wanted), np.int64)
    indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    start = first[place] if len(known) else np.zeros(len(wanted), np.int64)
    rows = np.arange(indptr[-1]) + np.repeat(start - indptr[:-1], count)
    article_id, at_us, kind, dwell_s = (values[rows] for values in events[1:])
    return Histories(np.asarray(wanted, np.int64), indptr, article_id, at_us, kind, dwell_s)

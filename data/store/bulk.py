"""Readers and their histories as arrays, straight from the driver: what a plan for everybody reads."""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from data.clock import micros
from data.store.database import Database
from data.values import CHOICES, Histories, IntArray, ReaderColumns, wall_s
from data.wire import EVENT_KINDS

_KIND_NUMBER = {kind: number for number, kind in enumerate(EVENT_KINDS)}
_PLAIN = "id, key, zone, language, push, quiet_from, quiet_until, daily_cap, created_at"
_FOREVER_US = 2**62
_READERS = "SELECT {fields} FROM reader WHERE id > {last} AND zone IN {zones} ORDER BY id LIMIT {size}"
# In the order of the index that holds all of it: SQLite makes one row a reader of it, PostgreSQL rows of fixed width.
_KINDS = "case kind " + " ".join(f"when '{kind}' then {number}" for kind, number in _KIND_NUMBER.items()) + " end"
_EVENTS = "from event where reader_id {these} and kind <> 'impression' and at <= {until}"
_AS_TEXT = (
    "select reader_id, count(*), group_concat(at), group_concat(article_id * 32 + {kinds}),"
    " group_concat(ifnull(dwell_s, 'nan')) {events} group by reader_id"
)
_OPENS = (
    "SELECT r.zone, e.at / 3600000000, count(*) FROM event e JOIN reader r ON r.id = e.reader_id"
    " WHERE e.kind IN {kinds} AND e.at > {since} GROUP BY 1, 2 ORDER BY 1, 2"
)
_AS_BYTES = (
    "copy (select reader_id, array_agg(at), array_agg(article_id * 32 + {kinds}),"
    " array_agg(coalesce(dwell_s, 'nan')::float4) from (select * {events} order by reader_id, at, id) event"
    " group by reader_id) to stdout (format binary)"
)
_HEADER_BYTES = 19  # of COPY: signature, flags, length of the extension, which is empty
_LONGS, _SHORTS = (np.dtype([("bytes", ">i4"), ("value", form)]) for form in (">i8", ">f4"))  # elements of an array
_ROW = struct.Struct(">h4xq16xi")  # fields, reader's number, number of elements of the first array
_ARRAY_BYTES = 24  # before the elements of an array: length, dimensions, flags, type, number of elements, first index
_EVENTS_AT_ONCE = 2_000  # readers in one query
_CROWD_SHARE = 0.5  # readers wanted among their neighbours by number: from here on all are read


class Bulk(Database):
    """Whole tables as arrays, without an object a row."""

    def reader_column_pages(self, zones: Iterable[str], *, size: int) -> Iterator[ReaderColumns]:
        """The readers of these zones, `size` at a time by number; each page is its own short transaction."""
        last, wanted = 0, sorted(zones)
        while wanted and (page := self._column_page(last, wanted, size)) is not None:
            yield page
            last = int(page.id[-1])

    def history_columns(self, reader_ids: IntArray, *, limit: int = 200, until: datetime | None = None) -> Histories:
        """The newest `limit` events of each reader but impressions, newest first; readers in the order asked.

        As `Store.histories`, without an object an event. Cost: all events of the readers are read.
        """
        until_us = _FOREVER_US if until is None else micros(until)
        wanted = np.sort(reader_ids)
        parts = [
            self._events(wanted[first : first + _EVENTS_AT_ONCE], until_us)
            for first in range(0, len(wanted), _EVENTS_AT_ONCE)
        ]
        events = [np.concatenate(one)[::-1] for one in zip(*parts, strict=True)] if parts else _no_events()
        return _histories(reader_ids, events, limit)

    def _events(self, ids: IntArray, until_us: int) -> list[NDArray[Any]]:
        """Reader, article, instant, kind and dwell of the events of these readers, the oldest of each first."""
        first, last = int(ids[0]), int(ids[-1])
        if len(ids) > _CROWD_SHARE * (last - first + 1):  # what others among them did is left out by `_histories`
            these = f"between {first} and {last}"
        elif self.is_postgres:
            these = f"= any('{{{','.join(map(str, ids.tolist()))}}}'::bigint[])"
        else:
            these = f"in ({','.join(map(str, ids.tolist()))})"
        events = _EVENTS.format(these=these, until=until_us)
        with self.reading() as connection:
            if self.is_postgres:
                return _from_bytes(connection, _AS_BYTES.format(kinds=_KINDS, events=events))
            query = _AS_TEXT.format(kinds=_KINDS, events=events)
            return _from_text(connection.exec_driver_sql(query).cursor.fetchall())

    def _column_page(self, last: int, zones: list[str], size: int) -> ReaderColumns | None:
        fields = ", ".join([_PLAIN, *CHOICES])
        rows = self._rows(_READERS, fields=fields, last=last, zones=zones, size=size)
        return _reader_columns(rows) if rows else None

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


def _no_events() -> list[NDArray[Any]]:
    return [np.zeros(0, kind) for kind in (np.int64, np.int64, np.int64, np.int8, np.float32)]


def _from_text(rows: Sequence[Any]) -> list[NDArray[Any]]:
    """Of SQLite: one row a reader, numbers as text: an object an event would cost three times as much."""
    if not rows:
        return _no_events()
    readers, counts, *texts = zip(*rows, strict=True)
    at_us, packed = (np.fromstring(",".join(one), np.int64, sep=",") for one in texts[:2])
    return _events(readers, counts, at_us, packed, np.fromstring(",".join(texts[2]), np.float64, sep=","))


def _from_bytes(connection: Connection, query: str) -> list[NDArray[Any]]:
    """Of PostgreSQL: one row a reader in the binary form of COPY, three arrays in it."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(query) as copy:
        told = b"".join([*copy, bytes(_ROW.size)])  # the trailer is shorter than a row
    arrays: tuple[list[NDArray[Any]], ...] = ([], [], [])
    readers, counts, place = [], [], _HEADER_BYTES
    while (row := _ROW.unpack_from(told, place))[0] > 0:  # the trailer has -1
        readers.append(row[1])
        counts.append(row[2])
        place += 14
        for one, form in zip(arrays, (_LONGS, _LONGS, _SHORTS), strict=True):
            one.append(np.frombuffer(told, form, row[2], place + _ARRAY_BYTES)["value"])
            place += _ARRAY_BYTES + row[2] * form.itemsize
    if not readers:
        return _no_events()
    at_us, packed, dwell_s = (np.concatenate(one) for one in arrays)
    return _events(readers, counts, at_us.astype(np.int64), packed.astype(np.int64), dwell_s)


def _events(
    readers: Sequence[int], counts: Sequence[int], at_us: IntArray, packed: IntArray, dwell_s: NDArray[Any]
) -> list[NDArray[Any]]:
    """Reader, article, instant, kind and dwell."""
    reader = np.repeat(np.array(readers, np.int64), np.array(counts, np.int64))
    events = [reader, packed >> 5, at_us, (packed & 31).astype(np.int8), dwell_s.astype(np.float32)]
    # Both walk the index in its order, and promise nothing: should one ever take another way, put them in order.
    if (np.diff(reader) < 0).any() or (np.diff(at_us)[np.diff(reader) == 0] < 0).any():
        order = np.lexsort((at_us, reader))
        events = [one[order] for one in events]
    return events


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

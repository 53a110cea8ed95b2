"""All that one answer needs of its reader, by the shortest way: the row, the last reads, the last impressions."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Engine

from data.clock import micros
from data.store.database import Database
from data.values import Histories, ReaderRow
from data.wire import EVENT_KINDS

_FIELDS = tuple(ReaderRow.__dataclass_fields__)
_LISTS = tuple(place for place, name in enumerate(_FIELDS) if name.startswith(("followed_", "muted_")))
_PUSH = _FIELDS.index("push")
_READER = (  # with the numbers of the last batch of events and the last change of an article: one question
    f"select {', '.join(f'r.{name}' for name in _FIELDS)}, e.value, a.value from counter e "  # noqa: S608
    "join counter a on a.name = 'article' left join reader r on r.key = ? where e.name = 'event'"
)
_READERS = _READER.replace("r.key = ?", "r.key = any(?::text[])")
_KEY = _FIELDS.index("key")
_TOUCHED = "select distinct batch, reader_id from event where batch > ? and batch <= ?"
_EVENTS = (
    "select article_id, at, kind, dwell_s from event where reader_id = ? and kind {} 'impression' and at <= ? "
    "order by at desc, id desc limit ?"
)
_READS, _IMPRESSIONS = _EVENTS.format("<>"), _EVENTS.format("=")
_KIND = {kind: number for number, kind in enumerate(EVENT_KINDS)}
_FOREVER_US = 2**62
MOST_KEPT = 5_000  # readers, of at most 13 kB each
MOST_BEHIND = 2_000  # batches; after a longer pause everything is read anew
MOST_TOUCHED = 200_000  # readers whose last batch is remembered


@dataclass(frozen=True, slots=True)
class ReaderState:
    """A reader's row and what was done: `reads` (everything but impressions) and `impressions`, newest first."""

    row: ReaderRow
    reads: Histories
    impressions: Histories


class Revision(NamedTuple):
    """What of a reader an answer was made of; equal ones: the reader chose, did and was shown nothing in between."""

    row: tuple[Any, ...]  # as it is stored; the first value is None for a reader never seen
    batch: int  # the last one that may hold an event of this reader

    @property
    def is_known(self) -> bool:
        """Whether there is such a reader."""
        return self.row[0] is not None


@dataclass(frozen=True, slots=True)
class _Done:
    """What one reader did, as it was when the last batch of events was `batch`."""

    batch: int
    limits: tuple[int, int]
    reads: Histories
    impressions: Histories


class ReaderStates(Database):
    """Readers as answers see them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._done: OrderedDict[int, _Done] = OrderedDict()
        self._touched: dict[int, int] = {}  # reader -> the last batch with an event of theirs, where above `_floor`
        self._seen = self._floor = 0  # the last batch that `_done` knows of; the last that it was not told whose it is
        self._turn = Lock()

    def reader_state(
        self, key: str, *, reads: int = 200, impressions: int = 400, until: datetime | None = None
    ) -> ReaderState | None:
        """One reader now, or as of `until`; None for a reader never seen. Every committed event counts.

        What a reader did is kept, and read anew when an event of theirs was committed by whatever process: the number
        of the last batch is asked each time, the batches since then are asked whose events they hold. Cost on SQLite:
        20 microseconds for a reader who did nothing since, 150 for another.
        """
        *values, batch, _ = self.ask(_READER, (key,))[0]
        if values[0] is None:
            return None
        row = _reader_row(values)
        if until is not None:
            return ReaderState(row, *self._read(row.id, micros(until), reads, impressions))
        self._follow(batch)
        done = self._done.get(row.id)
        if done is None or done.limits != (reads, impressions):
            done = _Done(batch, (reads, impressions), *self._read(row.id, _FOREVER_US, reads, impressions))
            self._keep(row.id, done)
        return ReaderState(row, done.reads, done.impressions)

    def reader_revision(self, key: str) -> tuple[Revision, int]:
        """What a reader's next answer depends on of the reader, and the number of the last change of an article.

        Whatever process committed an event or a choice, the revision is another one after it. Cost on SQLite: 15
        microseconds, and a question for each transaction of events since the last call.
        """
        *values, batch, article_rev = self.ask(_READER, (key,))[0]
        self._follow(batch)
        last = self._touched.get(values[0], 0)
        return Revision(tuple(values), max(last, self._floor)), article_rev

    def reader_revisions(self, keys: Collection[str]) -> dict[str, tuple[Revision, int]]:
        """`reader_revision` of several, by one question where the database is a server."""
        if not self.is_postgres or len(keys) == 1:
            return {key: self.reader_revision(key) for key in keys}
        rows = self.ask(_READERS, (list(keys),))
        *_, batch, article_rev = rows[0]
        self._follow(batch)
        known = {row[_KEY]: tuple(row[:-2]) for row in rows}
        nobody = (None,) * len(_FIELDS)
        return {
            key: (Revision(row, max(self._touched.get(row[0], 0), self._floor)), article_rev)
            for key, row in ((key, known.get(key, nobody)) for key in keys)
        }

    def _read(self, reader_id: int, until_us: int, reads: int, impressions: int) -> tuple[Histories, Histories]:
        return (
            _history(reader_id, self.ask(_READS, (reader_id, until_us, reads))),
            _history(reader_id, self.ask(_IMPRESSIONS, (reader_id, until_us, impressions))),
        )

    def _follow(self, batch: int) -> None:
        """Forget what is known of readers who did something since; of all where it cannot be told whose it was."""
        if batch == self._seen:
            return
        with self._turn:
            seen = self._seen
            if batch <= seen:
                return
            self._touch(batch, self.ask(_TOUCHED, (seen, batch)) if seen and batch - seen <= MOST_BEHIND else [])
            self._seen = batch

    def _touch(self, batch: int, touched: list[Any]) -> None:
        # A batch without events: something was withdrawn or erased.
        if len({number for number, _ in touched}) < batch - self._seen or len(self._touched) > MOST_TOUCHED:
            self._done.clear()
            self._touched, self._floor = {}, batch
            return
        for number, reader_id in touched:
            self._done.pop(reader_id, None)
            self._touched[reader_id] = max(number, self._touched.get(reader_id, 0))

    def _keep(self, reader_id: int, done: _Done) -> None:
        with self._turn:
            if done.batch < self._seen:  # read before what came meanwhile: good for one answer, not for the next
                return
            self._done[reader_id] = done
            if len(self._done) > MOST_KEPT:
                self._done.popitem(last=False)


def _reader_row(row: Sequence[Any]) -> ReaderRow:
    values = list(row)
    for place in _LISTS:
        value = values[place]
        values[place] = tuple(msgspec.json.decode(value) if isinstance(value, str) else value)
    values[_PUSH] = bool(values[_PUSH])
    return ReaderRow(*values)


def _history(reader_id: int, rows: list[Any]) -> Histories:
    article_id, at_us, kind, dwell_s = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Histories(
        reader_id=np.array([reader_id], np.int64),
        indptr=np.array([0, len(rows)], np.int64),
        article_id=np.array(article_id, np.int64),
        at_us=np.array(at_us, np.int64),
        kind=np.array([_KIND[one] for one in kind], np.int8),
        dwell_s=np.array(dwell_s, np.float64).astype(np.float32),  # None becomes nan
    )

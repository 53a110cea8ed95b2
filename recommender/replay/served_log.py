"""The newsroom's own log: lists that were served, what was opened of them, and all that ranking knew then."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from data.values import EventBatch, Histories, IntArray
from recommender.for_you import Ask, Ranked, for_you
from recommender.popularity import Popularity
from recommender.rules import Choices
from recommender.snapshot import NOBODY, ReaderView, Snapshot

READS, IMPRESSIONS = 200, 400  # of a reader, as serving looks at them
WINDOW_H = 240.0


@dataclass(frozen=True)
class ReaderPast:
    """One reader's choices as they are now, and everything the reader did, newest first."""

    choices: Choices
    language: str
    reads: Histories
    impressions: Histories

    def as_of(self, reader_id: int, at_us: int) -> ReaderView:
        """The reader as ranking saw one at an instant."""
        return ReaderView(
            self.choices, _until(self.reads, at_us, READS), _until(self.impressions, at_us, IMPRESSIONS), reader_id
        )


@dataclass(frozen=True)
class ServedSlate:
    """One list as it was shown. `opened[i]` is 1 where item i was opened from it; an unknown reader has number 0."""

    served_id: str
    reader_id: int
    at_us: int
    article_ids: IntArray
    opened: NDArray[np.uint8]
    weight_version: int
    propensity: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ServedLog:
    """Lists in time order with what was known: articles, rules and choices as they are now, events by their time."""

    snapshot: Snapshot
    slates: tuple[ServedSlate, ...]
    events: EventBatch  # of all readers, by time
    readers: Mapping[int, ReaderPast] = field(default_factory=dict)
    window_h: float = WINDOW_H

    def __len__(self) -> int:
        return len(self.slates)


@dataclass(frozen=True)
class Moment:
    """One list, and the decision taken again from what was known then."""

    slate: ServedSlate
    snapshot: Snapshot
    view: ReaderView
    ranked: Ranked


def moments(log: ServedLog, *, delay_us: int = 0, limit: int = 10, from_slate: int = 0) -> Iterator[Moment]:
    """Each list decided again by the code that serves, in time order.

    Reads of all readers count once they are `delay_us` old, the reader's own at once. The weights are those of the
    log's snapshot. Costs a list each, and a sort of four days of events where any came since the last.
    """
    order = np.argsort(log.events.at_us, kind="stable")
    times, popularity, told = log.events.at_us[order], Popularity(), 0
    for slate in log.slates[from_slate:]:
        until = int(np.searchsorted(times, slate.at_us - delay_us, side="right"))
        if until > told:
            popularity, told = popularity.add(_part(log.events, order[told:until])), until
        snapshot = replace(log.snapshot, popularity=popularity)
        past = log.readers.get(slate.reader_id)
        view = past.as_of(slate.reader_id, slate.at_us) if past else NOBODY
        ask = Ask(limit=limit, window_h=snapshot.options_of("for_you").window_h or log.window_h)
        ranked = for_you(snapshot, view, ask, at_us=slate.at_us, language=past.language if past else "")
        yield Moment(slate, snapshot, view, ranked)


def _until(done: Histories, at_us: int, limit: int) -> Histories:
    """The newest `limit` up to an instant."""
    first = len(done.at_us) - int(np.searchsorted(done.at_us[::-1], at_us, side="right"))
    part = slice(first, first + limit)
    count = len(done.at_us[part])
    return Histories(
        done.reader_id, np.array([0, count], np.int64), done.article_id[part], done.at_us[part], done.kind[part],
        done.dwell_s[part],
    )  # fmt: skip


def _part(events: EventBatch, rows: NDArray[np.intp]) -> EventBatch:
    return EventBatch(
        events.last, events.article_id[rows], events.reader_id[rows], events.at_us[rows], events.kind[rows]
    )

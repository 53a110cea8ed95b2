"""What one reader did so far: known at once, as serving knows it."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.replay.counters import AGES_H, RING, age_kind, published_of
from recommender.replay.log import HOUR_US, Log
from recommender.replay.tables import EMPTY, size_for, slot_of

SESSION_US = HOUR_US // 2  # a pause as long begins another visit
FORGET = 0.98  # of what a reader likes, with each read


class Own(NamedTuple):
    """State of every reader's own past."""

    keys: NDArray[np.int64]  # table of (reader, article)
    shown: NDArray[np.float32]  # times it was shown
    shown_at: NDArray[np.int64]
    visit: NDArray[np.float32]  # times it was shown in the visit that `visit_of` numbers
    visit_of: NDArray[np.int32]
    opened: NDArray[np.float32]
    opened_at: NDArray[np.int64]
    ring: NDArray[np.int32]  # (readers x RING) latest reads
    ring_at: NDArray[np.int64]
    rings: NDArray[np.int32]  # (readers,) reads so far
    groups: NDArray[np.float32]  # (readers x groups) weight of reads
    ages: NDArray[np.float32]  # (readers x kinds of age)
    weight: NDArray[np.float32]  # (readers,) of all reads
    slate_at: NDArray[np.int64]  # (readers,) of the last slate
    slates: NDArray[np.int32]  # (readers,) in this visit
    visits: NDArray[np.int32]  # (readers,)
    asked: NDArray[np.float32]  # (readers,) slates in all


def empty(log: Log) -> Own:
    """Readers who did nothing yet."""
    readers, size = len(log.readers), size_for(len(log.slates.item) + len(log.reads.at))
    return Own(
        keys=np.full(size, EMPTY, np.int64),
        shown=np.zeros(size, np.float32),
        shown_at=np.zeros(size, np.int64),
        visit=np.zeros(size, np.float32),
        visit_of=np.zeros(size, np.int32),
        opened=np.zeros(size, np.float32),
        opened_at=np.zeros(size, np.int64),
        ring=np.full((readers, RING), -1, np.int32),
        ring_at=np.zeros((readers, RING), np.int64),
        rings=np.zeros(readers, np.int32),
        groups=np.zeros((readers, max(log.groups, 1)), np.float32),
        ages=np.zeros((readers, len(AGES_H) + 1), np.float32),
        weight=np.zeros(readers, np.float32),
        slate_at=np.zeros(readers, np.int64),
        slates=np.zeros(readers, np.int32),
        visits=np.zeros(readers, np.int32),
        asked=np.zeros(readers, np.float32),
    )


@nb.njit(nogil=True)
def did_read(own, counters, articles, clock, reader, item, at, worth):
    """The reader opened an article."""
    slot = slot_of(own.keys, reader, item, True)
    own.opened[slot] += worth
    own.opened_at[slot] = at
    own.ring[reader, own.rings[reader] % RING] = item
    own.ring_at[reader, own.rings[reader] % RING] = at
    own.rings[reader] += 1
    own.groups[reader] *= np.float32(FORGET)
    own.ages[reader] *= np.float32(FORGET)
    own.weight[reader] = own.weight[reader] * FORGET + worth
    for kind in range(len(articles.groups)):
        code = articles.groups[kind, item]
        if code >= 0:
            own.groups[reader, code] += worth
    age_h = (at - published_of(counters, articles, clock, item, at)) / HOUR_US
    own.ages[reader, age_kind(age_h)] += worth


@nb.njit(nogil=True)
def visit_begins(own, reader, at):
    """Count the slate that is about to be shown: another visit, or one more of this."""
    if own.slate_at[reader] == 0 or at - own.slate_at[reader] > SESSION_US:
        own.visits[reader] += 1
        own.slates[reader] = 0


@nb.njit(nogil=True)
def was_shown(own, counters, articles, clock, slates, slate):
    """The reader saw a slate, and opened what was clicked."""
    reader, at = slates.reader[slate], slates.at[slate]
    visit_begins(own, reader, at)
    for one in range(slates.start[slate], slates.start[slate + 1]):
        slot = slot_of(own.keys, reader, slates.item[one], True)
        own.shown[slot] += 1
        own.shown_at[slot] = at
        if own.visit_of[slot] != own.visits[reader]:
            own.visit_of[slot], own.visit[slot] = own.visits[reader], 0
        own.visit[slot] += 1
        if slates.clicked[one]:
            did_read(own, counters, articles, clock, reader, slates.item[one], at, 1.0)
    own.slate_at[reader] = at
    own.slates[reader] += 1
    own.asked[reader] += 1

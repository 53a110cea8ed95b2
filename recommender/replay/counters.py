"""What all readers did, as counters that learn of an event only when it is old enough."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.replay.log import HOUR_US, Log
from recommender.replay.tables import EMPTY, size_for, slot_of

HALF_LIVES_H = np.array([0.1, 0.3, 1.0, 4.0, 12.0, 48.0])
LIVES = len(HALF_LIVES_H)
READS, CLICKS, SHOWN, EXPECTED = range(4)  # a click was expected with 1 / size of the slate
QUALITY_STEPS = np.array([0.05, 0.25])
FACE_LIFE_H = 4.0  # half-life of what is counted by kind of page
RING = 12  # latest reads of a reader that co-reads are counted with
AGES_H = np.array([1.0, 3.0, 8.0, 24.0, 72.0])  # bounds of kinds of age
JUMP = 3_000  # a serial number so far ahead of all others is an error, not the newest article
_DAY_H = 24.0


class Counters(NamedTuple):
    """State of the fold. Rows of `heat` are the articles, then the codes of their groups."""

    heat: NDArray[np.float64]  # (articles + groups x 4 * LIVES) decayed to `touched`
    touched: NDArray[np.int64]
    faces: NDArray[np.float64]  # (articles x 2 x 3) clicks, expected, shown on front pages and beside articles
    faces_touched: NDArray[np.int64]
    quality: NDArray[np.float64]  # (articles x steps) one number an article, learned by softmax over slates
    last: NDArray[np.int64]  # (articles x 3) last read, click, exposure; 0: never
    first: NDArray[np.int64]  # (articles,) when it was first heard of
    record: NDArray[np.int64]  # (records x 2) greatest serial so far, and when
    records: NDArray[np.int64]  # (1,)
    ages: NDArray[np.float64]  # (kinds of age,) reads
    seen: NDArray[np.int64]  # table of (reader, article) that counted
    ring: NDArray[np.int32]  # (readers x RING)
    rings: NDArray[np.int32]  # (readers,) reads so far
    pairs: NDArray[np.int64]  # table of (article, article)
    together: NDArray[np.float32]  # readers of both
    readers: NDArray[np.float32]  # (articles,)


def empty(log: Log) -> Counters:
    """Counters that heard of nothing, large enough for a log."""
    count, rows = len(log.ids), len(log.ids) + log.groups
    opened = len(log.reads.at) + int(log.slates.clicked.sum())
    pairs = size_for(opened * (RING - 2))
    return Counters(
        heat=np.zeros((rows, 4 * LIVES)),
        touched=np.zeros(rows, np.int64),
        faces=np.zeros((count, 2, 3)),
        faces_touched=np.zeros(count, np.int64),
        quality=np.zeros((count, len(QUALITY_STEPS))),
        last=np.zeros((count, 3), np.int64),
        first=np.zeros(count, np.int64),
        record=np.zeros((count + 1, 2), np.int64),
        records=np.zeros(1, np.int64),
        ages=np.zeros(len(AGES_H) + 1),
        seen=np.full(size_for(opened), EMPTY, np.int64),
        ring=np.full((len(log.readers), RING), -1, np.int32),
        rings=np.zeros(len(log.readers), np.int32),
        pairs=np.full(pairs, EMPTY, np.int64),
        together=np.zeros(pairs, np.float32),
        readers=np.zeros(count, np.float32),
    )


@nb.njit(nogil=True)
def _touch(counters, row, at):
    """Bring the heat of a row to an instant."""
    gap_h = (at - counters.touched[row]) / HOUR_US
    counters.touched[row] = at
    for life in range(LIVES):
        factor = np.exp2(-gap_h / HALF_LIVES_H[life])
        for kind in range(4):
            counters.heat[row, kind * LIVES + life] *= factor


@nb.njit(nogil=True)
def _warm(counters, row, kind, value):
    for life in range(LIVES):
        counters.heat[row, kind * LIVES + life] += value


@nb.njit(nogil=True)
def heard(counters, articles, item, at):
    """Note that an article exists."""
    if counters.first[item] == 0:
        counters.first[item] = at
    serial, last = articles.serial[item], counters.records[0]
    if serial == 0 or (last and not counters.record[last - 1, 0] < serial < counters.record[last - 1, 0] + JUMP):
        return
    counters.record[last, 0], counters.record[last, 1] = serial, at
    counters.records[0] = last + 1


@nb.njit(nogil=True)
def published_of(counters, articles, clock, item, at):
    """When an article was published, at most `at`: known, or judged by serial numbers, or when it was first heard of.

    `clock` is (serial, microseconds, serials a microsecond) of a straight line, for numbers beyond those heard of.
    """
    if articles.published[item] > 0:
        return min(articles.published[item], at)
    serial, count = articles.serial[item], counters.records[0]
    if serial == 0:
        return counters.first[item] if counters.first[item] else at
    if count == 0:
        return min(np.int64(clock[1] + (serial - clock[0]) / clock[2]), at)
    place = np.searchsorted(counters.record[:count, 0], serial)
    if place == count:
        return min(np.int64(counters.record[count - 1, 1] + (serial - counters.record[count - 1, 0]) / clock[2]), at)
    if place == 0:
        return np.int64(counters.record[0, 1] - (counters.record[0, 0] - serial) / clock[2])
    return counters.record[place, 1]


@nb.njit(nogil=True)
def age_kind(age_h):
    """The number of the kind of age."""
    return np.searchsorted(AGES_H, age_h)


@nb.njit(nogil=True)
def tell_read(counters, articles, clock, reader, item, at, worth, counts):
    """A read of an article, a slate's click among them: popularity and what is read together, once a reader."""
    before = slot_of(counters.seen, reader, item, False)
    if before >= 0:
        return
    slot_of(counters.seen, reader, item, True)
    if counts:
        heard(counters, articles, item, at)
        _touch(counters, item, at)
        _warm(counters, item, READS, worth)
        counters.last[item, 0] = at
        age_h = (at - published_of(counters, articles, clock, item, at)) / HOUR_US
        counters.ages[age_kind(age_h)] += worth
    counters.readers[item] += 1
    for place in range(min(counters.rings[reader], RING)):
        other = counters.ring[reader, place]
        slot = slot_of(counters.pairs, min(item, other), max(item, other), True)
        counters.together[slot] += 1
    counters.ring[reader, counters.rings[reader] % RING] = item
    counters.rings[reader] += 1


@nb.njit(nogil=True)
def tell_slate(counters, articles, clock, slates, slate):
    """A slate and its clicks."""
    first, end = slates.start[slate], slates.start[slate + 1]
    at, size = slates.at[slate], end - first
    clicks = 0
    for one in range(first, end):
        clicks += slates.clicked[one]
    for one in range(first, end):
        item = slates.item[one]
        heard(counters, articles, item, at)
        counters.last[item, 2] = at
        if slates.clicked[one]:
            counters.last[item, 1] = at
        _count(counters, item, at, clicks, size, slates.clicked[one])
        _face(counters, item, at, slates.beside[slate] >= 0, clicks, size, slates.clicked[one])
        for kind in range(len(articles.groups)):
            code = articles.groups[kind, item]
            if code >= 0:
                _count(counters, len(counters.first) + code, at, clicks, size, slates.clicked[one])
    if clicks:
        _learn(counters, slates, first, end, clicks)
    for one in range(first, end):
        if slates.clicked[one]:
            tell_read(counters, articles, clock, slates.reader[slate], slates.item[one], at, 1.0, True)


@nb.njit(nogil=True)
def _count(counters, row, at, clicks, size, clicked):
    _touch(counters, row, at)
    _warm(counters, row, SHOWN, 1.0)
    _warm(counters, row, EXPECTED, clicks / size)
    if clicked:
        _warm(counters, row, CLICKS, 1.0)


@nb.njit(nogil=True)
def _face(counters, item, at, beside, clicks, size, clicked):
    counters.faces[item] *= np.exp2(-(at - counters.faces_touched[item]) / HOUR_US / FACE_LIFE_H)
    counters.faces_touched[item] = at
    mine = counters.faces[item, 1 if beside else 0]
    mine[0] += clicked
    mine[1] += clicks / size
    mine[2] += 1.0


@nb.njit(nogil=True)
def _learn(counters, slates, first, end, clicks):
    """One step of softmax regression with a number an article: quality += step * (share of clicks - expected)."""
    for step in range(len(QUALITY_STEPS)):
        most, total = -np.inf, 0.0
        for one in range(first, end):
            most = max(most, counters.quality[slates.item[one], step])
        for one in range(first, end):
            total += np.exp(counters.quality[slates.item[one], step] - most)
        for one in range(first, end):
            quality = counters.quality[slates.item[one], step]
            error = slates.clicked[one] / clicks - np.exp(quality - most) / total
            counters.quality[slates.item[one], step] = quality + QUALITY_STEPS[step] * error

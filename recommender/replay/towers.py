"""Two towers of words: what readers read says which other articles they read; learned from histories, then from slates.

A reader is the mean of what the words of the articles read point to, an article the sum of what its own words point to
as something offered; their product says how likely the reader takes it. Articles that nobody has read have words too.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from dataclasses import dataclass
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled_at_use
from recommender.replay.log import Log
from recommender.replay.past import Past
from recommender.replay.texts import Words

RECENT = 0.98  # the weight of a read against the next later one, where slates are judged
FIRST_SQUARE = 0.01  # AdaGrad's sum of squares before the first step


@dataclass(frozen=True)
class Training:
    """How towers are learned from histories: sampled softmax, one read against `others` that somebody else read."""

    rank: int = 48
    passes: int = 3
    step: float = 0.05
    ridge: float = 1e-4
    others: int = 8
    reads: int = 30  # of the same reader that stand for the reader
    spread: float = 0.1  # of the first values
    slate_step: float = 0.01
    seed: int = 0


class Towers(NamedTuple):
    """Directions of words: as read and as offered, (words x rank) each."""

    read: NDArray[np.float64]
    offered: NDArray[np.float64]


def fit_towers(log: Log, words: Words, until_us: int, apart: NDArray[np.bool_], how: Training | None = None) -> Towers:
    """Towers of the reads before `until_us`, but of no article of `apart` (articles,): those that are judged as new.

    Cost: passes x reads x (`reads` + `others`) x words of an article x rank.
    """
    how, width = how or Training(), int(words.term.max(initial=0)) + 1
    rng = np.random.default_rng(how.seed)
    towers = Towers(*(rng.normal(0, how.spread, (width, how.rank)) for _ in range(2)))
    start, item = _histories(log, until_us, apart)
    weight = np.bincount(item, minlength=len(log.ids)) ** 0.75  # word2vec's power: less of what everybody reads
    if not weight.any():
        return towers
    likely = np.cumsum(weight) / weight.sum()
    squares = Towers(*(np.full_like(towers.read, FIRST_SQUARE) for _ in range(2)))
    for one in range(how.passes):
        _pass(words, start, item, likely, towers, squares, how.step, how.ridge, how.others, how.reads,
              how.seed * 100 + one)  # fmt: skip
    return towers


def tower_feature(log: Log, words: Words, towers: Towers, delay_us: int, past: Past, how: Training) -> FloatArray:
    """(items,) products of reader and candidate; the towers go on learning from slates at least `delay_us` old.

    A slate is judged before it teaches, and every candidate as if it were new: what the words learned by offering that
    very article is taken off again. 0 for a reader without a past.
    """
    X = np.zeros(len(log.slates.item), np.float32)
    copies = Towers(towers.read.copy(), towers.offered.copy())
    squares = Towers(*(np.full_like(towers.read, FIRST_SQUARE) for _ in range(2)))
    own = np.zeros((len(words.term), towers.read.shape[1]), np.float32)
    _slates(log.slates, past, words, copies, squares, own, max(delay_us, 1), how.slate_step, how.ridge, X)
    return X


def offered_rows(words: Words, towers: Towers) -> FloatArray:
    """(articles x rank) what articles point to as something offered, rows of length 1."""
    count, rank = len(words.start) - 1, towers.offered.shape[1]
    rows = np.zeros((count, rank))
    _rows(words, towers.offered, rows)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def _histories(log: Log, until_us: int, apart: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    kept = np.flatnonzero((log.reads.at < until_us) & ~apart[log.reads.item])
    kept = kept[np.argsort(log.reads.reader[kept], kind="stable")]
    counts = np.bincount(log.reads.reader[kept], minlength=len(log.readers))
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), log.reads.item[kept].astype(np.int64)


@compiled_at_use()
def _rows(words, M, rows):
    for item in range(len(rows)):
        _sum(words, item, M, rows[item])


@nb.njit(nogil=True)
def _sum(words, item, M, row):
    """What the words of an article point to together."""
    row[:] = 0
    for k in range(words.start[item], words.start[item + 1]):
        for d in range(M.shape[1]):
            row[d] += words.value[k] * M[words.term[k], d]


@nb.njit(nogil=True)
def _teach(words, item, M, square, slope, share, step, ridge, own):
    """One AdaGrad step uphill on the words of an article; what it taught is added to `own` unless that is empty."""
    for k in range(words.start[item], words.start[item + 1]):
        term, value = words.term[k], words.value[k] * share
        for d in range(M.shape[1]):
            uphill = value * slope[d] - ridge * M[term, d]
            square[term, d] += uphill * uphill
            moved = step * uphill / np.sqrt(square[term, d])
            M[term, d] += moved
            if len(own):
                own[k, d] += moved


@nb.njit(nogil=True)
def _reader(words, reads, recent, M, row, into):
    """The weighted mean of what was read (the latest last); gives back the weights' sum."""
    into[:] = 0
    total = 0.0
    for back in range(len(reads)):
        weight = recent**back
        _sum(words, reads[len(reads) - 1 - back], M, row)
        into += weight * row
        total += weight
    into /= max(total, 1e-9)
    return total


@nb.njit(nogil=True)
def _softmax(reader, V):
    score = V @ reader
    share = np.exp(score - score.max())
    return share / share.sum()


@nb.njit(nogil=True)
def _learn(words, reads, recent, items, wanted, towers, squares, rows, step, ridge, own):
    """One step of softmax regression: `wanted` (items,) shares of what the reader took among what was offered."""
    reader, row, V = rows[0], rows[1], rows[2:]
    total = _reader(words, reads, recent, towers.read, row, reader)
    for one in range(len(items)):
        _sum(words, items[one], towers.offered, V[one])
    error = wanted - _softmax(reader, V[: len(items)])
    slope = error @ V[: len(items)]
    for one in range(len(items)):
        _teach(words, items[one], towers.offered, squares.offered, reader, error[one], step, ridge, own)
    nothing = own[:0]
    for back in range(len(reads)):
        share = recent**back / total
        _teach(words, reads[len(reads) - 1 - back], towers.read, squares.read, slope, share, step, ridge, nothing)


@compiled_at_use(fastmath=True)
def _pass(words, start, item, likely, towers, squares, step, ridge, others, most, seed):
    np.random.seed(seed)
    rank = towers.read.shape[1]
    rows, items = np.zeros((others + 3, rank)), np.zeros(others + 1, np.int64)
    wanted, nothing = np.zeros(others + 1), np.zeros((0, rank), np.float32)
    wanted[0] = 1.0
    for reader in np.random.permutation(len(start) - 1):
        mine = item[start[reader] : start[reader + 1]]
        if len(mine) < 3:
            continue
        for one in range(len(mine)):
            items[0] = mine[one]
            for k in range(1, others + 1):
                items[k] = np.searchsorted(likely, np.random.random())
            reads = _some_others(mine, one, most)
            _learn(words, reads, 1.0, items, wanted, towers, squares, rows, step, ridge, nothing)


@nb.njit(nogil=True)
def _some_others(mine, one, most):
    """The other reads of the same reader: all of them, or some by lot."""
    if len(mine) - 1 <= most:
        return np.concatenate((mine[:one], mine[one + 1 :]))
    found, count = np.empty(most, np.int64), 0
    while count < most:
        place = np.random.randint(len(mine))
        if place != one:
            found[count] = mine[place]
            count += 1
    return found


@compiled_at_use(fastmath=True)
def _slates(slates, past, words, towers, squares, own, delay_us, step, ridge, X):
    rank, longest = towers.read.shape[1], np.diff(slates.start).max() if len(slates.at) else 0
    rows, told = np.zeros((longest + 3, rank)), 0
    for slate in range(len(slates.at)):
        while told < slate and slates.at[told] <= slates.at[slate] - delay_us:
            first, end = slates.start[told], slates.start[told + 1]
            clicks = slates.clicked[first:end].sum()
            reads = past.item[past.start[told] : past.start[told + 1]]
            if len(reads) and 0 < clicks < end - first:
                wanted = slates.clicked[first:end] / clicks
                _learn(words, reads, RECENT, slates.item[first:end], wanted, towers, squares, rows, step, ridge, own)
            told += 1
        reads = past.item[past.start[slate] : past.start[slate + 1]]
        if len(reads):
            _reader(words, reads, RECENT, towers.read, rows[1], rows[0])
            for one in range(slates.start[slate], slates.start[slate + 1]):
                X[one] = _as_new(words, slates.item[one], towers.offered, own, rows[0])


@nb.njit(nogil=True)
def _as_new(words, item, M, own, reader):
    """The product with the reader, without what offering this article taught its words."""
    found = 0.0
    for k in range(words.start[item], words.start[item + 1]):
        for d in range(M.shape[1]):
            found += words.value[k] * reader[d] * (M[words.term[k], d] - own[k, d])
    return found

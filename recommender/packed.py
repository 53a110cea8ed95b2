"""Vectors of articles packed for compiled passes: a profile against many, a few against many.

Scores are those of `Segment.similarity`: the SUBJECT blend of words and latent directions, over the views both have.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, call-arg"

from dataclasses import dataclass
from typing import Any, Self

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled
from recommender.lanes import (
    FAST,
    LANES,
    ROOM,
    direction_dots_of_two,
    fetch,
    forget,
    lane_dots,
    lanes,
    lay,
    mean,
    means,
    widen,
)
from recommender.postings.intrinsics import prefetch, widened
from recommender.subject import SUBJECT
from recommender.vectors import Vectors

Slots = NDArray[np.int64]
Halves = NDArray[np.uint16]
AHEAD = 4  # the row after so many is fetched meanwhile
LONG = 1_024  # terms of a text that fit without asking for more room
AHEAD_TERMS = 192  # as far as a body goes
NEVER = np.float32(-3)  # less than any cosine
SLACK = np.float32(1e-5)  # float32 sums may pass a bound by less than this


@dataclass(frozen=True)
class Packed:
    """Articles in slots: slot s owns `terms[starts[s]:ends[s]]` with their `weights`, and row s of `latent`.

    Terms are numbers below `width`; `latent` is (slots x r), the bits of float16, r = 0 where the epoch has no
    directions. Rows have length 1 or are zero.
    """

    starts: IntArray
    ends: IntArray
    terms: NDArray[np.int32]
    weights: FloatArray
    latent: Halves
    directed: NDArray[np.uint8]  # (slots,) 1 where the latent row is not zero
    width: int

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """These texts, in slots 0, 1, ..."""
        words = vectors.words
        halves = latent_of(vectors).view(np.float16)
        return cls.laid(words.indptr.astype(np.int64), words.indices, words.data, halves, words.shape[1])

    @classmethod
    def laid(
        cls, starts: IntArray, terms: NDArray[np.int32], weights: FloatArray, halves: NDArray[np.float16], width: int
    ) -> Self:
        """Texts one behind the other: `starts` (texts + 1,), and their latent rows (texts x r)."""
        latent = np.ascontiguousarray(halves).view(np.uint16)
        directed = np.any(latent & 0x7FFF, axis=1).astype(np.uint8)
        terms, weights = np.asarray(terms, np.int32), np.asarray(weights, np.float32)
        return cls(starts[:-1], starts[1:], terms, weights, latent, directed, width)

    def summed(self, reads: Slots, weights: FloatArray) -> "Summed":
        """The weighted sum of some slots, to compare others with. Cost: about 0.3 us a slot of a body."""
        dense = np.zeros(self.width, np.float32)
        direction = np.zeros(self.latent.shape[1], np.float32)
        length, latent_length = _summed(_slots(reads), weights, *self.arrays, dense, direction)
        return Summed(self, dense, direction, length, latent_length)

    def among(self, few: Slots, many: Slots) -> FloatArray:
        """Cosine of each of a few slots with each of many (few x many). Cost: about 20 ns a pair of bodies."""
        room = lanes(self.width, LANES)
        found: FloatArray = _among(_slots(few), _slots(many), *self.arrays, *room, *_SHARES)
        return found

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What compiled code takes, in the order of PACKED."""
        return self.starts, self.ends, self.terms, self.weights, self.latent, self.directed


@dataclass(frozen=True)
class Summed:
    """A profile: a sum of texts laid out by term, its latent direction of length 1 or zero, and both sums' lengths."""

    packed: Packed
    dense: FloatArray  # (width,)
    direction: FloatArray  # (r,)
    length: float
    latent_length: float

    def cosines(self, slots: Slots) -> FloatArray:
        """Cosine of the sum with each slot (slots,).

        Equal texts have equal cosines whatever stands around them. Cost: about 0.1 us a slot of a body.
        """
        return self.reaching(slots, np.full(len(slots), NEVER, np.float32))

    def reaching(self, slots: Slots, least: FloatArray) -> FloatArray:
        """The cosines of those slots that reach `least` (slots,), as `cosines` tells them; NaN for some of the rest.

        Cost: directions are compared first; the words of a text that cannot reach it with any are not read.
        """
        words_share = SUBJECT.words if self.length > 0 else 0.0
        dense_share = SUBJECT.dense if self.latent_length > NOTHING else 0.0
        found: FloatArray = _like_sum(
            _slots(slots), least, *self.packed.arrays, self.dense, self.direction, np.float32(self.length or 1.0),
            words_share, dense_share,
        )  # fmt: skip
        return found


NOTHING = 1e-9  # a shorter sum of directions points nowhere
_SHARES = SUBJECT.words, SUBJECT.dense


def _slots(slots: Slots) -> Slots:
    return np.ascontiguousarray(slots, np.int64)


def latent_of(vectors: Vectors) -> Halves:
    """The bits of the latent rows in half precision, which holds them; (n x 0) where there are none."""
    if vectors.dense is None:
        return np.zeros((len(vectors), 0), np.uint16)
    return np.ascontiguousarray(vectors.dense, np.float16).view(np.uint16)


def array(dtype, dimensions=1):
    """The numba type of a contiguous array that is only read."""
    return nb.types.Array(dtype, dimensions, "C", readonly=True)


I32, I64, F32, F64, U8 = (array(dtype) for dtype in (nb.int32, nb.int64, nb.float32, nb.float64, nb.uint8))
F32_2, U16_2 = array(nb.float32, 2), array(nb.uint16, 2)
PACKED = I64, I64, I32, F32, U16_2, U8


# Whole loops and no slices: a call costs more than the inner product of two short rows.


@nb.njit(fastmath=FAST)
def word_dots(slots, starts, ends, terms, weights, dense, found):
    """The words of each slot against a vector laid out by term."""
    for one in range(len(slots)):
        slot = np.uint64(slots[one])
        total = np.float32(0)
        coming = starts[slots[min(one + AHEAD, len(slots) - 1)]]
        for line in range(0, AHEAD_TERMS, 16):
            prefetch(terms, coming + line)
            prefetch(weights, coming + line)
        # Unsigned: nothing to check, so that eight or sixteen are gathered at a time.
        for place in range(np.uint64(starts[slot]), np.uint64(ends[slot])):
            total += weights[place] * dense[np.uint32(terms[place])]
        found[one] = total


@nb.njit(fastmath=FAST)
def latent_dots(slots, latent, direction, found):
    """The latent row of each slot against a direction."""
    flat = latent.ravel()
    for one in range(len(slots)):
        slot = np.uint64(slots[one])
        total = np.float32(0)
        coming = slots[min(one + AHEAD, len(slots) - 1)] * len(direction)
        for line in range(0, len(direction), 32):
            prefetch(flat, coming + line)
        for place in range(len(direction)):
            total += widened(latent[slot, place]) * direction[place]
        found[one] = total


@nb.njit
def blended(slot, starts, ends, directed, words, along, words_share, dense_share):
    """The mean over the views both have; a share is 0 for a view that the other side lacks."""
    words_weight = words_share if ends[slot] > starts[slot] else 0.0
    return mean(words, along, words_weight, dense_share if directed[slot] else 0.0)


@nb.njit(fastmath=FAST)
def _square(values):
    total = 0.0
    for place in range(len(values)):
        total += np.float64(values[place]) * np.float64(values[place])
    return total


@compiled(
    nb.types.UniTuple(nb.float64, 2)(I64, F32, *PACKED, nb.float32[::1], nb.float32[::1])
)  # fmt: skip
def _summed(reads, read_weights, starts, ends, terms, weights, latent, directed, dense, direction):  # noqa: ARG001
    flat = latent.ravel()
    for read in range(len(reads)):
        slot, weight = np.uint64(reads[read]), read_weights[read]
        coming = starts[reads[min(read + AHEAD, len(reads) - 1)]]
        for line in range(0, AHEAD_TERMS, 16):
            prefetch(terms, coming + line)
            prefetch(weights, coming + line)
        coming = reads[min(read + AHEAD, len(reads) - 1)] * latent.shape[1]
        for line in range(0, latent.shape[1], 32):
            prefetch(flat, coming + line)
        for place in range(np.uint64(starts[slot]), np.uint64(ends[slot])):
            dense[np.uint32(terms[place])] += weight * weights[place]
        for place in range(len(direction)):
            direction[place] += weight * widened(latent[slot, place])
    length, latent_length = np.sqrt(_square(dense)), np.sqrt(_square(direction))
    if latent_length > NOTHING:
        direction /= np.float32(latent_length)
    return length, latent_length


@compiled(
    nb.float32[::1](I64, F32, *PACKED, F32, F32, nb.float32, nb.float64, nb.float64)
)  # fmt: skip
def _like_sum(
    slots, least, starts, ends, terms, weights, latent, directed, dense, direction, length, words_share, dense_share
):
    found, along = np.full(len(slots), np.nan, np.float32), np.empty(len(slots), np.float32)
    latent_dots(slots, latent, direction, along)
    left, near, count = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64), 0
    for one in range(len(slots)):
        slot = slots[one]
        most = blended(slot, starts, ends, directed, np.float32(1), along[one], words_share, dense_share)
        left[count], near[count] = one, slot
        count += most + SLACK >= least[one]  # nobody foresees which: no branch
    words = np.empty(count, np.float32)
    word_dots(near[:count], starts, ends, terms, weights, dense, words)
    for place in range(count):
        one, total = left[place], words[place] / length
        found[one] = blended(near[place], starts, ends, directed, total, along[one], words_share, dense_share)
    return found


@compiled(nb.float32[:, ::1](I64, I64, *PACKED, *ROOM, nb.float64, nb.float64))
def _among(few, many, starts, ends, terms, weights, latent, directed, rows, marks, table, words_share, dense_share):
    found = np.empty((len(few), len(many)), np.float32)
    directions, wide = np.zeros((LANES, latent.shape[1]), np.float32), np.empty((2, latent.shape[1]), np.float32)
    words, along, alike = np.empty(LANES, np.float32), np.zeros((2, LANES), np.float32), np.empty(LANES, np.float32)
    word_shares, dense_shares = np.zeros(LANES), np.zeros(LANES)
    hits, factors = np.empty(LONG, np.int32), np.empty(LONG, np.float32)
    for first in range(0, len(few), LANES):
        count, filled = min(LANES, len(few) - first), 1
        for lane in range(count):
            one = few[first + lane]
            table, filled = lay(one, lane, starts, ends, terms, weights, rows, marks, table, filled)
            widen(latent, one, directions[lane])
            word_shares[lane], dense_shares[lane] = words_share * (ends[one] > starts[one]), dense_share * directed[one]
        for other in range(len(many)):
            slot = many[other]
            fetch(many[min(other + AHEAD, len(many) - 1)], starts, terms, weights, latent, AHEAD_TERMS)
            lane_dots(slot, 0, starts, ends, terms, weights, rows, marks, table, hits, factors, words)
            if other % 2 == 0:
                after = many[min(other + 1, len(many) - 1)]
                direction_dots_of_two(slot, after, latent, directions, count, wide, along)
            means(
                words, along[other % 2], word_shares, dense_shares, ends[slot] > starts[slot], directed[slot],
                alike[:count],
            )  # fmt: skip
            for lane in range(count):
                found[first + lane, other] = alike[lane]
        for lane in range(count):
            forget(few[first + lane], lane, starts, ends, terms, rows, marks)
    return found


@compiled(nb.types.Tuple((nb.int64[::1], nb.float32[::1], nb.int64[::1]))(F32_2, nb.float32))
def close_ones(cosine, bar):
    """Row by row the columns that reach the bar, nearest first, of equal ones the first; their cosines; and where each
    row's begin (rows + 1,)."""
    place, close = np.empty(cosine.size, np.int64), np.empty(cosine.size, np.float32)
    starts, filled = np.zeros(len(cosine) + 1, np.int64), 0
    for row in range(len(cosine)):
        start = filled
        for column in range(cosine.shape[1]):
            if cosine[row, column] >= bar:
                place[filled], close[filled] = column, cosine[row, column]
                filled += 1
        order = np.argsort(-close[start:filled], kind="mergesort")
        place[start:filled], close[start:filled] = place[start:filled][order], close[start:filled][order]
        starts[row + 1] = filled
    return place[:filled].copy(), close[:filled].copy(), starts

"""Vectors of articles packed for compiled passes: a profile against many, a few against many.

Scores are those of `Segment.similarity`: the SUBJECT blend of words and latent directions, over the views both have.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import threading
from dataclasses import dataclass
from typing import Self

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.segment import SUBJECT
from recommender.vectors import Vectors

Slots = NDArray[np.int64]
_local = threading.local()


@dataclass(frozen=True)
class Packed:
    """Articles in slots: slot s owns `terms[starts[s]:ends[s]]` with their `weights`, and row s of `latent`.

    Terms are numbers below `width`; `latent` is (slots x r), r = 0 where the epoch has no directions. Rows have
    length 1 or are zero.
    """

    starts: IntArray
    ends: IntArray
    terms: NDArray[np.int32]
    weights: FloatArray
    latent: FloatArray
    directed: NDArray[np.uint8]  # (slots,) 1 where the latent row is not zero
    width: int

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """These texts, in slots 0, 1, ..."""
        words = vectors.words
        starts = words.indptr.astype(np.int64)
        latent = latent_of(vectors)
        return cls(
            starts[:-1],
            starts[1:],
            np.asarray(words.indices, np.int32),
            np.asarray(words.data, np.float32),
            latent,
            latent.any(axis=1).astype(np.uint8),
            words.shape[1],
        )

    def like_profile(self, reads: Slots, weights: FloatArray, slots: Slots) -> FloatArray:
        """Cosine of the weighted sum of `reads` with each slot (slots,).

        Equal texts have equal cosines whatever stands around them. Cost: about 50 ns a read or slot for the terms of
        a headline, 150 ns for those of a body.
        """
        found: FloatArray = _like_profile(reads, weights, slots, *self._arrays, scratch(self.width)[0], *_SHARES)
        return found

    def among(self, few: Slots, many: Slots) -> FloatArray:
        """Cosine of each of a few slots with each of many (few x many). Cost: one pass over the terms of the many."""
        found: FloatArray = _among(few, many, *self._arrays, scratch(self.width)[1], *_SHARES)
        return found

    @property
    def _arrays(self):
        return self.starts, self.ends, self.terms, self.weights, self.latent, self.directed


_SHARES = SUBJECT.words, SUBJECT.dense


def latent_of(vectors: Vectors) -> FloatArray:
    """The latent rows, (n x 0) where there are none."""
    if vectors.dense is None:
        return np.zeros((len(vectors), 0), np.float32)
    return np.ascontiguousarray(vectors.dense, np.float32)


def scratch(width: int) -> tuple[FloatArray, NDArray[np.int32]]:
    """Zeros of this thread, at least `width` long; whoever writes into them leaves zeros behind."""
    held: tuple[FloatArray, NDArray[np.int32]] | None = getattr(_local, "scratch", None)
    if held is None or len(held[0]) < width:
        size = width + width // 4
        _local.scratch = held = np.zeros(size, np.float32), np.zeros(size, np.int32)
    return held


def array(dtype, dimensions=1):
    """The numba type of a contiguous array that is only read."""
    return nb.types.Array(dtype, dimensions, "C", readonly=True)


I32, I64, F32, F64, U8 = (array(dtype) for dtype in (nb.int32, nb.int64, nb.float32, nb.float64, nb.uint8))
F32_2 = array(nb.float32, 2)
PACKED = I64, I64, I32, F32, F32_2, U8
FAST = {"reassoc", "contract"}


@nb.njit(fastmath=FAST)
def word_dot(slot, starts, ends, terms, weights, dense):
    """The words of a slot against a vector laid out by term."""
    mine = terms[starts[slot] : ends[slot]]
    values = weights[starts[slot] : ends[slot]]
    total = np.float32(0)
    for place in range(len(mine)):
        total += values[place] * dense[np.uint32(mine[place])]  # unsigned: gathered eight or sixteen at a time
    return total


@nb.njit(fastmath=FAST)
def latent_dot(one, other):
    """Inner product of two latent rows."""
    total = np.float32(0)
    for place in range(len(one)):
        total += one[place] * other[place]
    return total


@nb.njit
def blend(words, dense, words_share, dense_share):
    """The mean over the views both have; a share is 0 for a view that one lacks."""
    weight = words_share + dense_share
    return np.float32((words_share * words + dense_share * dense) / weight) if weight > 0 else np.float32(0)


@nb.njit
def spread(slot, starts, ends, terms, weights, dense):
    """Lay a slot's words out by term."""
    for place in range(starts[slot], ends[slot]):
        dense[terms[place]] = weights[place]


@nb.njit
def clear(slot, starts, ends, terms, dense):
    """Undo `spread`."""
    for place in range(starts[slot], ends[slot]):
        dense[terms[place]] = 0


@nb.njit(
    nb.float32[::1](I64, F32, I64, *PACKED, nb.float32[::1], nb.float64, nb.float64), cache=True, nogil=True
)  # fmt: skip
def _like_profile(
    reads, read_weights, slots, starts, ends, terms, weights, latent, directed, dense, words_share, dense_share
):
    direction = np.zeros(latent.shape[1], np.float32)
    for read in range(len(reads)):
        slot, weight = reads[read], read_weights[read]
        for place in range(starts[slot], ends[slot]):
            dense[terms[place]] += weight * weights[place]
        for place in range(len(direction)):
            direction[place] += weight * latent[slot, place]
    square = 0.0  # |p|^2 = sum of weight x (read . p): no list of the terms is needed
    for read in range(len(reads)):
        square += np.float64(read_weights[read]) * np.float64(
            word_dot(reads[read], starts, ends, terms, weights, dense)
        )
    length = np.float32(np.sqrt(square)) if square > 0 else np.float32(0)
    latent_length = np.float32(np.sqrt(np.float64(latent_dot(direction, direction))))
    if latent_length > 1e-9:
        direction /= latent_length
    else:
        direction[:] = 0
    found = np.empty(len(slots), np.float32)
    for one in range(len(slots)):
        slot = slots[one]
        words, words_weight, along, dense_weight = np.float64(0), 0.0, np.float64(0), 0.0
        if length > 0 and ends[slot] > starts[slot]:
            words = np.float64(word_dot(slot, starts, ends, terms, weights, dense) / length)
            words_weight = words_share
        if latent_length > 1e-9 and directed[slot]:
            along = np.float64(latent_dot(latent[slot], direction))
            dense_weight = dense_share
        found[one] = blend(words, along, words_weight, dense_weight)
    for read in range(len(reads)):
        clear(reads[read], starts, ends, terms, dense)
    return found


@nb.njit(
    nb.float32[:, ::1](I64, I64, *PACKED, nb.int32[::1], nb.float64, nb.float64), cache=True, nogil=True
)  # fmt: skip
def _among(few, many, starts, ends, terms, weights, latent, directed, first, words_share, dense_share):
    size = 1
    for one in range(len(few)):
        size += ends[few[one]] - starts[few[one]]
    owner, value, following = np.empty(size, np.int32), np.empty(size, np.float32), np.empty(size, np.int32)
    filled = np.int32(0)
    for one in range(len(few)):  # the few by term: chains that begin at first[term], 0 ends one
        for place in range(starts[few[one]], ends[few[one]]):
            filled += np.int32(1)
            owner[filled], value[filled], following[filled] = one, weights[place], first[terms[place]]
            first[terms[place]] = filled
    found = np.empty((len(few), len(many)), np.float32)
    words = np.empty(len(few), np.float32)
    for other in range(len(many)):
        slot = many[other]
        words[:] = 0
        for place in range(starts[slot], ends[slot]):
            link = first[terms[place]]
            while link:
                words[owner[link]] += value[link] * weights[place]
                link = following[link]
        for one in range(len(few)):
            mine = few[one]
            words_weight = words_share if ends[slot] > starts[slot] and ends[mine] > starts[mine] else 0.0
            dense_weight = dense_share if directed[slot] and directed[mine] else 0.0
            along = latent_dot(latent[mine], latent[slot]) if dense_weight > 0 else np.float32(0)
            found[one, other] = blend(np.float64(words[one]), np.float64(along), words_weight, dense_weight)
    for one in range(len(few)):
        clear(few[one], starts, ends, terms, first)
    return found

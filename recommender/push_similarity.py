"""Cosines of the articles readers have read with the candidates of one plan, each pair computed once.

A profile is a weighted sum of articles read, so its inner products with the candidates are the same sum of theirs.
"""

from typing import Any

import numba as nb
import numpy as np
from scipy import sparse

from data.values import FloatArray
from recommender.compiled import compiled
from recommender.vectors import Vectors

LANES = 16  # candidates side by side in memory: one cache line
DENSE_AT_ONCE = 64  # texts in one product, always: of another shape a product may differ in its last bit
HEAVY_SHARE = 16  # a term that more than 1/16 of the candidates hold is added as a whole row

_I32, _I64, _F32 = (nb.types.Array(dtype, 1, "C", readonly=True) for dtype in (nb.int32, nb.int64, nb.float32))
_F32_2D, _F32_4D = (nb.types.Array(nb.float32, ndim, "C", readonly=True) for ndim in (2, 4))


class Candidacy:
    """The candidates' vectors laid out for many inner products."""

    def __init__(self, vectors: Vectors) -> None:
        count = len(vectors)
        self.blocks = max(-(-count // LANES), 1)
        self.width = self.blocks * LANES
        self.terms = vectors.words.shape[1]
        by_term = sparse.csr_matrix(vectors.words, dtype=np.float32).T.tocsr()
        heavy = np.flatnonzero(np.diff(by_term.indptr) * HEAVY_SHARE > count)
        self._heavy = np.zeros((max(len(heavy), 1), self.width), np.float32)
        self._heavy[: len(heavy), :count] = by_term[heavy].toarray()
        self._heavy_of = np.full(self.terms, -1, np.int32)
        self._heavy_of[heavy] = np.arange(len(heavy), dtype=np.int32)
        self._starts = by_term.indptr.astype(np.int64)
        self._rows, self._weights = by_term.indices.astype(np.int32), by_term.data
        dense = np.zeros((count, 0), np.float32) if vectors.dense is None else vectors.dense
        self.rank = dense.shape[1]
        self.views = 2 if self.rank else 1
        self._dense = np.zeros((self.rank, self.width), np.float32)
        self._dense[:, :count] = dense.T
        self.present = np.zeros((2, self.width), np.float32)
        self.present[0, :count] = np.diff(vectors.words.indptr) > 0
        self.present[1, :count] = dense.any(axis=1)

    def products(self, words: Any, dense: FloatArray, place: int, S: FloatArray, top: FloatArray) -> None:
        """Inner products of texts with every candidate, by words and by direction.

        The texts' `words` are CSR (starts, terms, values), `dense` is (texts x rank). From `place` on they are written
        into S (blocks x places x views x LANES) and their highest by block into top (places x views x blocks). A
        text's products do not depend on the texts beside it.
        """
        starts, terms, values = words
        tables = (self._heavy_of, self._heavy, self._starts, self._rows, self._weights)
        _word_products(starts, terms, values, *tables, place, S)
        count = len(starts) - 1
        if self.rank:
            some = np.zeros((DENSE_AT_ONCE, self.rank), np.float32)
            for first in range(0, count, DENSE_AT_ONCE):
                part = dense[first : first + DENSE_AT_ONCE]
                some[: len(part)], some[len(part) :] = part, 0
                _put_dense(some @ self._dense, len(part), place + first, S)
        _highest_by_block(place, place + count, S, top)


_S = nb.float32[:, :, :, ::1]


@compiled(
    nb.void(_I64, _I32, _F32, _I32, _F32_2D, _I64, _I32, _F32, nb.int64, _S),
    fastmath={"contract"},
)
def _word_products(starts, terms, weights, heavy_of, heavy, begin, rows, values, first, S):  # type: ignore[no-untyped-def]
    width = heavy.shape[1]
    total = np.zeros(width, np.float32)
    for text in range(len(starts) - 1):
        total[:] = 0
        for place in range(starts[text], starts[text + 1]):
            term, weight = terms[place], weights[place]
            if term >= len(heavy_of):
                continue
            row = heavy_of[term]
            if row >= 0:
                for column in range(width):
                    total[column] += weight * heavy[row, column]
            else:
                for at in range(begin[term], begin[term + 1]):
                    total[rows[at]] += weight * values[at]
        for block in range(len(S)):
            for lane in range(LANES):
                S[block, first + text, 0, lane] = total[block * LANES + lane]


@compiled(nb.void(_F32_2D, nb.int64, nb.int64, _S))
def _put_dense(products, count, first, S):  # type: ignore[no-untyped-def]
    for block in range(len(S)):
        for text in range(count):
            for lane in range(LANES):
                S[block, first + text, 1, lane] = products[text, block * LANES + lane]


@compiled(nb.void(nb.int64, nb.int64, _F32_4D, nb.float32[:, :, ::1]), fastmath={"reassoc", "nnan"})
def _highest_by_block(first, last, S, top):  # type: ignore[no-untyped-def]
    for block in range(len(S)):
        for text in range(first, last):
            for view in range(S.shape[2]):
                most = S[block, text, view, 0]
                for lane in range(1, LANES):
                    most = max(most, S[block, text, view, lane])
                top[text, view, block] = most

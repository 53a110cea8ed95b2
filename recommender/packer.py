"""Packer: articles packed once, found by their row in any snapshot of one epoch."""

from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from data.values import FloatArray, IntArray
from recommender.index import ArticleIndex, Rows
from recommender.packed import Halves, Packed, Slots, latent_of
from recommender.vectors import Epoch, Vectors

GUESTS = 10_000  # articles beside those of the window (older reads, pins) that are kept, or as many as the window has


class Packer:
    """Grows by the articles asked for; what was handed out stays as it was. Safe to use from several threads.

    Slots are never given to another article; `generation` changes when they are given anew: with an epoch, and when
    too many guests are left from readers gone by. Cost: packing an article about 10 us, finding it some 10 ns; memory
    8 bytes a term and 2 a direction, 2.3 kB for a body of 185 terms, and 4 bytes an article of the index.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.generation = 0
        self._reset(None, 0)

    def _reset(self, epoch: Epoch | None, directions: int) -> None:
        self.generation += 1
        self._epoch = epoch
        self._index: ArticleIndex | None = None
        self._codes: NDArray[np.int32] = np.full(0, -1, np.int32)  # of a column of the epoch; -1: none yet
        self._width = 0
        self._size = self._filled = 0
        self._starts, self._ends = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._terms, self._weights = np.zeros(0, np.int32), np.zeros(0, np.float32)
        self._latent, self._directed = np.zeros((0, directions), np.uint16), np.zeros(0, np.uint8)
        self._ids, self._sums = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._slot_of: NDArray[np.int32] = np.zeros(0, np.int32)  # by row of the index; -1: none
        self._place(np.zeros(0, np.int64))
        self._packed: Packed | None = None

    @property
    def packed(self) -> Packed:
        """Everything packed so far."""
        if self._packed is None:
            size = self._size
            self._packed = Packed(
                self._starts[:size], self._ends[:size], self._terms, self._weights, self._latent[:size],
                self._directed[:size], self._width,
            )  # fmt: skip
        return self._packed

    def __len__(self) -> int:
        """How many articles are packed."""
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes of what is packed and of the room to grow."""
        return sum(one.nbytes for one in vars(self).values() if isinstance(one, np.ndarray))

    def slots(self, index: ArticleIndex, rows: Rows) -> Slots:
        """The slots of these rows of the index, packed now where they are not."""
        with self.lock:
            self._follow(index)
            if len(self._slot_of) < len(index.columns):
                unknown = np.full(len(index.columns) * 9 // 8 + 8 - len(self._slot_of), -1, np.int32)
                self._slot_of = np.concatenate([self._slot_of, unknown])
            found = self._slot_of[rows]
            if len(found) and found.min() < 0:
                self._pack(index, np.unique(rows[found < 0]))
                found = self._slot_of[rows]
            return found.astype(np.int64)

    def spare(self, index: ArticleIndex, rows: Rows) -> None:
        """Forget guests, all that are not among these rows, if there are many."""
        with self.lock:
            if self._size <= len(rows) + max(GUESTS, len(rows)):
                return
            slots = self.slots(index, rows)
            kept, codes, width, ids, sums = self.packed, self._codes, self._width, self._ids[slots], self._sums[slots]
            self._reset(index.epoch, kept.latent.shape[1])
            self._codes, self._width, self._index = codes, width, index
            lengths = (kept.ends - kept.starts)[slots]
            ends = np.cumsum(lengths)
            taken = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(
                kept.starts[slots] - ends + lengths, lengths
            )
            self._append(lengths, kept.terms[taken], kept.weights[taken], kept.latent[slots], ids, sums)
            self._place(np.asarray(rows, np.int64))

    def _follow(self, index: ArticleIndex) -> None:
        """Where the articles stand in this snapshot: rows stay while articles come, and move when it is compacted."""
        if index is self._index:
            return
        if index.epoch is not self._epoch:
            self._reset(index.epoch, 0)
        columns, rows = index.columns, self._row_of
        same = rows < len(columns)
        near = np.minimum(rows, max(len(columns) - 1, 0))
        if len(rows) and len(columns):
            same &= (columns.id[near] == self._ids[: self._size]) & (columns.text_sum[near] == self._sums[: self._size])
        if not same.all():
            rows = index.rows_of(self._ids[: self._size])
            fits = (rows >= 0) & (columns.text_sum[rows] == self._sums[: self._size]) if len(columns) else rows >= 0
            self._place(np.where(fits, rows, -1))
        self._index = index

    def _place(self, rows: IntArray) -> None:
        """Remember the row of each slot, -1 for articles that are gone."""
        self._row_of = rows
        self._slot_of = np.full(int(rows.max(initial=-1)) + 1, -1, np.int32)
        here = np.flatnonzero(rows >= 0)
        self._slot_of[rows[here]] = here

    def _pack(self, index: ArticleIndex, rows: Rows) -> None:
        vectors = index.vectors(rows)
        words, latent = vectors.words, latent_of(vectors)
        if not self._size:
            self._latent = np.zeros((0, latent.shape[1]), np.uint16)
        columns, codes = index.columns, self._coded(vectors)
        words = sparse.csr_matrix((words.data, codes, words.indptr), shape=(len(vectors), self._width), copy=True)
        words.sort_indices()  # common terms first
        lengths = np.diff(words.indptr).astype(np.int64)
        self._append(lengths, words.indices, words.data, latent, columns.id[rows], columns.text_sum[rows])
        self._slot_of[rows] = np.arange(len(self._row_of), self._size)
        self._row_of = np.append(self._row_of, rows)

    def _coded(self, vectors: Vectors) -> NDArray[np.int32]:
        """Columns as small numbers, common ones first: what is often looked up lies together."""
        words = vectors.words
        if len(self._codes) < words.shape[1]:
            wider = np.full(words.shape[1] + words.shape[1] // 8, -1, np.int32)
            wider[: len(self._codes)] = self._codes
            self._codes = wider
        codes = self._codes[words.indices]
        if (codes < 0).any():
            fresh, counts = np.unique(words.indices[codes < 0], return_counts=True)
            fresh = fresh[np.argsort(-counts, kind="stable")]
            self._codes = self._codes.copy()
            self._codes[fresh] = np.arange(self._width, self._width + len(fresh))
            self._width += len(fresh)
            codes = self._codes[words.indices]
        return np.asarray(codes)

    def _append(
        self, lengths: IntArray, codes: IntArray, data: FloatArray, latent: Halves, ids: IntArray, sums: IntArray
    ) -> None:
        size, filled = self._size + len(lengths), self._filled + len(codes)
        ends = self._filled + np.cumsum(lengths)
        self._starts = _put(self._starts, self._size, ends - lengths)
        self._ends = _put(self._ends, self._size, ends)
        self._terms, self._weights = _put(self._terms, self._filled, codes), _put(self._weights, self._filled, data)
        self._latent = _put(self._latent, self._size, latent)
        self._directed = _put(self._directed, self._size, np.any(latent & 0x7FFF, axis=1).astype(np.uint8))
        self._ids, self._sums = _put(self._ids, self._size, ids), _put(self._sums, self._size, sums)
        self._size, self._filled, self._packed = size, filled, None


def _put(array: NDArray[Any], start: int, values: NDArray[Any]) -> NDArray[Any]:
    """The array with the values from `start` on, in place where there is room: nobody reads there yet."""
    end = start + len(values)
    if end > len(array):
        wider = np.empty((end if not start else end + end // 4, *array.shape[1:]), array.dtype)
        wider[:start] = array[:start]
        array = wider
    array[start:end] = values
    return array

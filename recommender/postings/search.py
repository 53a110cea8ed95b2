"""Postings: a snapshot of segments and the rows that are alive, and the search over all of them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import local
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.postings import kernels
from recommender.postings.kinds import BATCH, BLOCK, RANGE
from recommender.postings.layout import Segment, merge

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Columns = NDArray[np.int32]
Weights = NDArray[np.float32]
LONGEST_QUERY = 16_000  # terms; a longer query looks at every row instead, bounds of 16 bits would be too coarse
FEW = 256  # this many excluded rows are asked for on top and dropped, more become a mask
NOBODY = np.zeros(0, np.uint8)
NONE = np.zeros(0, np.int64)
NO_TERMS, NO_WEIGHTS = np.zeros(0, np.int32), np.zeros(0, np.float32)


@dataclass(frozen=True)
class Found:
    """Rows best first, and their scores: the float32 of an inner product summed in float64."""

    rows: Rows
    scores: Weights


@dataclass(frozen=True, eq=False)
class Postings:
    """A snapshot: `add`, `remove` and `merged` give another and leave this one as it was; safe in any thread.

    A row is a place in this snapshot; segment i holds the rows from `starts[i]`. Dead rows are in no answer.
    """

    segments: tuple[Segment, ...] = ()
    alive: Mask | None = None  # None: all

    @classmethod
    def build(cls, matrix: sparse.csr_matrix) -> Self:
        """One segment of these rows (n x terms), float32, not negative, each of length 1 or zero to give cosines."""
        return cls((Segment.build(matrix),))

    def __len__(self) -> int:
        return self._starts[-1]

    @cached_property
    def starts(self) -> Rows:
        """The first row of each segment, and the number of rows."""
        return np.cumsum([0, *map(len, self.segments)]).astype(np.int64)

    @property
    def postings(self) -> int:
        """How many (row, term) pairs."""
        return sum(one.postings for one in self.segments)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays: both directions together."""
        return sum(one.nbytes for one in self.segments) + (0 if self.alive is None else self.alive.nbytes)

    def add(self, matrix: sparse.csr_matrix) -> Self:
        """With these rows behind the others, as a segment of their own."""
        segment = Segment.build(matrix)
        alive = None
        if self.alive is not None:
            alive = np.concatenate([self.alive, np.ones(len(segment), np.bool_)])
        return replace(self, segments=(*self.segments, segment), alive=alive)

    def remove(self, rows: Sequence[int] | Rows) -> Self:
        """Without these rows; the others keep their numbers."""
        alive = np.ones(len(self), np.bool_) if self.alive is None else self.alive.copy()
        alive[np.asarray(rows, np.int64)] = False
        return replace(self, alive=alive)

    def merged(self, first: int = 0, last: int | None = None) -> Self:
        """Segments first..last-1 as one; every row keeps its number, dead ones become empty. Answers stay the same."""
        last = len(self.segments) if last is None else last
        some = self.segments[first:last]
        keep = [self._alive(place) for place in range(first, first + len(some))]
        joined = merge(some, keep, renumber=False)
        return replace(self, segments=(*self.segments[:first], joined, *self.segments[last:]))

    def compact(self) -> Self:
        """One segment without dead rows: row i is then the i-th living row of before."""
        keep = [self._alive(place) for place in range(len(self.segments))]
        return replace(self, segments=(merge(self.segments, keep),), alive=None)

    def row(self, row: int) -> tuple[Columns, Weights]:
        """Columns and weights of one row, by falling document frequency of the columns; IndexError beyond the end."""
        place, inside = self._place(row)
        segment = self.segments[place]
        numbers, weights = segment.row(inside)
        return segment.terms[numbers], weights

    def nearest(
        self, row: int, k: int, *, allowed: Mask | None = None, excluded: Sequence[int] = (), minimum: float = 0.0,
        step: float = 0.0, ties: Rows | None = None, numbers: Rows | None = None,
    ) -> Found:  # fmt: skip
        """The k rows most similar to one row, itself left out; as `search`."""
        if len(self.segments) == 1 and not len(excluded) and 0 <= row < len(self) and k > 0:
            heap = _Heap(min(k, len(self)))  # nearly always: what follows for any number of segments, without a loop
            heap.offer(
                self.segments[0], NO_TERMS, NO_WEIGHTS, row,
                NOBODY if allowed is None and self.alive is None else self._allowed(allowed, NONE), minimum, step,
                NONE if ties is None else ties, NONE if numbers is None else numbers, 0, True,
            )  # fmt: skip
            return Found(heap.rows[: heap.size], heap.scores[: heap.size])
        place, inside = self._place(row)
        out = np.array(excluded, np.int64)
        numbers_of = (NO_TERMS, NO_WEIGHTS) if len(self.segments) == 1 else self.segments[place].row(inside)
        return self._search(
            numbers_of, place, inside, k, self._allowed(allowed, out), out, minimum, step, ties, numbers
        )

    def search(
        self, columns: Columns, weights: Weights, k: int, *, allowed: Mask | None = None,
        excluded: Sequence[int] = (), minimum: float = 0.0, step: float = 0.0, ties: Rows | None = None,
        numbers: Rows | None = None,
    ) -> Found:  # fmt: skip
        """The k rows of the greatest inner product with a sparse vector: exact, fewer where fewer have anything.

        Only rows above 0 and at least `minimum`, in `allowed` (rows,) and not `excluded`. Order: score, then greater
        `ties` (rows,), then smaller `numbers` (rows,); by default the later row first. With a `step`, scores that
        round to the same multiple of it are equal. Unknown columns count nothing; columns must be distinct.
        """
        columns, weights = np.ascontiguousarray(columns, np.int32), np.ascontiguousarray(weights, np.float32)
        if not np.isfinite(weights).all():
            raise ValueError("weights of a query must be finite")
        out = np.array(excluded, np.int64)
        mask = self._allowed(allowed, out)
        return self._search((columns, weights), -1, -1, k, mask, out, minimum, step, ties, numbers)

    def effort(self, row: int, k: int) -> tuple[int, int, int]:
        """What `nearest` looks at: postings read, rows refined, rows scored."""
        heap = _Heap(min(k, len(self)))
        home, inside = self._place(row)
        query = self.segments[home].row(inside)
        self._fill(heap, query, home, inside, NOBODY, 0.0, 0.0, None, None)
        return heap.read, heap.refined, heap.scored

    def scores(self, columns: Columns, weights: Weights, rows: Rows) -> Weights:
        """Inner product of a sparse vector with each of these rows (rows,), dead ones included."""
        return self.compared(columns, weights, rows)[0]

    def compared(self, columns: Columns, weights: Weights, rows: Rows) -> tuple[Weights, Rows]:
        """`scores`, and how many terms each row has. Cost: the terms of the rows."""
        made, counts = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.int64)
        columns, weights = np.ascontiguousarray(columns, np.int32), np.ascontiguousarray(weights, np.float32)
        rows = np.ascontiguousarray(rows, np.int64)
        if not len(rows):
            return made, counts
        least, most = int(rows.min()), int(rows.max())
        for place, segment in enumerate(self.segments):
            first = self._starts[place]
            if first <= most and least < self._starts[place + 1]:
                kernels.score_rows(
                    segment.row_starts, segment.gaps, segment.weights, rows, first, segment.number(columns), weights,
                    _scratch.fit(len(segment.terms)), made, counts,
                )  # fmt: skip
        return made, counts

    def _place(self, row: int) -> tuple[int, int]:
        """Which segment, and the row within it."""
        starts = self._starts
        if not 0 <= row < starts[-1]:
            raise IndexError(f"row {row} is not among the {len(self)} rows")
        place = bisect_right(starts, row) - 1
        return place, row - starts[place]

    @cached_property
    def _starts(self) -> list[int]:
        return [int(start) for start in self.starts]

    @cached_property
    def _largest_first(self) -> list[int]:
        """The sooner the bar is high, the more is skipped: large segments set it, small ones profit."""
        return sorted(range(len(self.segments)), key=lambda place: -len(self.segments[place]))

    def _alive(self, place: int) -> Mask:
        low, high = self.starts[place], self.starts[place + 1]
        return np.ones(high - low, np.bool_) if self.alive is None else self.alive[low:high]

    def _allowed(self, allowed: Mask | None, excluded: Rows) -> NDArray[np.uint8]:
        """Which rows may be found, nothing if all may."""
        mask = self.alive if allowed is None else allowed if self.alive is None else self.alive & allowed
        if len(excluded) > FEW:
            mask = np.ones(len(self), np.bool_) if mask is None else mask.copy()
            mask[excluded] = False
        return NOBODY if mask is None else np.ascontiguousarray(mask, np.bool_).view(np.uint8)

    def _search(
        self, query: tuple[Columns, Weights], home: int, own: int, k: int, allowed: NDArray[np.uint8],
        excluded: Rows, minimum: float, step: float, ties: Rows | None, numbers: Rows | None,
    ) -> Found:  # fmt: skip
        """`query` holds term numbers of segment `home`, or columns if that is -1."""
        more = len(excluded) if len(excluded) <= FEW else 0
        heap = _Heap(max(min(max(k, 0) + more, len(self)), 0) if k > 0 else 0)
        self._fill(heap, query, home, own, allowed, minimum, step, ties, numbers)
        rows, scores = heap.rows[: heap.size], heap.scores[: heap.size]
        if len(excluded):
            left = ~np.isin(rows, excluded)
            rows, scores = rows[left], scores[left]
        return Found(rows[:k], scores[:k])

    def _fill(
        self, heap: "_Heap", query: tuple[Columns, Weights], home: int, own: int, allowed: NDArray[np.uint8],
        minimum: float, step: float, ties: Rows | None, numbers: Rows | None,
    ) -> None:  # fmt: skip
        if heap.k == 0:
            return
        order = self._largest_first if home < 0 else [home, *(one for one in self._largest_first if one != home)]
        columns = query[0] if home < 0 or len(order) == 1 else self.segments[home].terms[query[0]]
        for place in order:
            segment = self.segments[place]
            low, high = self._starts[place], self._starts[place + 1]
            heap.offer(
                segment, *(query if place == home else segment.query(columns, query[1])),
                own if place == home else -1, allowed[low:high] if len(allowed) else NOBODY, minimum, step,
                NONE if ties is None else ties[low:high], NONE if numbers is None else numbers[low:high], low,
                place == order[-1],
            )  # fmt: skip


class _Scratch(local):
    """Arrays each thread keeps between searches; `dense` and `frequent` are all zero then."""

    def __init__(self) -> None:
        self.dense = np.zeros(1 << 12, np.float32)
        self.frequent = np.zeros(1 << 12, np.uint32)
        self.bounds = np.zeros(RANGE, np.uint16)
        self.blocks = np.zeros(RANGE // BLOCK, np.uint16)
        self.waiting = np.zeros(RANGE + BATCH, np.int32)
        self.others = np.zeros(RANGE + BATCH, np.int32)
        self.levels = np.zeros(RANGE + BATCH, np.int8)

    def fit(self, terms: int) -> NDArray[np.float32]:
        if len(self.dense) < terms:
            self.dense = np.zeros(terms + terms // 4, np.float32)
            self.frequent = np.zeros(terms + terms // 4, np.uint32)
        return self.dense


_scratch = _Scratch()


class _Heap:
    """The best k rows so far over segments; in order after the last."""

    def __init__(self, k: int) -> None:
        self.k, self.size = k, 0
        self.read = self.refined = self.scored = 0
        self.keys = np.empty(k)
        self.ties, self.numbers, self.rows = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k, np.int64)
        self.scores = np.empty(k, np.float32)

    def offer(
        self, segment: Segment, terms: Columns, weights: Weights, own: int, allowed: NDArray[np.uint8],
        minimum: float, step: float, ties: Rows, numbers: Rows, first: int, last: bool,
    ) -> None:  # fmt: skip
        """Search one segment; `terms` are its numbers, ascending, or none if its row `own` is the query."""
        best = (self.keys, self.ties, self.numbers, self.rows, self.scores, self.size, last)
        if len(terms) > LONGEST_QUERY:
            self.size = kernels.look_at_all(
                segment.row_starts, segment.gaps, segment.weights, self.k, step, minimum, allowed, own, ties, numbers,
                first, _scatter(segment, terms, weights), *best,
            )  # fmt: skip
            return
        self.size, read, refined, scored = kernels.search(
            *segment.searched, terms, weights, self.k, step, minimum, allowed, own, ties, numbers, first,
            _scratch.fit(len(segment.terms)), _scratch.frequent, _scratch.bounds, _scratch.blocks, _scratch.waiting,
            _scratch.others, _scratch.levels, *best,
        )  # fmt: skip
        self.read, self.refined, self.scored = self.read + read, self.refined + refined, self.scored + scored


def _scatter(segment: Segment, terms: Columns, weights: Weights) -> Weights:
    dense = np.zeros(len(segment.terms), np.float32)
    known = terms >= 0
    dense[terms[known]] = weights[known]
    return dense

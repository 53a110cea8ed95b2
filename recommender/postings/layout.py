"""The arrays of one segment: rows with their weights, and lists of rows by term; under 11 bytes a posting."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.postings import pack
from recommender.postings.kinds import LEAST_FRONTS, LEVEL_SHARES, MOST_BYTES, RANGE, RARE
from recommender.postings.order import by_topic


@dataclass(frozen=True, eq=False)
class Segment:
    """n immutable rows. Terms are renumbered by falling document frequency; `terms[i]` is the column of number i.

    Rows: `gaps` (uint16, to the next term number) and `weights` (float32, as given: the only ones that decide a
    score). All else is by place: a large segment keeps rows of a topic in places beside each other. Lists: places, and
    `codes` (uint8): weight / step of the term, rounded up, a bound and no score. `norms` (levels x n, uint8): length
    within the most frequent terms, rounded up. `fronts`: these terms once more, with their codes.
    """

    terms: NDArray[np.int32]  # number -> column
    numbers: NDArray[np.int32]  # column -> number, -1 where no row holds it; empty where there are few postings
    row_starts: NDArray[np.int64]
    gaps: NDArray[np.uint16]
    weights: NDArray[np.float32]
    ids: NDArray[np.uint16]
    table: NDArray[np.uint32]  # where each common term's rows of each range stand in `ids`
    rare_ids: NDArray[np.uint32]
    rare_starts: NDArray[np.uint32]
    codes: NDArray[np.uint8]
    steps: NDArray[np.float32]
    norms: NDArray[np.uint8]
    front_starts: NDArray[np.int64]
    fronts: NDArray[np.uint16]  # the levels' terms of each row: gap + 256 * code
    cuts: NDArray[np.int64]  # the first number after each level
    tops: NDArray[np.float32]  # the greatest length within each level
    usual: NDArray[np.float32]  # the mean length within each level
    longest: NDArray[np.float32]  # (1,) the greatest length of a row
    ceilings: NDArray[np.uint8]  # the greatest of `norms` in each BLOCK of places
    order: NDArray[np.int32]  # place -> row; empty where each row is in its own place
    places: NDArray[np.int32]  # row -> place

    @classmethod
    def build(cls, rows: sparse.csr_matrix) -> Self:
        """Lay out the rows (n x terms); weights must be finite and not negative, columns distinct within a row."""
        indptr = np.asarray(rows.indptr, np.int64)
        columns = np.asarray(rows.indices, np.int32)
        weights = np.asarray(rows.data, np.float32)
        if not pack.valid(weights):
            raise ValueError("weights of rows must be finite and not negative: leave such terms out")
        columns, numbers, terms, df, small = _numbered(columns, weights)
        n = len(indptr) - 1
        cuts = np.searchsorted(-df, [-share * n for share in LEVEL_SHARES]).astype(np.int64)
        common = int(np.searchsorted(-df, -RARE, side="right"))
        cuts = np.minimum(cuts, common)
        nothing = np.empty(0, np.uint16)
        # numpy gives the room: large arrays of its own lie in huge pages, which are quick to give back too.
        packed = np.empty(
            pack.rows(indptr, columns, weights, numbers, nothing, np.empty(0, np.float32))[-1], np.float32
        )
        gaps = np.empty(len(packed), np.uint16)
        row_starts = pack.rows(indptr, columns, weights, numbers, gaps, packed)
        order = by_topic(row_starts, gaps, packed, df)
        places = np.empty_like(order)
        places[order] = np.arange(len(order), dtype=np.int32)
        steps = pack.steps(columns, weights, numbers, len(terms))
        many, total = int(df[:common].sum()), int(df.sum())
        ids, codes, rare_ids = np.empty(many, np.uint16), np.empty(total, np.uint8), np.empty(total - many, np.uint32)
        table = np.zeros(common * (-(-n // RANGE) + 1), np.uint32)
        rare_starts = np.zeros(len(df) - common + 1, np.uint32)
        pack.lists(row_starts, gaps, packed, order, df, steps, common, RANGE, ids, table, rare_ids, rare_starts, codes)
        size = sum(one.nbytes for one in (row_starts, gaps, packed, ids, table, rare_ids, rare_starts, codes))
        size += 8 * len(row_starts) + len(cuts) * n + 12 * len(terms) + 4 * len(numbers)
        room = max(MOST_BYTES * df.sum() - size, LEAST_FRONTS * df.sum()) / 2
        cuts = cuts[: max(1, int(np.searchsorted(np.append(0, np.cumsum(df))[cuts], room, side="right")))]
        norms, squares = np.zeros(len(cuts) * n, np.uint8), np.zeros((len(cuts), n), np.float32)
        tops, usual, longest = pack.norms(row_starts, gaps, packed, order, cuts, squares, norms)
        fronts = np.empty(pack.fronts(row_starts, gaps, packed, order, steps, cuts[-1], nothing)[-1], np.uint16)
        front_starts = pack.fronts(row_starts, gaps, packed, order, steps, cuts[-1], fronts)
        arrays = (
            terms, numbers[: 0 if small else None], row_starts, gaps, packed, ids, table, rare_ids, rare_starts, codes,
            steps, norms, front_starts, fronts, cuts, tops, usual, longest, pack.ceilings(norms, n),
            order, places,
        )  # fmt: skip
        return cls(*arrays)

    def __len__(self) -> int:
        return len(self.row_starts) - 1

    @property
    def postings(self) -> int:
        """How many (row, term) pairs."""
        return len(self.codes)

    @property
    def common(self) -> int:
        """How many terms have lists by ranges."""
        return len(self.terms) - len(self.rare_starts) + 1

    @cached_property
    def width(self) -> int:
        """Columns up to the last that a row may hold."""
        return len(self.numbers) or int(self.terms.max(initial=-1)) + 1

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    @cached_property
    def searched(self) -> tuple[Any, ...]:
        """What `kernels.search` takes of a segment, in its order."""
        return (
            len(self), self.ids, self.table, self.rare_ids, self.codes, self.common, self.rare_starts, self.steps,
            self.row_starts, self.gaps, self.weights, self.norms, self.front_starts, self.fronts, self.cuts,
            self.tops, self.usual, float(self.longest[0]), self.ceilings, self.order, self.places,
        )  # fmt: skip

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array by its name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Term numbers, ascending, and weights of one row."""
        found: tuple[NDArray[np.int32], NDArray[np.float32]] = pack.row(
            self.row_starts, self.gaps, self.weights, np.int64(row)
        )
        return found

    def number(self, columns: NDArray[np.int32]) -> NDArray[np.int32]:
        """Term numbers of columns, -1 where this segment does not hold them."""
        found: NDArray[np.int32] = pack.look_up(
            self.numbers, self._columns, self._places, np.ascontiguousarray(columns, np.int32)
        )
        return found

    def query(
        self, columns: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The columns that this segment holds as term numbers, ascending, with their weights."""
        found: tuple[NDArray[np.int32], NDArray[np.float32]] = pack.query(
            self.numbers, self._columns, self._places, columns, weights
        )
        return found

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        """Term numbers by rising column, where there is no table of them."""
        return np.zeros(0, np.int32) if len(self.numbers) else np.argsort(self.terms, kind="stable").astype(np.int32)

    @cached_property
    def _columns(self) -> NDArray[np.int32]:
        return self.terms[self._places]

    def matrix(self, keep: NDArray[np.bool_] | None = None, renumber: bool = True) -> sparse.csr_matrix:
        """The rows as they were given, columns ascending; those not to keep are left out, or empty."""
        return _unpacked([self], None if keep is None else [keep], renumber)


def _numbered(
    columns: NDArray[np.int32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], bool]:
    """Columns, perhaps as places among those there are; the number of each; columns and df by number; whether so."""
    width = int(columns.max(initial=-1)) + 1
    small = len(columns) < width  # then a table of all columns would cost more than the rows
    known = np.arange(width)
    if small:
        known, places = np.unique(columns, return_inverse=True)
        columns = places.astype(np.int32)
    df = pack.document_frequency(columns, weights, len(known))
    present = np.flatnonzero(df)
    order = present[np.argsort(-df[present], kind="stable")]
    numbers = np.full(len(known), -1, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return columns, numbers, known[order].astype(np.int32), df[order], small


def merge(
    segments: Sequence[Segment], keep: Sequence[NDArray[np.bool_]] | None = None, *, renumber: bool = True
) -> Segment:
    """One segment of all rows in order; searching it gives what searching all gave.

    Rows not to keep are left out, or empty if the others are not to be renumbered.
    """
    return Segment.build(_unpacked(segments, keep, renumber))


def _unpacked(
    segments: Sequence[Segment], keep: Sequence[NDArray[np.bool_]] | None, renumber: bool
) -> sparse.csr_matrix:
    """Rows of several segments as one matrix; all of the work is done without the interpreter's lock."""
    masks = [np.ones(len(one), np.bool_) for one in segments] if keep is None else keep
    sizes = [pack.kept(one.row_starts, one.weights, mask, renumber) for one, mask in zip(segments, masks, strict=True)]
    indptr = np.zeros(sum(rows for rows, _ in sizes) + 1, np.int64)
    columns = np.empty(sum(total for _, total in sizes), np.int32)
    weights = np.empty(len(columns), np.float32)
    first = 0
    for one, mask, (rows, _) in zip(segments, masks, sizes, strict=True):
        part = indptr[first : first + rows + 1]
        pack.unpack(one.row_starts, one.gaps, one.weights, one.terms, mask, renumber, part, columns, weights)
        first += rows
    width = max((one.width for one in segments), default=0)
    return sparse.csr_matrix((weights, columns, indptr), shape=(len(indptr) - 1, width))

"""Compiled: some rows of a segment as they were given, laid out anew."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

from collections.abc import Iterator

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.postings.intrinsics import prefetch
from recommender.postings.kinds import F32, I32, I64, ROWS_AHEAD, U16, compiled
from recommender.postings.layout import Segment
from recommender.postings.rows import fetch_row
from recommender.postings.search import Postings


@compiled(nb.void(I64, F32, I64, I64, nb.int64[::1]))
def lengths(row_starts, weights, inside, places, found):
    """How many terms each of the rows `inside` has, into `found` at `places`."""
    for at in range(len(inside)):
        count = 0
        for place in range(row_starts[inside[at]], row_starts[inside[at] + 1]):
            count += weights[place] > 0
        found[places[at]] = count


@compiled(nb.void(I64, U16, F32, I32, I64, I64, I64, nb.int64[::1], nb.int32[::1], nb.float32[::1]))
def fill(row_starts, gaps, weights, terms, inside, places, starts, ends, columns, values):
    """Columns and weights of the rows `inside`, written from `starts` at `places` on; their `ends`."""
    for at in range(min(len(inside), 2 * ROWS_AHEAD)):
        prefetch(row_starts, inside[at])
    for at in range(min(len(inside), ROWS_AHEAD)):
        fetch_row(row_starts, gaps, weights, inside[at])
    for at in range(len(inside)):
        if at + 2 * ROWS_AHEAD < len(inside):
            prefetch(row_starts, inside[at + 2 * ROWS_AHEAD])
        if at + ROWS_AHEAD < len(inside):
            fetch_row(row_starts, gaps, weights, inside[at + ROWS_AHEAD])
        to = starts[places[at]]
        number = -1
        for place in range(row_starts[inside[at]], row_starts[inside[at] + 1]):
            number += gaps[place]
            if weights[place] > 0:
                columns[to] = terms[number]
                values[to] = weights[place]
                to += 1
        ends[places[at]] = to


@compiled(nb.void(nb.int64[::1], I64, nb.int32[::1], nb.float32[::1]))
def close_up(starts, ends, columns, values):
    """Move rows that begin at `starts` together, so that each begins where the one before ended."""
    to = np.int64(0)
    for row in range(len(ends)):
        start = starts[row]
        starts[row] = to
        if start == to:
            to = ends[row]
            continue
        for place in range(start, ends[row]):
            columns[to] = columns[place]
            values[to] = values[place]
            to += 1
    starts[len(ends)] = to


def csr(postings: Postings, rows: NDArray[np.int64], width: int) -> sparse.csr_matrix:
    """These rows, in this order (rows x width), dead ones included. Cost: about 1 ns a term, 1 microsecond a row."""
    indptr, columns, values = texts_of(postings, rows)
    small = indptr.astype(np.int32) if indptr[-1] < 2**31 else indptr
    return sparse.csr_matrix((values, columns, small), shape=(len(rows), width))


def texts_of(
    postings: Postings, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """`csr` as bare arrays: where each row begins (rows + 1,), the columns and the weights."""
    parts = list(_parts(postings, rows))
    indptr, ends = np.zeros(len(rows) + 1, np.int64), np.zeros(len(rows), np.int64)
    for segment, places, first in parts:
        inside = rows[places] - first
        indptr[places + 1] = segment.row_starts[inside + 1] - segment.row_starts[inside]  # or a few more than it needs
    indptr = indptr.cumsum()
    columns, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    for segment, places, first in parts:
        fill(
            segment.row_starts, segment.gaps, segment.weights, segment.terms, rows[places] - first, places, indptr,
            ends, columns, values,
        )  # fmt: skip
    close_up(indptr, ends, columns, values)
    return indptr, columns[: indptr[-1]], values[: indptr[-1]]


def terms_of(postings: Postings, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many different terms each row has (rows,)."""
    found = np.zeros(len(rows), np.int64)
    for segment, places, first in _parts(postings, rows):
        lengths(segment.row_starts, segment.weights, rows[places] - first, places, found)
    return found


def _parts(postings: Postings, rows: NDArray[np.int64]) -> Iterator[tuple[Segment, NDArray[np.int64], int]]:
    """By segment: which of the rows are in it, and its first row."""
    if len(postings.segments) == 1:
        yield postings.segments[0], np.arange(len(rows)), 0
        return
    of = np.searchsorted(postings.starts, rows, side="right") - 1
    for place in np.unique(of):
        yield postings.segments[place], np.flatnonzero(of == place), postings.starts[place]

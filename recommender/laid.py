"""Compiled: the texts of some rows of an index laid side by side, for passes that compare them with each other."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Iterator

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.compiled import compiled
from recommender.latent import Latent
from recommender.packed import Packed
from recommender.postings import Postings, Segment
from recommender.postings.rows import fetch_row

_I64, _F32, _I32, _U16 = (
    nb.types.Array(kind, 1, "C", readonly=True) for kind in (nb.int64, nb.float32, nb.int32, nb.uint16)
)
AHEAD = 4  # the row after so many is fetched meanwhile
_BITS = nb.types.Array(nb.uint16, 2, "C", readonly=True)


def laid(postings: Postings, latent: Latent | None, rows: NDArray[np.int64], width: int) -> Packed:
    """The texts of these rows, in slots 0, 1, ..., of terms below `width`. Cost: half a microsecond a row.

    Rows of one segment keep its numbers of terms, which stand closer together than columns.
    """
    starts, ends = np.zeros(len(rows) + 1, np.int64), np.zeros(len(rows), np.int64)
    holding = list(_holding(postings, rows))
    for segment, first in holding:
        _rooms(segment.row_starts, rows, first, starts)
    starts = starts.cumsum()
    terms, weights = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    for segment, first in holding:
        names = segment.terms if len(holding) > 1 else _THEIR_OWN
        _texts(segment.row_starts, segment.gaps, segment.weights, names, rows, first, starts, ends, terms, weights)
    halves = np.zeros((len(rows), 0 if latent is None else latent.width), np.uint16)
    directed = np.zeros(len(rows), np.uint8)
    for bits, first in latent.parts() if latent is not None else ():
        _directions(bits, rows, first, halves, directed)
    return Packed(starts[:-1], ends, terms, weights, halves, directed, width)


_THEIR_OWN = np.zeros(0, np.int32)


def _holding(postings: Postings, rows: NDArray[np.int64]) -> Iterator[tuple[Segment, int]]:
    """The segments that hold some of the rows, and their first row."""
    least, most = int(rows.min(initial=0)), int(rows.max(initial=-1))
    for first, segment in zip(postings.starts.tolist(), postings.segments, strict=False):
        if first <= most and least < first + len(segment):
            yield segment, first


@compiled(nb.void(_I64, _I64, nb.int64, nb.int64[::1]))
def _rooms(row_starts, rows, first, room):
    """How many places each of the rows that are in this segment may take, behind its own."""
    for at in range(len(rows)):
        inside = rows[at] - first
        if 0 <= inside < len(row_starts) - 1:
            room[at + 1] = row_starts[inside + 1] - row_starts[inside]


@compiled(nb.void(_I64, _U16, _F32, _I32, _I64, nb.int64, _I64, nb.int64[::1], nb.int32[::1], nb.float32[::1]))
def _texts(row_starts, gaps, weights, terms, rows, first, starts, ends, columns, values):
    """Terms and weights of the rows that are in this segment, from `starts` on; their ends. Numbers without names."""
    for at in range(len(rows)):
        inside, coming = rows[at] - first, rows[min(at + AHEAD, len(rows) - 1)] - first
        if 0 <= coming < len(row_starts) - 1:
            fetch_row(row_starts, gaps, weights, coming)
        if not 0 <= inside < len(row_starts) - 1:
            continue
        to, number = starts[at], -1
        for place in range(row_starts[inside], row_starts[inside + 1]):
            number += gaps[place]
            if weights[place] > 0:
                columns[to] = terms[number] if len(terms) else number
                values[to] = weights[place]
                to += 1
        ends[at] = to


@compiled(nb.void(_BITS, _I64, nb.int64, nb.uint16[:, ::1], nb.uint8[::1]))
def _directions(bits, rows, first, halves, directed):
    """The latent rows of those that are in this chunk, and which of them point anywhere."""
    for at in range(len(rows)):
        inside = rows[at] - first
        if not 0 <= inside < len(bits):
            continue
        any_bits = np.uint16(0)
        for place in range(bits.shape[1]):
            any_bits |= bits[inside, place]
            halves[at, place] = bits[inside, place]
        directed[at] = (any_bits & np.uint16(0x7FFF)) != 0

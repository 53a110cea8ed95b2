"""The order in which the lists of a large segment hold its rows: those of a topic stand together.

What a query can reach then lies in few places, and elsewhere the search sees from little that there is nothing. Rows
are grouped by k-means of their directions (Dhillon and Modha 2001, "Concept decompositions for large sparse text data
using clustering"), of a sample of the rows and of the terms that tell topics apart.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# Compiled functions have no Python types; their signatures stand at `compiled`.

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.postings.kinds import F32, I32, I64, ORDERED_FROM, U16, compiled

Rows = NDArray[np.int32]
GROUPS, LEAST_OF_GROUP = 256, 64
TERMS = 8_192  # that tell topics apart: the most frequent below the share...
COMMON_SHARE = 0.1  # ...of rows that hold a term of no topic
SAMPLE, TURNS = 16_384, 5


def by_topic(
    row_starts: NDArray[np.int64], gaps: NDArray[np.uint16], weights: NDArray[np.float32], df: NDArray[np.int64]
) -> Rows:
    """Place -> row (n,), rows of a group in their order; empty, each row in its own place, for ORDERED_FROM postings.

    The rows as `Segment` packs them; `df` by term number, falling. Cost: some 6 microseconds a row, 20 MB.
    """
    n = len(row_starts) - 1
    if int(df.sum()) < ORDERED_FROM:
        return np.zeros(0, np.int32)
    first = int(np.searchsorted(-df, -COMMON_SHARE * n))
    groups = min(GROUPS, max(n // LEAST_OF_GROUP, 1))
    some = np.linspace(0, n - 1, min(SAMPLE, n)).astype(np.int64)
    of = np.full(len(some), groups, np.int32)  # of no group, but for those that begin one
    of[np.linspace(0, len(some) - 1, groups).astype(np.int64)] = np.arange(groups)
    centres = np.zeros((min(TERMS, len(df) - first), groups), np.float32)
    for _ in range(TURNS):
        gather(row_starts, gaps, weights, some, of, first, centres)
        assign(row_starts, gaps, weights, some, first, centres, of)
    gather(row_starts, gaps, weights, some, of, first, centres)
    every = np.empty(n, np.int32)
    assign(row_starts, gaps, weights, np.arange(n), first, centres, every)
    return np.argsort(_chain(centres)[every], kind="stable").astype(np.int32)


def _chain(centres: NDArray[np.float32]) -> Rows:
    """Where each group stands, and behind all the rows of none: each beside one that is like it."""
    likeness = centres.T @ centres
    places = np.full(len(likeness) + 1, len(likeness), np.int32)
    at = 0
    for place in range(len(likeness)):
        places[at] = place
        likeness[:, at] = -1
        at = int(likeness[at].argmax())
    return places


@compiled(nb.void(I64, U16, F32, I64, nb.int64, nb.float32[:, ::1], nb.int32[::1]))
def assign(row_starts, gaps, weights, rows, first, centres, of):
    """The group whose centre is nearest to each of the rows, into `of`; the number of groups where none is near.

    `centres` (terms from number `first` on x groups).
    """
    terms, groups = centres.shape
    near = np.empty(groups, np.float32)
    for at in range(len(rows)):
        near[:] = 0
        number = -1 - first
        for place in range(row_starts[rows[at]], row_starts[rows[at] + 1]):
            number += gaps[place]
            if number >= terms:
                break
            if number >= 0:
                weight = weights[place]
                centre = centres[number]
                for group in range(groups):
                    near[group] += weight * centre[group]
        best = 0
        for group in range(1, groups):
            if near[group] > near[best]:
                best = group
        of[at] = best if near[best] > 0 else groups


@compiled(nb.void(I64, U16, F32, I64, I32, nb.int64, nb.float32[:, ::1]))
def gather(row_starts, gaps, weights, rows, of, first, centres):
    """The direction of the sum of each group's rows, into `centres` (terms x groups)."""
    terms, groups = centres.shape
    centres[:] = 0
    for at in range(len(rows)):
        number = -1 - first
        for place in range(row_starts[rows[at]], row_starts[rows[at] + 1]):
            number += gaps[place]
            if number >= terms or of[at] == groups:
                break
            if number >= 0:
                centres[number, of[at]] += weights[place]
    squares = np.zeros(groups)
    for term in range(terms):
        for group in range(groups):
            squares[group] += np.float64(centres[term, group]) ** 2
    for group in range(groups):
        squares[group] = 1 / np.sqrt(squares[group]) if squares[group] > 0 else 0.0
    for term in range(terms):
        for group in range(groups):
            centres[term, group] *= squares[group]

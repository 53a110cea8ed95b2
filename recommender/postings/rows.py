"""Compiled inner products of packed rows with a scattered query."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np

from recommender.postings.intrinsics import prefetch


@nb.njit
def exact(gaps, weights, dense):
    """Inner product of one row with the scattered query: float64 sums in a fixed order, so equal rows score equal."""
    even, odd = 0.0, 0.0
    term = np.uint64(0) - np.uint64(1)  # of no sign: numba tests signed places for being counted from the end
    for pair in range(len(gaps) >> 1):
        term += np.uint64(gaps[2 * pair])
        even += np.float64(weights[2 * pair]) * np.float64(dense[term])
        term += np.uint64(gaps[2 * pair + 1])
        odd += np.float64(weights[2 * pair + 1]) * np.float64(dense[term])
    if len(gaps) & 1:
        term += np.uint64(gaps[len(gaps) - 1])
        even += np.float64(weights[len(gaps) - 1]) * np.float64(dense[term])
    return even + odd


@nb.njit
def unpacked(gaps, weights):
    """Term numbers and weights of one row."""
    terms = np.empty(len(gaps), np.int32)
    values = np.empty(len(gaps), np.float32)
    size = 0
    term = -1
    for place in range(len(gaps)):
        term += gaps[place]
        terms[size] = term
        values[size] = weights[place]
        size += weights[place] > 0
    return terms[:size], values[:size]


@nb.njit
def fetch_row(row_starts, gaps, weights, row):
    """Bring a row near, all of it if it is not very long."""
    start = row_starts[row]
    size = min(row_starts[row + 1] - start, 256)
    for place in range(0, size + 32, 32):
        prefetch(gaps, start + place)
        prefetch(weights, start + place)
        prefetch(weights, start + place + 16)

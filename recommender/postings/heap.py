"""Compiled heap of the best k rows, worst at the root."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np


@nb.njit(inline="always")
def worse(score, tie, number, other_score, other_tie, other_number):
    """Whether the first comes after the second: score falling, tie-break falling, id rising."""
    if score != other_score:
        return score < other_score
    if tie != other_tie:
        return tie < other_tie
    return number > other_number


@nb.njit
def sink(keys, ties, numbers, rows, scores, size, key, tie, number, row, score):
    """Put one row at the root of a heap and let it sink to its place."""
    at = 0
    while True:
        down = 2 * at + 1
        if down >= size:
            break
        if down + 1 < size and worse(
            keys[down + 1], ties[down + 1], numbers[down + 1], keys[down], ties[down], numbers[down]
        ):
            down += 1
        if not worse(keys[down], ties[down], numbers[down], key, tie, number):
            break
        keys[at], ties[at], numbers[at] = keys[down], ties[down], numbers[down]
        rows[at], scores[at] = rows[down], scores[down]
        at = down
    keys[at], ties[at], numbers[at], rows[at], scores[at] = key, tie, number, row, score


@nb.njit
def push(keys, ties, numbers, rows, scores, size, k, key, tie, number, row, score):
    """Put one row into the heap of the best k (worst at the root); the new size."""
    if size == k:
        if worse(keys[0], ties[0], numbers[0], key, tie, number):
            sink(keys, ties, numbers, rows, scores, size, key, tie, number, row, score)
        return size
    at = size
    while at > 0:
        up = (at - 1) >> 1
        if not worse(key, tie, number, keys[up], ties[up], numbers[up]):
            break
        keys[at], ties[at], numbers[at], rows[at], scores[at] = keys[up], ties[up], numbers[up], rows[up], scores[up]
        at = up
    keys[at], ties[at], numbers[at], rows[at], scores[at] = key, tie, number, row, score
    return size + 1


@nb.njit
def drain(keys, ties, numbers, rows, scores, size):
    """Turn the heap into a list, best first."""
    for end in range(size - 1, 0, -1):
        key, tie, number, row, score = keys[end], ties[end], numbers[end], rows[end], scores[end]
        keys[end], ties[end], numbers[end], rows[end], scores[end] = keys[0], ties[0], numbers[0], rows[0], scores[0]
        sink(keys, ties, numbers, rows, scores, end, key, tie, number, row, score)


@nb.njit
def offer(
    keys,
    best_ties,
    best_numbers,
    best_rows,
    best_scores,
    size,
    k,
    step,
    minimum,
    tie_breaks,
    numbers,
    first,
    row,
    exact,
):
    """Offer a scored row to the heap; its new size."""
    score = np.float32(exact)
    key = np.rint(score / step) * step if step > 0 else np.float64(score)
    if not (score > 0 and key >= minimum):
        return size
    tie = tie_breaks[row] if len(tie_breaks) else first + row
    number = numbers[row] if len(numbers) else first + row
    return push(keys, best_ties, best_numbers, best_rows, best_scores, size, k, key, tie, number, first + row, score)

"""Greedy diversity, compiled: the best of value less likeness to what is already chosen, under caps.

Likeness is computed only to the rows that were chosen: k - 1 passes over the candidates, no Gram matrix.
`fill_slowly` is the same in plain Python, and says what `fill` means.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from data.values import FloatArray, IntArray

STEP = 1e-6  # values closer than this are equal, as in `ranking.SCORE_STEP`


@dataclass(frozen=True)
class Pool:
    """n candidates in tie order: of equal values the earlier wins. Group 0 is capped by nothing.

    `rows` are the candidates' vectors (n x terms, CSR, rows of length 1 or zero): likeness is their inner product,
    cut to [0, 1].
    """

    value: NDArray[np.float64]  # (n,)
    source: IntArray  # (n,)
    story: IntArray  # (n,)
    rows: sparse.csr_matrix


@dataclass(frozen=True)
class Caps:
    """At most `source` of a source, while others are left, and `story` of a story, always, in any `span` places."""

    source: int = 3
    story: int = 1
    span: int = 10


def fill(pool: Pool, k: int, most: float, caps: Caps) -> NDArray[np.intp]:
    """Up to k candidates, place by place: the greatest value less `most` times the greatest likeness to a chosen one.

    Fewer than k where only stories that are full are left.
    """
    rows = pool.rows
    places = _fill(
        np.ascontiguousarray(pool.value, np.float64), np.ascontiguousarray(pool.source, np.int64),
        np.ascontiguousarray(pool.story, np.int64), np.asarray(rows.indptr, np.int64),
        np.asarray(rows.indices, np.int32), np.asarray(rows.data, np.float32), rows.shape[1],
        min(k, len(pool.value)), float(most), caps.source, caps.story, caps.span,
    )  # fmt: skip
    return np.asarray(places, np.intp)


def fill_slowly(pool: Pool, k: int, most: float, caps: Caps) -> NDArray[np.intp]:
    """`fill`, as one would write it."""
    penalty = np.zeros(len(pool.value))
    chosen: list[int] = []
    for _ in range(min(k, len(pool.value))):
        recent = chosen[-(caps.span - 1) :] if caps.span > 1 else []
        free = [one for one in range(len(pool.value)) if one not in chosen]
        free = [one for one in free if _has_room(pool.story, recent, one, caps.story)]
        spread = [one for one in free if _has_room(pool.source, recent, one, caps.source)]
        if not free:
            break
        steps = np.round((pool.value - penalty) / STEP)
        pick = max(spread or free, key=lambda one: (steps[one], -one))
        chosen.append(pick)
        penalty = np.maximum(penalty, most * _likeness(pool.rows, pick))
    return np.array(chosen, np.intp)


def _has_room(groups: IntArray, recent: list[int], one: int, cap: int) -> bool:
    return bool(groups[one] == 0 or sum(groups[other] == groups[one] for other in recent) < cap)


def _likeness(rows: sparse.csr_matrix, pick: int) -> FloatArray:
    exact = rows.astype(np.float64) @ rows[pick].toarray().ravel().astype(np.float64)
    return np.asarray(np.clip(exact, 0.0, 1.0), np.float32)


_I32, _I64, _F32, _F64 = (
    nb.types.Array(dtype, 1, "C", readonly=True) for dtype in (nb.int32, nb.int64, nb.float32, nb.float64)
)


@nb.njit
def _fits(groups, chosen, first, size, one, cap):
    """Whether one more of its group may follow the last places."""
    if groups[one] == 0:
        return True
    same = 0
    for place in range(first, size):
        same += groups[chosen[place]] == groups[one]
    return same < cap


@nb.njit
def _best(steps, free, chosen, first, size, source, source_cap, story, story_cap):
    """The best free candidate that may follow, sources spread if possible; -1 if there is none."""
    best, crowded = -1, -1
    for one in range(len(steps)):
        if not free[one]:
            continue
        better = best < 0 or steps[one] > steps[best]
        if not better and (best >= 0 or (crowded >= 0 and steps[one] <= steps[crowded])):
            continue
        if not _fits(story, chosen, first, size, one, story_cap):
            continue
        if _fits(source, chosen, first, size, one, source_cap):
            best = one
        elif crowded < 0 or steps[one] > steps[crowded]:
            crowded = one
    return best if best >= 0 else crowded


@nb.njit(
    nb.int64[::1](
        _F64, _I64, _I64, _I64, _I32, _F32, nb.int64, nb.int64, nb.float64, nb.int64, nb.int64, nb.int64
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _fill(value, source, story, starts, terms, weights, width, k, most, source_cap, story_cap, span):
    n = len(value)
    dense = np.zeros(width if most > 0 else 0, np.float32)
    penalty = np.zeros(n, np.float64)
    steps = np.rint(value / STEP)
    free = np.ones(n, np.bool_)
    chosen = np.empty(k, np.int64)
    size = 0
    while size < k:
        pick = _best(steps, free, chosen, max(0, size - span + 1), size, source, source_cap, story, story_cap)
        if pick < 0:
            break
        chosen[size] = pick
        size += 1
        free[pick] = False
        if most <= 0 or size == k:
            continue
        for place in range(starts[pick], starts[pick + 1]):
            dense[terms[place]] = weights[place]
        for one in range(n):
            if not free[one]:
                continue
            total = 0.0
            for place in range(starts[one], starts[one + 1]):
                total += np.float64(weights[place]) * np.float64(dense[terms[place]])
            like = np.float64(np.float32(min(max(total, 0.0), 1.0)))
            if most * like > penalty[one]:
                penalty[one] = most * like
                steps[one] = np.rint((value[one] - penalty[one]) / STEP)
        for place in range(starts[pick], starts[pick + 1]):
            dense[terms[place]] = 0.0
    return chosen[:size].copy()

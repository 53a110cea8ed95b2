"""Greedy diversity, compiled: the best of value less likeness to what is already chosen, under caps, pins and tiers.

Maximal marginal relevance (Carbonell and Goldstein 1998), evaluated lazily (Minoux 1978): a value only falls as places
fill, so a candidate is compared with what was chosen only when it would be next; no Gram matrix.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Mapping
from dataclasses import dataclass, field

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.packed import (
    F32_2,
    F64,
    I64,
    PACKED,
    U8,
    Packed,
    Slots,
    blend,
    clear,
    latent_dot,
    scratch,
    spread,
    word_dot,
)
from recommender.segment import SUBJECT
from recommender.signals import HALF_CLOSE

STEP = 1e-6  # values closer than this are equal, as in `ranking.SCORE_STEP`
PIN, MUST_SHOW = 1, 2


@dataclass(frozen=True)
class Alike:
    """Cosines among candidates: `matrix` (n x n), or computed from `packed` texts in these slots (n,)."""

    matrix: FloatArray | None = None
    packed: Packed | None = None
    slots: Slots | None = None


@dataclass(frozen=True)
class Pool:
    """n candidates in tie order: of equal values the earlier wins. Group 0 is capped by nothing."""

    value: NDArray[np.float64]  # (n,)
    source: IntArray  # (n,)
    story: IntArray  # (n,)
    alike: Alike | None = None  # None: nothing is like anything
    tier: NDArray[np.int8] | None = None  # (n,) those of a smaller tier come first
    must: NDArray[np.bool_] | None = None  # (n,) must-shows
    slots: Mapping[int, int] = field(default_factory=dict)  # place, from 1 -> the candidate pinned there


@dataclass(frozen=True)
class Caps:
    """At most `source` of a source, while others are left, and `story` of a story, always, in any `span` places.

    Must-shows come within the first `must_show_within` places. From a cosine of `same` on to a chosen one a candidate
    is out, but for pins and must-shows.
    """

    source: int = 3
    story: int = 1
    span: int = 10
    must_show_within: int = 5
    same: float = np.inf


def fill(pool: Pool, k: int, most: float, caps: Caps) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Up to k candidates, place by place, and why each stands there: 0 by value, PIN or MUST_SHOW.

    By value: the greatest value less `most` times the greatest closeness (`signals.closeness` of the cosine) to a
    chosen one. Fewer than k where only full stories and the same texts again are left; pins follow at the end then.
    """
    n = len(pool.value)
    alike = pool.alike or Alike()
    packed, matrix = alike.packed or _NO_TEXTS, alike.matrix if alike.matrix is not None else _NO_MATRIX
    mode = 0 if pool.alike is None or k <= 1 else 1 if alike.matrix is not None else 2
    waiting = np.full(k + 1, -1, np.int64)
    for place, one in pool.slots.items():
        waiting[place] = one
    chosen, held = _fill(
        np.ascontiguousarray(pool.value, np.float64), np.ascontiguousarray(pool.source, np.int64),
        np.ascontiguousarray(pool.story, np.int64), _bytes(pool.tier, n), _bytes(pool.must, n), waiting, mode,
        matrix, alike.slots if alike.slots is not None else _NO_SLOTS,
        packed.starts, packed.ends, packed.terms, packed.weights, packed.latent, packed.directed,
        scratch(packed.width)[0], k, most, caps.source, caps.story, caps.span, min(caps.must_show_within, k),
        np.float32(caps.same), SUBJECT.words, SUBJECT.dense,
    )  # fmt: skip
    return np.asarray(chosen, np.intp), held


def _bytes(values: NDArray[np.int8] | NDArray[np.bool_] | None, n: int) -> NDArray[np.uint8]:
    return np.zeros(n, np.uint8) if values is None else values.astype(np.uint8)


_NO_SLOTS, _NO_MATRIX = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
_NO_TEXTS = Packed(
    _NO_SLOTS, _NO_SLOTS, np.zeros(0, np.int32), np.zeros(0, np.float32), _NO_MATRIX, np.zeros(0, np.uint8), 0
)


@nb.njit
def _fits(groups, others, first, size, one, cap):
    """Whether one more of its group may follow these."""
    if groups[one] == 0:
        return True
    same = 0
    for place in range(first, size):
        same += others[place] >= 0 and groups[others[place]] == groups[one]
    return same < cap


@nb.njit
def _room(story, chosen, first, size, waiting, place, one, cap):
    """`_fits` for stories: pins still to come count as placed."""
    if story[one] == 0:
        return True
    same = 0
    for at in range(first, size):
        same += story[chosen[at]] == story[one]
    for at in range(place, len(waiting)):
        same += waiting[at] >= 0 and story[waiting[at]] == story[one]
    return same < cap


@nb.njit
def _before(tier, steps, one, other):
    """Whether one goes before another: by tier, then value, then the tie order."""
    if tier[one] != tier[other]:
        return tier[one] < tier[other]
    return steps[one] > steps[other] or (steps[one] == steps[other] and one < other)


@nb.njit
def _best(tier, steps, state, chosen, first, size, waiting, place, source, source_cap, story, story_cap):
    """The best free candidate whose story has room, of a source with room if its tier has one; -1: none."""
    best, crowded = -1, -1
    for one in range(len(steps)):
        if state[one] or (best >= 0 and not _before(tier, steps, one, best)):
            continue
        if not _room(story, chosen, first, size, waiting, place, one, story_cap):
            continue
        if _fits(source, chosen, first, size, one, source_cap):
            best = one
        elif crowded < 0 or _before(tier, steps, one, crowded):
            crowded = one
    if best < 0 or (crowded >= 0 and tier[crowded] < tier[best]):
        return crowded
    return best


@nb.njit
def _best_must(steps, state, must):
    best = -1
    for one in range(len(steps)):
        if must[one] and not state[one] and (best < 0 or steps[one] > steps[best]):
            best = one
    return best


@nb.njit
def _likeness(
    one, chosen, start, size, mode, matrix, slots, starts, ends, terms, weights, latent, directed, dense, words_share,
    dense_share,
):  # fmt: skip
    """The greatest cosine of a candidate with the chosen from `start` on."""
    greatest = np.float32(-2)
    if mode == 1:
        for place in range(start, size):
            greatest = max(greatest, matrix[chosen[place], one])
        return greatest
    mine = slots[one]
    spread(mine, starts, ends, terms, weights, dense)
    for place in range(start, size):
        slot = slots[chosen[place]]
        words_weight = words_share if ends[slot] > starts[slot] and ends[mine] > starts[mine] else 0.0
        dense_weight = dense_share if directed[slot] and directed[mine] else 0.0
        words = np.float64(word_dot(slot, starts, ends, terms, weights, dense)) if words_weight > 0 else 0.0
        along = np.float64(latent_dot(latent[mine], latent[slot])) if dense_weight > 0 else 0.0
        greatest = max(greatest, blend(words, along, words_weight, dense_weight))
    clear(mine, starts, ends, terms, dense)
    return greatest


@nb.njit
def _musts(state, must, waiting, place, within):
    """Whether the next place must go to a must-show: as many are left as places to hold them."""
    musts, left = 0, within - place + 1
    for one in range(len(state)):
        musts += must[one] and not state[one]
    for later in range(place + 1, within + 1):
        left -= waiting[later] >= 0
    return musts > 0 and left <= musts


@nb.njit
def _cost(cosine, most):
    """What a likeness takes from a value, float32 as `signals.closeness` is."""
    bounded = min(max(cosine, np.float32(0)), np.float32(1))
    return np.float64(np.float32(most) * (np.float32(1 + HALF_CLOSE) * bounded / (bounded + np.float32(HALF_CLOSE))))


@nb.njit(
    nb.types.Tuple((nb.int64[::1], nb.int8[::1]))(
        F64,
        I64,
        I64,
        U8,
        U8,
        nb.int64[::1],
        nb.int64,
        F32_2,
        I64,
        *PACKED,
        nb.float32[::1],
        nb.int64,
        nb.float64,
        nb.int64,
        nb.int64,
        nb.int64,
        nb.int64,
        nb.float32,
        nb.float64,
        nb.float64,
    ),
    cache=True,
    nogil=True,
)
def _fill(
    value,
    source,
    story,
    tier,
    must,
    waiting,
    mode,
    matrix,
    slots,
    starts,
    ends,
    terms,
    weights,
    latent,
    directed,
    dense,
    k,
    most,
    source_cap,
    story_cap,
    span,
    within,
    same,
    words_share,
    dense_share,
):
    n = len(value)
    steps = np.rint(value / STEP)  # of value less likeness, as far as it was compared
    compared = np.zeros(n, np.int64)  # with how many of the chosen
    state = np.zeros(n, np.uint8)  # 0: free; 1: pinned, waiting; 2: chosen or out
    state[waiting[waiting >= 0]] = 1
    chosen, held = np.empty(k, np.int64), np.zeros(k, np.int8)
    size = 0
    for place in range(1, k + 1):
        pick, why, first = waiting[place], PIN, max(0, size - span + 1)
        waiting[place] = -1
        if pick < 0:
            why = MUST_SHOW if _musts(state, must, waiting, place, within) else 0
        while why != PIN:
            if why == MUST_SHOW:
                pick = _best_must(steps, state, must)
            else:
                pick = _best(
                    tier, steps, state, chosen, first, size, waiting, place, source, source_cap, story, story_cap
                )
            if pick < 0 or mode == 0 or compared[pick] == size:
                break
            cosine = _likeness(
                pick,
                chosen,
                compared[pick],
                size,
                mode,
                matrix,
                slots,
                starts,
                ends,
                terms,
                weights,
                latent,
                directed,
                dense,
                words_share,
                dense_share,
            )
            compared[pick] = size
            if cosine >= same and not must[pick]:
                state[pick] = 2
            else:
                steps[pick] = min(steps[pick], np.rint((value[pick] - _cost(cosine, most)) / STEP))
        if pick < 0:
            break
        chosen[size], held[size], state[pick] = pick, why, 2
        size += 1
    for place in range(1, k + 1):  # fewer items than slots: pins still come, as high as they can
        if waiting[place] >= 0:
            chosen[size], held[size] = waiting[place], PIN
            size += 1
    return chosen[:size].copy(), held[:size].copy()

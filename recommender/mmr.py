"""Greedy diversity, compiled: the best of value less likeness to what is already chosen, under caps, pins and tiers.

Maximal marginal relevance (Carbonell and Goldstein 1998), evaluated lazily (Minoux 1978): a value only falls as places
fill, so a candidate is compared with what was chosen only when it would be next; no Gram matrix.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, call-arg"

from collections.abc import Mapping
from dataclasses import dataclass, field

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled
from recommender.lanes import LANES, ROOM, direction_dots, fetch, forget, lane_dots, lanes, lay, mean, widen
from recommender.packed import AHEAD, AHEAD_TERMS, F32_2, F64, I64, LONG, PACKED, U8, Packed, Slots
from recommender.signals import HALF_CLOSE
from recommender.subject import SUBJECT

STEP = 1e-6  # values closer than this are equal, as in `ranking.SCORE_STEP`
TIER = 1e12  # steps between tiers: more than any score has
PIN, MUST_SHOW = 1, 2
APART, MATRIX, TEXTS = 0, 1, 2  # how candidates are compared


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
    mode = APART if pool.alike is None or k <= 1 else MATRIX if alike.matrix is not None else TEXTS
    slots = np.ascontiguousarray(_NO_SLOTS if alike.slots is None else alike.slots, np.int64)
    waiting = np.full(k + 1, -1, np.int64)
    for place, one in pool.slots.items():
        waiting[place] = one
    chosen, held = _fill(
        np.ascontiguousarray(pool.value, np.float64), np.ascontiguousarray(pool.source, np.int64),
        np.ascontiguousarray(pool.story, np.int64), _bytes(pool.tier, n), _bytes(pool.must, n), waiting, mode,
        matrix, slots, *packed.arrays, *lanes(packed.width, k), k, most, caps.source, caps.story, caps.span,
        -1 if pool.must is None else min(caps.must_show_within, k), np.float32(caps.same), SUBJECT.words,
        SUBJECT.dense,
    )  # fmt: skip
    return np.asarray(chosen, np.intp), held


def _bytes(values: NDArray[np.int8] | NDArray[np.bool_] | None, n: int) -> NDArray[np.uint8]:
    return np.zeros(n, np.uint8) if values is None else values.astype(np.uint8)


_NO_SLOTS, _NO_MATRIX = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
_NO_TEXTS = Packed(
    _NO_SLOTS, _NO_SLOTS, np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros((0, 0), np.uint16),
    np.zeros(0, np.uint8), 0,
)  # fmt: skip


@nb.njit
def _coded(groups):
    """Groups as numbers from 1, in the order of their first; 0 stays 0."""
    bits = 3
    while 1 << bits < 2 * len(groups):
        bits += 1
    first, code, last = np.full(1 << bits, -1, np.int64), np.zeros(len(groups), np.int64), 0
    for one in range(len(groups)):
        if groups[one] == 0:
            continue
        room = np.int64(np.uint64(groups[one]) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - bits))
        while first[room] >= 0 and groups[first[room]] != groups[one]:
            room = (room + 1) & ((1 << bits) - 1)
        if first[room] < 0:
            last += 1
            first[room], code[one] = one, last
        else:
            code[one] = code[first[room]]
    return code


@nb.njit
def _best(key, ahead, source, source_count, source_cap, story, story_count, story_cap):
    """The best free candidate whose story has room, of a source with room if its tier has one; -1: none.

    Keys are steps of value, TIER lower for each tier; out is -inf. Equal keys: the earlier. `ahead` is what no key
    from there on passes.
    """
    best, crowded, best_key, crowded_key = -1, -1, -np.inf, -np.inf
    for one in range(len(key)):
        if ahead[one] <= best_key:
            break
        if key[one] <= best_key or (story[one] and story_count[story[one]] >= story_cap):
            continue
        if source[one] == 0 or source_count[source[one]] < source_cap:
            best, best_key = one, key[one]
        elif key[one] > crowded_key:
            crowded, crowded_key = one, key[one]
    return crowded if crowded_key > best_key + TIER / 2 else best


@nb.njit
def _best_must(key, tier, must):
    """The best free must-show, whatever its tier, story and source."""
    best, best_key = -1, -np.inf
    for one in range(len(key)):
        if must[one] and key[one] + TIER * tier[one] > best_key:
            best, best_key = one, key[one] + TIER * tier[one]
    return best


@nb.njit
def _must(key, must, waiting, place, within):
    """Whether the next place goes to a must-show: as many are left as places to hold them."""
    musts, left = 0, within - place + 1
    for one in range(len(key)):
        musts += must[one] and key[one] > -np.inf
    for later in range(place + 1, within + 1):
        left -= waiting[later] >= 0
    return musts > 0 and left <= musts


@nb.njit(error_model="numpy")
def _cost(cosine, most):
    """What a likeness takes from a value, float32 as `signals.closeness` is."""
    bounded = min(max(cosine, np.float32(0)), np.float32(1))
    return np.float64(np.float32(most) * (np.float32(1 + HALF_CLOSE) * bounded / (bounded + np.float32(HALF_CLOSE))))


@nb.njit
def _likeness(one, chosen, start, size, mode, matrix, slots, texts, laid, shares, room):
    """The greatest cosine of a candidate with the chosen from `start` on."""
    greatest = np.float32(-2)
    if mode == MATRIX:
        for place in range(start, size):
            greatest = max(greatest, matrix[chosen[place], one])
        return greatest
    starts, ends, terms, weights, latent, directed = texts
    rows, marks, table, directions = laid
    hits, factors, words, along, widest = room
    slot = slots[one]
    if start == 0:  # candidates come up the first time in about their own order
        fetch(slots[min(one + AHEAD, len(slots) - 1)], starts, terms, weights, latent, AHEAD_TERMS)
    for block in range(start // LANES, (size - 1) // LANES + 1):
        lane_dots(slot, block, starts, ends, terms, weights, rows, marks, table, hits, factors, words)
    direction_dots(slot, latent, directions, start, size, widest, along)
    for place in range(start, size):
        other = slots[chosen[place]]
        words_weight = shares[0] if ends[slot] > starts[slot] and ends[other] > starts[other] else 0.0
        dense_weight = shares[1] if directed[slot] and directed[other] else 0.0
        greatest = max(greatest, mean(words[place], along[place], words_weight, dense_weight))
    return greatest


@compiled(
    nb.types.Tuple((nb.int64[::1], nb.int8[::1]))(
        F64, I64, I64, U8, U8, nb.int64[::1], nb.int64, F32_2, I64, *PACKED, *ROOM, nb.int64, nb.float64,
        nb.int64, nb.int64, nb.int64, nb.int64, nb.float32, nb.float64, nb.float64,
    ),
)  # fmt: skip
def _fill(  # noqa: C901, PLR0912, PLR0915 - one loop over the places
    value, source, story, tier, must, waiting, mode, matrix, slots, starts, ends, terms, weights, latent, directed,
    rows, marks, table, k, most, source_cap, story_cap, span, within, same, words_share, dense_share,
):  # fmt: skip
    n = len(value)
    key = np.rint(value / STEP) - TIER * tier  # of value less likeness, as far as it was compared
    ahead = key.copy()
    for one in range(n - 2, -1, -1):
        ahead[one] = max(ahead[one], ahead[one + 1])
    compared = np.zeros(n, np.int64)  # with how many of the chosen
    key[waiting[waiting >= 0]] = -np.inf
    chosen, held = np.empty(k, np.int64), np.zeros(k, np.int8)
    texts, shares = (starts, ends, terms, weights, latent, directed), (words_share, dense_share)
    r, lanes_wide = latent.shape[1], (k // LANES + 1) * LANES
    directions, filled = np.zeros((lanes_wide, r), np.float32), 1
    room = (
        np.empty(LONG, np.int32), np.empty(LONG, np.float32), np.empty(lanes_wide, np.float32),
        np.empty(lanes_wide, np.float32), np.empty(r, np.float32),
    )  # fmt: skip
    source, story = _coded(source), _coded(story)
    source_count, story_count = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)  # in the last places
    for place in range(1, k + 1):
        if waiting[place] >= 0:
            story_count[story[waiting[place]]] += 1  # pins still to come count as placed
    size = left = 0
    for place in range(1, k + 1):
        while left < min(size, size - span + 1):
            source_count[source[chosen[left]]] -= 1
            story_count[story[chosen[left]]] -= 1
            left += 1
        pick, why = waiting[place], PIN
        waiting[place] = -1
        if pick >= 0:
            story_count[story[pick]] -= 1
        else:
            why = MUST_SHOW if within >= 0 and _must(key, must, waiting, place, within) else 0
        while why != PIN:
            if why == MUST_SHOW:
                pick = _best_must(key, tier, must)
            else:
                pick = _best(key, ahead, source, source_count, source_cap, story, story_count, story_cap)
            if pick < 0 or mode == APART or compared[pick] == size:
                break
            laid = (rows, marks, table, directions)  # the table may have grown
            cosine = _likeness(pick, chosen, compared[pick], size, mode, matrix, slots, texts, laid, shares, room)
            compared[pick] = size
            if cosine >= same and not must[pick]:
                key[pick] = -np.inf
            else:
                less = np.rint((value[pick] - _cost(cosine, most)) / STEP) - TIER * tier[pick]
                key[pick] = min(key[pick], less)
        if pick < 0:
            break
        chosen[size], held[size], key[pick] = pick, why, -np.inf
        source_count[source[pick]] += 1
        story_count[story[pick]] += 1
        if mode == TEXTS:
            table, filled = lay(slots[pick], size, starts, ends, terms, weights, rows, marks, table, filled)
            widen(latent, slots[pick], directions[size])
        size += 1
    if mode == TEXTS:
        for one in range(size):
            forget(slots[chosen[one]], one, starts, ends, terms, rows, marks)
    for place in range(1, k + 1):  # fewer items than slots: pins still come, as high as they can
        if waiting[place] >= 0:
            chosen[size], held[size] = waiting[place], PIN
            size += 1
    return chosen[:size].copy(), held[:size].copy()

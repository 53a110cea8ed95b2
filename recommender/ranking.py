"""Signals x weights -> rules -> diversity: candidates in, an order and its reasons out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.signals import closeness, weight_vector

SCORE_STEP = 1e-6  # scores closer than this are equal: sums differ in the last bit with the shape of a matrix
LARGEST_POOL = 2_000


@dataclass(frozen=True)
class Options:
    """What shapes a list beside the weights; a WeightSet's `options` row overrides field by field."""

    diversity: float = 0.15  # most that likeness to a better placed item costs, as a share of the sum of weights
    source_cap: int = 3  # of one source in any `span` places, while others are left
    story_cap: int = 1  # of one story in any `span` places, always
    span: int = 10
    pool: int = 200  # best candidates that diversity chooses from
    must_show_within: int = 5  # a must-show story stands at least this high until seen
    window_h: float = 0.0  # candidates of for-you; 0: as the settings say
    floor: float = 0.0  # related: least cosine to be called related; 0: the built-in one
    freshness_scale: float = 1.0  # stretches every half-life
    seen_cap: int = 12  # shown this often and never opened: no longer offered
    same: float = 0.85  # cosine from which an item is the same text as a better placed one, and left out

    @classmethod
    def of(cls, options: Mapping[str, float], default: "Options | None" = None) -> "Options":
        """The defaults with a row's values on top; names that are no option are ignored."""
        kinds = {one.name: int if isinstance(one.default, int) else float for one in fields(cls)}
        changed = {name: kinds[name](value) for name, value in options.items() if name in kinds}
        return replace(default or cls(), **changed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Query:
    """What is asked: which weights and options, and how many places matter."""

    weights: Mapping[str, float]
    limit: int
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Candidates:
    """What may be ranked: row i of every array is candidate i; all of them are allowed."""

    id: IntArray
    published_at_us: IntArray
    source_id: IntArray  # 0: none, capped by nothing
    story_id: IntArray  # 0: none, capped by nothing
    S: FloatArray  # (candidates x 8), in the order of SIGNALS
    likeness: "Likeness | None" = None
    tier: NDArray[np.int8] | None = None  # those of tier 0 come first, 1 only where 0 does not fill the places

    def __len__(self) -> int:
        return len(self.id)


class Likeness:
    """Cosines between candidates, computed for the few that diversity looks at."""

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        """For a pool of candidates: the i-th of the pool -> its cosine with each of the pool (rows,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Placement:
    """What the desk's rules do to the candidates, aligned with them."""

    adjust: FloatArray  # boost and bury, added to the score
    pinned: Mapping[int, int] = field(default_factory=dict)  # candidate -> slot, from 1
    must_show: frozenset[int] = frozenset()  # candidates

    @classmethod
    def none(cls, count: int) -> "Placement":
        """No rule touches any of `count` candidates."""
        return cls(np.zeros(count, np.float32))


@dataclass(frozen=True)
class Result:
    """`order` is a permutation of the candidates; the first `served` of it are the answer.

    `score[i]` is the sum of `parts[i]` and `adjust[i]`, in the candidates' own order.
    """

    order: NDArray[np.intp]
    served: int
    score: FloatArray
    parts: FloatArray  # (candidates x 8)
    adjust: FloatArray
    held: Mapping[int, str] = field(default_factory=dict)  # candidate -> pin, must_show: why it stands where it does


def score(S: FloatArray, weights: Mapping[str, float]) -> FloatArray:
    """S (..., candidates x 8) @ w: one reader or many, the same numbers."""
    return np.asarray(S @ weight_vector(weights), np.float32)


def by_score(
    values: FloatArray, published_at_us: IntArray, ids: IntArray, tier: NDArray[np.int8] | None = None
) -> NDArray[np.intp]:
    """The order of scores, best first, tier by tier; equal scores by newer, then by smaller id."""
    keys = (ids, -published_at_us, -_steps(values))
    return np.lexsort(keys if tier is None else (*keys, tier))


def rank(query: Query, candidates: Candidates, placement: Placement | None = None) -> Result:
    """Order the candidates: pins in their slots, must-show high enough, the rest by score less likeness.

    The first `query.limit` places are chosen one by one under the caps; what follows keeps the order of scores.
    `served` is smaller than the limit where only the same stories or the same texts are left. Cost: a sort of the
    candidates, then about 60 microseconds a place for a pool of 200.
    """
    placement = placement or Placement.none(len(candidates))
    parts = candidates.S * weight_vector(query.weights)
    total = score(candidates.S, query.weights) + placement.adjust
    order = by_score(total, candidates.published_at_us, candidates.id, candidates.tier)
    head, held = _Page(query, candidates, placement, total, order).fill()
    while len(head) < min(query.limit, len(candidates)) and query.options.pool < min(len(candidates), LARGEST_POOL):
        query = replace(query, options=replace(query.options, pool=4 * query.options.pool))
        head, held = _Page(query, candidates, placement, total, order).fill()  # one story filled the whole pool
    placed = np.zeros(len(candidates), bool)
    placed[head] = True
    return Result(np.concatenate([head, order[~placed[order]]]), len(head), total, parts, placement.adjust, held)


class _Page:
    """The places being filled, one after the other."""

    def __init__(
        self, query: Query, candidates: Candidates, placement: Placement, total: FloatArray, order: NDArray[np.intp]
    ) -> None:
        self.options, self.limit = query.options, min(query.limit, len(candidates))
        self.candidates = candidates
        self.slots = _slots(placement, self.limit)
        special = {*self.slots.values(), *placement.must_show}
        best = order[: max(self.options.pool, self.limit)]
        self.pool = np.concatenate([best, np.array(sorted(special - set(best.tolist())), np.intp)])
        self.value = total[self.pool].astype(np.float64)
        self.penalty = np.zeros(len(self.pool))
        self.open = np.ones(len(self.pool), bool)
        self.must = np.isin(self.pool, list(placement.must_show))
        self.tier = None if candidates.tier is None else candidates.tier[self.pool]
        self.most = query.options.diversity * max(sum(abs(one) for one in query.weights.values()), 1e-9)
        self.like = candidates.likeness.among(self.pool) if candidates.likeness and self.limit > 1 else None
        self.story = _Groups(candidates.story_id[self.pool], query.options.story_cap)
        self.source = _Groups(candidates.source_id[self.pool], query.options.source_cap)
        self.chosen: list[int] = []  # places in the pool

    def fill(self) -> tuple[NDArray[np.intp], dict[int, str]]:
        """Choose place after place until the limit or until nothing may follow."""
        held: dict[int, str] = {}
        at = {int(one): place for place, one in enumerate(self.pool)}
        waiting = {slot: at[one] for slot, one in self.slots.items()}
        for place in range(1, self.limit + 1):
            if place in waiting:
                pick, why = waiting.pop(place), "pin"
            else:
                pick, why = self._next(place, waiting)
            if pick < 0:
                break
            self._take(pick)
            if why:
                held[int(self.pool[pick])] = why
        for slot in sorted(waiting):  # fewer items than slots: pins still come, as high as they can
            self._take(waiting[slot])
            held[int(self.pool[waiting[slot]])] = "pin"
        return self.pool[self.chosen], held

    def _next(self, place: int, waiting: Mapping[int, int]) -> tuple[int, str]:
        free = self.open.copy()
        free[list(waiting.values())] = False
        must = free & self.must
        within = min(self.options.must_show_within, self.limit)
        left = within - place + 1 - sum(place < slot <= within for slot in waiting)
        if must.any() and left <= must.sum():
            return self._best(must), "must_show"
        recent = self.chosen[-(self.options.span - 1) :] if self.options.span > 1 else []
        free &= self.story.may_follow([*recent, *waiting.values()])
        if self.tier is not None and free.any():
            free &= self.tier == self.tier[free].min()
        spread = free & self.source.may_follow(recent)
        return (self._best(spread), "") if spread.any() else (self._best(free), "")

    def _best(self, allowed: NDArray[np.bool_]) -> int:
        """The allowed one of the greatest value less penalty; the pool is in tie order, so the first wins ties."""
        places = np.flatnonzero(allowed)
        if not len(places):
            return -1
        return int(places[np.argmax(_steps(self.value[places] - self.penalty[places]))])

    def _take(self, pick: int) -> None:
        self.chosen.append(pick)
        self.open[pick] = False
        if self.like is not None and len(self.chosen) < self.limit:
            cosine = self.like(pick)
            self.penalty = np.maximum(self.penalty, self.most * closeness(cosine))
            self.open &= (cosine < self.options.same) | self.must


class _Groups:
    """Stories or sources of a pool, and how many of one may stand close together."""

    def __init__(self, groups: IntArray, cap: int) -> None:
        values, self.codes = np.unique(groups, return_inverse=True)
        self.count, self.cap = len(values), cap
        self.nothing = int(np.searchsorted(values, 0)) if 0 in values else -1  # no story, no source: no cap

    def may_follow(self, placed: list[int]) -> NDArray[np.bool_]:
        """Which of the pool may stand next to those placed (places in the pool)."""
        full = np.bincount(self.codes[placed], minlength=self.count) >= self.cap
        if self.nothing >= 0:
            full[self.nothing] = False
        return ~full[self.codes]


def _steps(values: NDArray[np.float64] | FloatArray) -> NDArray[np.float64]:
    return np.asarray(np.round(np.asarray(values, np.float64) / SCORE_STEP))


def _slots(placement: Placement, limit: int) -> dict[int, int]:
    """Slot -> candidate. Two pins on one slot: the first named keeps it, the other takes the next free one."""
    slots: dict[int, int] = {}
    for candidate, wanted in placement.pinned.items():
        slot = next(free for free in range(wanted, wanted + len(slots) + 1) if free not in slots)
        if slot <= limit:
            slots[slot] = candidate
    return slots

"""Signals x weights -> rules -> diversity: candidates in, an order and its reasons out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.mmr import MUST_SHOW, PIN, Alike, Caps, Pool, fill
from recommender.signals import weight_vector

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
    interest_model: int = 0  # the click model behind `interest`, by `interest.number_of`; 0: none
    explore_share: float = 0.0  # of for-you pages whose last place tries a new article; at most a fifth
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
    tier: NDArray[np.int8] | None = None  # those of a smaller tier come first, others only where it is used up

    def __len__(self) -> int:
        return len(self.S)

    def scores(self, weights: FloatArray, adjust: FloatArray, size: int) -> FloatArray:  # noqa: ARG002
        """The scores under these weights; those that cannot be among the best `size` may be told too low."""
        return np.asarray(self.S @ weights + adjust, np.float32)

    def leaders(self) -> NDArray[np.intp] | None:
        """None: the best may be anywhere."""
        return None

    def keys(self, rows: NDArray[np.intp]) -> "Keys":
        """What of these candidates places them beside the score."""
        return Keys(self.id[rows], self.published_at_us[rows], self.source_id[rows], self.story_id[rows])


@dataclass(frozen=True)
class Keys:
    """Ids, times, sources and stories of a few candidates."""

    id: IntArray
    published_at_us: IntArray
    source_id: IntArray
    story_id: IntArray


class Rankable(Protocol):
    """What `rank` asks of candidates; `Candidates` is the plain form."""

    @property
    def S(self) -> FloatArray: ...  # noqa: N802
    @property
    def likeness(self) -> "Likeness | None": ...
    @property
    def tier(self) -> NDArray[np.int8] | None: ...
    def __len__(self) -> int: ...
    def scores(self, weights: FloatArray, adjust: FloatArray, size: int, /) -> FloatArray: ...
    def leaders(self) -> NDArray[np.intp] | None: ...
    def keys(self, rows: NDArray[np.intp], /) -> Keys: ...


class Likeness:
    """Cosines between candidates, computed for the few that diversity looks at."""

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        """For a pool of candidates: the i-th of the pool -> its cosine with each of the pool (rows,)."""
        raise NotImplementedError

    def alike(self, rows: NDArray[np.intp]) -> Alike:
        """The same for compiled code; a likeness that holds vectors hands those out instead of a matrix."""
        cosines = self.among(rows)
        found = [cosines(one) for one in range(len(rows))]
        return Alike(np.ascontiguousarray(found, np.float32).reshape(len(rows), len(rows)))


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
    """The first places, and every candidate's score, in the candidates' own order.

    `score[i]` is the sum of `parts[i]` and `adjust[i]`. The order of all is made when it is asked for.
    """

    head: NDArray[np.intp]  # candidates in the places served
    candidates: Rankable
    weights: FloatArray  # (8,)
    adjust: FloatArray
    held: Mapping[int, str] = field(default_factory=dict)  # candidate -> pin, must_show: why it stands where it does

    @property
    def served(self) -> int:
        """How many places were filled."""
        return len(self.head)

    @cached_property
    def score(self) -> FloatArray:
        """Of every candidate."""
        return np.asarray(self.candidates.S @ self.weights + self.adjust, np.float32)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """A permutation of the candidates, those of the head first, the rest by score."""
        rows = np.arange(len(self.candidates))
        keys, tier = self.candidates.keys(rows), self.candidates.tier
        order = by_score(self.score, keys.published_at_us, keys.id, tier)
        placed = np.zeros(len(rows), bool)
        placed[self.head] = True
        return np.concatenate([self.head, order[~placed[order]]])

    @cached_property
    def parts(self) -> FloatArray:
        """What each signal adds (candidates x 8)."""
        return np.asarray(self.candidates.S * self.weights, np.float32)


def score(S: FloatArray, weights: Mapping[str, float]) -> FloatArray:
    """S (..., candidates x 8) @ w: one reader or many, the same numbers."""
    return np.asarray(S @ weight_vector(weights), np.float32)


def by_score(
    values: FloatArray, published_at_us: IntArray, ids: IntArray, tier: NDArray[np.int8] | None = None
) -> NDArray[np.intp]:
    """The order of scores, best first, tier by tier; equal scores by newer, then by smaller id."""
    keys = (ids, -published_at_us, -_steps(values))
    return np.lexsort(keys if tier is None else (*keys, tier))


def rank(query: Query, candidates: Rankable, placement: Placement | None = None) -> Result:
    """Order the candidates: pins in their slots, must-show high enough, the rest by score less likeness.

    The first `query.limit` places are chosen one by one under the caps; what follows keeps the order of scores.
    `served` is smaller than the limit where only the same stories or the same texts are left. Cost: a pass over the
    scores and a quarter of a millisecond for 20 places and a pool of 200 bodies.
    """
    placement = placement or Placement.none(len(candidates))
    weights = weight_vector(query.weights)
    limit, size = min(query.limit, len(candidates)), max(query.options.pool, query.limit)
    head, held = _page(query, candidates, placement, candidates.scores(weights, placement.adjust, size), size)
    while len(head) < limit and size < min(len(candidates), LARGEST_POOL):
        size *= 4  # one story filled the whole pool
        head, held = _page(query, candidates, placement, candidates.scores(weights, placement.adjust, size), size)
    return Result(head, candidates, weights, placement.adjust, held)


def _page(
    query: Query, candidates: Rankable, placement: Placement, total: FloatArray, size: int
) -> tuple[NDArray[np.intp], dict[int, str]]:
    """The places filled from the best `size` candidates, and which of them the desk holds there."""
    options, limit = query.options, min(query.limit, len(candidates))
    slots = _slots(placement, limit)
    first = best(candidates, total, size)
    special = {*slots.values(), *placement.must_show} - set(first.tolist()) if slots or placement.must_show else ()
    rows = np.concatenate([first, np.array(sorted(special), np.intp)])
    at = {int(one): place for place, one in enumerate(rows)} if slots else {}
    keys = candidates.keys(rows)
    pool = Pool(
        value=total[rows].astype(np.float64),
        source=keys.source_id,
        story=keys.story_id,
        alike=candidates.likeness.alike(rows) if candidates.likeness and limit > 1 else None,
        tier=None if candidates.tier is None else candidates.tier[rows],
        must=np.isin(rows, list(placement.must_show)) if placement.must_show else None,
        slots={slot: at[one] for slot, one in slots.items()},
    )
    most = options.diversity * max(sum(abs(one) for one in query.weights.values()), 1e-9)
    caps = Caps(options.source_cap, options.story_cap, options.span, options.must_show_within, options.same)
    chosen, why = fill(pool, limit, most, caps)
    held = {int(rows[one]): _WHY[reason] for one, reason in zip(chosen, why.tolist(), strict=True) if reason}
    return rows[chosen], held


_WHY = {PIN: "pin", MUST_SHOW: "must_show"}


def best(candidates: Rankable, total: FloatArray, size: int) -> NDArray[np.intp]:
    """The first `size` candidates in the order of scores; the others are looked at once and not sorted."""
    tier, rows = candidates.tier, candidates.leaders()
    if rows is not None and size <= len(rows):
        rows = _above(total, rows, size)
    else:
        rows = np.arange(len(total))
        if size < len(total):
            rows = _above(total, rows, size) if tier is None else _above_by_tier(total, tier, size)
    keys = candidates.keys(rows)
    order = by_score(total[rows], keys.published_at_us, keys.id, None if tier is None else tier[rows])
    return rows[order[:size]]


def _above_by_tier(total: FloatArray, tier: NDArray[np.int8], size: int) -> NDArray[np.intp]:
    """The same, where all of a smaller tier come first."""
    first = np.flatnonzero(tier == 0)
    if len(first) >= size:  # nearly always
        return _above(total, first, size)
    found, left = [], size
    for one in np.flatnonzero(np.bincount(tier)).tolist():
        here = np.flatnonzero(tier == one)
        found.append(_above(total, here, left))
        left -= len(here)
        if left <= 0:
            break
    return np.concatenate(found)


def _above(total: FloatArray, rows: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Those of the rows that may be among the `size` of the greatest scores: ties at the edge are all in."""
    if size >= len(rows):
        return rows
    found = total[rows]
    bar = np.partition(found, len(rows) - size)[len(rows) - size]
    return np.asarray(rows[found >= bar - 2 * SCORE_STEP])


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

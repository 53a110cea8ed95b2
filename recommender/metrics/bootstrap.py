"""How sure is a mean over slates, when one reader's slates are alike?"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.metrics.ranked import Doubles, divide

ROUNDS = 1_000
_DRAWS_AT_ONCE = 4_000_000


class Interval(NamedTuple):
    """A mean with the bounds of its percentile interval."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: npt.ArrayLike,
    reader: npt.ArrayLike,
    random: np.random.Generator,
    *,
    rounds: int = ROUNDS,
    level: float = 0.95,
) -> Interval:
    """The mean of one metric over slates (slates,) and its interval; see `bootstrap_all`.

    For a difference of two rankings of the same slates give their difference: that interval is the narrow one.
    """
    return bootstrap_all(np.asarray(values)[:, None], reader, random, rounds=rounds, level=level)[0]


def bootstrap_all(
    values: npt.ArrayLike,
    reader: npt.ArrayLike,
    random: np.random.Generator,
    *,
    rounds: int = ROUNDS,
    level: float = 0.95,
    total: bool = False,
) -> list[Interval]:
    """Means over slates of several metrics, with percentile intervals by drawing readers with replacement.

    `values` (slates x metrics), nan where a metric says nothing of a slate: left out. `reader` (slates,). All metrics
    see the same draws. With `total` sums take the place of the means. Cost: rounds x readers draws, some 20 ns each,
    and memory for 4 million of them. Efron and Tibshirani 1993, ch. 13; by reader, since slates of one reader are not
    independent.
    """
    V = np.asarray(values, np.float64)  # slates x metrics
    _, number = np.unique(np.asarray(reader), return_inverse=True)
    if V.ndim != 2 or len(number) != len(V) or not len(V):
        raise InvalidInput("give at least one slate, and for each its reader and a row of values")
    known = np.isfinite(V)
    sums, counts = _by_reader(np.where(known, V, 0.0), number), _by_reader(known.astype(np.float64), number)
    whole, each = sums.sum(axis=0), _weights(len(sums), rounds, random)
    means = whole if total else divide(whole, counts.sum(axis=0))
    drawn = np.vstack([W @ sums if total else divide(W @ sums, W @ counts) for W in each])
    tail = (1 - level) / 2
    bounds = [_bounds(column[np.isfinite(column)], tail) for column in drawn.T]
    return [Interval(float(mean), low, high) for mean, (low, high) in zip(means, bounds, strict=True)]


def _bounds(found: Doubles, tail: float) -> tuple[float, float]:
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def _by_reader(V: Doubles, number: npt.NDArray[np.intp]) -> Doubles:
    """Column sums by reader (readers x metrics)."""
    return np.column_stack([np.bincount(number, column) for column in V.T])


def _weights(readers: int, rounds: int, random: np.random.Generator) -> Iterator[Doubles]:
    """How often each reader was drawn (some rounds x readers), block after block."""
    step = max(1, _DRAWS_AT_ONCE // readers)
    return (_drawn(readers, min(step, rounds - start), random) for start in range(0, rounds, step))


def _drawn(readers: int, rounds: int, random: np.random.Generator) -> Doubles:
    chosen = random.integers(0, readers, (rounds, readers)) + np.arange(rounds)[:, None] * readers
    return np.bincount(chosen.ravel(), minlength=rounds * readers).reshape(rounds, readers).astype(np.float64)

"""Two arms, day after day: by how much they differ, and how sure that is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput

Doubles = npt.NDArray[np.float64]
LEAST_READERS = 30  # an arm with fewer says nothing yet


@dataclass(frozen=True)
class Path:
    """An estimate as it was at the end of each day; days before there was enough to say are nan."""

    effect: Doubles  # (days,) log of the ratio of two rates, or a preference in [-1, 1]
    error: Doubles  # (days,) its standard error
    readers: npt.NDArray[np.int64]  # (days,) who had been served by then

    @property
    def is_known(self) -> npt.NDArray[np.bool_]:
        """The days of which something can be said (days,)."""
        return np.isfinite(self.effect) & np.isfinite(self.error) & (self.error > 0)


def ratio_path(above: npt.ArrayLike, below: npt.ArrayLike, arm: npt.ArrayLike) -> Path:
    """log(rate of arm 1 / rate of arm 0) at the end of each day; a rate is sum of `above` by sum of `below`.

    `above` and `below` (readers x days) counts of each reader's day, `arm` (readers,) 0 or 1. Standard errors by the
    delta method with readers as units, since one reader's lists are alike (Deng, Knoblich and Lu, KDD 2018). The
    estimates at two days have about the covariance of a group-sequential test. Cost: a few passes over the counts.
    """
    Y, X, arms = np.asarray(above, np.float64), np.asarray(below, np.float64), np.asarray(arm)
    if Y.ndim != 2 or X.shape != Y.shape or arms.shape != Y.shape[:1]:
        raise InvalidInput("give counts as readers x days, the same shape above and below, and an arm a reader")
    found = [_rate(Y[arms == one], X[arms == one]) for one in (0, 1)]
    effect = np.log(found[1].rate) - np.log(found[0].rate)
    error = np.sqrt(found[0].relative_variance + found[1].relative_variance)
    return Path(effect, error, found[0].readers + found[1].readers)


def preference_path(first: npt.ArrayLike, second: npt.ArrayLike) -> Path:
    """How interleaved clicks prefer the second ranking: (second - first) / (first + second), by day; 0 is none.

    `first`, `second` (readers x days): clicks credited to each on each reader's day. Readers are units.
    """
    A, B = np.cumsum(np.asarray(first, np.float64), axis=1), np.cumsum(np.asarray(second, np.float64), axis=1)
    difference, clicks = B - A, A + B
    total = _nan_unless(clicks.sum(axis=0))
    effect = difference.sum(axis=0) / total
    readers = (clicks > 0).sum(axis=0)
    # The variance under no preference: what the test is about, and steadier than one at the estimate.
    error = np.sqrt(np.sum(difference**2, axis=0)) / total
    return Path(np.where(readers >= LEAST_READERS, effect, np.nan), error, readers)


def variation(above: npt.ArrayLike, below: npt.ArrayLike) -> float:
    """The coefficient of variation of one reader's rate over the whole time: what a sample size depends on.

    (readers x days) counts of a past time of the same length. The standard error of log(rate) is this / sqrt(readers).
    """
    found = _rate(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return float(np.sqrt(found.relative_variance[-1] * found.readers[-1]))


@dataclass(frozen=True)
class _Rate:
    rate: Doubles  # (days,)
    relative_variance: Doubles  # (days,) of the rate, over its square
    readers: npt.NDArray[np.int64]  # (days,)


def _rate(above: Doubles, below: Doubles) -> _Rate:
    Y, X = np.cumsum(above, axis=1), np.cumsum(below, axis=1)  # readers x days
    count = (X > 0).sum(axis=0)
    total_above, total_below = _nan_unless(Y.sum(axis=0)), _nan_unless(X.sum(axis=0))
    rate = np.where(count >= LEAST_READERS, total_above / total_below, np.nan)
    yy, xy, xx = (np.einsum("rd,rd->d", one, other) for one, other in ((Y, Y), (X, Y), (X, X)))
    squares = yy - 2 * rate * xy + rate**2 * xx  # of what a reader's clicks differ from the rate's
    correction = count / np.maximum(count - 1, 1)
    return _Rate(rate, correction * squares / (rate * total_below) ** 2, count)


def _nan_unless(total: Doubles) -> Doubles:
    return np.where(total > 0, total, np.nan)

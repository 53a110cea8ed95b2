"""CUPED: what readers did before an experiment takes out of its result what they would have done anyway."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.experiments.compare import LEAST_READERS, Doubles, Path, ratio_path

LEAST_SPREAD = 1e-12
MOST_LEVERAGE = 0.9


@dataclass(frozen=True)
class Before:
    """What each reader did before the experiment; readers nobody saw then have 0 of both."""

    above: Doubles  # (readers,) what the rate counts
    below: Doubles  # (readers,) what it is divided by

    @property
    def covariates(self) -> Doubles:
        """Z (readers x 3): responses beyond the usual rate, how much they came, whether they were seen at all."""
        rate = self.above.sum() / max(self.below.sum(), LEAST_SPREAD)
        return np.stack([self.above - rate * self.below, self.below, (self.below > 0).astype(np.float64)], axis=1)


def adjusted_path(above: npt.ArrayLike, below: npt.ArrayLike, arm: npt.ArrayLike, before: Before) -> Path:
    """`ratio_path` with less noise: theta . (mean Z of arm 1 - mean Z of arm 0) is taken from the effect of each day.

    Z is what the same readers did before; no version can have changed it, so the effect stays what it is in the long
    run. theta = cov(Z)^-1 cov(Z, e), within arms, where e is how far a reader's counts stand from the arm's rate,
    as a share of it; the error is that of e - theta . Z. With one covariate the variance falls by the share
    correlation(Z, e) squared.
    Source: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data" (WSDM 2013), section 3 and for ratios its appendix B. Cost: a few passes over the counts a day.
    """
    plain = ratio_path(above, below, arm)
    Y, X = np.cumsum(np.asarray(above, np.float64), axis=1), np.cumsum(np.asarray(below, np.float64), axis=1)
    arms, Z = np.asarray(arm), before.covariates
    if len(Z) != len(Y):
        raise InvalidInput("give what every reader did before: as many rows as readers, 0 for who was not seen")
    effect, error = plain.effect.copy(), plain.error.copy()
    for day in np.flatnonzero(plain.is_known):
        known = X[:, day] > 0
        spared = _spared(Y[known, day], X[known, day], arms[known], Z[known])
        if spared is not None:
            effect[day] -= spared[0]
            error[day] = spared[1]
    return Path(effect, error, plain.readers)


def variation_beside(above: npt.ArrayLike, below: npt.ArrayLike, before: Before) -> float:
    """`compare.variation` of the counts once what was known before is taken out: what a sample size depends on then."""
    Y, X = np.asarray(above, np.float64).sum(axis=1), np.asarray(below, np.float64).sum(axis=1)
    known = X > 0
    Z, everybody = before.covariates[known], np.zeros(int(known.sum()), np.int64)
    (e,), z = _apart(Y[known], X[known], everybody, 1), Z - Z.mean(axis=0)
    left = e - z @ np.linalg.lstsq(z, e, rcond=None)[0]
    return float(np.sqrt(_variance_of_mean(left) * len(left)))


def _spared(Y: Doubles, X: Doubles, arm: npt.NDArray[np.int64], Z: Doubles) -> tuple[float, float] | None:
    """What is taken from the effect, and the error that is left; None where the past tells nothing."""
    parts = [arm == one for one in (0, 1)]
    means = np.stack([Z[part].mean(axis=0) for part in parts])
    z = Z - means[arm]
    used = z.std(axis=0) > LEAST_SPREAD * (1.0 + np.abs(Z).max(axis=0, initial=0.0))
    if not used.any() or min(int(part.sum()) for part in parts) < LEAST_READERS + int(used.sum()):
        return None
    z, apart = z[:, used], np.empty(len(Y))
    for part, e in zip(parts, _apart(Y, X, arm, 2), strict=True):
        apart[part] = e
    theta = np.linalg.lstsq(z, apart, rcond=None)[0]
    left = (apart - z @ theta) / (1.0 - _leverage(z))
    error = np.sqrt(sum(_variance_of_mean(left[part]) for part in parts))
    return float(theta @ (means[1] - means[0])[used]), float(error)


def _apart(Y: Doubles, X: Doubles, arm: npt.NDArray[np.int64], arms: int) -> list[Doubles]:
    """By arm: how far each reader stands from the arm's rate, so that the mean of these moves the log of the rate."""
    found = []
    for one in range(arms):
        y, x = Y[arm == one], X[arm == one]
        found.append((y - y.sum() / x.sum() * x) / y.mean())
    return found


def _leverage(z: Doubles) -> Doubles:
    """How far each reader draws theta to itself, in [0, 1): a few come a hundred times as often as others.

    Source: MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix estimators" (1985), HC3.
    """
    directions, sizes, _ = np.linalg.svd(z / z.std(axis=0), full_matrices=False)
    kept = directions[:, sizes > 1e-6 * sizes.max()]
    return np.asarray(np.minimum((kept**2).sum(axis=1), MOST_LEVERAGE), np.float64)


def _variance_of_mean(values: Doubles) -> float:
    return float(values @ values / (len(values) * max(len(values) - 1, 1)))

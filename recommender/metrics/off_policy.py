"""What other weights would have earned, from a log in which chance decided with a known probability."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.metrics.ranked import Doubles

LEAST_PROPENSITY = 1e-4
NO_CHANCE = (
    "these slates were logged without propensities: nothing was left to chance, so no estimate of what other weights "
    "would have earned is possible from them. Explore on part of the slates and log the probability of each place, or "
    "compare by replay, interleaving or an A/B test"
)


class OffPolicy(NamedTuple):
    """An estimate of the mean reward, its standard error, and how many even decisions its weights are worth."""

    estimate: float
    standard_error: float
    effective_sample_size: float
    decisions: int


def ips(
    reward: npt.ArrayLike, propensity: npt.ArrayLike | None, target: npt.ArrayLike, *, clip: float = np.inf
) -> OffPolicy:
    """Inverse propensity scoring, unbiased where every weight is under `clip` (Horvitz and Thompson 1952).

    All (decisions,): the reward seen, the logged probability of what was shown, and the target's probability of
    showing the same. InvalidInput where the log has no propensities.
    """
    values, weight = _weights(reward, propensity, target, clip)
    return _mean(weight * values, weight)


def snips(
    reward: npt.ArrayLike, propensity: npt.ArrayLike | None, target: npt.ArrayLike, *, clip: float = np.inf
) -> OffPolicy:
    """Self-normalised `ips`: a little biased, far steadier (Swaminathan and Joachims, NeurIPS 2015).

    Standard error by the delta method. nan where the target never does what was logged.
    """
    values, weight = _weights(reward, propensity, target, clip)
    total = weight.sum()
    if total == 0:
        return OffPolicy(float("nan"), float("nan"), 0.0, len(values))
    estimate = float(weight @ values / total)
    error = float(np.sqrt(np.sum((weight * (values - estimate)) ** 2)) / total)
    return OffPolicy(estimate, error, _effective(weight), len(values))


def doubly_robust(
    reward: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    target: npt.ArrayLike,
    predicted: npt.ArrayLike,
    predicted_under_target: npt.ArrayLike,
    *,
    clip: float = np.inf,
) -> OffPolicy:
    """A model's estimate corrected by the weighted residuals: right if model or propensities are (Dudik et al. 2011).

    `predicted` (decisions,) is the model's reward of what was shown, `predicted_under_target` its expectation over
    what the target would show. The model must not have been fitted on these rewards.
    """
    values, weight = _weights(reward, propensity, target, clip)
    shown, expected = np.asarray(predicted, np.float64), np.asarray(predicted_under_target, np.float64)
    if shown.shape != values.shape or expected.shape != values.shape:
        raise InvalidInput("give the model's prediction for every decision, of what was shown and under the target")
    return _mean(expected + weight * (values - shown), weight)


def _weights(
    reward: npt.ArrayLike, propensity: npt.ArrayLike | None, target: npt.ArrayLike, clip: float
) -> tuple[Doubles, Doubles]:
    if propensity is None:
        raise InvalidInput(NO_CHANCE)
    values, chance, wanted = (np.asarray(one, np.float64) for one in (reward, propensity, target))
    if not len(values) or values.shape != chance.shape or values.shape != wanted.shape:
        raise InvalidInput("give one reward, propensity and target probability a decision, and at least one decision")
    if np.isnan(chance).any():
        raise InvalidInput(NO_CHANCE)
    if not ((chance >= LEAST_PROPENSITY) & (chance <= 1)).all():
        raise InvalidInput(f"a propensity is outside of [{LEAST_PROPENSITY:g}, 1]; leave out what could hardly happen")
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise InvalidInput("a target probability is outside of [0, 1]; check the policy that gave it")
    return values, np.minimum(wanted / chance, clip)


def _mean(terms: Doubles, weight: Doubles) -> OffPolicy:
    error = terms.std(ddof=1) / np.sqrt(len(terms)) if len(terms) > 1 else np.nan
    return OffPolicy(float(terms.mean()), float(error), _effective(weight), len(terms))


def _effective(weight: Doubles) -> float:
    """Kish: (sum of weights) squared over the sum of squares."""
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0

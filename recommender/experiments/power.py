"""How many readers an experiment needs, said before it begins."""

from math import ceil, log1p, sqrt

import numpy as np
from scipy.optimize import brentq

from data.errors import InvalidInput
from recommender.experiments.judge import ALPHA
from recommender.experiments.spending import bounds, crossed_share, obrien_fleming

POWER = 0.8


def drift(days: int, *, power: float = POWER, alpha: float = ALPHA) -> float:
    """The effect in standard errors of the last day that is found with this probability, looking daily.

    Supposes information that grows evenly by day; where it comes sooner, the power is a little higher.
    """
    if days < 1 or not alpha < power < 1:
        raise InvalidInput(f"{days} days and a power of {power:g}: use one day or more, and a power from alpha to 1")
    elapsed = np.arange(1, days + 1) / days
    edge = bounds(elapsed, obrien_fleming(elapsed, alpha))
    return float(brentq(lambda effect: crossed_share(elapsed, edge, effect)[-1] - power, 0.0, 10.0, xtol=1e-4))


def readers_needed(
    effect_share: float, variation: float, days: int, *, power: float = POWER, alpha: float = ALPHA
) -> int:
    """Readers served in each of two even arms so that a relative change of a rate is found with the given power.

    `effect_share` like 0.02; `variation` as `compare.variation` finds it over past time of the same length.
    """
    if not effect_share > 0 or not variation > 0:
        raise InvalidInput("the effect and the variation are shares above 0, like 0.02 and 1.5")
    return ceil(2 * (variation * drift(days, power=power, alpha=alpha) / log1p(effect_share)) ** 2)


def effect_found(readers: int, variation: float, days: int, *, power: float = POWER, alpha: float = ALPHA) -> float:
    """The least relative change that so many readers an arm find with the given power: `readers_needed` backwards."""
    if readers < 2:
        raise InvalidInput("an arm needs two readers or more")
    return float(np.expm1(variation * drift(days, power=power, alpha=alpha) * sqrt(2 / readers)))


def readers_needed_interleaved(
    preference: float, variation: float, days: int, *, power: float = POWER, alpha: float = ALPHA
) -> int:
    """Readers served interleaved lists so that a preference is found; `variation`: standard error x sqrt(readers)."""
    if not preference or not variation > 0:
        raise InvalidInput("a preference of 0 cannot be found; give one of another size, and a variation above 0")
    return ceil((variation * drift(days, power=power, alpha=alpha) / abs(preference)) ** 2)

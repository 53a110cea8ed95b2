"""The hour of the day at which a reader is most likely to look at the phone, from when they did before."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from data.clock import instant, zone
from data.errors import InvalidInput

HOURS = 24
HALF_LIFE_DAYS = 30.0
STRENGTH = 10.0  # opens that the population's habit counts for beside a reader's own
_SPREAD = 1.0  # opens a hour that the population is given beforehand, so that no hour is impossible
_QUARTER_US = 15 * 60 * 1_000_000  # offsets from UTC change at quarters of an hour alone

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def best_hour(
    hours: npt.ArrayLike,
    age_days: npt.ArrayLike,
    population: npt.ArrayLike,
    *,
    fallback: int,
    allowed: Sequence[int] = tuple(range(HOURS)),
    strength: float = STRENGTH,
    half_life_days: float = HALF_LIFE_DAYS,
) -> int:
    """One reader's best hour among the `allowed` local hours.

    `hours` (n,): local hours of what the reader opened, alerts or not; `age_days` (n,): how long ago.
    `population` (24,) is `population_shares` of everybody. A reader without opens gets the population's best hour. Ties
    go to the hour nearest to `fallback` on the clock, then to the earlier. InvalidInput where no hour is allowed.
    """
    H = hour_histograms(np.zeros(len(np.asarray(hours)), np.int64), hours, age_days, 1, half_life_days=half_life_days)
    mask = np.zeros((1, HOURS), bool)
    mask[0, list(allowed)] = True
    return int(best_hours(H, population, fallback=fallback, allowed=mask, strength=strength)[0])


def best_hours(
    histograms: Doubles,
    population: npt.ArrayLike,
    *,
    fallback: int,
    allowed: npt.NDArray[np.bool_] | None = None,
    strength: float = STRENGTH,
) -> Ints:
    """The best hour of each reader (readers,); as `best_hour`, for (readers x 24) histograms and hours allowed."""
    P = hour_shares(histograms, population, strength=strength)
    if allowed is not None:
        if not allowed.any(axis=1).all():
            raise InvalidInput("a reader has no hour left; shorten the quiet hours or widen the campaign's span")
        P = np.where(allowed, P, -1.0)
    near = _by_nearness(fallback)
    # Sums of decayed weights carry rounding: what is equal in truth must tie.
    return np.asarray(near[np.argmax(np.round(P[:, near], 12), axis=1)], np.int64)


def hour_shares(histograms: Doubles, population: npt.ArrayLike, *, strength: float = STRENGTH) -> Doubles:
    """How a reader's opens are spread over the day (readers x 24), each row summing to 1.

    The mean of a Dirichlet distribution: the reader's own weighted counts on top of `strength` of the population's.
    """
    prior = np.asarray(population, np.float64)
    if prior.shape != (HOURS,) or not np.isclose(prior.sum(), 1.0) or (prior < 0).any():
        raise InvalidInput("the population's habit is 24 shares that sum to 1; take them from population_shares")
    if strength <= 0:
        raise InvalidInput(f"strength {strength:g}: use a number above 0")
    return np.asarray((histograms + strength * prior) / (histograms.sum(axis=1, keepdims=True) + strength))


def hour_histograms(
    reader: npt.ArrayLike,
    hours: npt.ArrayLike,
    age_days: npt.ArrayLike,
    readers: int,
    *,
    half_life_days: float = HALF_LIFE_DAYS,
) -> Doubles:
    """Opens by local hour (readers x 24), each worth half after `half_life_days`; reader in [0, readers), all (n,).

    InvalidInput for an hour outside of 0 to 23 and for an open that is still to come.
    """
    who, hour, age = np.asarray(reader, np.int64), np.asarray(hours, np.int64), np.asarray(age_days, np.float64)
    if ((hour < 0) | (hour >= HOURS)).any() or not (age >= 0).all():
        raise InvalidInput("hours are local, 0 to 23, and ages are days that have passed")
    found = np.bincount(who * HOURS + hour, 0.5 ** (age / half_life_days), readers * HOURS)
    return found.astype(np.float64).reshape(readers, HOURS)


def population_shares(histograms: Doubles) -> Doubles:
    """Everybody's habit (24,), summing to 1; each hour has one open beforehand. Even where nobody opened anything."""
    total = histograms.sum(axis=0) + _SPREAD
    return np.asarray(total / total.sum())


def local_hours(at_us: npt.ArrayLike, zone_name: str) -> Ints:
    """The local hour of the day of each instant (n,), in one zone. Cost: one conversion for each quarter of an hour."""
    quarter, place = np.unique(np.asarray(at_us, np.int64) // _QUARTER_US, return_inverse=True)
    where = zone(zone_name)
    hours = [instant(int(one) * _QUARTER_US).astimezone(where).hour for one in quarter]
    return np.array(hours, np.int64)[place]


def _by_nearness(fallback: int) -> Ints:
    """The 24 hours, the nearest to `fallback` on the clock first, the earlier of two as near."""
    if not 0 <= fallback < HOURS:
        raise InvalidInput(f"hour {fallback}: use 0 to 23")
    hours = np.arange(HOURS)
    ahead = (hours - fallback) % HOURS
    return np.lexsort((hours, np.minimum(ahead, HOURS - ahead))).astype(np.int64)

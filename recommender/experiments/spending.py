"""Bounds for a test that is looked at every day: how much of the error may be spent by when.

Group-sequential tests with alpha spending: Lan and DeMets, Biometrika 1983; the recursion is that of Armitage,
McPherson and Rowe, JRSS A 1969, as in Jennison and Turnbull, Group Sequential Methods, 1999, chapter 19. At look k the
statistic is B_k = Z_k sqrt(I_k), where I is one over the squared standard error; its increments are independent.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from data.errors import InvalidInput

FARTHEST = 8.0  # standard errors: a bound that nothing reaches
LEAST_GROWTH = 1e-3  # of the information from look to look: what grows less is taken to have grown so much
_LEAST_SPENT = 1e-12
Doubles = npt.NDArray[np.float64]


def obrien_fleming(elapsed_share: npt.ArrayLike, alpha: float) -> Doubles:
    """The error, of both sides, that may be spent by then, as O'Brien and Fleming would: hardly any early."""
    share = np.clip(np.asarray(elapsed_share, np.float64), 1e-12, 1.0)
    return np.asarray(4.0 * ndtr(-ndtri(1.0 - alpha / 4.0) / np.sqrt(share)))


def even(elapsed_share: npt.ArrayLike, alpha: float) -> Doubles:
    """The same error every day: sees harm early, costs power late."""
    return alpha * np.clip(np.asarray(elapsed_share, np.float64), 0.0, 1.0)


def bounds(information: npt.ArrayLike, spent: npt.ArrayLike) -> Doubles:
    """The |Z| that is beyond chance at each look (looks,), so that crossing any by look k has probability `spent[k]`.

    `information` (looks,) above 0 is 1 / standard error squared, as estimated at each look; `spent` (looks,) rises and
    is two-sided. Cost: some milliseconds for 14 looks. InvalidInput for what does not rise or lies outside of (0, 1).
    """
    info, allowed = growing(information), np.asarray(spent, np.float64)
    if allowed.shape != info.shape or (np.diff(allowed, prepend=0.0) < 0).any() or not (allowed < 1).all():
        raise InvalidInput("give the error spent by each look, rising and below 1, one number a look")
    walk, found = _Walk(), np.empty(len(info))
    for look, now in enumerate(info):
        wanted = allowed[look] - (allowed[look - 1] if look else 0.0)
        found[look] = walk.bound(now, wanted)
        walk.go(now, found[look])
    return found


def crossed_share(information: npt.ArrayLike, bound: npt.ArrayLike, effect: float = 0.0) -> Doubles:
    """The probability to have crossed by each look (looks,) where the true effect is `effect`: power, or alpha at 0."""
    walk, found = _Walk(effect), []
    for now, edge in zip(growing(information), np.asarray(bound, np.float64), strict=True):
        found.append(walk.outside(now, edge))
        walk.go(now, edge)
    return np.cumsum(found)


def growing(information: npt.ArrayLike) -> Doubles:
    """Information that grows from look to look by at least LEAST_GROWTH, as it must but for noise."""
    info = np.array(information, np.float64)
    if info.ndim != 1 or not (info > 0).all():
        raise InvalidInput("information is 1 / standard error squared: above 0 at every look")
    for look in range(1, len(info)):
        info[look] = max(info[look], info[look - 1] * (1 + LEAST_GROWTH))
    return info


class _Walk:
    """The distribution of B among the runs that no look has stopped, as masses on points."""

    def __init__(self, effect: float = 0.0) -> None:
        self.effect = effect
        self.info = 0.0
        self.points, self.mass = np.zeros(1), np.ones(1)

    def outside(self, info: float, bound: float) -> float:
        """The probability to be beyond the bound at a look, not having been stopped before."""
        spread, middle = self._step(info)
        edge = bound * np.sqrt(info)
        return float(self.mass @ (ndtr((-edge - middle) / spread) + ndtr((middle - edge) / spread)))

    def bound(self, info: float, wanted: float) -> float:
        """The bound whose `outside` is as wanted."""
        if wanted < _LEAST_SPENT:
            return FARTHEST
        return float(brentq(lambda z: self.outside(info, z) - wanted, 0.0, FARTHEST + 1, xtol=1e-6))

    def go(self, info: float, bound: float) -> None:
        """Take the step to a look and leave out what it stops."""
        spread, middle = self._step(info)
        edge = bound * np.sqrt(info)
        count = int(np.clip(np.ceil(8 * edge / spread), 200, 2_000)) | 1
        points, width = np.linspace(-edge, edge, count, retstep=True)
        away = (points[:, None] - middle[None, :]) / spread  # points x points before
        mass = np.exp(-0.5 * away**2) @ self.mass * (width / (spread * np.sqrt(2 * np.pi)))
        mass[[0, -1]] /= 2  # trapezoids
        self.points, self.mass, self.info = points, mass, info

    def _step(self, info: float) -> tuple[float, Doubles]:
        return float(np.sqrt(info - self.info)), self.points + self.effect * (info - self.info)

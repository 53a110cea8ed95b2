"""What a path says today: beyond chance, not yet, or over without a difference; and whether harm was done."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chisquare

from data.errors import InvalidInput
from recommender.experiments.compare import Path
from recommender.experiments.spending import bounds, even, obrien_fleming

ALPHA = 0.05
GUARDRAIL_ALPHA = 0.01  # of all guardrails of an experiment together
Spending = Callable[[npt.ArrayLike, float], npt.NDArray[np.float64]]
SPLIT_P = 1e-4  # a split less likely than this is a fault, not chance


@dataclass(frozen=True)
class Finding:
    """What is known at the end of some day. The interval holds on all days together, however often it is looked at."""

    day: int  # of the experiment, from 1; 0: nothing can be said yet
    effect: float
    low: float
    high: float
    readers: int
    is_beyond_chance: bool

    @property
    def is_known(self) -> bool:
        """Whether anything can be said."""
        return self.day > 0


NOTHING = Finding(0, 0.0, -np.inf, np.inf, 0, is_beyond_chance=False)


def judge(path: Path, days: int, *, alpha: float = ALPHA) -> Finding:
    """The finding at the first day on which the difference is beyond chance, else at the last day of the path.

    `days` is how long the experiment was planned to last: the error is spent over those, as O'Brien and Fleming would,
    and none is left for what comes after. Looking daily, hourly or once gives the same.
    """
    return _judge(path, days, obrien_fleming, alpha, 0.0)


def is_harmful(path: Path, days: int, *, margin: float = 0.0, alpha: float = GUARDRAIL_ALPHA) -> bool:
    """Whether the effect was below -margin beyond chance on some day; the error is spent evenly, to stop early.

    One-sided at `alpha`: the bound is that of twice as much on two sides.
    """
    found = _judge(path, days, even, 2 * alpha, margin)
    return found.is_beyond_chance and found.effect < -margin


def is_split_wrong(readers: tuple[int, ...], shares: tuple[float, ...]) -> bool:
    """Whether the arms hold other shares of the readers than they should: a fault in serving or logging."""
    total = sum(readers)
    return bool(total and chisquare(readers, [total * one for one in shares]).pvalue < SPLIT_P)


def _judge(path: Path, days: int, spend: Spending, alpha: float, margin: float) -> Finding:
    if days < 1:
        raise InvalidInput(f"{days} days: an experiment lasts one or more")
    known = np.flatnonzero(path.is_known)
    known = known[known < days]
    if not len(known):
        return NOTHING
    spent = spend((known + 1) / days, alpha)
    bound = bounds(1.0 / path.error[known] ** 2, spent)
    z = (path.effect[known] + margin) / path.error[known]
    beyond = np.flatnonzero(np.abs(z) >= bound) if not margin else np.flatnonzero(-z >= bound)
    look = int(beyond[0]) if len(beyond) else len(known) - 1
    day = int(known[look])
    effect, width = float(path.effect[day]), float(bound[look] * path.error[day])
    return Finding(day + 1, effect, effect - width, effect + width, int(path.readers[day]), len(beyond) > 0)

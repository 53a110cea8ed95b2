"""Lists and opens by reader and day, without saying what was on the lists: for testing tests."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Habits:
    """How often each reader comes, and how often a list leads to an open. Readers differ widely, as they do."""

    lists_a_day: Doubles  # (readers,)
    open_share: Doubles  # (readers,) the probability that a list is opened from

    @classmethod
    def draw(cls, readers: int, random: np.random.Generator, *, lists_a_day: float = 1.5) -> "Habits":
        """Gamma-distributed visits (shape 0.8: many come rarely), beta-distributed opens around 0.3."""
        return cls(random.gamma(0.8, lists_a_day / 0.8, readers), random.beta(3.0, 7.0, readers))


@dataclass(frozen=True)
class Traffic:
    """Counts of each reader's days (readers x days)."""

    lists: Doubles
    opens: Doubles


def traffic(habits: Habits, days: int, random: np.random.Generator, *, lift_share: Doubles | float = 0.0) -> Traffic:
    """Poisson visits, binomial opens; opens are more probable by `lift_share` (readers,): the planted effect."""
    readers = len(habits.lists_a_day)
    lists = random.poisson(habits.lists_a_day[:, None], (readers, days))
    share = np.minimum(habits.open_share * (1.0 + lift_share), 1.0)
    return Traffic(lists.astype(np.float64), random.binomial(lists, share[:, None]).astype(np.float64))

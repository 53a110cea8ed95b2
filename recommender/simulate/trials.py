"""Experiments on simulated readers, run to their end: do tests keep what they promise?"""

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from recommender.experiments.compare import Path, preference_path, ratio_path
from recommender.experiments.cuped import Before, adjusted_path
from recommender.experiments.interleave import FIRST, SECOND, team_draft
from recommender.experiments.judge import Finding, judge
from recommender.simulate.slates import World, clicks, liking, looked_at, ranked, requests
from recommender.simulate.traffic import Habits, traffic

Doubles = npt.NDArray[np.float64]
PLACES = 10


def split_trial(
    readers: int, days: int, random: np.random.Generator, *, lift_share: float = 0.0, before_days: int = 0
) -> Finding:
    """One A/B test of `readers` readers in two even arms, looked at daily; the second arm is better by `lift_share`.

    With `before_days` of a log of the same readers, which the result is adjusted by.
    """
    arm = random.integers(0, 2, readers)
    habits = Habits.draw(readers, random)
    found = traffic(habits, days, random, lift_share=np.where(arm == 1, lift_share, 0.0))
    if not before_days:
        return judge(ratio_path(found.opens, found.lists, arm), days)
    past = seen_before(habits, before_days, random)
    return judge(adjusted_path(found.opens, found.lists, arm, past), days)


def seen_before(habits: Habits, days: int, random: np.random.Generator) -> Before:
    """What readers of these habits did in so many days before an experiment."""
    past = traffic(habits, days, random)
    return Before(past.opens.sum(axis=1), past.lists.sum(axis=1))


@dataclass(frozen=True)
class Contest:
    """Two weightings in one world: what both ways of comparing them are tried on."""

    world: World
    first: tuple[float, ...]
    second: tuple[float, ...]
    days: int = 7
    lists_a_day: float = 1.5

    def split(self, readers: int, random: np.random.Generator) -> "Counts":
        """Opens and lists of readers in two even arms."""
        who, at_h = self._visits(readers, random)
        asked = requests(self.world, who, at_h, random)
        arm = random.integers(0, 2, self.world.readers)
        chosen = np.where(arm[who][:, None] == 1, ranked(asked, self.second, PLACES), ranked(asked, self.first, PLACES))
        opened = clicks(self.world, asked, chosen, random).sum(axis=1)
        opens, lists = self._by_day(who, at_h, opened), self._by_day(who, at_h, np.ones(len(who)))
        known = lists.sum(axis=1) > 0
        return Counts(opens[known], lists[known], arm[known])

    def effect(self, readers: int, random: np.random.Generator) -> float:
        """The true relative change of opens by list, second against first: expected opens of the same requests."""
        who, at_h = self._visits(readers, random)
        asked = requests(self.world, who, at_h, random)
        expected = []
        for weights in (self.first, self.second):
            chosen = ranked(asked, weights, PLACES)
            expected.append(float((liking(self.world, asked, chosen) @ looked_at(self.world, PLACES)).sum()))
        return expected[1] / expected[0] - 1.0

    def interleaved(self, readers: int, random: np.random.Generator) -> "Counts":
        """Opens credited to the first and to the second weighting, of readers who all get interleaved lists."""
        who, at_h = self._visits(readers, random)
        asked = requests(self.world, who, at_h, random)
        coins = Random(int(random.integers(2**32)))  # noqa: S311  # of a draft, not of a secret
        pairs = zip(
            ranked(asked, self.first, PLACES).tolist(), ranked(asked, self.second, PLACES).tolist(), strict=True
        )
        drafted = [team_draft(one, other, PLACES, coins) for one, other in pairs]
        chosen, teams = np.array([one.items for one in drafted]), np.array([one.teams for one in drafted])
        opened = clicks(self.world, asked, chosen, random)
        credit = [self._by_day(who, at_h, (opened & (teams == one)).sum(axis=1)) for one in (FIRST, SECOND)]
        known = np.bincount(who, minlength=self.world.readers) > 0
        return Counts(credit[0][known], credit[1][known], np.zeros(int(known.sum()), np.int64))

    def _visits(self, readers: int, random: np.random.Generator) -> tuple[npt.NDArray[np.int64], Doubles]:
        """The visits of some readers drawn from the world, `lists_a_day` each on average."""
        taking_part = random.choice(self.world.readers, readers, replace=False)
        rate = self.world.visits[taking_part] * self.world.readers * self.lists_a_day * self.days
        who = np.repeat(taking_part, random.poisson(rate))
        return who, random.uniform(24.0, 24.0 * (self.days + 1), len(who))

    def _by_day(self, who: npt.NDArray[np.int64], at_h: Doubles, values: npt.ArrayLike) -> Doubles:
        day = np.clip(at_h // 24 - 1, 0, self.days - 1).astype(np.int64)
        found = np.bincount(who * self.days + day, np.asarray(values, np.float64), self.world.readers * self.days)
        return found.astype(np.float64).reshape(self.world.readers, self.days)


@dataclass(frozen=True)
class Counts:
    """By reader and day (readers x days): opens over lists by arm, or clicks of the first and of the second."""

    above: Doubles
    below: Doubles
    arm: npt.NDArray[np.int64]

    @property
    def ratio(self) -> Path:
        """Of a split: log of the second arm's rate over the first's."""
        return ratio_path(self.above, self.below, self.arm)

    @property
    def preference(self) -> Path:
        """Of interleaved lists: the preference for the second."""
        return preference_path(self.above, self.below)

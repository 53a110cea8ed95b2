"""How many opens alerts that were never sent would have brought, and how sure that is."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.learned_push.history import PushLog
from recommender.learned_push.model import OpenModel

LEAST_ALERTS = 30  # with fewer before, nothing is said
Z = 1.96  # 95 %
Doubles = npt.NDArray[np.float64]


class Expected(NamedTuple):
    """A number of opens with its interval of 95 %."""

    opens: float
    low: float
    high: float


@dataclass(frozen=True)
class OpenRates:
    """What past alerts teach of opens. Readers are numbered alike here and in what is asked.

    `model` None: too few opens to tell one alert from another, so that each counts as opened at the rate of all.
    """

    log: PushLog  # the past alerts
    rate: float  # of all of them, half an open and half an unopened one given beforehand (Jeffreys)
    relative_sd: float  # of the level of the opens said: one standard error, as a share of it
    model: OpenModel | None = None

    @classmethod
    def learn(cls, log: PushLog, hour_shares: Doubles) -> "OpenRates":
        """From past alerts; InvalidInput where there are so few that nothing can be said.

        The level's error is that of readers drawn anew: opens less expected by reader, on the last quarter of the log
        where a model was calibrated on it, else on all.
        """
        if len(log) < LEAST_ALERTS:
            raise InvalidInput(f"{len(log)} alerts were sent before; opens are expected from {LEAST_ALERTS} on")
        rate = (float(log.opened.sum()) + 0.5) / (len(log) + 1)
        try:
            model = OpenModel.fit(log, hour_shares)
        except InvalidInput:  # too few opens, or too few that were not
            own = np.sqrt(rate * (1 - rate) / (len(log) + 2)) / rate
            return cls(log, rate, max(_level_error(log, np.full(len(log), rate)), float(own)))
        late = log.at_h >= np.quantile(log.at_h, 0.75)
        said = model.probability(log, hour_shares)
        return cls(log, rate, _level_error(log.chosen(late), said[late]), model)

    def probability(self, sends: PushLog, hour_shares: Doubles) -> Doubles:
        """The chance that each of these alerts is opened (n,), of which nobody knows whether they are.

        A reader's habit is that of the past alerts, shrunk to everybody's; these alerts add to fatigue alone.
        """
        if self.model is None or not len(sends):
            return np.full(len(sends), self.rate)
        both = [np.concatenate(pair) for pair in zip(vars(self.log).values(), vars(sends).values(), strict=True)]
        is_told = np.repeat([True, False], [len(self.log), len(sends)])
        order = np.lexsort((both[1], both[0]))
        found = self.model.probability(PushLog(*(one[order] for one in both)), hour_shares, is_told=is_told[order])
        at = np.empty(len(found))
        at[order] = found
        return np.asarray(at[len(self.log) :])

    def expected(self, by_reader: Doubles) -> Expected:
        """The sum of what readers are expected to open (readers,), or of a difference of two such.

        Variance by the delta method: of the sum, with readers drawn anew, and of the level, which all share.
        """
        total = float(by_reader.sum())
        wide = Z * float(np.sqrt((by_reader**2).sum() + (total * self.relative_sd) ** 2))
        return Expected(total, total - wide, total + wide)


def _level_error(log: PushLog, said: Doubles) -> float:
    """The standard error of opens over opens said, readers being independent and not their alerts."""
    gap = np.bincount(log.reader, log.opened - said)
    return float(np.sqrt((gap**2).sum()) / said.sum())

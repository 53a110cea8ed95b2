"""Is an alert worth it? How likely it is opened, and how likely it makes the reader switch alerts off."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.learned_push.history import MOST_IGNORED, Past, PushLog, Truths, past
from recommender.learned_push.odds import Odds

PLAIN = ("score", "hour", "fatigue")
OPEN = (*PLAIN, "habit")
LEAVE = ("fatigue", "ignored")
COST = 20.0  # opens that a reader who switches alerts off is worth: setting, not finding
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OpenModel:
    """How likely an alert is opened."""

    usual: Odds  # for a reader of no special habit
    opens: Odds

    @classmethod
    def fit(cls, log: PushLog, hour_shares: Doubles, *, calibrate_share: float = 0.25) -> "OpenModel":
        """Fit on the earlier alerts, calibrate on the last `calibrate_share` by time; InvalidInput: too few opens."""
        later = log.at_h >= np.quantile(log.at_h, 1 - calibrate_share)
        plain = _plain(log, past(log), hour_shares)
        usual = Odds.fit(plain[~later], log.opened[~later], PLAIN)
        known = past(log, usual.probability(plain))
        X = np.column_stack([plain, known.habit])
        return cls(usual, Odds.fit(X[~later], log.opened[~later], OPEN).calibrated(X[later], log.opened[later]))

    def probability(self, log: PushLog, hour_shares: Doubles, *, is_told: Truths | None = None) -> Doubles:
        """The probability of an open of each alert (n,), by what was known before it.

        `is_told` (n,): whether it is known if it was opened; one of which it is not leaves habits as they were.
        """
        plain = _plain(log, past(log), hour_shares)
        usual = self.usual.probability(plain)
        if is_told is None:
            known = past(log, usual)
        else:
            known = past(replace(log, opened=log.opened & is_told), np.where(is_told, usual, 0.0))
        return self.opens.probability(np.column_stack([plain, known.habit]))


@dataclass(frozen=True)
class PushModel:
    """Learned from a log of alerts, in effects that an editor can read."""

    usual: Odds  # of an open, for a reader of no special habit
    opens: Odds
    leaves: Odds

    @classmethod
    def fit(cls, log: PushLog, hour_shares: Doubles, *, calibrate_share: float = 0.25) -> "PushModel":
        """Fit on the earlier alerts, calibrate opens on the last `calibrate_share` by time.

        `hour_shares` (readers x 24) as `best_hour.hour_shares` gives them, from what was opened before the log begins
        or apart from it. InvalidInput where opens or departures are too few.
        """
        if not len(log):
            raise InvalidInput("no alert was sent yet; send some before learning from them")
        found, known = OpenModel.fit(log, hour_shares, calibrate_share=calibrate_share), past(log)
        # Departures are rare: all of them teach the effects, none is left to calibrate with.
        gone = np.column_stack([known.fatigue, known.ignored_after])
        return cls(found.usual, found.opens, Odds.fit(gone, log.opted_out, LEAVE))

    def open_probability(self, log: PushLog, hour_shares: Doubles) -> Doubles:
        """The probability of an open of each alert (n,), by what was known before it."""
        return OpenModel(self.usual, self.opens).probability(log, hour_shares)

    def leave_probability(self, log: PushLog) -> Doubles:
        """The probability that the reader switches alerts off after each alert, if it is not opened (n,)."""
        known = past(log)
        return self.leaves.probability(np.column_stack([known.fatigue, np.minimum(known.ignored + 1, MOST_IGNORED)]))


def _plain(log: PushLog, known: Past, hour_shares: Doubles) -> Doubles:
    """What speaks for an open (n x 3), in the order of PLAIN; `hour`: the log of how much likelier than usual it is."""
    return np.column_stack([log.score, np.log(24 * hour_shares[log.reader, log.hour]), known.fatigue])


def worth(open_probability: npt.ArrayLike, leave_probability: npt.ArrayLike, cost: float = COST) -> Doubles:
    """Opens an alert brings less what it risks (n,): below 0 it should not be sent."""
    return np.asarray(open_probability, np.float64) - cost * np.asarray(leave_probability, np.float64)

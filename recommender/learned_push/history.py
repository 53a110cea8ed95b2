"""What was known of a reader and their alerts at the moment of each alert, from earlier ones alone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput

FATIGUE_HALF_LIFE_H = 24.0
HABIT_HALF_LIFE_H = 60 * 24.0
HABIT_STRENGTH = 1.0  # opens, as many as expected, that a newcomer is given beside those of their own
MOST_IGNORED = 10  # stop-loss: what is beyond says no more

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PushLog:
    """Alerts that were sent, sorted by reader and then time; all (n,)."""

    reader: Ints
    at_h: Doubles  # hours since any one moment
    hour: Ints  # the reader's local hour of the day
    score: Doubles  # of the story for the reader, when it was sent
    opened: Truths
    opted_out: Truths  # alerts were switched off after this one, before the next

    def __post_init__(self) -> None:
        """InvalidInput for arrays of other lengths, or an order that is not by reader and time."""
        if len({len(one) for one in vars(self).values()}) != 1:
            raise InvalidInput("give as many readers, times, hours, scores and outcomes as alerts")
        same = np.diff(self.reader) == 0
        if (np.diff(self.reader) < 0).any() or (np.diff(self.at_h)[same] < 0).any():
            raise InvalidInput("sort the alerts by reader, then by time")

    def __len__(self) -> int:
        return len(self.reader)

    def chosen(self, which: npt.NDArray[np.bool_]) -> "PushLog":
        """Some of the alerts."""
        return PushLog(*(one[which] for one in vars(self).values()))


@dataclass(frozen=True)
class Past:
    """By alert, from the same reader's earlier alerts (n,)."""

    fatigue: Doubles  # how many there were, each worth half a day later
    habit: Doubles  # log of opens by opens expected, shrunk to 0
    ignored: Doubles  # how many in a row before it were not opened, at most MOST_IGNORED
    ignored_after: Doubles  # the same with this one


def past(log: PushLog, expected: npt.ArrayLike = 0.05) -> Past:
    """Fatigue, habit and alerts ignored before each alert; nothing of the alert itself or later is looked at.

    `expected` (n,) or one for all: the chance of an open for a reader of no special habit, so that who was alerted at
    bad hours is not called a bad reader. Cost: one pass for each alert that the most alerted reader got.
    """
    count, usual = len(log), np.broadcast_to(np.asarray(expected, np.float64), len(log))
    start = np.flatnonzero(np.diff(log.reader, prepend=-1))
    length = np.diff(np.append(start, count))
    fatigue, habit, ignored = np.zeros(count), np.zeros(count), np.zeros(count)
    state = np.zeros((4, len(start)))  # of readers at their last alert: tiredness, opens, expected, ignored in a row
    for place in range(int(length.max(initial=0))):
        going = np.flatnonzero(length > place)
        row = start[going] + place
        gap_h = log.at_h[row] - log.at_h[row - 1] if place else np.zeros(len(row))
        state[0, going] *= 0.5 ** (gap_h / FATIGUE_HALF_LIFE_H)
        state[1:3, going] *= 0.5 ** (gap_h / HABIT_HALF_LIFE_H)
        tired, opens, wanted, streak = state[:, going]
        fatigue[row], ignored[row] = tired, streak
        habit[row] = np.log((opens + HABIT_STRENGTH) / (wanted + HABIT_STRENGTH))
        opened = log.opened[row]
        state[:, going] = tired + 1, opens + opened, wanted + usual[row], np.where(opened, 0, streak + 1)
    after = np.where(log.opened, 0.0, ignored + 1)
    return Past(fatigue, habit, np.minimum(ignored, MOST_IGNORED), np.minimum(after, MOST_IGNORED))

"""Alerts whose chances are known: opened by taste, hour and how tired a reader is; switched off by too many."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.learned_push.history import PushLog, past

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PushTruth:
    """What makes a reader open an alert, in log odds, and what makes one switch alerts off."""

    open_base: float = -3.5
    open_score: float = 3.0  # times the story's score for the reader, in [0, 1]
    open_hour: float = 1.0  # times the log of how much likelier than usual the hour is
    open_fatigue: float = -0.35  # times the alerts of late, halving in a day
    differ: float = 0.8  # standard deviation between readers
    leave_base: float = -7.0
    leave_fatigue: float = 0.45
    leave_ignored: float = 0.20  # times the alerts in a row that were not opened, 10 at most


@dataclass(frozen=True)
class PushReaders:
    """Readers who get alerts."""

    leaning: Doubles  # (readers,) added to the log odds of an open
    hours: Doubles  # (readers x 24) when each looks at the phone, rows sum to 1
    best: Ints  # (readers,) the hour of the most

    @classmethod
    def draw(cls, readers: int, random: np.random.Generator, truth: PushTruth) -> "PushReaders":
        """Each with one favourite hour, 7 to 22, hours beside it, and a little all day."""
        best = random.choice(np.arange(7, 23), readers, p=_favourites())
        away = np.abs((np.arange(24)[None, :] - best[:, None] + 12) % 24 - 12)
        weight = np.exp(-0.5 * (away / 1.5) ** 2) + 0.08
        hours = weight / weight.sum(axis=1, keepdims=True)
        return cls(random.normal(0.0, truth.differ, readers), hours, best.astype(np.int64))


def reads(people: PushReaders, days: int, a_day: float, random: np.random.Generator) -> tuple[Ints, Ints, Doubles]:
    """When readers read by themselves: reader, local hour and day of each read, all (n,)."""
    counts = random.poisson(a_day * days, len(people.leaning))
    reader = np.repeat(np.arange(len(counts)), counts)
    drawn = random.random(len(reader))
    hour = (np.cumsum(people.hours, axis=1)[reader] < drawn[:, None]).sum(axis=1)
    return reader, np.minimum(hour, 23).astype(np.int64), random.uniform(0, days, len(reader))


def alerts(people: PushReaders, truth: PushTruth, days: int, a_day: float, random: np.random.Generator) -> PushLog:
    """Alerts at random hours from 7 to 22 with random scores; who switches alerts off gets no more."""
    counts = random.poisson(a_day * days * random.gamma(2.0, 0.5, len(people.leaning)))
    reader = np.repeat(np.arange(len(counts)), counts)
    at_h = random.integers(0, days, len(reader)) * 24 + random.integers(7, 23, len(reader)) + random.random(len(reader))
    order = np.lexsort((at_h, reader))
    reader, at_h = reader[order], at_h[order]
    hour, score = (at_h % 24).astype(np.int64), random.beta(2.0, 4.0, len(reader))
    blank = np.zeros(len(reader), bool)
    fatigue = past(PushLog(reader, at_h, hour, score, blank, blank)).fatigue
    opened = random.random(len(reader)) < open_probability(people, truth, reader, hour, score, fatigue)
    seen = past(PushLog(reader, at_h, hour, score, opened, blank))
    leaves = random.random(len(reader)) < _logistic(
        truth.leave_base + truth.leave_fatigue * fatigue + truth.leave_ignored * seen.ignored_after
    )
    return PushLog(reader, at_h, hour, score, opened, leaves).chosen(_before_first(reader, leaves))


def open_probability(
    people: PushReaders, truth: PushTruth, reader: Ints, hour: Ints, score: Doubles, fatigue: Doubles
) -> Doubles:
    """The true chance of an open (n,)."""
    usual = np.log(24 * people.hours[reader, hour])
    says = truth.open_score * score + truth.open_hour * usual + truth.open_fatigue * fatigue
    return _logistic(truth.open_base + people.leaning[reader] + says)


def _favourites() -> Doubles:
    """Mornings and evenings are likelier, 7 to 22."""
    weight = np.array([6, 5, 3, 2, 2, 4, 3, 2, 2, 3, 4, 5, 6, 6, 4, 2], float)
    return np.asarray(weight / weight.sum())


def _before_first(reader: Ints, leaves: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What comes until a reader's first leave, that included; sorted by reader."""
    so_far: Ints = np.cumsum(leaves) - leaves
    start = np.flatnonzero(np.diff(reader, prepend=-1))
    earlier: Ints = np.repeat(so_far[start], np.diff(np.append(start, len(reader))))
    return np.asarray(so_far == earlier)


def _logistic(odds: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-odds)))

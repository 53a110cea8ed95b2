"""The edge of what alerts teach: from the outbox and the read log to arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from data.clock import micros
from data.errors import InvalidInput
from data.store import Store
from recommender.learned_push.best_hour import (
    Doubles,
    best_hours,
    hour_histograms,
    hour_shares,
    local_hours,
    population_shares,
)
from recommender.learned_push.expected import LEAST_ALERTS, Expected, OpenRates
from recommender.learned_push.history import PushLog
from recommender.learned_push.model import PushModel
from recommender.metrics.ece import ece

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
READS = 200  # of a reader, the newest
DAYS = 60
PAGE = 20_000  # readers whose reads are read at once


@dataclass(frozen=True)
class Taught:
    """What alerts taught: the model, everybody's habit, and how it does on the last quarter of the log."""

    model: PushModel
    population: Doubles  # (24,)
    best: Doubles  # (24,) share of readers whose best hour it is
    alerts: int
    readers: int
    opened_share: float
    calibration_error: float


def push_log(store: Store, from_at: datetime, until_at: datetime) -> tuple[PushLog, list[int], list[str]]:
    """The alerts sent in [from, until), the numbers of their readers in the log's order, and those readers' zones.

    Whoever has alerts switched off now is taken to have done so after the last alert: when it was is not kept.
    """
    sent = store.alerts_sent(from_at, until_at)
    numbers = list(dict.fromkeys(one.reader_id for one in sent))
    place = {number: at for at, number in enumerate(numbers)}
    zone = {one.reader_id: one.zone for one in sent}
    reader = np.array([place[one.reader_id] for one in sent], np.int64)
    at_us = np.array([one.sent_at_us for one in sent], np.int64)
    hour = _hours(at_us, reader, [zone[number] for number in numbers])
    is_last = np.append(np.diff(reader) != 0, True)[: len(sent)]
    left = is_last & ~np.array([one.has_push for one in sent], bool)
    opened = np.array([one.opened for one in sent], bool)
    score = np.array([one.score for one in sent], np.float64)
    log = PushLog(reader, at_us / HOUR_US, hour, score, opened, left)
    return log, numbers, [zone[number] for number in numbers]


def taught(store: Store, *, now: datetime, days: int = DAYS) -> Taught:
    """Learn from the alerts of the last days; InvalidInput where they are too few."""
    log, numbers, zones = push_log(store, now - timedelta(days=days), now)
    if not len(log):
        raise InvalidInput(f"no alert was sent in the last {days} days; send some before learning from them")
    H = _reads_by_hour(store, numbers, zones, now)
    population = population_shares(H)
    shares = hour_shares(H, population)
    model = PushModel.fit(log, shares)
    late = log.at_h >= np.quantile(log.at_h, 0.75)
    said = model.open_probability(log, shares)
    best = np.bincount(best_hours(H, population, fallback=int(population.argmax())), minlength=24) / len(numbers)
    error = ece(said[late], log.opened[late], even_counts=True)
    return Taught(model, population, best, len(log), len(numbers), float(log.opened.mean()), error)


@dataclass(frozen=True)
class Send:
    """An alert that a replay would have sent."""

    reader_id: int
    zone: str
    at_us: int
    score: float


@dataclass(frozen=True)
class Opens:
    """What two sets of alerts would have brought in opens; all None where the past says too little."""

    before: Expected | None = None
    after: Expected | None = None
    difference: Expected | None = None
    said: str = ""  # in a sentence: from what it is known, or why not
    tells_apart: bool = False  # whether one alert is told from another, or each counts alike


def expected_opens(store: Store, before: Sequence[Send], after: Sequence[Send], *, until: datetime) -> Opens:
    """Opens of two sets of alerts, by what the alerts of `DAYS` before `until` teach.

    Cost: the reads of the readers of all these alerts.
    """
    log, numbers, zones = push_log(store, until - timedelta(days=DAYS), until)
    place = {number: at for at, number in enumerate(numbers)}
    for send in (*before, *after):
        if send.reader_id not in place:
            place[send.reader_id] = len(zones)
            zones.append(send.zone)
    if len(log) < LEAST_ALERTS:
        return Opens(said=f"{_count(len(log), 'alert')} before that day: too few to tell opens.")
    H = np.vstack([_reads_by_hour(store, ids, zones[at : at + len(ids)], until) for at, ids in _pages(list(place))])
    shares = hour_shares(H, population_shares(H))
    rates = OpenRates.learn(log, shares)
    one, other = (_by_reader(rates, shares, sends, place, zones) for sends in (before, after))
    opened = f"{_count(int(log.opened.sum()), 'open')} of {_count(len(log), 'alert')} in the {DAYS} days before"
    few = f"Only {opened}: too few to tell one alert from another, so each counts as opened at the rate of all."
    known = rates.model is not None
    said = f"From {opened}, by score, hour, fatigue and the reader's habit." if known else few
    found = (rates.expected(one), rates.expected(other), rates.expected(other - one))
    return Opens(*found, said=said, tells_apart=known)


def _by_reader(
    rates: OpenRates, shares: Doubles, sends: Sequence[Send], place: Mapping[int, int], zones: Sequence[str]
) -> Doubles:
    """The opens expected of each reader (readers,)."""
    order = sorted(sends, key=lambda one: (place[one.reader_id], one.at_us))
    reader = np.array([place[one.reader_id] for one in order], np.int64)
    at_us = np.array([one.at_us for one in order], np.int64)
    score, unknown = np.array([one.score for one in order], np.float64), np.zeros(len(order), bool)
    log = PushLog(reader, at_us / HOUR_US, _hours(at_us, reader, list(zones)), score, unknown, unknown)
    return np.asarray(np.bincount(reader, rates.probability(log, shares), minlength=len(place)), np.float64)


def _pages(numbers: list[int]) -> Iterator[tuple[int, list[int]]]:
    for at in range(0, len(numbers), PAGE):
        yield at, numbers[at : at + PAGE]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _reads_by_hour(store: Store, numbers: list[int], zones: list[str], now: datetime) -> Doubles:
    """What each reader did by local hour (readers x 24), impressions left out."""
    histories = store.history_columns(np.array(numbers, np.int64), limit=READS, until=now)
    reader = np.repeat(np.arange(len(numbers)), np.diff(histories.indptr))
    age_days = (micros(now) - histories.at_us) / DAY_US
    return hour_histograms(reader, _hours(histories.at_us, reader, zones), np.maximum(age_days, 0), len(numbers))


def _hours(at_us: np.ndarray, reader: np.ndarray, zones: list[str]) -> np.ndarray:
    """The local hour of each instant, in its reader's zone (n,)."""
    found = np.zeros(len(at_us), np.int64)
    names, number = np.unique(np.array(zones, dtype=str), return_inverse=True)
    for one, name in enumerate(names.tolist()):
        mine = number[reader] == one
        found[mine] = local_hours(at_us[mine], name)
    return found

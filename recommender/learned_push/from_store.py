"""The edge of what alerts teach: from the outbox and the read log to arrays."""

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
from recommender.learned_push.history import PushLog
from recommender.learned_push.model import PushModel
from recommender.metrics.ece import ece

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
READS = 200  # of a reader, the newest


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


def taught(store: Store, *, now: datetime, days: int = 60) -> Taught:
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

"""Catching up: what mattered since a reader was last here, however many hours ago it came out."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.clock import instant, micros, zone
from data.values import FloatArray
from recommender.signals import HOUR_US, SIGNALS
from recommender.snapshot import ReaderView
from recommender.window import signal_rows
from recommender.windowed import Windowed

FRESHNESS = SIGNALS.index("freshness")
GAP_US = 30 * 60_000_000  # a reader who does nothing for so long has left
MOST_H = 48.0  # a reader who was away longer catches up on this much
DAY_BEGINS = time(5)  # a reader's own day


@dataclass(frozen=True)
class CaughtUp(Windowed):
    """Candidates of which those that came out after `since_us` are all as fresh as can be.

    So among what the reader could not have seen not age decides, but news value, popularity, story size and likeness.
    """

    since_us: int = 0

    @cached_property
    def _S(self) -> FloatArray:  # noqa: N802
        S = signal_rows(self.window, self.places, self._taste, self.snapshot.popularity, self.at_us, self.scale)
        S[self.window.published_at_us[self.places] > self.since_us, FRESHNESS] = 1.0
        return S


def tiers(language: NDArray[np.int8] | None, is_unseen: NDArray[np.bool_]) -> NDArray[np.int8]:
    """What came out since first, within each tier of language."""
    seen: NDArray[np.int8] = (~is_unseen).astype(np.int8)
    return seen if language is None else np.asarray(2 * language + seen, np.int8)


def last_visit_us(reader: ReaderView, at_us: int) -> int | None:
    """When the reader was last here before this visit; None for one who never was.

    A visit is what was done and shown without a pause of GAP_US; one that goes on at `at_us` is this one.
    """
    times = np.concatenate([reader.history.at_us, reader.impressions.at_us])
    times = np.sort(times[times <= at_us])[::-1]
    if not len(times):
        return None
    ends = np.flatnonzero(-np.diff(np.append(at_us, times)) > GAP_US)
    return int(times[ends[0]]) if len(ends) else None


def since_us(wanted_us: int | None, at_us: int) -> int | None:
    """The instant to catch up from: the wanted one, MOST_H ago at the earliest; None for what lies ahead."""
    if wanted_us is None or wanted_us >= at_us:
        return None
    return max(wanted_us, at_us - int(MOST_H * HOUR_US))


def day_begin_us(zone_name: str, at_us: int) -> int:
    """When the day of somebody in that zone began: DAY_BEGINS by their clock."""
    local = instant(at_us).astimezone(zone(zone_name))
    day = local.date() if local.time() >= DAY_BEGINS else local.date() - timedelta(days=1)
    return micros(datetime.combine(day, DAY_BEGINS, local.tzinfo))

"""The best hour of each reader for an alert: when they open things, smoothed to when everybody does."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from data.values import Histories, IntArray, ReaderColumns
from data.wire import EVENT_KINDS
from recommender.learned_push.best_hour import HALF_LIFE_DAYS, hour_histograms, hour_shares, population_shares
from recommender.push_time import local_s, quiet_now

DAYS = 60  # of everybody's opens
OPEN_KINDS = ("open", "read", "push_open")
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
Hours = NDArray[np.float64]
_IS_OPEN = np.array([kind in OPEN_KINDS for kind in EVENT_KINDS], bool)


def best_offset_h(
    readers: ReaderColumns, slot_at_us: IntArray, histories: Histories, prior: Hours, *, within_h: int, now_us: int
) -> IntArray:
    """Hours from each reader's slot to their best one (n,), in [-within, within], outside of their quiet hours.

    By `best_hour.hour_shares` of the reader's own opens on top of `prior` (24,), everybody's. Ties go to the nearer
    hour, then to the earlier one.
    """
    # Sums of decayed weights carry rounding: what is equal in truth must tie.
    liked = np.round(hour_shares(opens_by_hour(readers, histories, now_us), prior), 12)
    offsets = np.array(sorted(range(-within_h, within_h + 1), key=lambda one: (abs(one), one)))
    hour = local_s(readers.zones, readers.zone, slot_at_us) // 3_600
    worth = np.empty((len(readers), len(offsets)))
    for column, offset in enumerate(offsets.tolist()):
        worth[:, column] = liked[np.arange(len(readers)), (hour + offset) % 24]
        worth[quiet_now(readers, slot_at_us + offset * HOUR_US), column] = -1.0
    return np.asarray(offsets[np.argmax(worth, axis=1)], np.int64)


def opens_by_hour(readers: ReaderColumns, histories: Histories, now_us: int) -> Hours:
    """(n x 24): each reader's opens by local hour, each weighted by its age; those behind `now` are left out."""
    row = np.repeat(np.arange(len(readers)), np.diff(histories.indptr))
    opens = _IS_OPEN[histories.kind] & (histories.at_us <= now_us)
    row, at_us = row[opens], histories.at_us[opens]
    return hour_histograms(row, _local_hour(readers, row, at_us), (now_us - at_us) / DAY_US, len(readers))


def population(opens: Iterable[tuple[str, int, int]], now_us: int) -> Hours:
    """(24,) shares of everybody's opens by local hour, from (zone, hours since 1970, opens); each hour has a little."""
    rows = list(opens)
    zones: Mapping[str, int] = {name: number for number, name in enumerate(sorted({zone for zone, _, _ in rows}))}
    at_us = np.array([hour * HOUR_US for _, hour, _ in rows], np.int64)
    zone_of = np.array([zones[name] for name, _, _ in rows], np.int32)
    weight = np.array([many for _, _, many in rows], np.float64) * 0.5 ** ((now_us - at_us) / HALF_LIFE_DAYS / DAY_US)
    hour = local_s(tuple(zones), zone_of, at_us) // 3_600 % 24
    return population_shares(np.asarray(np.bincount(hour, weight, minlength=24), np.float64)[None, :])


def _local_hour(readers: ReaderColumns, row: NDArray[np.intp], at_us: IntArray) -> IntArray:
    """Local hours of events (events,), with the offset of each zone's noon of that day: asked once a zone and day."""
    zone, day = readers.zone[row].astype(np.int64), at_us // DAY_US
    key, place = np.unique(zone * 100_000 + day, return_inverse=True)
    noon_us = key % 100_000 * DAY_US + DAY_US // 2
    offset_s = local_s(readers.zones, (key // 100_000).astype(np.int32), noon_us) - noon_us // 1_000_000
    return np.asarray((at_us // 1_000_000 + offset_s[place]) // 3_600 % 24)

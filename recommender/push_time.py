"""Quiet hours of many readers at once."""

from collections.abc import Sequence
from datetime import time
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.clock import instant, zone
from data.values import IntArray, ReaderRow

_SAME_OFFSET_US = 6 * 3_600_000_000  # no zone changes its clocks twice within six hours
DAY_S = 86_400


def quiet_now(readers: Sequence[ReaderRow], at_us: IntArray) -> NDArray[np.bool_]:
    """Whether each reader's own instant lies in their quiet hours [from, until), which may span midnight (n,)."""
    wall = wall_s([reader.zone for reader in readers], at_us)
    begin = np.array([_seconds(reader.quiet_from) for reader in readers], np.int64)
    end = np.array([_seconds(reader.quiet_until) for reader in readers], np.int64)
    inside = (begin <= wall) & (wall < end)
    around = (wall >= begin) | (wall < end)
    return np.where(begin <= end, inside, around).astype(bool)


def wall_s(zones: Sequence[str], at_us: IntArray) -> IntArray:
    """Seconds since local midnight on the readers' walls (n,)."""
    names, of = np.unique(np.array(zones, dtype=object).astype(str), return_inverse=True)
    offset_s = np.zeros(len(at_us), np.int64)
    for number, name in enumerate(names):
        mine = np.flatnonzero(of == number)
        offset_s[mine] = _offsets(str(name), at_us[mine])
    return (at_us // 1_000_000 + offset_s) % DAY_S


def _offsets(name: str, at_us: IntArray) -> IntArray:
    first, last = int(at_us.min()), int(at_us.max())
    ends = _offset(name, first), _offset(name, last)
    if last - first <= _SAME_OFFSET_US and ends[0] == ends[1]:
        return np.full(len(at_us), ends[0], np.int64)
    return np.array([_offset(name, int(one)) for one in at_us], np.int64)


def _offset(name: str, at_us: int) -> int:
    found = instant(at_us).astimezone(zone(name)).utcoffset()
    return 0 if found is None else int(found.total_seconds())


@lru_cache(maxsize=4096)
def _seconds(wall: str) -> int:
    at = time.fromisoformat(wall)
    return at.hour * 3600 + at.minute * 60 + at.second

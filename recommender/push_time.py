"""Quiet hours of many readers at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data.clock import instant, zone
from data.values import IntArray, ReaderColumns

_SAME_OFFSET_US = 6 * 3_600_000_000  # no zone changes its clocks twice within six hours
DAY_S = 86_400


def quiet_now(readers: ReaderColumns, at_us: IntArray) -> NDArray[np.bool_]:
    """Whether each reader's own instant lies in their quiet hours [from, until), which may span midnight (n,)."""
    wall = wall_s(readers.zones, readers.zone, at_us)
    begin, end = readers.quiet_from_s, readers.quiet_until_s
    inside = (begin <= wall) & (wall < end)
    around = (wall >= begin) | (wall < end)
    return np.where(begin <= end, inside, around).astype(bool)


def wall_s(zones: Sequence[str], zone_of: NDArray[np.int32], at_us: IntArray) -> IntArray:
    """Seconds since local midnight on the readers' walls (n,); `zone_of` (n,) are places in `zones`."""
    return local_s(zones, zone_of, at_us) % DAY_S


def local_s(zones: Sequence[str], zone_of: NDArray[np.int32], at_us: IntArray) -> IntArray:
    """What the readers' walls show, as seconds since their own 1970-01-01 00:00 (n,)."""
    offset_s = np.zeros(len(at_us), np.int64)
    if not len(at_us):
        return offset_s
    order = np.argsort(zone_of, kind="stable")
    numbers, starts = np.unique(zone_of[order], return_index=True)
    for number, mine in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        offset_s[mine] = _offsets(zones[number], at_us[mine])
    return at_us // 1_000_000 + offset_s


def _offsets(name: str, at_us: IntArray) -> IntArray:
    first, last = int(at_us.min()), int(at_us.max())
    ends = _offset(name, first), _offset(name, last)
    if last - first <= _SAME_OFFSET_US and ends[0] == ends[1]:
        return np.full(len(at_us), ends[0], np.int64)
    return np.array([_offset(name, int(one)) for one in at_us], np.int64)


def _offset(name: str, at_us: int) -> int:
    found = instant(at_us).astimezone(zone(name)).utcoffset()
    return 0 if found is None else int(found.total_seconds())

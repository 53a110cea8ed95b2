"""Every quarter of an hour of 2024 to 2030 in every zone: what our ticks find, and what APScheduler's CronTrigger does.

The oracle knows nothing of gaps and folds: a local time is due at the first instant at which the wall clock has
reached it. That is one instant, whatever the clocks do.
"""

import itertools
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
import pytest
from apscheduler.triggers.cron import CronTrigger

from data.alerts import CampaignRow
from data.clock import micros, zone, zone_database, zone_names
from data.values import IntArray
from scheduler.slots import slots_between

FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)
DAY, SCAN = timedelta(days=1), timedelta(hours=3)
WALLS = tuple(time(minute // 60, minute % 60) for minute in range(0, 24 * 60, 15))
EVERY_QUARTER = CampaignRow(id=1, key="all", name="All", local_times=tuple(f"{wall:%H:%M}" for wall in WALLS))


@dataclass(frozen=True)
class Offsets:
    """A zone's clock: from `at_us` (n,) on, microseconds UTC, the wall clock is `ahead_us` (n,) ahead of UTC."""

    at_us: IntArray
    ahead_us: IntArray

    def due_us(self, walls_us: IntArray) -> IntArray:
        """The first instant at which the wall clock shows `walls_us` or later."""
        until_us = np.append(self.at_us[1:], 2**62)
        reached = np.maximum.accumulate(until_us + self.ahead_us)
        part = np.searchsorted(reached, walls_us, side="right")
        return np.maximum(self.at_us[part], walls_us - self.ahead_us[part])

    @property
    def changes(self) -> list[datetime]:
        return [datetime.fromtimestamp(one / 1e6, UTC) for one in self.at_us[1:].tolist()]


@cache
def offsets(name: str, first: date = FIRST, last: date = LAST) -> Offsets:
    """Read off the zone every three hours, each change then narrowed down to the second."""
    where = zone(name)
    at, end = (datetime.combine(one, time(), UTC) for one in (first - 4 * DAY, last + 5 * DAY))
    found = [(micros(at), ahead := at.astimezone(where).utcoffset())]
    while at < end:
        after = at + SCAN
        if after.astimezone(where).utcoffset() != ahead:
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) // 2).replace(microsecond=0)
                low, high = (middle, high) if middle.astimezone(where).utcoffset() == ahead else (low, middle)
            after = high
            ahead = after.astimezone(where).utcoffset()
            found.append((micros(after), ahead))
        at = after
    return Offsets(
        np.array([one for one, _ in found], np.int64),
        np.array([ahead // timedelta(microseconds=1) for _, ahead in found if ahead is not None], np.int64),
    )


def ticks(name: str, first: date, last: date, rng: random.Random) -> list[datetime]:
    """When a scheduler looks: every few weeks, and around every change of the clocks at the worst moments."""
    at, end = (datetime.combine(one, time(), UTC) for one in (first - 3 * DAY, last + 4 * DAY))
    found = {at, end}
    while (at := at + timedelta(seconds=rng.randrange(20 * 86_400, 60 * 86_400))) < end:
        found.add(at)
    for change in offsets(name, first, last).changes:
        found |= {change + timedelta(microseconds=shift) for shift in (-1, 0, 1)}
        found |= {change + timedelta(seconds=rng.randrange(-7_200, 7_200)) for _ in range(3)}
    return sorted(found)


def check(name: str, first: date, last: date, rng: random.Random) -> int:
    """Each slot is found by one tick, once, at the oracle's instant. Returns how many slots there were."""
    looks = ticks(name, first, last, rng)
    keys, at_us = [], []
    for after, until in itertools.pairwise(looks):
        found = slots_between(EVERY_QUARTER, name, after, until)
        keys += [slot.key for slot in found]
        at_us += [micros(slot.at) for slot in found]
    walls = np.array(keys, "datetime64[us]")
    order = np.argsort(walls, kind="stable")
    asked = (walls[order] >= np.datetime64(first)) & (walls[order] < np.datetime64(last + DAY))
    walls, found_us = walls[order][asked], np.array(at_us, np.int64)[order][asked]
    every = np.arange(np.datetime64(first), np.datetime64(last + DAY), np.timedelta64(15, "m")).astype(walls.dtype)
    assert np.array_equal(walls, every), f"{name}: a slot was found never or twice"
    assert np.array_equal(found_us, offsets(name, first, last).due_us(every.astype(np.int64))), name
    return len(every)


def cron(name: str, change: datetime) -> Counter[str]:
    """What a daily CronTrigger for each slot does over one change of the clocks, two days before to two days behind."""
    where = zone(name)
    middle = change.astimezone(where).date()
    days = {middle + number * DAY for number in range(-2, 3)}
    start = datetime.combine(min(days) - DAY, time(12), UTC)
    counts = Counter(slots=len(days) * len(WALLS))
    for wall in WALLS:
        trigger = CronTrigger(hour=wall.hour, minute=wall.minute, timezone=where)
        fired: Counter[date] = Counter()
        at = trigger.get_next_fire_time(None, start)
        while at is not None and at.astimezone(where).date() <= max(days):
            fired[at.astimezone(where).date()] += at.astimezone(where).time() == wall
            at = trigger.get_next_fire_time(at, at)
        counts["skipped"] += sum(fired[day] == 0 for day in days)
        counts["doubled"] += sum(max(0, fired[day] - 1) for day in days)
    return counts


def alike(names: Sequence[str]) -> list[list[str]]:
    """The zones in groups whose clocks change at the same instants by as much: nothing else of a zone is ever asked."""
    groups: dict[tuple[bytes, bytes], list[str]] = {}
    for name in names:
        clock = offsets(name)
        groups.setdefault((clock.at_us.tobytes(), clock.ahead_us.tobytes()), []).append(name)
    return list(groups.values())


@pytest.mark.parametrize("name", random.Random(5).sample(sorted(zone_names()), 8))
def test_every_slot_of_a_year_is_found_once_at_the_first_instant_the_wall_clock_reaches_it(name: str) -> None:
    assert check(name, date(2026, 1, 1), date(2026, 12, 31), random.Random(name)) == 365 * 96


def test_a_cron_trigger_skips_what_lies_in_a_gap_and_doubles_what_lies_in_a_fold() -> None:
    spring, autumn = offsets("Europe/Prague", date(2026, 1, 1), date(2026, 12, 31)).changes
    assert cron("Europe/Prague", spring)["skipped"] == 4
    assert cron("Europe/Prague", autumn)["doubled"] == 4


@pytest.mark.stress
def test_every_slot_of_seven_years_is_found_once_in_every_zone() -> None:
    """Of zones whose clocks are alike one is looked at day by day."""
    groups, rng, counted = alike(sorted(zone_names())), random.Random(1), 0
    for group in groups:
        counted += check(group[0], FIRST, LAST, rng) * len(group)
    zones = sum(map(len, groups))
    sys.stdout.write(
        f"\n{zone_database()}: {zones} zones of {len(groups)} different clocks, {counted:,} slots, each found once\n"
    )
    assert counted == zones * 2_557 * 96


@pytest.mark.stress
def test_what_cron_triggers_do_over_every_change_of_the_clocks() -> None:
    total, changes, zones = Counter[str](), 0, 0
    for group in alike(sorted(zone_names())):
        for change in offsets(group[0]).changes:
            found = cron(group[0], change)
            total += Counter({kind: number * len(group) for kind, number in found.items()})
        changes += len(offsets(group[0]).changes) * len(group)
        zones += len(group) * bool(offsets(group[0]).changes)
    sys.stdout.write(f"\n{zone_database()}: CronTrigger over {changes:,} changes in {zones} zones: {dict(total)}\n")
    assert total["skipped"] > 0
    assert total["doubled"] > 0

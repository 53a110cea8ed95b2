"""Every local slot fires exactly once, wherever and whenever the clocks change."""

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.alerts import CampaignRow
from data.clock import zone, zone_names
from scheduler import slots
from scheduler.slots import due, slots_between, slots_of_day

QUARTERS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 24 * 60, 15))
EVERY_QUARTER = CampaignRow(id=1, key="all", name="All", local_times=QUARTERS)
MORNING = CampaignRow(id=1, key="morning", name="Morning", local_times=("07:30",), weekdays=(0, 1, 2, 3, 4))
STRANGE = [
    "Africa/Casablanca",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
]


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants, to the hour, at which a zone's offset changes from 2024 to 2030."""
    where, at, end = zone(name), datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    found = []
    while at < end:
        after = at + timedelta(hours=24)
        if at.astimezone(where).utcoffset() != after.astimezone(where).utcoffset():
            found.append(at)
        at = after
    return tuple(found)


def fired(name: str, start: datetime, step: timedelta, count: int) -> list[slots.Slot]:
    """What consecutive ticks find."""
    found = []
    for number in range(count):
        found += slots_between(EVERY_QUARTER, name, start + number * step, start + (number + 1) * step)
    return found


@pytest.mark.parametrize("name", [*STRANGE, *random.Random(7).sample(sorted(zone_names()), 20)])
def test_each_quarter_hour_fires_once_over_every_change_of_the_clocks(name: str) -> None:
    where, step = zone(name), timedelta(hours=13, seconds=17)
    for change in changes(name) or (datetime(2026, 6, 1, tzinfo=UTC),):
        start = change - timedelta(hours=25)
        found = fired(name, start, step, 6)
        first = start.astimezone(where).date() + timedelta(days=1)
        last = (start + 6 * step).astimezone(where).date() - timedelta(days=1)
        wanted = [
            f"{first + timedelta(days=day)}T{wall}" for day in range((last - first).days + 1) for wall in QUARTERS
        ]
        inside = [slot.key for slot in found if f"{first}" <= slot.key[:10] <= f"{last}"]
        assert sorted(inside) == wanted, change
        assert [slot.at for slot in found] == sorted(slot.at for slot in found)
        for slot in found:
            wall = slot.at.astimezone(where)
            # In a gap there is no such wall time: the clocks stand behind it.
            assert f"{wall:%Y-%m-%dT%H:%M}" >= slot.key


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(zone_names())),
    st.datetimes(datetime(2024, 1, 2), datetime(2030, 12, 20), timezones=st.just(UTC)),
    st.lists(st.integers(1, 200_000), min_size=1, max_size=12),
)
def test_however_ticks_fall_a_window_is_the_sum_of_its_parts(name: str, start: datetime, steps_s: list[int]) -> None:
    ends = [start]
    for step_s in steps_s:
        ends.append(ends[-1] + timedelta(seconds=step_s))
    parts = [
        slot for after, until in itertools.pairwise(ends) for slot in slots_between(EVERY_QUARTER, name, after, until)
    ]
    assert parts == slots_between(EVERY_QUARTER, name, start, ends[-1])


def test_weekdays_are_those_of_the_local_date() -> None:
    sunday_evening = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)  # Monday 07:00 in Kiritimati
    found = slots_between(MORNING, "Pacific/Kiritimati", sunday_evening, sunday_evening + timedelta(hours=1))
    assert [slot.key for slot in found] == ["2026-03-02T07:30"]
    assert slots_of_day(MORNING, date(2026, 3, 1), "UTC") == []


def test_slots_older_than_the_catch_up_are_missed_and_the_latest_is_planned() -> None:
    often = CampaignRow(id=1, key="often", name="Often", local_times=("06:00", "09:00", "11:00"), catch_up_s=10_800)
    now = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    found = due(often, ["UTC"], after=now - timedelta(hours=12), now=now)
    assert (found.slots["UTC"].key, found.missed) == ("2026-03-02T11:00", {"UTC": 2})
    late = due(often, ["UTC"], after=now - timedelta(hours=12), now=now + timedelta(hours=4))
    assert (late.slots, late.missed) == ({}, {"UTC": 3})


def test_the_day_ahead_is_the_next_with_slots() -> None:
    assert slots.day_ahead(MORNING, date(2026, 3, 7)) == date(2026, 3, 9)  # Saturday -> Monday
    assert slots.day_ahead(MORNING, date(2026, 3, 9)) == date(2026, 3, 9)


def test_jitter_is_never_the_stroke_itself_nor_too_late_and_always_the_same() -> None:
    jittery = CampaignRow(id=1, key="j", name="J", jitter_s=420)
    slot = slots.Slot("2026-03-02T07:30", datetime(2026, 3, 2, 7, 30, tzinfo=UTC))
    found = [slots.jitter(jittery, slot, f"r{number}") for number in range(4_000)]
    assert min(found) == timedelta(seconds=121)  # the quarter of an hour is left to everybody else
    assert max(found) == timedelta(seconds=420)
    assert found == [slots.jitter(jittery, slot, f"r{number}") for number in range(4_000)]
    assert slots.jitter(MORNING, slot, "r1") == timedelta(0)


@given(
    minute=st.integers(0, 24 * 60 - 1), jitter_s=st.integers(1, 7_200), name=st.sampled_from(["jitter_s", "spread_s"])
)
def test_nothing_but_breaking_news_leaves_about_a_quarter_of_an_hour(minute: int, jitter_s: int, name: str) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=minute)
    free = slots.free_seconds(CampaignRow(id=1, key="j", name="J", **{name: jitter_s}), at)  # type: ignore[arg-type]
    phase = (at.timestamp() + free) % 900
    assert len(free) > 0
    assert ((phase > 120) & (phase < 780)).all()
    assert (free <= max(jitter_s, 900)).all()
    urgent = slots.free_seconds(CampaignRow(id=1, key="b", name="B", kind="breaking", jitter_s=jitter_s), at)
    assert urgent.tolist() == list(range(1, jitter_s + 1))

"""Local slots: exactly one instant for every local date, in every zone."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import FixedClock, instant, is_quiet, local_slot_at, micros, parse_instant, zone, zone_names
from data.errors import InvalidInput, InvalidTime

ZONES = sorted(zone_names())
days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
slots = st.times().map(lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0))


@given(st.sampled_from(ZONES), days, slots)
def test_a_slot_of_a_later_date_is_later_in_every_zone(name: str, day: date, slot: time) -> None:
    assert local_slot_at(day, slot, name) < local_slot_at(day + timedelta(days=2), slot, name)


@given(st.sampled_from(ZONES), days, slots)
def test_a_slot_reads_as_its_wall_time_unless_the_clocks_jumped_over_it(name: str, day: date, slot: time) -> None:
    at = local_slot_at(day, slot, name)
    wall = at.astimezone(zone(name)).replace(tzinfo=None)
    wanted = datetime.combine(day, slot)
    if wall != wanted:
        assert wall > wanted
        just_before = (at - timedelta(seconds=1)).astimezone(zone(name)).replace(tzinfo=None)
        assert just_before < wanted


def test_a_gap_means_the_first_valid_instant() -> None:
    assert local_slot_at(date(2026, 3, 29), time(2, 30), "Europe/Prague") == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_fold_means_the_first_of_the_two() -> None:
    assert local_slot_at(date(2026, 10, 25), time(2, 30), "Europe/Prague") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_still_has_its_slot() -> None:
    at = local_slot_at(date(2011, 12, 30), time(7, 30), "Pacific/Apia")  # Samoa went from the 29th to the 31st
    assert at.astimezone(zone("Pacific/Apia")).date() == date(2011, 12, 31)


@pytest.mark.parametrize(
    ("wall", "quiet"), [("21:59", False), ("22:00", True), ("23:30", True), ("06:59", True), ("07:00", False)]
)
def test_quiet_hours_span_midnight(wall: str, quiet: bool) -> None:
    at = datetime.fromisoformat(f"2026-03-01T{wall}+01:00")
    assert is_quiet(at, "Europe/Prague", time(22), time(7)) is quiet


def test_equal_ends_mean_no_quiet_hours() -> None:
    assert not is_quiet(datetime(2026, 3, 1, 3, tzinfo=UTC), "UTC", time(7), time(7))


@given(st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_microseconds_keep_an_instant_exactly(at: datetime) -> None:
    assert instant(micros(at)) == at


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01T07:30:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_time_without_an_offset_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidTime, match="offset"):
        parse_instant(text)


def test_an_unknown_zone_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidInput, match="Europe/Prague"):
        zone("Mars/Base")


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock.advance(hours=2)
    with clock.paused_at(datetime(2020, 1, 1, tzinfo=UTC)):
        assert clock.now().year == 2020
    assert clock.now() == datetime(2026, 3, 1, 2, tzinfo=UTC)

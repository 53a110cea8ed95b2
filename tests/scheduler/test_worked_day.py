"""The worked day of the documentation is what the program does today."""

from datetime import date, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def _worked_day() -> ModuleType:
    spec = spec_from_file_location("newsbell_worked_day", DOCS / "worked_day.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def days() -> tuple[ModuleType, Any, Any]:
    """The script, and the two days as it lives them."""
    worked_day = _worked_day()
    return worked_day, worked_day.live(worked_day.SPRING), worked_day.live(worked_day.AUTUMN)


def test_the_worked_day_is_current(days: tuple[ModuleType, Any, Any]) -> None:
    worked_day, spring, autumn = days
    for day in (spring, autumn):
        assert (len(day.zones), len(day.readers)) == (12, 200)
    assert worked_day.page(spring, autumn) == (DOCS / "worked-day.md").read_text(encoding="utf-8")
    for day, name in ((spring, "worked-day"), (autumn, "worked-day-autumn")):
        assert worked_day.picture(day) == (DOCS / "images" / f"{name}.svg").read_text(encoding="utf-8")


def test_a_time_that_is_left_out_or_comes_twice_is_planned_once_for_everybody(
    days: tuple[ModuleType, Any, Any],
) -> None:
    _, spring, autumn = days
    for day, wall, offset_h in ((spring, "02:30", -4), (autumn, "01:30", -4)):
        judged = [one for _, one in day.endings if one.slot == f"{day.span.on}T{wall}"]
        assert sorted(one.reader for one in judged) == sorted(day.readers)
        night = {one.reader: one.send_at for one in judged if one.zone == "America/New_York"}
        assert night
        hour = 3 if day is spring else 1  # after the gap; the first of the two
        for at in night.values():
            local = at + timedelta(hours=offset_h)
            assert (local.hour, local.date()) == (hour, day.span.on)


def test_another_day_is_written_beside_where_it_is_asked_for() -> None:
    span = _worked_day().Span(date(2026, 10, 25))
    zones = ["America/New_York", "Europe/London", "Europe/Prague"]
    assert list(span.changes(zones)) == ["Europe/London", "Europe/Prague"]
    assert span.night(zones) == "01:30"
    assert _worked_day().Span(date(2026, 6, 7)).night(zones) == "02:30"

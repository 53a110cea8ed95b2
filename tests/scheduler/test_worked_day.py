"""The worked day of the documentation is what the program does today."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def _worked_day() -> ModuleType:
    spec = spec_from_file_location("newsbell_worked_day", DOCS / "worked_day.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_worked_day_is_current() -> None:
    worked_day = _worked_day()
    day = worked_day.live()
    assert len(set(day.readers.values())) == 12
    assert len(day.readers) == 200
    assert worked_day.page(day) == (DOCS / "worked-day.md").read_text(encoding="utf-8")
    assert worked_day.picture(day) == (DOCS / "images" / "worked-day.svg").read_text(encoding="utf-8")

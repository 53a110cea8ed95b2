"""docs/ranking.md against the code."""

import re
from dataclasses import fields
from pathlib import Path

from recommender.ranking import Options
from recommender.related import FLOOR
from recommender.rules import Reason
from recommender.signals import SIGNALS
from recommender.snapshot import OPTIONS, SURFACES, WEIGHTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ranking.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_weights_are_those_of_the_code() -> None:
    told = {names(row[0])[0]: dict(zip(SURFACES, map(float, row[-3:]), strict=True)) for row in ROWS if len(row) == 7}
    assert list(told) == list(SIGNALS)
    assert told == {signal: {surface: WEIGHTS[surface][signal] for surface in SURFACES} for signal in SIGNALS}


def test_first_weights_sum_to_one() -> None:
    assert [round(sum(WEIGHTS[surface].values()), 6) for surface in SURFACES] == [1.0] * len(SURFACES)
    assert all(0 <= value <= 1 for weights in WEIGHTS.values() for value in weights.values())


def test_the_options_are_those_of_the_code() -> None:
    told = {names(row[0])[0]: float(row[1]) for row in ROWS if len(row) == 3}
    assert told == {one.name: float(one.default) for one in fields(Options)}  # type: ignore[arg-type]
    assert f"the built-in {FLOOR:.2f}" in PAGE
    assert f"(related lists: {OPTIONS['related'].freshness_scale:g})" in PAGE


def test_every_reason_is_told() -> None:
    told = [name for row in ROWS if len(row) == 2 for name in names(row[0])]
    assert told == [reason.name.lower() for reason in Reason if reason]

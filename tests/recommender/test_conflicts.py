"""Rules that get in each other's way."""

from datetime import UTC, datetime, timedelta

import pytest

from data.values import RuleRow
from recommender.conflicts import conflicts

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rule(
    kind: str, key: str = "a1", *, hours: float | None = 2, after: float = 0, slot: int = 1, on: str = "all"
) -> RuleRow:
    starts_at = AT + timedelta(hours=after)
    ends_at = None if hours is None else starts_at + timedelta(hours=hours)
    return RuleRow(1, kind, on, "article", key, 0.1, slot if kind == "pin" else None, starts_at, ends_at, "ada", "")


def test_two_pins_on_one_slot_meet_while_both_hold() -> None:
    (found,) = conflicts([rule("pin"), rule("pin", "a2", after=1)])
    assert (found.kind, found.from_at, found.until_at) == ("slot", AT + timedelta(hours=1), AT + timedelta(hours=2))


@pytest.mark.parametrize(
    "other",
    [
        rule("pin", "a2", slot=2),
        rule("pin", "a2", after=2),
        rule("boost", "a2"),
        rule("must_show"),
        rule("bury", "a2", hours=None),
    ],
)
def test_these_get_along(other: RuleRow) -> None:
    assert conflicts([rule("pin"), other]) == []


def test_surfaces_keep_rules_apart() -> None:
    assert conflicts([rule("pin", on="push"), rule("pin", "a2", on="for_you")]) == []
    assert len(conflicts([rule("pin", on="all"), rule("pin", "a2", on="for_you")])) == 1


def test_a_block_makes_what_lifts_useless_and_boost_and_bury_cancel() -> None:
    block = rule("block", hours=None)
    assert [one.kind for one in conflicts([block, rule("boost")])] == ["blocked"]
    assert [one.kind for one in conflicts([rule("boost"), rule("bury")])] == ["opposed"]
    assert conflicts([block, rule("block", hours=None)]) == []

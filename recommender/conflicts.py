"""Rules of the desk that get in each other's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from data.values import RuleRow

LIFTS = ("pin", "must_show", "boost")


@dataclass(frozen=True)
class Conflict:
    """Two rules that meet: which, from when until when (None: no end), and what happens."""

    one: RuleRow
    other: RuleRow
    kind: str  # slot, blocked, opposed
    from_at: datetime
    until_at: datetime | None


def conflicts(rules: Sequence[RuleRow]) -> list[Conflict]:
    """Pairs of rules that meet on a surface and in time and cannot both have their way."""
    found = []
    for one, other in combinations(rules, 2):
        kind = _kind(one, other)
        span = _overlap(one, other)
        if kind and span and (one.surface == other.surface or "all" in (one.surface, other.surface)):
            found.append(Conflict(one, other, kind, *span))
    return found


def _kind(one: RuleRow, other: RuleRow) -> str:
    kinds = {one.kind, other.kind}
    same = (one.target, one.target_key) == (other.target, other.target_key)
    if kinds == {"pin"} and (one.slot or 1) == (other.slot or 1) and not same:
        return "slot"
    if same and "block" in kinds and kinds & set(LIFTS):
        return "blocked"
    return "opposed" if same and kinds == {"boost", "bury"} else ""


def _overlap(one: RuleRow, other: RuleRow) -> tuple[datetime, datetime | None] | None:
    from_at = max(one.starts_at, other.starts_at)
    ends = [rule.ends_at for rule in (one, other) if rule.ends_at is not None]
    until_at = min(ends, default=None)
    return None if until_at is not None and until_at <= from_at else (from_at, until_at)

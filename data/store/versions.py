"""Versions of weights: immutable rows and one live pointer a surface."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from data.errors import Conflict, InvalidInput
from data.models import WeightSet
from data.store.audit import note
from data.store.database import table
from data.values import WeightRow

WEIGHTS = table(WeightSet)
HIGHEST_WEIGHT = 1.0  # a weight lies in [0, this]: signals are shares, so more is never needed


def check_weights(weights: Mapping[str, float]) -> None:
    """InvalidInput names a weight outside of its bounds, or says that all are 0."""
    for name, value in weights.items():
        if not 0.0 <= value <= HIGHEST_WEIGHT:
            raise InvalidInput(f"{name}: {value:g} is no weight; use a number from 0 to {HIGHEST_WEIGHT:g}")
    if not any(weights.values()):
        raise InvalidInput("every weight is 0, so nothing could be ranked; give at least one a number")


def publish(
    connection: Connection,
    insert: Callable[[type[WeightSet]], Any],
    surface: str,
    weights: Mapping[str, float],
    options: Mapping[str, float],
    *,
    author: str,
    reason: str,
    now: datetime,
    expected: int | None = None,
) -> WeightRow:
    """The next version of a surface, the pointer to it, and the audit entry, in the caller's transaction.

    Conflict if the live version is not `expected` (0: none yet).
    """
    check_weights(weights)
    before = live(connection, surface)
    if expected is not None and expected != (before.version if before else 0):
        raise Conflict(
            f"version {before.version if before else 0} went live meanwhile; look at what changed, then publish again"
        )
    connection.execute(update(WEIGHTS).where(WEIGHTS.c.surface == surface).values(live=False))
    last = select(func.coalesce(func.max(WEIGHTS.c.version), 0)).where(WEIGHTS.c.surface == surface)
    fields: dict[str, Any] = {
        "surface": surface,
        "version": int(connection.execute(last).scalar_one()) + 1,
        "weights": dict(weights),
        "options": dict(options),
        "live": True,
        "author": author,
        "reason": reason,
        "created_at": now,
    }
    connection.execute(insert(WeightSet).values(**fields))
    made = WeightRow(**fields)
    old, new = changed(before, made)
    old, new = {"version": before.version if before else 0} | old, {"version": made.version} | new
    note(connection, author, "published weights", surface, before=old, after=new, why=reason, now=now)
    return made


def live(connection: Connection, surface: str) -> WeightRow | None:
    """The live version of a surface."""
    row = connection.execute(select(WEIGHTS).where(WEIGHTS.c.surface == surface, WEIGHTS.c.live)).first()
    return weight_row(row) if row else None


def changed(before: WeightRow | None, after: WeightRow | None) -> tuple[dict[str, float], dict[str, float]]:
    """The weights and options that differ, as they were and as they are."""
    old = (before.weights | before.options) if before else {}
    new = (after.weights | after.options) if after else {}
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {n: old[n] for n in names if n in old}, {n: new[n] for n in names if n in new}


def weight_row(row: Row[Any]) -> WeightRow:
    """A row as a value."""
    return WeightRow(**{name: getattr(row, name) for name in WeightRow.__dataclass_fields__})

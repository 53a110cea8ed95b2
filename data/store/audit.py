"""The audit log: every change by a person, written in the transaction of the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from data.models import Change
from data.store.database import Database, table

CHANGES = table(Change)
Fields = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One entry: who changed what, when and why."""

    id: int
    at: datetime
    person: str
    what: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str


def note(
    connection: Connection,
    person: str,
    what: str,
    target: str,
    *,
    now: datetime,
    before: Fields = None,
    after: Fields = None,
    why: str = "",
) -> None:
    """Add an entry inside the caller's transaction: the change and its entry are committed together or not at all.

    Values must be JSON: write instants with `isoformat()`.
    """
    row = {"at": now, "person": person, "what": what, "target": target, "why": why}
    connection.execute(insert(CHANGES).values(**row, before=_plain(before), after=_plain(after)))


def _plain(fields: Fields) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


class Audit(Database):
    """Reading the log. Nothing changes or removes an entry."""

    def note(
        self,
        person: str,
        what: str,
        target: str,
        *,
        now: datetime,
        why: str = "",
        before: Fields = None,
        after: Fields = None,
    ) -> None:
        """Add an entry of its own: a look at a real reader, a command given to the scheduler."""
        with self.transaction() as connection:
            note(connection, person, what, target, now=now, why=why, before=before, after=after)

    def changes(
        self, *, limit: int = 100, search: str = "", target: str = "", before_id: int | None = None
    ) -> list[ChangeRow]:
        """Entries, newest first, whose person, what, target or why holds `search` (case-folded)."""
        query = select(CHANGES).order_by(CHANGES.c.id.desc()).limit(limit)
        if search:
            columns = (CHANGES.c.person, CHANGES.c.what, CHANGES.c.target, CHANGES.c.why)
            query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
        if target:
            query = query.where(CHANGES.c.target == target)
        if before_id is not None:
            query = query.where(CHANGES.c.id < before_id)
        with self.reading() as connection:
            return [
                ChangeRow(**{name: getattr(row, name) for name in ChangeRow.__dataclass_fields__})
                for row in connection.execute(query)
            ]

"""Drafts of weights: what one person is trying, and how it becomes the live version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from data.errors import Conflict, NewsbellError
from data.models import Draft
from data.store.audit import note
from data.store.database import Database, table
from data.store.versions import publish
from data.values import WeightRow

DRAFTS = table(Draft)


@dataclass(frozen=True, slots=True)
class DraftRow:
    """One person's draft of one surface. `base_version` is the live version it began from, 0 for the built-in."""

    id: int
    surface: str
    author: str
    base_version: int
    weights: dict[str, float]
    options: dict[str, float]
    reason: str
    publish_at: datetime | None
    updated_at: datetime


class Drafts(Database):
    """One draft a person and surface."""

    def drafts(self, surface: str | None = None) -> list[DraftRow]:
        """Every draft, the newest first."""
        query = select(DRAFTS).order_by(DRAFTS.c.updated_at.desc())
        with self.reading() as connection:
            rows = connection.execute(query if surface is None else query.where(DRAFTS.c.surface == surface))
            return [_draft_row(row) for row in rows]

    def draft(self, surface: str, author: str) -> DraftRow | None:
        """Somebody's draft of a surface."""
        with self.reading() as connection:
            row = _find(connection, surface, author)
        return _draft_row(row) if row else None

    def save_draft(
        self,
        surface: str,
        author: str,
        *,
        base_version: int,
        weights: Mapping[str, float],
        options: Mapping[str, float],
        now: datetime,
    ) -> None:
        """Write somebody's draft whole; what was scheduled with the old one is off."""
        values = {"base_version": base_version, "weights": dict(weights), "options": dict(options), "reason": ""}
        with self.transaction() as connection:
            made = self.insert(Draft).values(surface=surface, author=author, publish_at=None, updated_at=now, **values)
            kept = {name: made.excluded[name] for name in (*values, "publish_at", "updated_at")}
            connection.execute(made.on_conflict_do_update(index_elements=["surface", "author"], set_=kept))

    def discard_draft(self, surface: str, author: str) -> None:
        """Remove somebody's draft, if there is one."""
        with self.transaction() as connection:
            connection.execute(delete(DRAFTS).where(DRAFTS.c.surface == surface, DRAFTS.c.author == author))

    def publish_draft(self, surface: str, author: str, *, reason: str, now: datetime) -> WeightRow:
        """Make somebody's draft the live version: version, pointer, audit entry and the draft's end in one transaction.

        Conflict if another version went live since the draft began, or the draft is gone.
        """
        with self.transaction() as connection:
            row = _find(connection, surface, author, lock=True)
            if row is None:
                raise Conflict(
                    "this draft was published or discarded meanwhile; look at the live weights and begin anew"
                )
            return self._publish(connection, _draft_row(row), reason, now)

    def schedule_draft(self, surface: str, author: str, *, publish_at: datetime, reason: str, now: datetime) -> None:
        """Let the scheduler publish a draft at an instant; Conflict if the draft is gone."""
        with self.transaction() as connection:
            row = _find(connection, surface, author, lock=True)
            if row is None:
                raise Conflict(
                    "this draft was published or discarded meanwhile; look at the live weights and begin anew"
                )
            change = DRAFTS.update().where(DRAFTS.c.id == row.id)
            connection.execute(change.values(publish_at=publish_at, reason=reason))
            after = {"at": publish_at, "version": f"on {row.base_version}"}
            note(connection, author, "scheduled weights", surface, after=after, why=reason, now=now)

    def publish_due(self, now: datetime) -> list[str]:
        """Publish the drafts whose time has come; one that is out of date stays a draft. Says what was done."""
        due = select(DRAFTS).where(DRAFTS.c.publish_at <= now).order_by(DRAFTS.c.publish_at, DRAFTS.c.id)
        with self.reading() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return []
        said = []
        with self.transaction() as connection:
            for row in connection.execute(due.with_for_update()).all():
                draft = _draft_row(row)
                try:
                    made = self._publish(connection, draft, draft.reason, now)
                    said.append(f"published {draft.surface} {made.version}, scheduled by {draft.author}")
                except NewsbellError as error:
                    connection.execute(DRAFTS.update().where(DRAFTS.c.id == draft.id).values(publish_at=None))
                    note(
                        connection,
                        draft.author,
                        "could not publish as scheduled",
                        draft.surface,
                        why=str(error),
                        now=now,
                    )
                    said.append(f"did not publish {draft.surface}: {error}")
        return said

    def _publish(self, connection: Connection, draft: DraftRow, reason: str, now: datetime) -> WeightRow:
        made = publish(
            connection,
            self.insert,
            draft.surface,
            draft.weights,
            draft.options,
            author=draft.author,
            reason=reason,
            now=now,
            expected=draft.base_version,
        )
        connection.execute(delete(DRAFTS).where(DRAFTS.c.id == draft.id))
        return made


def _find(connection: Connection, surface: str, author: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(DRAFTS).where(DRAFTS.c.surface == surface, DRAFTS.c.author == author)
    return connection.execute(query.with_for_update() if lock else query).first()


def _draft_row(row: Row[Any]) -> DraftRow:
    return DraftRow(**{name: getattr(row, name) for name in DraftRow.__dataclass_fields__})

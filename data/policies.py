"""The newsroom's push policy as versions: draft, publish, restore, each with its audit entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from data.errors import Conflict, InvalidInput, NotFound
from data.models import PolicyDraft, PolicyVersion
from data.store import Store
from data.store.audit import note
from data.store.database import table

VERSIONS, DRAFTS = table(PolicyVersion), table(PolicyDraft)
WHAT = "push policy"
Limits = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A version. `limits` holds what differs from the built-in ones; version 0 is those themselves."""

    version: int
    limits: dict[str, float]
    live: bool = True
    author: str = "newsbell"
    reason: str = "built in"
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyDraftRow:
    """What one person is trying, begun from `base_version`."""

    author: str
    base_version: int
    limits: dict[str, float]
    updated_at: datetime


class Policies:
    """Versions are immutable; whoever changes a limit says why. Limits are checked by `recommender.push_policy`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def live(self) -> PolicyRow:
        """The version in force."""
        with self.store.reading() as connection:
            return _live(connection)

    def get(self, version: int) -> PolicyRow:
        """One version; NotFound if there is none of that number."""
        if version == 0:
            return PolicyRow(0, {}, live=self.live().version == 0)
        with self.store.reading() as connection:
            row = connection.execute(select(VERSIONS).where(VERSIONS.c.version == version)).first()
        if row is None:
            raise NotFound(f"no policy version {version}; `newsbell policy history` lists those there are")
        return _row(row)

    def history(self) -> list[PolicyRow]:
        """Every version, the newest first, the built-in one last."""
        with self.store.reading() as connection:
            found = [_row(row) for row in connection.execute(select(VERSIONS).order_by(VERSIONS.c.version.desc()))]
        return [*found, PolicyRow(0, {}, live=not any(one.live for one in found))]

    def publish(self, limits: Limits, *, by: str, reason: str, now: datetime, expected: int | None = None) -> PolicyRow:
        """The next version, in force at once. Conflict if the one in force is not `expected`; a reason is required."""
        with self.store.transaction() as connection:
            return self._publish(connection, limits, by=by, reason=reason, now=now, expected=expected)

    def restore(self, version: int, *, by: str, reason: str, now: datetime) -> PolicyRow:
        """An old version's limits as a new version."""
        return self.publish(self.get(version).limits, by=by, reason=reason or f"version {version} again", now=now)

    # --- drafts ---

    def draft(self, author: str) -> PolicyDraftRow | None:
        """Somebody's draft."""
        with self.store.reading() as connection:
            row = connection.execute(select(DRAFTS).where(DRAFTS.c.author == author)).first()
        return PolicyDraftRow(row.author, row.base_version, dict(row.limits), row.updated_at) if row else None

    def save_draft(self, limits: Limits, *, by: str, now: datetime, base_version: int | None = None) -> None:
        """Write somebody's draft whole; it begins from the live version unless said otherwise."""
        with self.store.transaction() as connection:
            base = _live(connection).version if base_version is None else base_version
            values = {"base_version": base, "limits": dict(limits), "updated_at": now}
            made = self.store.insert(PolicyDraft).values(author=by, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["author"], set_=values))

    def discard_draft(self, author: str) -> None:
        """Remove somebody's draft, if there is one."""
        with self.store.transaction() as connection:
            connection.execute(delete(DRAFTS).where(DRAFTS.c.author == author))

    def publish_draft(self, *, by: str, reason: str, now: datetime) -> PolicyRow:
        """Somebody's draft as the next version; Conflict if another went live since it began, or it is gone."""
        with self.store.transaction() as connection:
            row = connection.execute(select(DRAFTS).where(DRAFTS.c.author == by).with_for_update()).first()
            if row is None:
                raise Conflict("this draft is gone; begin another")
            made = self._publish(connection, row.limits, by=by, reason=reason, now=now, expected=row.base_version)
            connection.execute(delete(DRAFTS).where(DRAFTS.c.author == by))
            return made

    def _publish(
        self, connection: Connection, limits: Limits, *, by: str, reason: str, now: datetime, expected: int | None
    ) -> PolicyRow:
        if not reason.strip():
            raise InvalidInput("say why: a policy without a reason helps nobody later")
        before = _live(connection)
        if expected is not None and expected != before.version:
            raise Conflict(f"policy version {before.version} went live meanwhile; look at it, then publish again")
        connection.execute(update(VERSIONS).where(VERSIONS.c.live).values(live=False))
        last = int(connection.execute(select(func.coalesce(func.max(VERSIONS.c.version), 0))).scalar_one())
        made = PolicyRow(last + 1, dict(limits), author=by, reason=reason, created_at=now)
        fields = {name: getattr(made, name) for name in PolicyRow.__dataclass_fields__}
        connection.execute(self.store.insert(PolicyVersion).values(**fields))
        old, new = _changed(before, made)
        note(connection, by, "published", WHAT, before=old, after=new, why=reason, now=now)
        return made


def _live(connection: Connection) -> PolicyRow:
    row = connection.execute(select(VERSIONS).where(VERSIONS.c.live)).first()
    return _row(row) if row else PolicyRow(0, {})


def _row(row: Row[Any]) -> PolicyRow:
    fields = {name: getattr(row, name) for name in PolicyRow.__dataclass_fields__}
    return PolicyRow(**fields | {"limits": dict(row.limits)})


def _changed(before: PolicyRow, after: PolicyRow) -> tuple[dict[str, float], dict[str, float]]:
    old, new = before.limits, after.limits
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    first, second = ({n: one[n] for n in names if n in one} for one in (old, new))
    return {"version": before.version, **first}, {"version": after.version, **second}

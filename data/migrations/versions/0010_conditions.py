"""SQLite's conditions on a delivery's state as comparisons: it builds the list of `in (...)` anew for every row it
changes by itself, and looks through it for every other, which cost more than writing the row"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TOLD = ("held", "ready", "sending", "sent", "unknown")
ALL = ("held", "ready", "sending", "sent", "gone", "failed", "unknown", "cancelled", "expired", "suppressed")
FIRST = ("sending", "sent")  # nearly every change


def upgrade() -> None:
    _replace([(_listed(states), _compared(states)) for states in (ALL, TOLD)])


def downgrade() -> None:
    _replace([(_compared(states), _listed(states)) for states in (ALL, TOLD)])


def _listed(states: tuple[str, ...]) -> str:
    return f"state in ({', '.join(repr(one) for one in states)})"


def _compared(states: tuple[str, ...]) -> str:
    return " or ".join(f"state = {one!r}" for one in sorted(states, key=lambda one: one not in FIRST))


def _replace(pairs: list[tuple[str, str]]) -> None:
    """In the table's text alone: rows do not change with it (sqlite.org/lang_altertable.html, section 7)."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return  # PostgreSQL compiles the list once
    run = connection.exec_driver_sql
    version = int(run("pragma schema_version").scalar_one())
    run("pragma writable_schema = on")
    try:
        with connection.begin_nested():
            for before, after in pairs:
                run(
                    "update sqlite_master set sql = replace(sql, ?, ?) where type = 'table' and name = 'delivery'",
                    (before, after),
                )
            run(f"pragma schema_version = {version + 1}")
    except sa.exc.DatabaseError:
        pass  # a SQLite that guards its schema: everything stays true, only slower
    finally:
        run("pragma writable_schema = off")

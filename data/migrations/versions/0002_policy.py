"""policy versions, ticks, and what campaigns, plans and deliveries know beyond the first tables"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from data.columns import BigKey, Json, UtcTime

revision = "0002"
down_revision = "0001"

TOLD = "state in ('held', 'ready', 'sending', 'sent', 'unknown')"
SAID = "state <> 'failed'"


def _text(name: str, default: str = "") -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=False, server_default=default)


def _number(name: str, default: int = 0) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=str(default))


def _added() -> dict[str, tuple[sa.Column[Any], ...]]:
    """New columns. No table is made anew: on SQLite that drops the old one, and with it every row that refers to it."""
    return {
        "campaign": (
            _number("level", 3),
            sa.Column("audience", Json, nullable=False, server_default="{}"),
            *(_text("collapse_key"), _text("send_time", "local_time"), _number("best_within_h", 1)),
            *(_number("spread_s"), _number("every_s", 900)),
        ),
        "plan": (
            *(_number("policy_version"), _text("zone_version"), _text("state", "done")),
            *(_number("readers_due"), _number("readers_done")),
        ),
        "delivery": (_number("told_no"),),
        "broadcast": (_number("told_no"),),
        "story": (sa.Column("renewed_at", UtcTime(), nullable=True),),
        "alert": (_text("kind", "manual"), _number("level", 3), _text("mode", "at_most_once"), _number("spread_s")),
    }


def upgrade() -> None:
    for name, columns in _added().items():
        for column in columns:
            op.add_column(name, column)
    _told("delivery", "device_id", TOLD, "told_no")
    _told("broadcast", "topic", SAID, "told_no")
    opens: dict[str, Any] = {name: sa.text("kind = 'push_open'") for name in ("sqlite_where", "postgresql_where")}
    op.create_index("ix_event_push_open", "event", ["reader_id", "at"], **opens)
    op.create_table(
        "policy",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("limits", Json, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy")),
        sa.UniqueConstraint("version", name=op.f("uq_policy_version")),
    )
    live: dict[str, Any] = {"sqlite_where": sa.text("live"), "postgresql_where": sa.text("live")}
    op.create_index("uq_policy_live", "policy", ["live"], unique=True, **live)
    op.create_table(
        "policy_draft",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("limits", Json, nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_draft")),
        sa.UniqueConstraint("author", name=op.f("uq_policy_draft_author")),
    )
    op.create_table(
        "tick",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tick_us", BigKey, autoincrement=False, nullable=False),
        sa.Column("fence", BigKey, nullable=False),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "tick_us", name=op.f("pk_tick")),
    )
    op.create_index(op.f("ix_tick_begun_at"), "tick", ["begun_at"])


def downgrade() -> None:
    for name in ("tick", "policy_draft", "policy"):
        op.drop_table(name)
    op.drop_index("ix_event_push_open", table_name="event")
    _told("broadcast", "topic", SAID)
    _told("delivery", "device_id", TOLD)
    for name, columns in _added().items():
        for column in columns:
            op.drop_column(name, column.name)


def _told(name: str, whom: str, where: str, *more: str) -> None:
    """The key of the story ledger, made anew."""
    op.drop_index(f"uq_{name}_told", table_name=name)
    only: dict[str, Any] = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    op.create_index(f"uq_{name}_told", name, [whom, "story_id", "update_no", *more], unique=True, **only)

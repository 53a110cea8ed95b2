"""what waits and what was claimed in tables of their own, so that sending a delivery rewrites none of its indexes"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from data.columns import BigKey, Json, UtcTime

revision = "0009"
down_revision = "0008"

TOLD = "state in ('held', 'ready', 'sending', 'sent', 'unknown')"
ONE_JSON = {"sqlite": "json_group_array(id)", "postgresql": "jsonb_agg(id)"}


def upgrade() -> None:
    _say_who_is_told()
    op.drop_index("ix_delivery_state_campaign_id_not_before_at", table_name="delivery")
    op.drop_index("ix_delivery_campaign_id", table_name="delivery")  # the unique key begins with it, too
    op.create_table(
        "waiting",
        sa.Column("campaign_id", BigKey, autoincrement=False, nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("not_before_at", UtcTime(), nullable=False),
        sa.Column("delivery_id", BigKey, autoincrement=False, nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "is_held", "not_before_at", "delivery_id", name=op.f("pk_waiting")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claimed",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("lease_until", UtcTime(), nullable=False),
        sa.Column("delivery_ids", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claimed")),
    )
    op.create_index(op.f("ix_claimed_lease_until"), "claimed", ["lease_until"])
    op.execute(
        "insert into waiting (campaign_id, is_held, not_before_at, delivery_id, expires_at)"
        " select campaign_id, state = 'held', not_before_at, id, expires_at from delivery"
        " where state in ('held', 'ready')"
    )
    op.execute(
        f"insert into claimed (lease_until, delivery_ids) select max(lease_until), {ONE_JSON[_dialect()]}"  # noqa: S608
        " from delivery where state = 'sending' having count(*) > 0"
    )
    if _dialect() == "postgresql":  # room on each page for what its rows become: else they move, with all index entries
        op.execute("alter table delivery set (fillfactor = 45)")


def downgrade() -> None:
    if _dialect() == "postgresql":
        op.execute("alter table delivery reset (fillfactor)")
    op.drop_index("ix_claimed_lease_until", table_name="claimed")
    op.drop_table("claimed")
    op.drop_table("waiting")
    op.create_index("ix_delivery_campaign_id", "delivery", ["campaign_id"])
    op.create_index(
        "ix_delivery_state_campaign_id_not_before_at", "delivery", ["state", "campaign_id", "not_before_at"]
    )
    _key(TOLD)
    op.drop_column("delivery", "is_told")


def _say_who_is_told() -> None:
    """A column that changes only where a message ends without having reached anybody; the key goes by it."""
    # Null at first: SQLite adds a condition only to rows that fulfil it.
    op.execute(
        "alter table delivery add column is_told boolean"
        f" constraint ck_delivery_told check (is_told is null or is_told = ({TOLD}))"
    )
    op.execute(f"update delivery set is_told = ({TOLD})")  # noqa: S608  a constant
    _key("is_told")


def _key(where: str) -> None:
    """The key of the story ledger, made anew."""
    op.drop_index("uq_delivery_told", table_name="delivery")
    only: dict[str, Any] = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    columns = ["device_id", "story_id", "update_no", "told_no"]
    op.create_index("uq_delivery_told", "delivery", columns, unique=True, **only)


def _dialect() -> str:
    return str(op.get_bind().dialect.name)

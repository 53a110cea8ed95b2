"""experiments, and which version chose each place of an interleaved list"""

import sqlalchemy as sa
from alembic import op

from data.columns import BigKey, Json, UtcTime

revision = "0006"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("surface", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("first_bucket", sa.Integer(), nullable=False),
        sa.Column("buckets", sa.Integer(), nullable=False),
        sa.Column("arms", Json, nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("guardrails", Json, nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("stopped_at", UtcTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("kind in ('split', 'interleave', 'holdout')", name=op.f("ck_experiment_kind")),
        sa.CheckConstraint("state in ('running', 'stopped', 'ended')", name=op.f("ck_experiment_state")),
        sa.CheckConstraint(
            "first_bucket >= 0 and buckets > 0 and first_bucket + buckets <= 1000", name=op.f("ck_experiment_buckets")
        ),
        sa.CheckConstraint("ends_at > starts_at and days > 0", name=op.f("ck_experiment_ends")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        sa.UniqueConstraint("key", name=op.f("uq_experiment_key")),
    )
    op.add_column("served", sa.Column("teams", Json, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("served", schema=None) as batch_op:
        batch_op.drop_column("teams")
    op.drop_table("experiment")

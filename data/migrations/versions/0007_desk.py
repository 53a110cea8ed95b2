"""reach targets, stories kept apart, replays, alerts as broadcasts, people of a provider"""

import sqlalchemy as sa
from alembic import op

from data.columns import BigKey, Json, UtcTime

revision = "0007"
down_revision = "0006"
OPEN_REPLAY = sa.text("state in ('todo', 'doing')")
OPEN_TARGET = sa.text("state = 'on'")


def upgrade() -> None:
    op.create_table(
        "replay",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("args", Json, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("result", Json, nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("beat_at", UtcTime(), nullable=True),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.CheckConstraint("kind in ('weights', 'limits')", name=op.f("ck_replay_kind")),
        sa.CheckConstraint("state in ('todo', 'doing', 'done', 'failed', 'stopped')", name=op.f("ck_replay_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay")),
    )
    op.create_index(
        "uq_replay_open", "replay", ["kind"], unique=True, sqlite_where=OPEN_REPLAY, postgresql_where=OPEN_REPLAY
    )
    op.create_table(
        "story_apart",
        sa.Column("one", BigKey, autoincrement=False, nullable=False),
        sa.Column("other", BigKey, autoincrement=False, nullable=False),
        sa.CheckConstraint("one < other", name=op.f("ck_story_apart_order")),
        sa.PrimaryKeyConstraint("one", "other", name=op.f("pk_story_apart")),
    )
    op.create_index(op.f("ix_story_apart_other"), "story_apart", ["other"], unique=False)
    op.create_table(
        "reach_target",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("article_id", BigKey, nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("cap", sa.Float(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("lag", sa.Float(), nullable=False),
        sa.Column("cost_share", sa.Float(), nullable=False),
        sa.Column("cost_opens", sa.Float(), nullable=False),
        sa.Column("steps", Json, nullable=False),
        sa.Column("rule_id", BigKey, nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("stepped_at", UtcTime(), nullable=True),
        sa.CheckConstraint("state in ('on', 'met', 'expired', 'stopped')", name=op.f("ck_reach_target_state")),
        sa.CheckConstraint("share > 0 and share <= 1", name=op.f("ck_reach_target_share")),
        sa.ForeignKeyConstraint(
            ["article_id"], ["article.id"], name=op.f("fk_reach_target_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reach_target")),
    )
    op.create_index(op.f("ix_reach_target_article_id"), "reach_target", ["article_id"], unique=False)
    op.create_index(
        "uq_reach_target_on",
        "reach_target",
        ["article_id"],
        unique=True,
        sqlite_where=OPEN_TARGET,
        postgresql_where=OPEN_TARGET,
    )
    op.add_column("alert", sa.Column("way", sa.String(), nullable=False, server_default="deliveries"))
    op.add_column("alert", sa.Column("broadcast_id", BigKey, nullable=True))
    op.add_column("person", sa.Column("subject", sa.String(length=400), nullable=True))
    op.create_index(op.f("ix_person_subject"), "person", ["subject"], unique=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_person_subject"), "person")
    op.drop_column("person", "subject")
    op.drop_column("alert", "broadcast_id")
    op.drop_column("alert", "way")
    op.drop_table("reach_target")
    op.drop_table("story_apart")
    op.drop_table("replay")

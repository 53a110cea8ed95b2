"""an index that holds all a plan reads of what readers did"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_reader_id_at")
        batch_op.create_index(
            "ix_event_history", ["reader_id", "at", "id", "article_id", "kind", "dwell_s"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_history")
        batch_op.create_index("ix_event_reader_id_at", ["reader_id", "at"], unique=False)

"""from how many readers on an alert of a campaign needs a second person, and as which campaign an alert is sent"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("campaign", sa.Column("approval_above", sa.Integer(), nullable=True))
    op.add_column("alert", sa.Column("sends_as", sa.String(length=200), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("alert", "sends_as")
    op.drop_column("campaign", "approval_above")

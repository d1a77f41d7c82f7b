"""By which key each review was given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the change. Of the reviews that are there already nobody knows the key."""
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key_name", sa.String(length=200), nullable=True))


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.drop_column("key_name")

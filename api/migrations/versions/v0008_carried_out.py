"""Whether the request that an idempotency key came with was carried out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the change."""
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.add_column(sa.Column("carried_out", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.drop_column("carried_out")

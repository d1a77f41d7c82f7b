"""What rows of jobs are sorted and filtered by, apart from the rows themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the change. Chunks that are graded already have no keys; those are made from their rows when somebody asks."""
    op.create_table(
        "job_keys",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_keys_job_id_jobs"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_job_keys_tenant_id_tenants"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_job_keys")),
    )
    with op.batch_alter_table("job_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_keys_tenant_id"), ["tenant_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_table("job_keys")

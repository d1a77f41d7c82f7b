"""Reviews, and the order in which results wait for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("result_id", sa.String(length=32), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("mark", sa.Double(), nullable=False),
        sa.Column("key_points", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["result_id"], ["results.id"], name=op.f("fk_reviews_result_id_results"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_reviews_tenant_id_tenants"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reviews_result_id"), ["result_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_reviews_tenant_id"), ["tenant_id"], unique=False)

    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.add_column(sa.Column("review_count", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("review_worth", sa.Double(), server_default="0", nullable=False))
        batch_op.create_index(
            "ix_results_review_queue", ["tenant_id", "bank_id", "needs_review", "review_count", "review_worth"], unique=False
        )


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.drop_index("ix_results_review_queue")
        batch_op.drop_column("review_worth")
        batch_op.drop_column("review_count")

    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reviews_tenant_id"))
        batch_op.drop_index(batch_op.f("ix_reviews_result_id"))

    op.drop_table("reviews")

"""Results, the items they were held against, and replays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "graded_items",
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_graded_items_tenant_id_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "content_hash", name=op.f("pk_graded_items")),
    )
    op.create_table(
        "replays",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_replays_tenant_id_tenants"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_replays_tenant_id_key")),
    )
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replays_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "results",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_name", sa.String(length=200), nullable=False),
        sa.Column("bank_id", sa.String(length=80), nullable=True),
        sa.Column("item_id", sa.String(length=80), nullable=True),
        sa.Column("item_version", sa.String(length=80), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("attempt_id", sa.String(length=200), nullable=True),
        sa.Column("subject_id", sa.String(length=200), nullable=True),
        sa.Column("candidate_answer", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("mark", sa.Double(), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("grading_ms", sa.Double(), nullable=False),
        sa.Column("replaces_id", sa.String(length=32), nullable=True),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["results.id"], name=op.f("fk_results_replaces_id_results"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_results_tenant_id_tenants"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
    )
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_results_replaces_id"), ["replaces_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_results_tenant_id"), ["tenant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_results_tenant_id_attempt_id"), ["tenant_id", "attempt_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_results_tenant_id_bank_id_item_id"), ["tenant_id", "bank_id", "item_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_results_tenant_id_subject_id"), ["tenant_id", "subject_id"], unique=False)

    op.create_table(
        "replay_names",
        sa.Column("replay_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=210), nullable=False),
        sa.Column("tenant_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["replays.id"], name=op.f("fk_replay_names_replay_id_replays"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_replay_names_tenant_id_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("replay_id", "name", name=op.f("pk_replay_names")),
    )
    with op.batch_alter_table("replay_names", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replay_names_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_replay_names_tenant_id"), ["tenant_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("replay_names", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_replay_names_tenant_id"))
        batch_op.drop_index(batch_op.f("ix_replay_names_name"))

    op.drop_table("replay_names")
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_results_tenant_id_subject_id"))
        batch_op.drop_index(batch_op.f("ix_results_tenant_id_bank_id_item_id"))
        batch_op.drop_index(batch_op.f("ix_results_tenant_id_attempt_id"))
        batch_op.drop_index(batch_op.f("ix_results_tenant_id"))
        batch_op.drop_index(batch_op.f("ix_results_replaces_id"))

    op.drop_table("results")
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_replays_tenant_id"))

    op.drop_table("replays")
    op.drop_table("graded_items")

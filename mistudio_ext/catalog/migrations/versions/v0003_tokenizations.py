"""Tokenizers that are folders of their own, and presets of tokenizations."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let a tokenization do without a model; add the presets."""
    with op.batch_alter_table("tokenizations") as table:
        table.alter_column("model_id", existing_type=sa.Text(), nullable=True)
        table.add_column(sa.Column("tokenizer", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "tokenization_presets",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
    )
    op.create_index("ix_tokenization_presets_name", "tokenization_presets", ["name"], unique=True)

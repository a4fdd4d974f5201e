"""Variants of a model, and whether we put its copy into the Hub's cache."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; what was downloaded before counts as the user's own."""
    op.add_column(
        "models", sa.Column("downloaded", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in ("parent_id", "requested_format", "fallback_reason"):
        op.add_column("models", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("models", sa.Column("measured", sa.JSON(none_as_null=True), nullable=True))

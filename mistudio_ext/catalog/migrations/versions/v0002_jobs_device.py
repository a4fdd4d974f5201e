"""When a job was queued last, and the device that it holds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add ``jobs.device`` and ``jobs.queued_at``."""
    op.add_column("jobs", sa.Column("device", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("queued_at", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE jobs SET queued_at = created_at")

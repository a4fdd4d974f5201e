"""How the files of a dataset were read."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; it stays empty for datasets that were imported before."""
    op.add_column("datasets", sa.Column("options", sa.JSON(none_as_null=True), nullable=True))

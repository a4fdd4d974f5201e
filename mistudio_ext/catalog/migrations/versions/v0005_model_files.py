"""The files of a model as they were when it was registered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; the files of earlier records are looked at when they are next used."""
    op.add_column(
        "models",
        sa.Column("files", sa.JSON(none_as_null=True), nullable=False, server_default="{}"),
    )

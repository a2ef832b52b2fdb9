"""Whether a model knew the scan it read, and whether it was sure.

Every column is empty for what was stored before, and stays so: the tables are append-only. Adding
an empty column touches no row, so their triggers stay as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("reads", "overrides"):
        op.add_column(table, sa.Column("familiarity", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("reads", sa.Column("sure", sa.Boolean(), nullable=True))

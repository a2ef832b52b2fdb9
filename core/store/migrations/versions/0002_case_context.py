"""What lies beside the pixels: frames, regions, corrections; and the case beside the image.

Every column is empty for what was stored before, and stays so: the tables are append-only. Adding
an empty column touches no row, so the triggers of the first migration stay as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and an index on what is looked up."""
    for column in (
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("regions", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("corrections", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("series", sa.String(length=64), nullable=True),
        sa.Column("window", sa.JSON(none_as_null=True), nullable=True),
    ):
        op.add_column("images", column)
    for column in (
        sa.Column("pseudonym", sa.String(length=32), nullable=True),
        sa.Column("context", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("quality", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("override_reason", sa.Text(), nullable=True),
        sa.Column("measures", sa.JSON(none_as_null=True), nullable=True),
    ):
        op.add_column("feedback", column)
    op.create_index(op.f("ix_images_origin"), "images", ["origin"], unique=False)
    op.create_index(op.f("ix_images_series"), "images", ["series"], unique=False)
    op.create_index(op.f("ix_feedback_pseudonym"), "feedback", ["pseudonym"], unique=False)

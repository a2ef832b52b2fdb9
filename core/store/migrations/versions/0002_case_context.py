"""What lies beside the pixels: frames, regions, corrections; the case beside the image; overrides.

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

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


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
    op.create_table(
        "overrides",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_overrides_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(op.f("ix_overrides_image_digest"), "overrides", ["image_digest"], unique=False)
    _refuse_changes()
    op.create_index(op.f("ix_images_origin"), "images", ["origin"], unique=False)
    op.create_index(op.f("ix_images_series"), "images", ["series"], unique=False)
    op.create_index(op.f("ix_feedback_pseudonym"), "feedback", ["pseudonym"], unique=False)


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # The function is the first migration's.
        op.execute(
            "CREATE TRIGGER overrides_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON overrides "
            "FOR EACH STATEMENT EXECUTE FUNCTION overread_append_only()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER overrides_no_{action.lower()} BEFORE {action} ON overrides "
            "BEGIN SELECT RAISE(ABORT, 'overrides is append-only'); END"
        )

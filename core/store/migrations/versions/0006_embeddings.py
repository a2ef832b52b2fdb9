"""What a bundle's network made of an image, by which similar settled cases are found.

Nothing is there for what was stored before: it is made again in the background, from the stored
pixels, for the cases that are settled.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "embeddings",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("bundle_digest", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_embeddings_image_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embeddings")),
        sa.UniqueConstraint(
            "image_digest", "bundle_digest", name=op.f("uq_embeddings_image_digest_bundle_digest")
        ),
    )
    op.create_index(
        "ix_embeddings_bundle_digest_id", "embeddings", ["bundle_digest", "id"], unique=False
    )
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # The function is the first migration's.
        op.execute(
            "CREATE TRIGGER embeddings_no_change BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON embeddings FOR EACH STATEMENT EXECUTE FUNCTION overread_append_only()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER embeddings_no_{action.lower()} "
            f"BEFORE {action} ON embeddings "
            "BEGIN SELECT RAISE(ABORT, 'embeddings is append-only'); END"
        )

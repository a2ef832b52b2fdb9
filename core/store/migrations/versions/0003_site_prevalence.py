"""How common the positives are at a site, and what a read was shown with.

The column is empty for what was stored before, and stays so: nothing but the study's prevalence
stood beside those answers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table and the column."""
    op.add_column("reads", sa.Column("site_prevalence", sa.Double(), nullable=True))
    op.create_table(
        "site_prevalences",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("share > 0 AND share < 1", name=op.f("ck_site_prevalences_share")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_site_prevalences_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_prevalences")),
    )
    op.create_index("ix_site_prevalences_task_id", "site_prevalences", ["task", "id"], unique=False)
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # The function is the first migration's.
        op.execute(
            "CREATE TRIGGER site_prevalences_no_change BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON site_prevalences FOR EACH STATEMENT EXECUTE FUNCTION overread_append_only()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER site_prevalences_no_{action.lower()} "
            f"BEFORE {action} ON site_prevalences "
            "BEGIN SELECT RAISE(ABORT, 'site_prevalences is append-only'); END"
        )

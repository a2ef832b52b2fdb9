"""The first tables: people, images, reads, feedback, labels, events, and where cases stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
# Written out here and not imported: a migration says what it did, whatever the code becomes.
APPEND_ONLY = ("images", "reads", "feedback", "label_entries", "case_events")


def upgrade() -> None:
    """Make the tables, then have the database itself keep what is only ever appended."""
    op.create_table(
        "images",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("case_number", sa.String(length=16), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("spacing_row", sa.Double(), nullable=True),
        sa.Column("spacing_column", sa.Double(), nullable=True),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("channels IN (1, 3)", name=op.f("ck_images_channels")),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_images_size")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_images")),
        sa.UniqueConstraint("case_number", name=op.f("uq_images_case_number")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.create_table(
        "cases",
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("feedback_count", sa.Integer(), nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("last_event_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_cases_image_digest")
        ),
        sa.PrimaryKeyConstraint("image_digest", name=op.f("pk_cases")),
    )
    op.create_index(
        "ix_cases_state_rank_received_at", "cases", ["state", "rank", "received_at"], unique=False
    )
    op.create_table(
        "label_entries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("submission_key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.CheckConstraint("confidence BETWEEN 1 AND 5", name=op.f("ck_label_entries_confidence")),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_label_entries_image_digest")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_label_entries_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_entries")),
        sa.UniqueConstraint("submission_key", name=op.f("uq_label_entries_submission_key")),
    )
    op.create_index(
        op.f("ix_label_entries_image_digest"), "label_entries", ["image_digest"], unique=False
    )
    op.create_index(
        "uq_label_entries_blind",
        "label_entries",
        ["image_digest", "person_id"],
        unique=True,
        sqlite_where=sa.text("stage = 'blind'"),
        postgresql_where=sa.text("stage = 'blind'"),
    )
    op.create_table(
        "reads",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("bundle_digest", sa.String(length=64), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("positive", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("operating_point", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("interval", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("prevalence", sa.Double(), nullable=True),
        sa.Column("heat_class", sa.Text(), nullable=False),
        sa.Column("map_kind", sa.String(length=16), nullable=False),
        sa.Column("controls", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("lesion_threshold", sa.Double(), nullable=True),
        sa.Column("measurements", sa.JSON(), nullable=False),
        sa.Column("explored_threshold", sa.Double(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_reads_image_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reads")),
    )
    op.create_index(op.f("ix_reads_image_digest"), "reads", ["image_digest"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("submission_key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("read_id", NUMBER, nullable=True),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("origin", sa.String(length=16), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("region_image", sa.String(length=64), nullable=True),
        sa.Column("outline_accepted", sa.Boolean(), nullable=False),
        sa.Column("submitted_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(read_id IS NULL) = (verdict IS NULL)", name=op.f("ck_feedback_verdict")
        ),
        sa.CheckConstraint("confidence BETWEEN 1 AND 5", name=op.f("ck_feedback_confidence")),
        sa.CheckConstraint("label IS NULL OR origin IS NOT NULL", name=op.f("ck_feedback_origin")),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_feedback_image_digest")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_feedback_person_id")),
        sa.ForeignKeyConstraint(["read_id"], ["reads.id"], name=op.f("fk_feedback_read_id")),
        sa.ForeignKeyConstraint(
            ["region_image"], ["images.digest"], name=op.f("fk_feedback_region_image")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("submission_key", name=op.f("uq_feedback_submission_key")),
    )
    op.create_index(op.f("ix_feedback_image_digest"), "feedback", ["image_digest"], unique=False)
    op.create_index(
        "ix_feedback_person_id_submitted_at",
        "feedback",
        ["person_id", "submitted_at"],
        unique=False,
    )
    op.create_table(
        "case_events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("image_digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("feedback_id", NUMBER, nullable=True),
        sa.Column("label_entry_id", NUMBER, nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("submission_key", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["feedback_id"], ["feedback.id"], name=op.f("fk_case_events_feedback_id")
        ),
        sa.ForeignKeyConstraint(
            ["image_digest"], ["images.digest"], name=op.f("fk_case_events_image_digest")
        ),
        sa.ForeignKeyConstraint(
            ["label_entry_id"], ["label_entries.id"], name=op.f("fk_case_events_label_entry_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_case_events_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
        sa.UniqueConstraint("submission_key", name=op.f("uq_case_events_submission_key")),
    )
    op.create_index(
        "ix_case_events_image_digest_id", "case_events", ["image_digest", "id"], unique=False
    )

    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _refuse_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION overread_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION overread_append_only()"
        )

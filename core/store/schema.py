"""The tables, as the code knows them; ``migrations`` makes a database look like this.

Append-only tables (:data:`APPEND_ONLY`) hold what people and models said. The database itself
refuses to change or delete their rows, with triggers that the migrations make. ``cases`` is a
projection kept for speed: everything in it can be derived from ``case_events`` and ``feedback``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: always aware and always UTC in Python, on every database.

    SQLite has no time zones, so there the UTC wall clock is stored.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment, which could mean any time zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware UTC moment back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[int]:
    # SQLite counts by itself only in a column whose type is exactly INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _image(**options: Any) -> Column[str]:
    return Column(
        "image_digest", String(64), ForeignKey("images.digest"), nullable=False, **options
    )


def _person() -> Column[str]:
    return Column("person_id", String(64), ForeignKey("people.id"), nullable=False)


people = Table(
    "people",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

#: One row per stored image: an allow-list of geometry, and where its pixels are.
images = Table(
    "images",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("case_number", String(16), nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("modality", String(16), nullable=False),
    Column("spacing_row", Double),
    Column("spacing_column", Double),
    Column("frames", Integer, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("blob", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Empty for what was stored before there were frames, regions and corrections.
    Column("frame", Integer),
    Column("regions", JSON(none_as_null=True)),
    Column("corrections", JSON(none_as_null=True)),
    Column("origin", String(64), index=True),
    Column("notes", JSON(none_as_null=True)),
    Column("series", String(64), index=True),
    Column("window", JSON(none_as_null=True)),
    CheckConstraint("width > 0 AND height > 0", name="size"),
    CheckConstraint("channels IN (1, 3)", name="channels"),
)

#: What a model answered, with everything needed to make the answer again. JSON and not JSONB:
#: the order of the labels is kept.
reads = Table(
    "reads",
    metadata,
    _id(),
    _image(index=True),
    Column("task", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("bundle_digest", String(64), nullable=False),
    Column("probabilities", JSON, nullable=False),
    Column("positive", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("operating_point", Text, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("flagged", Boolean, nullable=False),
    Column("answer", Text, nullable=False),
    Column("interval", JSON(none_as_null=True)),
    Column("prevalence", Double),
    Column("heat_class", Text, nullable=False),
    Column("map_kind", String(16), nullable=False),
    Column("controls", JSON(none_as_null=True)),
    Column("lesion_threshold", Double),
    Column("measurements", JSON, nullable=False),
    Column("explored_threshold", Double),
    Column("created_at", UtcDateTime, nullable=False),
    # The site's own prevalence that stood beside the answer; empty where none was set.
    Column("site_prevalence", Double),
    # Empty for what was stored before a bundle could say so, or by one that cannot.
    Column("familiarity", JSON(none_as_null=True)),
    Column("sure", Boolean),
)

#: What a clinician decided about a scan. Without ``read_id`` no model had answered.
feedback = Table(
    "feedback",
    metadata,
    _id(),
    Column("submission_key", String(64), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False),
    _image(index=True),
    Column("read_id", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("reads.id")),
    _person(),
    Column("task", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("verdict", String(16)),
    Column("label", Text),
    Column("origin", String(16)),
    Column("confidence", Integer),
    Column("problems", JSON, nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Column("regions", JSON, nullable=False),
    Column("region_image", String(64), ForeignKey("images.digest")),
    Column("outline_accepted", Boolean, nullable=False),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("pseudonym", String(32), index=True),
    Column("context", JSON(none_as_null=True)),
    Column("quality", JSON(none_as_null=True)),
    Column("override_reason", Text),
    Column("measures", JSON(none_as_null=True)),
    Index("ix_feedback_person_id_submitted_at", "person_id", "submitted_at"),
    CheckConstraint("confidence BETWEEN 1 AND 5", name="confidence"),
    CheckConstraint("label IS NULL OR origin IS NOT NULL", name="origin"),
    CheckConstraint("(read_id IS NULL) = (verdict IS NULL)", name="verdict"),
)

#: The maps that were on screen when feedback was sent: what made each, and where the map lies.
explanations = Table(
    "explanations",
    metadata,
    _id(),
    Column(
        "feedback_id",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("feedback.id"),
        nullable=False,
        index=True,
    ),
    _image(index=True),
    Column("bundle_digest", String(64), nullable=False),
    Column("method", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("layer", Text),
    Column("parameters", JSON, nullable=False),
    Column("signed", Boolean, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("base_value", Double),
    Column("output", Double),
    # Of the map as it was: what is kept is rounded.
    Column("gap", Double),
    Column("evidence", JSON(none_as_null=True)),
    Column("blob", String(64), nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
)

#: What a reviewer called a case, at which stage.
label_entries = Table(
    "label_entries",
    metadata,
    _id(),
    Column("submission_key", String(64), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False),
    _image(index=True),
    _person(),
    Column("stage", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("regions", JSON, nullable=False),
    Column("entered_at", UtcDateTime, nullable=False),
    CheckConstraint("confidence BETWEEN 1 AND 5", name="confidence"),
    # A person can be blind to an image only once.
    Index(
        "uq_label_entries_blind",
        "image_digest",
        "person_id",
        unique=True,
        sqlite_where=text("stage = 'blind'"),
        postgresql_where=text("stage = 'blind'"),
    ),
)

#: Why somebody let a model read an image that failed its quality check, or looked at its answer to
#: one it does not know; the image itself need not be stored, for nothing is until feedback is sent.
overrides = Table(
    "overrides",
    metadata,
    _id(),
    Column("image_digest", String(64), nullable=False, index=True),
    _person(),
    Column("reason", Text, nullable=False),
    Column("quality", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("familiarity", JSON(none_as_null=True)),
)

#: How common the positives of a task are where the site works, as its administrators said; the
#: newest row of a task counts, and one without a share takes the ones before it back.
site_prevalences = Table(
    "site_prevalences",
    metadata,
    _id(),
    Column("task", String(64), nullable=False),
    Column("share", Double),
    Column("reason", Text, nullable=False),
    _person(),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_site_prevalences_task_id", "task", "id"),
    CheckConstraint("share > 0 AND share < 1", name="share"),
)

#: What a bundle's network made of an image: ``vector`` holds float32 values, little-endian. Each
#: bundle has its own, so that another version makes none of these wrong.
embeddings = Table(
    "embeddings",
    metadata,
    _id(),
    _image(),
    Column("bundle_digest", String(64), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    # Whether the bundle knew the image for a scan; true where it cannot say.
    Column("known", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("image_digest", "bundle_digest"),
    Index("ix_embeddings_bundle_digest_id", "bundle_digest", "id"),
)

#: What happened to a case, in order of ``id``. ``submission_key`` is a comment's own.
case_events = Table(
    "case_events",
    metadata,
    _id(),
    _image(),
    Column("kind", String(16), nullable=False),
    _person(),
    Column("at", UtcDateTime, nullable=False),
    Column("feedback_id", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("feedback.id")),
    Column(
        "label_entry_id",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("label_entries.id"),
    ),
    Column("comment", Text),
    Column("submission_key", String(64), unique=True),
    Index("ix_case_events_image_digest_id", "image_digest", "id"),
)

#: Projection: where each case stands. Rebuilt from the tables above at any time.
cases = Table(
    "cases",
    metadata,
    Column("image_digest", String(64), ForeignKey("images.digest"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("feedback_count", Integer, nullable=False),
    Column("version", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("last_event_at", UtcDateTime, nullable=False),
    Index("ix_cases_state_rank_received_at", "state", "rank", "received_at"),
)

#: Tables whose rows the database refuses to change or delete.
APPEND_ONLY = (
    "images",
    "reads",
    "feedback",
    "explanations",
    "label_entries",
    "case_events",
    "overrides",
    "site_prevalences",
    "embeddings",
)

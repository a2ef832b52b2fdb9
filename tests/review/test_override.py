"""A reason to read an image that fails its quality check is kept before the image is read."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.errors import InvalidFeedback, PermissionDenied, StoreUnavailable
from core.model import Familiarity
from core.review import record_override
from core.store import Store, schema
from core.trust import demo_people

CLINICIAN, REVIEWER, ADMINISTRATOR = demo_people()
DIGEST = "a" * 64
QUALITY = {
    "checks": [
        {"name": "blur", "outcome": "fail", "value": 0.1, "threshold": 0.2, "unit": "ratio",
         "boxes": []},
    ]
}  # fmt: skip


def kept(store: Store) -> list[tuple[str, str, str]]:
    table = schema.overrides
    with store.reading() as connection:
        rows = connection.execute(
            select(table.c.image_digest, table.c.person_id, table.c.reason).order_by(table.c.id)
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("person", [CLINICIAN, ADMINISTRATOR])
def test_a_reason_is_kept_though_nothing_is_ever_sent(store: Store, person) -> None:
    record_override(store, person, DIGEST, QUALITY, "<b>For teaching</b>")
    assert kept(store) == [(DIGEST, person.id, "<b>For teaching</b>")]


def test_who_may_not_read_leaves_no_reason(store: Store) -> None:
    with pytest.raises(PermissionDenied):
        record_override(store, REVIEWER, DIGEST, QUALITY, "I want to know")
    assert kept(store) == []


def test_why_a_picture_was_not_known_is_kept_with_the_reason(store: Store) -> None:
    unknown = Familiarity(False, 2.5, 1.0, "no_scan")
    record_override(store, CLINICIAN, DIGEST, QUALITY, "For teaching", unknown)
    record_override(store, CLINICIAN, DIGEST, QUALITY, "Before it was read")
    table = schema.overrides
    with store.reading() as connection:
        kept_rows = connection.execute(select(table.c.familiarity).order_by(table.c.id)).all()
    assert [row.familiarity for row in kept_rows] == [
        {"known": False, "distance": 2.5, "limit": 1.0, "reason": "no_scan"}, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "unknown",
    [
        Familiarity(False, float("nan"), 1.0, "unlike"),
        Familiarity(True, 0.5, 1.0, "unlike"),
        Familiarity(False, 2.0, 1.0, ""),
        Familiarity(False, 2.0, 1.0, "<b>"),  # type: ignore[arg-type]
    ],
)
def test_a_refusal_that_contradicts_itself_is_not_kept(store: Store, unknown: Familiarity) -> None:
    with pytest.raises(InvalidFeedback):
        record_override(store, CLINICIAN, DIGEST, QUALITY, "For teaching", unknown)
    assert kept(store) == []


@pytest.mark.parametrize(
    ("digest", "quality", "reason"),
    [
        (DIGEST, QUALITY, "  "),
        (DIGEST, QUALITY, "x" * 501),
        (DIGEST, QUALITY, "nul \x00"),
        (DIGEST, {}, "for teaching"),
        ("no digest", QUALITY, "for teaching"),
    ],
)
def test_a_reason_about_nothing_is_refused(store: Store, digest, quality, reason) -> None:
    with pytest.raises(InvalidFeedback):
        record_override(store, CLINICIAN, digest, quality, reason)
    assert kept(store) == []


def test_a_reason_that_could_not_be_kept_is_an_error(store: Store, monkeypatch) -> None:
    def down(*_args, **_options):
        raise StoreUnavailable("The database cannot be reached.")

    monkeypatch.setattr(store, "writing", down)
    with pytest.raises(StoreUnavailable):
        record_override(store, CLINICIAN, DIGEST, QUALITY, "for teaching")

"""Reading and writing the room's rows, inside a transaction of the caller."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, insert, select

from core.errors import CaseNotFound, StateConflict
from core.review._choices import CaseState, EventKind, Origin, Problem, Stage, Urgency, Verdict
from core.review._context import CaseContext
from core.review._convert import plain
from core.review._forms import AIResult, Feedback, ImageFacts, LabelDraft, Polygon
from core.review._views import CaseEvent, CaseFacts, FeedbackEntry, KeptExplanation, LabelEntry
from core.scan import Correction, Note, Region, Window
from core.store import insert_new, schema
from core.text import _
from core.trust import Person

#: A row whose columns the caller knows.
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def fingerprint(*parts: object) -> str:
    """Return one digest of everything typed, to tell a repetition from a changed form."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def same_or_conflict(saved: AnyRow, mark: str) -> None:
    """Let a repetition pass; refuse a key that has been used for something else.

    Raises
    ------
    StateConflict
        Saying "saved" would lose what was changed since.
    """
    if saved.fingerprint != mark:
        raise changed()


def changed() -> StateConflict:
    """Return the refusal of a key that has been used for something else."""
    return StateConflict(
        _("This form was saved before you changed it. The change is not saved; send it anew.")
    )


def draft_mark(person: Person, digest: str, stage: Stage, draft: LabelDraft) -> str:
    """Return the fingerprint of a reviewer's label."""
    return fingerprint(person.id, digest, stage, asdict(draft))


def add_image(connection: Connection, facts: ImageFacts, blob: str, at: datetime) -> None:
    """Append an image unless it is known."""
    row, column = facts.spacing if facts.spacing is not None else (None, None)
    values = {
        "digest": facts.digest,
        "case_number": facts.case_number,
        "width": facts.width,
        "height": facts.height,
        "channels": facts.channels,
        "modality": facts.modality,
        "spacing_row": row,
        "spacing_column": column,
        "frames": facts.frames,
        "synthetic": facts.synthetic,
        "blob": blob,
        "created_at": at,
        "frame": facts.frame,
        "regions": [_region(region) for region in facts.regions] or None,
        "corrections": [correction.to_dict() for correction in facts.corrections] or None,
        "origin": facts.origin,
        "notes": [str(note) for note in facts.notes] or None,
        "series": facts.series,
        "window": None if facts.window is None else asdict(facts.window),
    }
    insert_new(connection, schema.images, values)


def image_facts(row: AnyRow) -> ImageFacts:
    """Return the facts in a row of ``images``."""
    known = row.spacing_row is not None and row.spacing_column is not None
    return ImageFacts(
        digest=row.digest,
        case_number=row.case_number,
        width=row.width,
        height=row.height,
        channels=row.channels,
        modality=row.modality,
        spacing=(row.spacing_row, row.spacing_column) if known else None,
        frames=row.frames,
        synthetic=row.synthetic,
        frame=row.frame or 0,
        series=row.series,
        regions=tuple(_region_of(stored) for stored in row.regions or ()),
        corrections=tuple(Correction.from_dict(stored) for stored in row.corrections or ()),
        origin=row.origin,
        notes=tuple(Note(note) for note in row.notes or ()),
        window=None if row.window is None else Window(**row.window),
    )


def _region(region: Region) -> dict[str, Any]:
    box = [region.left, region.top, region.right, region.bottom]
    return {"box": box, "spacing": None if region.spacing is None else list(region.spacing)}


def _region_of(stored: Mapping[str, Any]) -> Region:
    spacing = stored["spacing"]
    left, top, right, bottom = stored["box"]
    return Region(left, top, right, bottom, None if spacing is None else (spacing[0], spacing[1]))


def find_case(connection: Connection, case_number: str, *, lock: bool = False) -> AnyRow:
    """Return image and standing of a case; with ``lock``, alone until the transaction ends.

    Raises
    ------
    CaseNotFound
        There is no case of this number.
    """
    images, cases = schema.images, schema.cases
    # A number out of an address can be anything; PostgreSQL would refuse to even compare some.
    typed = case_number if case_number.isascii() and case_number.isprintable() else ""
    query = (
        select(images, *[column for column in cases.c if column.name != "image_digest"])
        .join(cases, cases.c.image_digest == images.c.digest)
        .where(images.c.case_number == typed)
    )
    if lock:
        # On SQLite a writing transaction is alone already and this adds nothing.
        query = query.with_for_update(of=cases)
    row = connection.execute(query).first()
    if row is None:
        raise CaseNotFound(_("There is no case with this number. Look it up in the queue."))
    return row


def open_and_lock(connection: Connection, digest: str, urgency: Urgency, at: datetime) -> CaseState:
    """Make sure the case of an image exists, lock it, and return its state."""
    cases = schema.cases
    # Only there to be locked: the standing follows from the events within this transaction.
    placeholder = {
        "image_digest": digest,
        "state": CaseState.OPEN.value,
        "urgency": urgency.value,
        "rank": 0,
        "received_at": at,
        "feedback_count": 0,
        "version": 0,
        "last_event_at": at,
    }
    insert_new(connection, cases, placeholder)
    query = select(cases.c.state).where(cases.c.image_digest == digest).with_for_update()
    return CaseState(connection.execute(query).scalar_one())


def add_event(
    connection: Connection,
    digest: str,
    kind: EventKind,
    person: Person,
    at: datetime,
    **more: Any,
) -> int:
    """Append what happened and return its id."""
    values = {"image_digest": digest, "kind": kind.value, "person_id": person.id, "at": at, **more}
    return _inserted(connection.execute(insert(schema.case_events).values(**values)))


def add_read(connection: Connection, result: AIResult, at: datetime) -> int:
    """Append a model's answer and return its id."""
    values = asdict(result) | {"created_at": at, "measurements": list(result.measurements)}
    return _inserted(connection.execute(insert(schema.reads).values(**values)))


def add_feedback(
    connection: Connection,
    person: Person,
    form: Feedback,
    *,
    read_id: int | None,
    mark: str,
    at: datetime,
) -> int:
    """Append a form and return its id."""
    values = (
        form_values(form)
        | beside_values(form)
        | {
            "submission_key": form.submission_key,
            "fingerprint": mark,
            "image_digest": form.image.digest,
            "read_id": read_id,
            "person_id": person.id,
            "region_image": form.region_image if form.regions else None,
            "submitted_at": at,
        }
    )
    return _inserted(connection.execute(insert(schema.feedback).values(**values)))


def form_values(form: Feedback) -> dict[str, Any]:
    """Return what a person entered in a form, as it is stored."""
    return {
        "task": form.task,
        "labels": list(form.labels),
        "verdict": form.verdict,
        "label": form.label,
        "origin": form.origin,
        "confidence": form.confidence,
        "problems": [str(problem) for problem in form.problems],
        "urgency": form.urgency,
        "comment": form.comment,
        "regions": form.regions,
        "outline_accepted": form.outline_accepted,
    }


def beside_values(form: Feedback) -> dict[str, Any]:
    """Return what stands beside the answer of a form, as it is stored; None for what does not."""
    context = form.context
    return {
        "pseudonym": None if context is None else context.pseudonym or None,
        # An empty one takes back what was said before; none says nothing.
        "context": None if context is None else context.to_dict(),
        "quality": None if form.quality is None else plain(form.quality),
        "override_reason": form.override_reason or None,
        "measures": plain(form.measures) or None,
    }


def add_label(
    connection: Connection,
    digest: str,
    person: Person,
    draft: LabelDraft,
    *,
    stage: Stage,
    key: str,
    mark: str,
    at: datetime,
) -> int:
    """Append a reviewer's label and return its id."""
    values = asdict(draft) | {
        "submission_key": key,
        "fingerprint": mark,
        "image_digest": digest,
        "person_id": person.id,
        "stage": stage.value,
        "entered_at": at,
    }
    return _inserted(connection.execute(insert(schema.label_entries).values(**values)))


def label_entries(connection: Connection, *where: Any) -> tuple[LabelEntry, ...]:
    """Return the labels that fit, oldest first."""
    rows = connection.execute(_with_name(schema.label_entries, *where))
    return tuple(
        LabelEntry(
            id=row.id,
            person_id=row.person_id,
            person_name=row.person_name,
            stage=Stage(row.stage),
            label=row.label,
            origin=Origin(row.origin),
            confidence=row.confidence,
            comment=row.comment,
            regions=_polygons(row.regions),
            entered_at=row.entered_at,
        )
        for row in rows
    )


def case_events(connection: Connection, *where: Any) -> tuple[CaseEvent, ...]:
    """Return the events that fit, oldest first."""
    rows = connection.execute(_with_name(schema.case_events, *where))
    return tuple(
        CaseEvent(
            id=row.id,
            kind=EventKind(row.kind),
            person_id=row.person_id,
            person_name=row.person_name,
            at=row.at,
            comment=row.comment,
        )
        for row in rows
    )


def feedback_entries(
    connection: Connection, digest: str, kept: Mapping[int, tuple[KeptExplanation, ...]]
) -> tuple[FeedbackEntry, ...]:
    """Return the feedback on an image, oldest first, each with the AI's answer of the time.

    ``kept`` are the explanations by the feedback they were sent with.
    """
    reads = connection.execute(select(schema.reads).where(schema.reads.c.image_digest == digest))
    results = {row.id: _ai_result(row._asdict()) for row in reads}
    rows = connection.execute(_with_name(schema.feedback, schema.feedback.c.image_digest == digest))
    return tuple(
        FeedbackEntry(
            id=row.id,
            person_id=row.person_id,
            person_name=row.person_name,
            ai=None if row.read_id is None else results[row.read_id],
            verdict=None if row.verdict is None else Verdict(row.verdict),
            label=row.label,
            origin=None if row.origin is None else Origin(row.origin),
            confidence=row.confidence,
            problems=tuple(Problem(problem) for problem in row.problems),
            urgency=Urgency(row.urgency),
            comment=row.comment,
            regions=_polygons(row.regions),
            outline_accepted=row.outline_accepted,
            submitted_at=row.submitted_at,
            context=context_of(row),
            quality=row.quality,
            override_reason=row.override_reason or "",
            measures=tuple(row.measures or ()),
            explanations=kept.get(row.id, ()),
        )
        for row in rows
    )


def context_of(row: AnyRow) -> CaseContext | None:
    """Return the context in a row of ``feedback``; None where none was given."""
    if row.context is None:
        return None
    return CaseContext.from_dict(row.context, row.pseudonym or "")


def case_facts(connection: Connection, digest: str) -> CaseFacts:
    """Return what is no opinion of the newest context given with an image."""
    feedback = schema.feedback
    query = (
        select(feedback.c.context)
        .where(feedback.c.image_digest == digest, feedback.c.context.is_not(None))
        .order_by(feedback.c.id.desc())
        .limit(1)
    )
    stored = connection.execute(query).scalar()
    if stored is None:
        return CaseFacts()
    context = CaseContext.from_dict(stored)
    return CaseFacts(context.age, context.laterality, context.clock, context.distance_mm)


def labels_offered(connection: Connection, digest: str) -> tuple[str, ...]:
    """Return the classes of the questions that were asked about an image, in their order."""
    query = (
        select(schema.feedback.c.labels)
        .where(schema.feedback.c.image_digest == digest)
        .order_by(schema.feedback.c.id)
    )
    names: dict[str, None] = {}
    for labels in connection.scalars(query):
        names.update(dict.fromkeys(labels))
    return tuple(names)


def _with_name(table: Any, *where: Any) -> Select[Any]:
    people = schema.people
    return (
        select(table, people.c.name.label("person_name"))
        .join(people, people.c.id == table.c.person_id)
        .where(*where)
        .order_by(table.c.id)
    )


def _ai_result(row: dict[str, Any]) -> AIResult:
    values = {key: value for key, value in row.items() if key not in ("id", "created_at")}
    return AIResult(**values | {"measurements": tuple(values["measurements"])})


def _polygons(stored: Iterable[Iterable[Iterable[float]]]) -> tuple[Polygon, ...]:
    return tuple(tuple((x, y) for x, y in polygon) for polygon in stored)


def _inserted(result: Any) -> int:
    return int(result.inserted_primary_key[0])

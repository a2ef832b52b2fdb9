"""One case in review: read blind, then see, revise, comment, close.

Rules of the room
-----------------
* Nobody sees an answer before their own blind read is saved, administrators included: they hold
  no ``REVIEW``, so they have no blind read and nothing is revealed to them.
* Four eyes: whoever sent feedback on an image can neither open its case for review nor act on it.
* A person is blind to an image once. After a reopening their first blind read still counts, and
  they may reveal at once.
* Several people may read one case blind; what each says is kept. Only closing (and revising)
  demands that the case stands as the person saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from core.errors import InvalidFeedback, StateConflict
from core.review import _check, _rows, _rules
from core.review._choices import CaseState, EventKind, Stage, Urgency
from core.review._explanations import kept_with
from core.review._forms import LabelDraft
from core.review._projection import project
from core.review._rows import AnyRow
from core.review._views import CaseEvent, CaseView, Label, LabelEntry, Revealed
from core.store import schema
from core.text import _
from core.trust import Permission, Person, remember, require

if TYPE_CHECKING:
    from core.store import Store

_EVENTS = {
    Stage.BLIND: EventKind.BLIND_READ,
    Stage.REVISED: EventKind.REVISED,
    Stage.FINAL: EventKind.CLOSED,
}


def open_case(store: Store, person: Person, case_number: str) -> CaseView:
    """Return what ``person`` may see before reading: the image, and nobody's answer.

    Raises
    ------
    PermissionDenied
        The role does not review, or the person sent feedback on this case.
    CaseNotFound
        There is no such case.
    BlobMissing
        The stored image is gone or damaged.
    """
    require(person, Permission.REVIEW)
    with store.reading() as connection:
        case = _rows.find_case(connection, case_number)
        _rules.need_four_eyes(connection, person, case.digest)
        own = _rules.own_read(connection, person, case.digest)
        labels = _rows.labels_offered(connection, case.digest)
        facts = _rows.case_facts(connection, case.digest)
    return CaseView(
        case_number=case.case_number,
        image=_rows.image_facts(case),
        png=store.blobs.get(case.blob),
        labels=labels,
        state=CaseState(case.state),
        urgency=Urgency(case.urgency),
        received_at=case.received_at,
        version=case.version,
        own_read=own,
        facts=facts,
    )


def record_blind_read(
    store: Store, person: Person, case_number: str, draft: LabelDraft, submission_key: str
) -> LabelEntry:
    """Save the person's own read; from now on the answers may be revealed to them.

    Raises
    ------
    PermissionDenied
        The role does not review, or the person sent feedback on this case.
    CaseNotFound
        There is no such case.
    InvalidFeedback
        The label is not one of the case's, or a region leaves the image.
    StateConflict
        The person has read this case already, or it has been closed meanwhile.
    StoreUnavailable, StoreError
        Nothing was saved.
    """

    def allowed(connection: Connection, case: AnyRow) -> None:
        if _rules.own_read(connection, person, case.digest) is not None:
            raise StateConflict(
                _("Your own read of this case is saved already. Reveal the case to revise it.")
            )
        _rules.need_not_closed(case)

    return _add_label(
        store, person, case_number, draft, stage=Stage.BLIND, key=submission_key, allowed=allowed
    )


def reveal(store: Store, person: Person, case_number: str) -> Revealed:
    """Return everything about a case to somebody whose own read is saved, and note that they saw.

    The first time in each round an event is appended; after that it only reads.

    Raises
    ------
    PermissionDenied
        The role does not review, or the person sent feedback on this case.
    CaseNotFound
        There is no such case.
    NotYetRead
        This person's own blind read is not saved.
    """
    require(person, Permission.REVIEW)
    with store.reading() as connection:
        case = _rows.find_case(connection, case_number)
        _rules.need_own_read(connection, person, case.digest)
        seen = _rules.saw_this_round(connection, person, case.digest)
        if seen:
            return _everything(connection, person, case)
    with store.writing() as connection:
        case = _rows.find_case(connection, case_number, lock=True)
        if not _rules.saw_this_round(connection, person, case.digest):
            remember(connection, person)
            now = datetime.now(UTC)
            _rows.add_event(connection, case.digest, EventKind.REVEALED, person, now)
            project(connection, case.digest)
        return _everything(connection, person, _rows.find_case(connection, case_number))


def revise_label(
    store: Store,
    person: Person,
    case_number: str,
    draft: LabelDraft,
    submission_key: str,
    *,
    version: int,
) -> LabelEntry:
    """Append what the person thinks now; their blind read stays as it was.

    Parameters
    ----------
    version
        ``Revealed.version`` as it was when the person looked.

    Raises
    ------
    PermissionDenied, CaseNotFound, InvalidFeedback, StoreUnavailable, StoreError
        As :func:`record_blind_read`.
    NotYetRead
        There is nothing to revise: no blind read, or nothing was revealed yet.
    StateConflict
        The case has moved on since ``version``.
    """

    def allowed(connection: Connection, case: AnyRow) -> None:
        _rules.need_revealed(connection, person, case.digest)
        _rules.need_unmoved(case, version)
        _rules.need_not_closed(case)

    return _add_label(
        store, person, case_number, draft, stage=Stage.REVISED, key=submission_key, allowed=allowed
    )


def close_case(
    store: Store,
    person: Person,
    case_number: str,
    final: LabelDraft,
    submission_key: str,
    *,
    version: int,
) -> Label:
    """Settle a case with its final label.

    Parameters
    ----------
    version
        ``Revealed.version`` (or ``CaseView.version``) as it was when the person looked.

    Raises
    ------
    PermissionDenied, CaseNotFound, InvalidFeedback, StoreUnavailable, StoreError
        As :func:`record_blind_read`.
    NotYetRead
        The person's own blind read is not saved.
    StateConflict
        The case has moved on since ``version``: somebody closed it, or there is more to see.
    """
    require(person, Permission.SETTLE)

    def allowed(connection: Connection, case: AnyRow) -> None:
        _rules.need_own_read(connection, person, case.digest)
        _rules.need_not_closed(case)
        _rules.need_unmoved(case, version)

    entry = _add_label(
        store, person, case_number, final, stage=Stage.FINAL, key=submission_key, allowed=allowed
    )
    with store.reading() as connection:
        case = _rows.find_case(connection, case_number)
    return _label(case, entry)


def add_comment(
    store: Store, person: Person, case_number: str, comment: str, submission_key: str
) -> CaseEvent:
    """Append a comment, also to a closed case; it changes nothing else.

    Raises
    ------
    PermissionDenied, CaseNotFound, StoreUnavailable, StoreError
        As :func:`record_blind_read`.
    NotYetRead
        The person's own blind read is not saved: before that a comment belongs into the read.
    InvalidFeedback
        The comment is empty, too long, or cannot be stored.
    StateConflict
        The key was used for another comment.
    """
    require(person, Permission.REVIEW)
    _check.submission_key(submission_key)
    _check.text(comment)
    if not comment.strip():
        raise InvalidFeedback(_("The comment is empty. Type one first."))
    events = schema.case_events
    with store.writing() as connection:
        case = _rows.find_case(connection, case_number, lock=True)
        saved = _rows.case_events(connection, events.c.submission_key == submission_key)
        if not saved:
            _rules.need_own_read(connection, person, case.digest)
            remember(connection, person)
            event_id = _rows.add_event(
                connection,
                case.digest,
                EventKind.COMMENTED,
                person,
                datetime.now(UTC),
                comment=comment,
                submission_key=submission_key,
            )
            project(connection, case.digest)
            saved = _rows.case_events(connection, events.c.id == event_id)
        elif (saved[0].person_id, saved[0].comment) != (person.id, comment):
            raise _rows.changed()
    return saved[0]


def settled_label(store: Store, case_number: str) -> Label | None:
    """Return the label of a case that is closed now; None while it is open, or open again.

    For rooms that learn from labels and for the command line, which act for nobody. A page shows
    ``Revealed.settled`` instead, which a blind reader does not get.

    Raises
    ------
    CaseNotFound
        There is no such case.
    """
    with store.reading() as connection:
        return _settled(connection, _rows.find_case(connection, case_number))


def _add_label(
    store: Store,
    person: Person,
    case_number: str,
    draft: LabelDraft,
    *,
    stage: Stage,
    key: str,
    allowed: Callable[[Connection, AnyRow], None],
) -> LabelEntry:
    require(person, Permission.REVIEW)
    _check.submission_key(key)
    labels = schema.label_entries
    with store.writing() as connection:
        case = _rows.find_case(connection, case_number, lock=True)
        _rules.need_four_eyes(connection, person, case.digest)
        mark = _rows.draft_mark(person, case.digest, stage, draft)
        saved = connection.execute(select(labels).where(labels.c.submission_key == key)).first()
        if saved is not None:
            _rows.same_or_conflict(saved, mark)
            return _rows.label_entries(connection, labels.c.id == saved.id)[0]
        allowed(connection, case)
        _check.label_in(draft.label, _rows.labels_offered(connection, case.digest))
        _check.regions_inside(draft.regions, case.width, case.height)
        remember(connection, person)
        now = datetime.now(UTC)
        entry_id = _rows.add_label(
            connection, case.digest, person, draft, stage=stage, key=key, mark=mark, at=now
        )
        _rows.add_event(
            connection, case.digest, _EVENTS[stage], person, now, label_entry_id=entry_id
        )
        project(connection, case.digest)
        return _rows.label_entries(connection, labels.c.id == entry_id)[0]


def _everything(connection: Connection, person: Person, case: AnyRow) -> Revealed:
    return Revealed(
        case_number=case.case_number,
        state=CaseState(case.state),
        version=case.version,
        own_read=_rules.need_own_read(connection, person, case.digest),
        feedback=_rows.feedback_entries(
            connection, case.digest, kept_with(connection, case.digest)
        ),
        entries=_rows.label_entries(connection, schema.label_entries.c.image_digest == case.digest),
        events=_rows.case_events(connection, schema.case_events.c.image_digest == case.digest),
        settled=_settled(connection, case),
        image=_rows.image_facts(case),
    )


def _settled(connection: Connection, case: AnyRow) -> Label | None:
    if CaseState(case.state) is not CaseState.CLOSED:
        return None
    labels = schema.label_entries
    entries = _rows.label_entries(
        connection, labels.c.image_digest == case.digest, labels.c.stage == Stage.FINAL.value
    )
    return _label(case, entries[-1])


def _label(case: AnyRow, entry: LabelEntry) -> Label:
    return Label(
        case_number=case.case_number,
        image_digest=case.digest,
        label=entry.label,
        origin=entry.origin,
        confidence=entry.confidence,
        person_id=entry.person_id,
        person_name=entry.person_name,
        settled_at=entry.entered_at,
    )

"""Sending feedback: the moment from which nothing may be lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from core.errors import InvalidFeedback, ScanError
from core.review import _rows
from core.review._choices import CaseState, EventKind, Urgency
from core.review._convert import image_facts, stored_scan
from core.review._embeddings import add_embedding
from core.review._explanations import add_explanations, lacks_some, put_maps
from core.review._forms import Feedback
from core.review._projection import project
from core.review._views import Receipt, Submission
from core.store import schema
from core.text import _
from core.trust import Permission, Person, remember, require

if TYPE_CHECKING:
    from core.store import Store


def submit_feedback(store: Store, person: Person, feedback: Feedback) -> Receipt:
    """Save feedback with its image and the AI's answer, and return once all is on disk.

    Feedback on a closed case opens it again: somebody who looks at the same image and says
    something new is a reason to look again, and the earlier label stays in the history.

    Parameters
    ----------
    store
        Where to.
    person
        Who sends; needs ``SEND_FEEDBACK``.
    feedback
        The form. The same form under the same key is saved once, however often and from however
        many threads it is sent. So is a form that says the same as this person's latest entry on
        this image, unless the case has been closed since: after a reload nobody has the key any
        more. An explanation that was not kept yet makes it another form. Saying something else and
        then the first thing again makes three entries.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    InvalidFeedback
        The pixels are not those of the image the form is bound to.
    StateConflict
        The key was used for another form, so that this one is not saved.
    StoreUnavailable, StoreError
        Nothing was saved.
    """
    require(person, Permission.SEND_FEEDBACK)
    _bound_to_its_pixels(feedback)
    mark = _mark(person, feedback)
    with store.reading() as connection:
        saved = _saved(connection, feedback.submission_key)
        if saved is not None:
            return _repeated(connection, saved, mark, feedback)
    # Before the transaction that points to them; on their own they are harmless.
    blob, maps = store.blobs.put(feedback.png), put_maps(store, feedback)
    digest = feedback.image.digest
    with store.writing() as connection:
        now = datetime.now(UTC)
        remember(connection, person)
        _rows.add_image(connection, feedback.image, blob, now)
        state = _rows.open_and_lock(connection, digest, feedback.urgency, now)
        # Again, now that nobody else can be in the middle of the same.
        saved = _saved(connection, feedback.submission_key)
        if saved is not None:
            return _repeated(connection, saved, mark, feedback)
        latest = _latest(connection, person, digest)
        if (
            latest is not None
            and latest.fingerprint == mark
            and state is not CaseState.CLOSED
            and not lacks_some(connection, latest.id, feedback)
        ):
            return _receipt(latest)
        read_id = None if feedback.ai is None else _rows.add_read(connection, feedback.ai, now)
        if feedback.ai is not None and feedback.embedding is not None:
            bundle, known = feedback.ai.bundle_digest, not feedback.ai.refused
            add_embedding(connection, digest, bundle, feedback.embedding, known=known, at=now)
        feedback_id = _rows.add_feedback(
            connection, person, feedback, read_id=read_id, mark=mark, at=now
        )
        add_explanations(connection, feedback_id, feedback, maps, now)
        if state is CaseState.CLOSED:
            _rows.add_event(connection, digest, EventKind.REOPENED, person, now)
        _rows.add_event(
            connection, digest, EventKind.RECEIVED, person, now, feedback_id=feedback_id
        )
        project(connection, digest)
    return Receipt(feedback.image.case_number, feedback_id, True, now)


def my_submissions(
    store: Store, person: Person, *, limit: int = 50, offset: int = 0
) -> tuple[Submission, ...]:
    """Return the feedback ``person`` has sent, newest first: that it arrived, and where it stands.

    Raises
    ------
    PermissionDenied
        The role sends no feedback.
    """
    require(person, Permission.SEND_FEEDBACK)
    feedback, images, cases = schema.feedback, schema.images, schema.cases
    query = (
        select(
            feedback.c.id,
            feedback.c.urgency,
            feedback.c.submitted_at,
            images.c.case_number,
            cases.c.state,
        )
        .join(images, images.c.digest == feedback.c.image_digest)
        .join(cases, cases.c.image_digest == feedback.c.image_digest)
        .where(feedback.c.person_id == person.id)
        .order_by(feedback.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    with store.reading() as connection:
        return tuple(
            Submission(
                feedback_id=row.id,
                case_number=row.case_number,
                state=CaseState(row.state),
                urgency=Urgency(row.urgency),
                submitted_at=row.submitted_at,
            )
            for row in connection.execute(query)
        )


def _bound_to_its_pixels(form: Feedback) -> None:
    # What is stored is what was judged: the digest is made again from the very bytes to be kept.
    try:
        facts = image_facts(stored_scan(form.image, form.png))
    except (ScanError, ValueError):
        # Facts that contradict the pixels, as a region outside them, name no scan either.
        facts = None
    claimed = form.image
    if facts is None or (facts.digest, facts.case_number, facts.channels) != (
        claimed.digest,
        claimed.case_number,
        claimed.channels,
    ):
        raise InvalidFeedback(
            _("The stored pixels would not be those of this scan. Open the scan again.")
        )


def _mark(person: Person, form: Feedback) -> str:
    # What the person decided and on what; not the AI's figures, which a warm and a cold read may
    # give with another last bit.
    controls = None if form.ai is None else [form.ai.bundle_digest, form.ai.controls]
    said = _rows.form_values(form)
    # Only where there is any, so that what was sent before there was a context keeps its mark.
    said |= {name: value for name, value in _rows.beside_values(form).items() if value is not None}
    return _rows.fingerprint(person.id, form.image.digest, said, controls)


def _saved(connection: Connection, key: str) -> _rows.AnyRow | None:
    feedback, images = schema.feedback, schema.images
    return connection.execute(
        select(feedback.c.id, feedback.c.fingerprint, feedback.c.submitted_at, images.c.case_number)
        .join(images, images.c.digest == feedback.c.image_digest)
        .where(feedback.c.submission_key == key)
    ).first()


def _latest(connection: Connection, person: Person, digest: str) -> _rows.AnyRow | None:
    feedback, images = schema.feedback, schema.images
    return connection.execute(
        select(feedback.c.id, feedback.c.fingerprint, feedback.c.submitted_at, images.c.case_number)
        .join(images, images.c.digest == feedback.c.image_digest)
        .where(feedback.c.person_id == person.id, feedback.c.image_digest == digest)
        .order_by(feedback.c.id.desc())
        .limit(1)
    ).first()


def _repeated(connection: Connection, saved: _rows.AnyRow, mark: str, form: Feedback) -> Receipt:
    _rows.same_or_conflict(saved, mark)
    if lacks_some(connection, saved.id, form):
        raise _rows.changed()
    return _receipt(saved)


def _receipt(saved: _rows.AnyRow) -> Receipt:
    return Receipt(saved.case_number, saved.id, False, saved.submitted_at)

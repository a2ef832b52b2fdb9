"""Who may take which step on a case, and when. Each rule passes or raises."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, select

from core.errors import NotYetRead, PermissionDenied, StateConflict
from core.review import _rows
from core.review._choices import CaseState, EventKind, Stage
from core.review._rows import AnyRow
from core.review._views import LabelEntry
from core.store import schema
from core.text import _
from core.trust import Person


def own_read(connection: Connection, person: Person, digest: str) -> LabelEntry | None:
    """Return the blind read this person saved on an image, if any."""
    labels = schema.label_entries
    entries = _rows.label_entries(
        connection,
        labels.c.image_digest == digest,
        labels.c.person_id == person.id,
        labels.c.stage == Stage.BLIND.value,
    )
    return entries[0] if entries else None


def need_own_read(connection: Connection, person: Person, digest: str) -> LabelEntry:
    """Return the blind read of this person, who needs one; four eyes apply."""
    need_four_eyes(connection, person, digest)
    own = own_read(connection, person, digest)
    if own is None:
        raise NotYetRead(_("Save your own read first. Then everything about the case is shown."))
    return own


def need_revealed(connection: Connection, person: Person, digest: str) -> None:
    """Refuse whoever has nothing to revise yet."""
    need_own_read(connection, person, digest)
    if not saw_this_round(connection, person, digest):
        raise NotYetRead(_("Reveal the case first. Then you can revise your label."))


def saw_this_round(connection: Connection, person: Person, digest: str) -> bool:
    """Return whether the case was revealed to this person since it last came in."""
    events = schema.case_events
    reopened = (
        select(func.coalesce(func.max(events.c.id), 0))
        .where(events.c.image_digest == digest, events.c.kind == EventKind.REOPENED.value)
        .scalar_subquery()
    )
    seen = exists().where(
        events.c.image_digest == digest,
        events.c.person_id == person.id,
        events.c.kind == EventKind.REVEALED.value,
        events.c.id > reopened,
    )
    return bool(connection.execute(select(seen)).scalar())


def need_four_eyes(connection: Connection, person: Person, digest: str) -> None:
    """Refuse whoever sent feedback on this image."""
    feedback = schema.feedback
    sent = exists().where(feedback.c.image_digest == digest, feedback.c.person_id == person.id)
    if connection.execute(select(sent)).scalar():
        raise PermissionDenied(
            _("You sent feedback on this case, so somebody else reviews it. Choose another case.")
        )


def need_not_closed(case: AnyRow) -> None:
    """Refuse a case that has been closed."""
    if CaseState(case.state) is CaseState.CLOSED:
        raise StateConflict(
            _("This case has been closed meanwhile. Your entry was not saved; load the case again.")
        )


def need_unmoved(case: AnyRow, version: int) -> None:
    """Refuse a case that is no longer as the person saw it."""
    if case.version != version:
        raise StateConflict(
            _("Somebody has added to this case since you looked. Look again, then save your entry.")
        )

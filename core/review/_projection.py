"""Where a case stands, derived from what happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from core.review._choices import CaseState, EventKind, Urgency
from core.store import schema

if TYPE_CHECKING:
    from core.review._rows import AnyRow
    from core.store import Store

_RANK = {Urgency.URGENT: 0, Urgency.SOON: 1, Urgency.ROUTINE: 2}
_ORDER = [CaseState.OPEN, CaseState.READ, CaseState.REVEALED]
_REACHES = {
    EventKind.BLIND_READ: CaseState.READ,
    EventKind.REVEALED: CaseState.REVEALED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of ``cases``.

    ``urgency`` is the highest, and ``received_at`` the first, since the case came in or came in
    again: what was urgent before a closing does not push the case forward for ever. ``version``
    is the last event that added something to see; that somebody looked is none.
    """

    image_digest: str
    state: CaseState
    urgency: Urgency
    rank: int
    received_at: datetime
    feedback_count: int
    version: int
    last_event_at: datetime


def fold(events: Iterable[AnyRow]) -> Standing | None:
    """Return where a case stands after ``events`` (oldest first); None before the first."""
    standing: Standing | None = None
    for event in events:
        standing = _after(standing, event)
    return standing


def _after(standing: Standing | None, event: AnyRow) -> Standing:
    kind = EventKind(event.kind)
    if standing is None:
        # Nothing can happen to a case before feedback on it was received.
        urgency = Urgency(event.urgency)
        return Standing(
            image_digest=event.image_digest,
            state=CaseState.OPEN,
            urgency=urgency,
            rank=_RANK[urgency],
            received_at=event.at,
            feedback_count=1,
            version=event.id,
            last_event_at=event.at,
        )
    standing = replace(standing, last_event_at=event.at)
    if kind is not EventKind.REVEALED:
        standing = replace(standing, version=event.id)
    if kind is EventKind.RECEIVED:
        urgency = min(standing.urgency, Urgency(event.urgency), key=_RANK.__getitem__)
        return replace(
            standing,
            urgency=urgency,
            rank=_RANK[urgency],
            feedback_count=standing.feedback_count + 1,
        )
    if kind is EventKind.REOPENED:
        # Written just before the ``received`` that caused it, which then sets the urgency.
        return replace(
            standing,
            state=CaseState.OPEN,
            urgency=Urgency.ROUTINE,
            rank=_RANK[Urgency.ROUTINE],
            received_at=event.at,
        )
    if kind is EventKind.CLOSED:
        return replace(standing, state=CaseState.CLOSED)
    reached = _REACHES.get(kind, CaseState.OPEN)
    if standing.state is not CaseState.CLOSED and _ORDER.index(reached) > _ORDER.index(
        standing.state
    ):
        return replace(standing, state=reached)
    return standing


def project(connection: Connection, digest: str) -> Standing:
    """Derive where the case of image ``digest`` stands, and write it down.

    The caller holds the case's lock (see :func:`core.review._rows.lock_case`).
    """
    standing = fold(_events(connection, digest))
    if standing is None:
        raise ValueError("a case without events has no standing")
    values = asdict(standing)
    connection.execute(
        update(schema.cases).where(schema.cases.c.image_digest == digest).values(**values)
    )
    return standing


def rebuild_projection(store: Store) -> int:
    """Throw the projection away and derive it again from what was appended.

    Returns
    -------
    int
        How many cases there are.

    Raises
    ------
    StoreUnavailable
        The database cannot be reached or written; the old projection stays.
    """
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            # Nobody may act on a case between reading its events and writing its standing.
            connection.exec_driver_sql("LOCK TABLE cases IN EXCLUSIVE MODE")
        digests = connection.scalars(select(schema.case_events.c.image_digest).distinct()).all()
        connection.execute(delete(schema.cases))
        for digest in digests:
            standing = fold(_events(connection, digest))
            if standing is not None:
                connection.execute(insert(schema.cases).values(**asdict(standing)))
    return len(digests)


def _events(connection: Connection, digest: str) -> Iterable[AnyRow]:
    events, feedback = schema.case_events, schema.feedback
    return connection.execute(
        select(events.c.id, events.c.kind, events.c.at, events.c.image_digest, feedback.c.urgency)
        .outerjoin(feedback, events.c.feedback_id == feedback.c.id)
        .where(events.c.image_digest == digest)
        .order_by(events.c.id)
    ).all()

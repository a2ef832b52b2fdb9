"""What waits, most urgent first, without a word of what anybody answered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, false, func, select

from core.review._choices import CaseState, Stage, Urgency
from core.review._forms import QueueFilter
from core.review._views import QueueItem, QueuePage
from core.store import schema
from core.trust import Permission, Person, require

if TYPE_CHECKING:
    from core.store import Store


def list_queue(
    store: Store,
    person: Person,
    filters: QueueFilter | None = None,
    *,
    limit: int = 50,
    offset: int = 0,
) -> QueuePage:
    """Return the cases that fit, most urgent first, then the longest waiting.

    Neither order nor filters look at an answer of the AI or of anybody else, so that a blind
    reader learns nothing from them. The one exception is the urgency the clinician set.

    Parameters
    ----------
    store
        Where from.
    person
        Who asks; needs ``SEE_QUEUE``.
    filters
        What to keep; by default everything that is not closed.
    limit, offset
        Which part of it.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    """
    require(person, Permission.SEE_QUEUE)
    filters = QueueFilter() if filters is None else filters
    images, cases = schema.images, schema.cases
    labels, feedback = schema.label_entries, schema.feedback
    read_by_me = exists().where(
        and_(
            labels.c.image_digest == cases.c.image_digest,
            labels.c.person_id == person.id,
            labels.c.stage == Stage.BLIND.value,
        )
    )
    sent_by_me = exists().where(
        and_(
            feedback.c.image_digest == cases.c.image_digest,
            feedback.c.person_id == person.id,
        )
    )
    wanted = _wanted(filters)
    if filters.read_by_me is not None:
        wanted.append(read_by_me if filters.read_by_me else ~read_by_me)
    joined = cases.join(images, images.c.digest == cases.c.image_digest)
    query = (
        select(
            cases,
            images.c.case_number,
            read_by_me.label("read_by_me"),
            sent_by_me.label("sent_by_me"),
        )
        .select_from(joined)
        .where(*wanted)
        # The digest only decides between two cases of the very same moment.
        .order_by(cases.c.rank, cases.c.received_at, cases.c.image_digest)
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(joined).where(*wanted)
    with store.reading() as connection:
        total = connection.execute(count).scalar_one()
        items = tuple(
            QueueItem(
                case_number=row.case_number,
                image_digest=row.image_digest,
                urgency=Urgency(row.urgency),
                received_at=row.received_at,
                state=CaseState(row.state),
                feedback_count=row.feedback_count,
                read_by_me=bool(row.read_by_me),
                sent_by_me=bool(row.sent_by_me),
            )
            for row in connection.execute(query)
        )
    return QueuePage(items, total)


def _wanted(filters: QueueFilter) -> list[Any]:
    cases = schema.cases
    wanted: list[Any] = [
        cases.c.state.in_([state.value for state in filters.states]),
        cases.c.urgency.in_([urgency.value for urgency in filters.urgencies]),
    ]
    if filters.received_after is not None:
        wanted.append(cases.c.received_at >= _aware(filters.received_after))
    if filters.received_before is not None:
        wanted.append(cases.c.received_at < _aware(filters.received_before))
    typed = filters.case_number.strip().upper()
    if typed:
        fits = typed.isascii() and typed.isprintable()
        number = schema.images.c.case_number
        wanted.append(number.startswith(typed, autoescape=True) if fits else false())
    return wanted


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a filter's moment needs a time zone")
    return moment

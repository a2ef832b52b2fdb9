"""Earlier scans of a pseudonym, and whether a scan was sent before: for clinicians alone.

Who may
-------
``SEND_FEEDBACK``, which clinicians hold: they treat the patient, and comparing with what was there
before is part of the reading. A reviewer must not: earlier scans come with opinions, and reading
blind would no longer be blind. An administrator treats nobody. All clinicians of a site see each
other's scans of a pseudonym: a patient is the site's and not one doctor's.

Whose pseudonym it is
---------------------
Of one person and one image the newest feedback that holds a context counts: whoever typed a wrong
pseudonym corrects it by sending again, and the image leaves the wrong patient's list. Where two
people put one image to different patients it is listed under both and marked as disputed.

A pseudonym is compared exactly and goes nowhere else: into no log, address or error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, or_, select

from core.review import _rows
from core.review._choices import CaseState
from core.review._context import BiRads, CaseContext, Laterality, check_pseudonym
from core.review._forms import ImageFacts
from core.store import schema
from core.trust import Permission, Person, require

if TYPE_CHECKING:
    from core.store import Store

# Variables of one statement are limited; a folder of scans is asked about in one go.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class EarlierScan:
    """A scan that was sent under a pseudonym.

    Attributes
    ----------
    case_number, digest
        Which image.
    sent_at
        When it was first sent under this pseudonym: the moment it is sorted by.
    laterality, clock, birads, by_me
        From the newest feedback on it under this pseudonym, and whether that is my own.
    label
        The own label in the newest feedback of those who put it to this patient; None where that
        has none.
    width, height, spacing, frame, synthetic
        As :class:`ImageFacts`.
    disputed
        Whether somebody else's feedback puts the same image to another patient.
    """

    case_number: str
    digest: str
    sent_at: datetime
    laterality: Laterality | None
    clock: int | None
    birads: BiRads | None
    label: str | None
    by_me: bool
    width: int
    height: int
    spacing: tuple[float, float] | None
    frame: int
    synthetic: bool
    disputed: bool


class Relation(StrEnum):
    """What a scan that was sent is to another one."""

    SAME = "same"
    #: The untouched scan of which this one is a corrected copy.
    ORIGIN = "origin"
    #: A corrected copy of it, or of what it is a corrected copy of.
    CORRECTED = "corrected"
    #: Another frame of the same loop.
    FRAME = "frame"


@dataclass(frozen=True, slots=True)
class SeenBefore:
    """A scan that was sent before, by whomever; without a word of what was said about it.

    Attributes
    ----------
    case_number, digest, origin, series, frame
        As :class:`ImageFacts`.
    first_sent_at, last_sent_at
        When feedback on it first and last came in.
    by_me, by_others
        Whether I sent some, and whether a colleague did.
    state
        Where its case stands.
    """

    case_number: str
    digest: str
    origin: str | None = field(repr=False)
    series: str | None = field(repr=False)
    frame: int
    first_sent_at: datetime
    last_sent_at: datetime
    by_me: bool
    by_others: bool
    state: CaseState

    def relation_to(
        self, digest: str, origin: str | None = None, series: str | None = None
    ) -> Relation | None:
        """Return what this is to the scan of these digests; None where they have none in common."""
        if self.digest == digest:
            return Relation.SAME
        if self.digest == origin:
            return Relation.ORIGIN
        if self.origin is not None and self.origin in (digest, origin):
            return Relation.CORRECTED
        related = {digest, series} - {None}
        if self.series in related or self.digest == series:
            return Relation.FRAME
        return None


def earlier_scans(
    store: Store,
    person: Person,
    pseudonym: str,
    *,
    before_digest: str | None = None,
    limit: int = 50,
) -> tuple[EarlierScan, ...]:
    """Return the scans that were sent under a pseudonym, newest first.

    Parameters
    ----------
    store
        Where from.
    person
        Who asks; needs ``SEND_FEEDBACK``.
    pseudonym
        Exactly as it was typed then; empty finds nothing.
    before_digest
        The scan on screen: it is left out, and if it was sent under this pseudonym itself, so is
        what was first sent after it.
    limit
        At most so many.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    InvalidFeedback
        It is no pseudonym.
    """
    require(person, Permission.SEND_FEEDBACK)
    check_pseudonym(pseudonym)
    if not pseudonym:
        return ()
    with store.reading() as connection:
        held = _held(connection, pseudonym)
        now = held.pop(before_digest, None) if before_digest is not None else None
        ordered = sorted(held.values(), key=lambda image: image.first, reverse=True)
        chosen = [image for image in ordered if now is None or image.first < now.first][:limit]
        rows: dict[str, _rows.AnyRow] = {}
        for digests in _some([image.digest for image in chosen]):
            query = select(schema.images).where(schema.images.c.digest.in_(digests))
            rows |= {row.digest: row for row in connection.execute(query)}
    return tuple(_earlier(image, rows[image.digest], person) for image in chosen)


def open_earlier(store: Store, person: Person, case_number: str) -> tuple[ImageFacts, bytes]:
    """Return an earlier scan to be laid beside another: its facts, and its pixels as PNG.

    Any scan that was sent can be opened by its number; no answer comes with it.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    CaseNotFound
        There is no such case.
    BlobMissing
        The stored image is gone or damaged.
    """
    require(person, Permission.SEND_FEEDBACK)
    with store.reading() as connection:
        row = _rows.find_case(connection, case_number)
    return _rows.image_facts(row), store.blobs.get(row.blob)


def seen_before(store: Store, person: Person, digests: Sequence[str]) -> tuple[SeenBefore, ...]:
    """Return what was sent before of the scans of these digests and of what they come from.

    Found are the same images, the untouched images they are corrected copies of, corrected copies
    of them, and other frames of their loops; :meth:`SeenBefore.relation_to` says which.

    Parameters
    ----------
    store
        Where from.
    person
        Who asks; needs ``SEND_FEEDBACK``.
    digests
        Of one scan or of many: each one's ``digest``, and its ``origin`` and ``series`` where it
        has them.

    Returns
    -------
    tuple of SeenBefore
        Last sent first.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    """
    require(person, Permission.SEND_FEEDBACK)
    images, cases, feedback = schema.images, schema.cases, schema.feedback
    found: dict[str, Any] = {}
    sent: dict[str, list[Any]] = {}
    with store.reading() as connection:
        for some in _some(sorted(set(digests))):
            query = (
                select(images, cases.c.state)
                .join(cases, cases.c.image_digest == images.c.digest)
                .where(
                    or_(
                        images.c.digest.in_(some),
                        images.c.origin.in_(some),
                        images.c.series.in_(some),
                    )
                )
            )
            found |= {row.digest: row for row in connection.execute(query)}
        for some in _some(sorted(found)):
            moments = (
                select(feedback.c.image_digest, feedback.c.person_id, feedback.c.submitted_at)
                .where(feedback.c.image_digest.in_(some))
                .order_by(feedback.c.id)
            )
            for row in connection.execute(moments):
                sent.setdefault(row.image_digest, []).append(row)
    seen = [_seen(row, sent[digest], person) for digest, row in found.items() if digest in sent]
    return tuple(sorted(seen, key=lambda each: each.last_sent_at, reverse=True))


def _seen(row: _rows.AnyRow, sent: list[Any], person: Person) -> SeenBefore:
    return SeenBefore(
        case_number=row.case_number,
        digest=row.digest,
        origin=row.origin,
        series=row.series,
        frame=row.frame or 0,
        first_sent_at=sent[0].submitted_at,
        last_sent_at=sent[-1].submitted_at,
        by_me=any(each.person_id == person.id for each in sent),
        by_others=any(each.person_id != person.id for each in sent),
        state=CaseState(row.state),
    )


def _some(values: list[str]) -> Iterable[list[str]]:
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))


@dataclass(slots=True)
class _Held:
    """An image that somebody holds to be of this patient."""

    digest: str
    first: tuple[datetime, int]
    newest: Any
    label: str | None
    disputed: bool


def _held(connection: Connection, pseudonym: str) -> dict[str, _Held]:
    """Return the images of a pseudonym by digest."""
    feedback = schema.feedback
    named = select(feedback.c.image_digest).where(feedback.c.pseudonym == pseudonym)
    query = (
        select(
            feedback.c.id,
            feedback.c.image_digest,
            feedback.c.person_id,
            # Compared by the database and not read back, so that no row of a log holds it.
            (feedback.c.pseudonym == pseudonym).label("this"),
            feedback.c.pseudonym.is_not(None).label("named"),
            feedback.c.context,
            feedback.c.label,
            feedback.c.submitted_at,
        )
        .where(feedback.c.image_digest.in_(named))
        .order_by(feedback.c.id)
    )
    by_image: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        by_image.setdefault(row.image_digest, []).append(row)
    held = {}
    for digest, rows in by_image.items():
        counts = {row.person_id: row for row in rows if row.context is not None}
        holders = {person for person, row in counts.items() if row.this}
        if not holders:
            continue
        mine = [row for row in rows if row.person_id in holders]
        under = [row for row in mine if row.this]
        disputed = any(row.named and not row.this for row in counts.values())
        # The newest word counts, also where it came without a context.
        held[digest] = _Held(
            digest, (under[0].submitted_at, under[0].id), under[-1], mine[-1].label, disputed
        )
    return held


def _earlier(image: _Held, row: _rows.AnyRow, person: Person) -> EarlierScan:
    context = CaseContext.from_dict(image.newest.context)
    facts = _rows.image_facts(row)
    return EarlierScan(
        case_number=facts.case_number,
        digest=facts.digest,
        sent_at=image.first[0],
        laterality=context.laterality,
        clock=context.clock,
        birads=context.birads,
        label=image.label,
        by_me=image.newest.person_id == person.id,
        width=facts.width,
        height=facts.height,
        spacing=facts.spacing,
        frame=facts.frame,
        synthetic=facts.synthetic,
        disputed=image.disputed,
    )

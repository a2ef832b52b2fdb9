"""What comes out of the review room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.review._choices import (
    CaseState,
    EventKind,
    Origin,
    Problem,
    Stage,
    Urgency,
    Verdict,
)
from core.review._context import CaseContext, Laterality
from core.review._forms import AIResult, ImageFacts, Polygon


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that feedback is on disk.

    ``created`` is False if this very submission had been saved before.
    """

    case_number: str
    feedback_id: int
    created: bool
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Submission:
    """What a clinician sees of feedback they sent: that it was received, and where it stands."""

    feedback_id: int
    case_number: str
    state: CaseState
    urgency: Urgency
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One waiting case.

    The clinician's urgency is the one signal of theirs that is shown before a blind read: the
    queue cannot put urgent cases first without it.

    Attributes
    ----------
    received_at
        When it came in; after a reopening, when it came in again.
    feedback_count
        How many feedback entries it has, whatever they say.
    read_by_me
        Whether my own blind read is saved.
    sent_by_me
        Whether I sent feedback on it, and therefore cannot review it.
    """

    case_number: str
    image_digest: str
    urgency: Urgency
    received_at: datetime
    state: CaseState
    feedback_count: int
    read_by_me: bool
    sent_by_me: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Some of the queue: ``items`` of this page, ``total`` on all pages."""

    items: tuple[QueueItem, ...]
    total: int


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """A label somebody gave in the review, as saved."""

    id: int
    person_id: str
    person_name: str
    stage: Stage
    label: str
    origin: Origin
    confidence: int
    comment: str
    regions: tuple[Polygon, ...]
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a blind reader is told of the patient: what is known before anybody looks.

    No opinion is among it: neither BI-RADS nor a lexicon term, neither indication nor history,
    which often quote one, nor the pseudonym, which would lead to earlier answers.

    Attributes
    ----------
    age
        Years.
    laterality, clock, distance_mm
        Which breast, position on the clock face (1 to 12), millimetres from the nipple.
    """

    age: int | None = None
    laterality: Laterality | None = None
    clock: int | None = None
    distance_mm: float | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """What a reviewer may see before their own read: the image, and nobody's answer.

    Attributes
    ----------
    image, png
        Geometry, and the stored pixels as PNG.
    labels
        The classes to choose from.
    version
        Hand it back to ``revise_label`` and ``close_case`` as it was when the person looked: if
        the case has moved since, they refuse. Keep it across reruns of a page.
    own_read
        My own blind read, once saved.
    facts
        Of the newest context that came with the case.
    """

    case_number: str
    image: ImageFacts
    png: bytes = field(repr=False)
    labels: tuple[str, ...]
    state: CaseState
    urgency: Urgency
    received_at: datetime
    version: int
    own_read: LabelEntry | None
    facts: CaseFacts = CaseFacts()


@dataclass(frozen=True, slots=True)
class KeptExplanation:
    """What made an explanation kept with feedback; the map is opened when it is looked at.

    Attributes
    ----------
    id
        For :func:`core.review.open_explanation`.
    method, target, layer, parameters, signed, unit, base_value, output, bundle_digest, image_digest
        As in :class:`core.explain.Explanation`.
    gap
        Of the map as it was on screen; None for a method without one.
    evidence
        As in :class:`core.review.SentExplanation`.
    """

    id: int
    method: str
    target: str
    layer: str | None
    parameters: Mapping[str, Any]
    signed: bool
    unit: str
    base_value: float | None
    output: float | None
    gap: float | None
    evidence: Mapping[str, Any] | None
    bundle_digest: str
    image_digest: str


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """Feedback as saved, with the AI's answer it is about.

    ``context``, ``quality`` and ``measures`` are as in :class:`core.review.Feedback`; None and
    empty where none were sent. ``explanations`` are those that were on screen.
    """

    id: int
    person_id: str
    person_name: str
    ai: AIResult | None
    verdict: Verdict | None
    label: str | None
    origin: Origin | None
    confidence: int | None
    problems: tuple[Problem, ...]
    urgency: Urgency
    comment: str
    regions: tuple[Polygon, ...]
    outline_accepted: bool
    submitted_at: datetime
    context: CaseContext | None = None
    quality: Mapping[str, Any] | None = None
    override_reason: str = field(default="", repr=False)
    measures: tuple[Mapping[str, Any], ...] = ()
    explanations: tuple[KeptExplanation, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that happened to a case."""

    id: int
    kind: EventKind
    person_id: str
    person_name: str
    at: datetime
    comment: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A settled label: what a case is, what that rests on, who said so and when."""

    case_number: str
    image_digest: str
    label: str
    origin: Origin
    confidence: int
    person_id: str
    person_name: str
    settled_at: datetime

    @property
    def may_be_tested_on(self) -> bool:
        """Whether a frozen test set may hold it: an opinion may not."""
        return self.origin is not Origin.OPINION


@dataclass(frozen=True, slots=True)
class Revealed:
    """Everything about a case, after the own blind read.

    Attributes
    ----------
    version
        As in :class:`CaseView`, newer than the view's.
    own_read
        The blind read of the person who asks.
    image
        The image, with what was done to it.
    feedback
        What clinicians sent, oldest first, each with the AI's answer of the time.
    entries
        Every reviewer's labels, oldest first.
    events
        What happened, oldest first; comments are among them.
    settled
        The settled label while the case is closed.
    """

    case_number: str
    state: CaseState
    version: int
    own_read: LabelEntry
    feedback: tuple[FeedbackEntry, ...]
    entries: tuple[LabelEntry, ...]
    events: tuple[CaseEvent, ...]
    settled: Label | None
    image: ImageFacts

    @property
    def reads(self) -> tuple[AIResult, ...]:
        """The AI's answers, oldest first."""
        return tuple(entry.ai for entry in self.feedback if entry.ai is not None)

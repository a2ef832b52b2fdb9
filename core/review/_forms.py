"""What goes into the review room. Each form is checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.review import _check, _check_beside, _check_maps
from core.review._choices import CaseState, Origin, Problem, Urgency, Verdict
from core.review._context import CaseContext
from core.scan import Correction, Note, Region, Window

if TYPE_CHECKING:
    from core.explain import Explanation

#: An outline on an image: (x, y) in pixels of the image, x to the right, y down, at least three.
Polygon = tuple[tuple[float, float], ...]

#: The classes of the shipped task, for a page that has no model to ask.
DEFAULT_LABELS = ("normal", "benign", "malignant")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The facts of an image that are stored: an allow-list, nothing of the uploaded file.

    Attributes
    ----------
    digest
        SHA-256 (64 hex digits) of pixels and geometry: the identity of the image.
    case_number
        What people call it, made from the digest.
    width, height
        Pixels.
    channels
        1 (grey) or 3 (RGB).
    modality
        ``US`` where known, else ``unknown``.
    spacing
        Millimetres per pixel (row, column), where known.
    frames
        How many frames the file held.
    synthetic
        Whether it is a phantom and no patient.
    frame, series
        Which of the frames it is, from 0, and the digest of the first of them.
    regions
        Areas with a scale of their own; they belong to the digest, and ``spacing`` is None then.
    corrections, origin
        What was done to the image before it was read, in order, and the digest of what it was
        done to.
    notes
        What reading the file had to decide.
    window
        Through which the pixels were made, where there were more than 8 bits of grey.
    """

    digest: str
    case_number: str
    width: int
    height: int
    channels: int
    modality: str = "unknown"
    spacing: tuple[float, float] | None = None
    frames: int = 1
    synthetic: bool = False
    frame: int = 0
    series: str | None = None
    regions: tuple[Region, ...] = ()
    corrections: tuple[Correction, ...] = ()
    origin: str | None = None
    notes: tuple[Note, ...] = ()
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class AIResult:
    """What a model answered and everything that made the answer; plain values only.

    Attributes
    ----------
    task, version, bundle_digest
        The model.
    image_digest
        The image it read.
    probabilities
        Calibrated probability of each class, in label order.
    positive, probability
        The positive class and its calibrated probability, 0..1.
    operating_point, threshold, flagged, answer
        The approved operating point, its threshold, and what it gave.
    interval
        ``low``, ``high``, ``n``, ``positives``, ``score_low``, ``score_high``; None if unknown.
    prevalence
        Share of positives the probability holds for, 0..1.
    heat_class
        The class the heatmap explained.
    map_kind
        Whether regions came from a lesion map (``lesion``), from heat (``heat``), or there are
        none (``none``). Only a lesion map makes an outline that can be accepted.
    controls, lesion_threshold
        The controls in force and the threshold actually used (0..1).
    measurements
        One mapping per region, largest first.
    explored_threshold
        Where the slider over the operating point stood last, if it was moved off the approved one:
        exploration, which changed nothing of the answer.
    site_prevalence
        The site's own share of positives that stood beside the answer, 0..1; None where none did.
    familiarity
        ``known``, ``distance``, ``limit`` and ``reason`` of :class:`core.model.Familiarity`; None
        where the bundle could not say.
    sure
        Whether the answer was the only one possible at the promised coverage; None where none was
        promised.
    """

    task: str
    version: str
    bundle_digest: str
    image_digest: str
    probabilities: Mapping[str, float]
    positive: str
    probability: float
    operating_point: str
    threshold: float
    flagged: bool
    answer: str
    interval: Mapping[str, float] | None = None
    prevalence: float | None = None
    heat_class: str = ""
    map_kind: Literal["lesion", "heat", "none"] = "none"
    controls: Mapping[str, Any] | None = None
    lesion_threshold: float | None = None
    measurements: tuple[Mapping[str, Any], ...] = ()
    explored_threshold: float | None = None
    site_prevalence: float | None = None
    familiarity: Mapping[str, Any] | None = None
    sure: bool | None = None

    def __post_init__(self) -> None:
        _check.ai_result(self)

    @property
    def refused(self) -> bool:
        """Whether the bundle said that this is no scan it knows."""
        return self.familiarity is not None and self.familiarity.get("known") is False

    @property
    def labels(self) -> tuple[str, ...]:
        """Every class, in the model's order."""
        return tuple(self.probabilities)


@dataclass(frozen=True, slots=True, eq=False)
class SentExplanation:
    """An explanation that was on screen when feedback was sent.

    Attributes
    ----------
    explanation
        Of the form's own image, by the bundle of its answer.
    evidence
        JSON values of :func:`core.explain.evidence_figures`, and ``against`` where only what speaks
        against the class was on screen; None where nothing is to be said.
    """

    explanation: Explanation
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """One filled-in feedback form, bound to one image; checked when it is made.

    Attributes
    ----------
    submission_key
        1 to 64 letters, digits, ``-`` or ``_``: drawn once when a form is first shown (for example
        ``uuid4().hex``) and kept until it has been saved, so that a double click or a reload
        makes no second entry.
    image, png
        The image, and its pixels as PNG without any metadata.
    task, labels
        The question and the classes one can choose from.
    ai
        What the model answered; None if there was none, and then ``verdict`` is None too and the
        clinician's own label is the entry.
    verdict, label, origin, confidence, problems, urgency, comment
        The form. Confidence is 1 (guess) to 5 (certain); a comment has at most 4000 characters.
    regions, region_image
        Corrected outlines, and the digest of the image on which they were drawn.
    outline_accepted
        Whether the AI outline (made with ``ai.controls``) was accepted as it is.
    context
        The case beside the image, by the doctor. None says nothing about it; one without a
        pseudonym takes back the one this person gave with this image before.
    quality, override_reason
        What the quality check of this image found (``outcome`` ``pass``, ``warn`` or ``fail`` of
        each of ``checks``), and why a scan that failed it, or that the model does not know, was
        read all the same: at most 500 characters, needed beside an AI result.
    measures
        What the doctor measured by hand, at most 20: each with ``kind`` (``distance`` or
        ``ellipse``), ``points`` ((x, y) in pixels of the image), ``value``, ``unit`` (``mm``,
        ``mm2``, ``px``, ``px2``), ``axes`` of an ellipse, and ``no_mm``, why it is in pixels.
    explanations
        Those on screen, at most 8, of this image and by the bundle of ``ai``. They are no part of
        what is said: a form that brings no explanation that is not kept already is the same form.
    embedding
        What the network of ``ai`` made of the image, as ``Prediction.embedding``: no part of what
        is said, kept so that the case can be found as a similar one.

    Raises
    ------
    InvalidFeedback
        Something is missing or contradicts another entry; the line says what.
    """

    submission_key: str
    image: ImageFacts
    png: bytes = field(repr=False)
    task: str
    ai: AIResult | None = None
    verdict: Verdict | None = None
    label: str | None = None
    origin: Origin | None = None
    confidence: int | None = None
    problems: tuple[Problem, ...] = ()
    urgency: Urgency = Urgency.ROUTINE
    comment: str = ""
    regions: tuple[Polygon, ...] = ()
    region_image: str | None = None
    outline_accepted: bool = False
    labels: tuple[str, ...] = DEFAULT_LABELS
    context: CaseContext | None = None
    quality: Mapping[str, Any] | None = None
    override_reason: str = field(default="", repr=False)
    measures: tuple[Mapping[str, Any], ...] = ()
    explanations: tuple[SentExplanation, ...] = field(default=(), repr=False)
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", _check.polygons(self.regions))
        _check.feedback(self)
        _check_maps.explanations(self)
        _check_beside.beside(self)
        object.__setattr__(self, "measures", _check_beside.measures(self.measures, self.image))


@dataclass(frozen=True, slots=True)
class LabelDraft:
    """A label as a reviewer gives it: blind, revised or final.

    Attributes
    ----------
    label, origin, confidence
        One of the case's ``labels``; what it rests on; 1 (guess) to 5 (certain).
    comment
        At most 4000 characters.
    regions
        Outlines the reviewer drew, in pixels of the case's image.

    Raises
    ------
    InvalidFeedback
        Something is missing or out of range; the line says what.
    """

    label: str
    origin: Origin
    confidence: int
    comment: str = ""
    regions: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", _check.polygons(self.regions))
        _check.label_draft(self)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which cases to list. Nothing here looks at an answer of the AI or of anybody else.

    Attributes
    ----------
    states, urgencies
        Keep only these.
    received_after, received_before
        Keep cases received at or after, and before, these aware moments.
    read_by_me
        True: only cases I have read; False: only those I have not; None: both.
    case_number
        Keep cases whose number begins like this.
    """

    states: frozenset[CaseState] = frozenset({CaseState.OPEN, CaseState.READ, CaseState.REVEALED})
    urgencies: frozenset[Urgency] = frozenset(Urgency)
    received_after: datetime | None = None
    received_before: datetime | None = None
    read_by_me: bool | None = None
    case_number: str = ""

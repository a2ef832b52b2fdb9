"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.errors import LesionError, ReportError
from core.lesion import HandMeasure, Lesion, measure_by_hand
from core.model import Prediction
from core.review import CaseContext, Origin, Problem, Verdict
from core.scan import Scan, check_quality
from core.text import _

Outline = Literal["accepted", "drawn", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class ReportInput:
    """A read, as it stands: everything that may appear in a report, and nothing of the file.

    Attributes
    ----------
    scan
        The image that was read.
    made_at
        When the report is made, with its time zone.
    author, role
        Who makes it, as they want to be named; may be empty.
    prediction, no_prediction
        What the model answered, or None and the one line that says why there is no answer.
    site_prevalence
        The site's own share of positives, 0..1, that stood beside the answer; None where none did.
    intended_use, limits
        In the words of the model's card.
    outline, lesions
        ``accepted``: the AI's outline, which the doctor accepted; ``drawn``: the doctor's own
        regions; ``none``: nothing confirmed, and then no outline is printed, whatever ``lesions``
        holds. Lesions are measured by the scale of the scan.
    context
        The case beside the image.
    verdict, label, origin, confidence, problems, comment
        The doctor's own entry; all may be missing.
    quality, override_reason
        ``QualityReport.to_dict()`` of the image, and why it was read although a check failed.
        Without a report :attr:`checked` makes one.
    measures
        Calipers and ellipses set by hand.

    Raises
    ------
    ReportError
        Two parts contradict each other; the line says which.
    """

    scan: Scan
    made_at: datetime
    author: str = ""
    role: str = ""
    prediction: Prediction | None = None
    no_prediction: str = ""
    site_prevalence: float | None = None
    intended_use: str = ""
    limits: tuple[str, ...] = ()
    outline: Outline = "none"
    lesions: tuple[Lesion, ...] = ()
    context: CaseContext | None = None
    verdict: Verdict | None = None
    label: str | None = None
    origin: Origin | None = None
    confidence: int | None = None
    problems: tuple[Problem, ...] = ()
    comment: str = ""
    quality: Mapping[str, Any] | None = None
    override_reason: str = ""
    measures: tuple[HandMeasure, ...] = ()

    def __post_init__(self) -> None:
        if self.made_at.utcoffset() is None:
            raise ReportError(_("The time of a report needs its time zone."))
        if self.prediction is not None and self.prediction.image_digest != self.scan.digest:
            raise ReportError(
                _("The AI result belongs to another image: read this one again, then report.")
            )
        if not all(isinstance(lesion, Lesion) for lesion in self.lesions):
            raise ReportError(_("A heat region is not a lesion and has no place in a report."))
        if self.outline == "accepted" and (
            self.prediction is None or not self.prediction.has_lesion_map
        ):
            raise ReportError(_("There is no AI outline that could have been accepted."))
        if self.outline != "none" and not self.lesions:
            raise ReportError(_("The outline to print is empty: accept or draw one first."))
        if any(not _inside(lesion, self.scan) for lesion in self.printed):
            raise ReportError(_("The outline belongs to another image: draw it again."))
        if not all(_of_this(measure, self.scan) for measure in self.measures):
            raise ReportError(_("A measurement belongs to another image: measure again."))

    @property
    def printed(self) -> tuple[Lesion, ...]:
        """The lesions that may be printed: accepted by the doctor, or the doctor's own."""
        return () if self.outline == "none" else self.lesions

    @property
    def checked(self) -> Mapping[str, Any]:
        """The quality of the image; checked now where it was not handed in."""
        return check_quality(self.scan).to_dict() if self.quality is None else self.quality


def missing(given: ReportInput) -> tuple[str, ...]:
    """Say what the report will lack, so that the person knows before making it."""
    lines = []
    if given.prediction is None:
        lines.append(_("There is no AI result; the report says so."))
    elif given.outline == "none":
        lines.append(_("No outline is accepted or drawn: none will be printed, nor measured."))
    if given.label is None:
        lines.append(_("Your own label is not given."))
    if given.context is None or given.context.birads is None:
        lines.append(_("No BI-RADS category is given."))
    if given.scan.spacing is None and not any(region.spacing for region in given.scan.regions):
        lines.append(_("No calibration is known: lengths are in pixels."))
    return tuple(lines)


def _inside(lesion: Lesion, scan: Scan) -> bool:
    left, top, width, height = lesion.box
    return left >= 0 and top >= 0 and left + width <= scan.width and top + height <= scan.height


def _of_this(measure: HandMeasure, scan: Scan) -> bool:
    """Tell whether these points give this measurement on ``scan``."""
    try:
        return measure_by_hand(measure.kind, measure.points, scan) == measure
    except LesionError:
        return False

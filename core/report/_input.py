"""What a report is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.errors import ReportError
from core.lesion import Lesion
from core.model import Prediction
from core.review import CaseContext, Origin, Problem, Verdict
from core.scan import Scan
from core.text import _

Outline = Literal["accepted", "drawn", "none"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ManualMeasure:
    """A caliper or an ellipse that somebody set by hand; its figures come from its points.

    Attributes
    ----------
    kind
        ``caliper`` or ``ellipse``.
    points
        (x, y) in pixels of the image, x to the right, y down; a whole number is the middle of a
        pixel. The two ends of a caliper; of an ellipse the two ends of one axis, then those of
        the other.
    """

    kind: Literal["caliper", "ellipse"]
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        fits = len(self.points) == (2 if self.kind == "caliper" else 4)
        if not fits or not all(math.isfinite(n) for point in self.points for n in point):
            raise ReportError(_("A manual measurement is incomplete: set it again."))

    @classmethod
    def of(cls, measure: Mapping[str, Any]) -> ManualMeasure:
        """Make one from a mapping with ``kind`` and ``points``, as viewer and feedback have it.

        Parameters
        ----------
        measure
            ``kind`` is ``caliper``, ``distance`` (the same) or ``ellipse``. An ellipse has two
            opposite corners of the upright box around it, the ends of one axis and one end of the
            other, or the four ends of its axes.

        Raises
        ------
        ReportError
            It is none of these.
        """
        points = tuple((float(x), float(y)) for x, y in measure.get("points", ()))
        if measure.get("kind") in ("caliper", "distance"):
            return cls("caliper", points)
        if len(points) == 2:
            (x0, y0), (x1, y1) = points
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            points = ((x0, y), (x1, y), (x, y0), (x, y1))
        elif len(points) == 3:
            (ax, ay), (bx, by), (cx, cy) = points
            points = (*points, (ax + bx - cx, ay + by - cy))
        return cls("ellipse", points)


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
    measures: tuple[ManualMeasure, ...] = ()

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

    @property
    def printed(self) -> tuple[Lesion, ...]:
        """The lesions that may be printed: accepted by the doctor, or the doctor's own."""
        return () if self.outline == "none" else self.lesions


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

"""From the rooms above to this room's plain values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from core.review._forms import AIResult, ImageFacts
from core.scan import restore_scan

if TYPE_CHECKING:
    from core.lesion import LesionControls
    from core.model import Prediction
    from core.scan import Scan


def image_facts(scan: Scan) -> ImageFacts:
    """Return the stored facts of ``scan``; nothing of the uploaded file is among them."""
    return ImageFacts(
        digest=scan.digest,
        case_number=scan.case_number,
        width=scan.width,
        height=scan.height,
        channels=1 if scan.pixels.ndim == 2 else 3,
        modality=scan.modality,
        spacing=scan.spacing,
        frames=scan.frames,
        synthetic=scan.synthetic,
        frame=scan.frame,
        series=scan.series,
        regions=scan.regions,
        corrections=scan.corrections,
        origin=scan.origin,
        notes=scan.notes,
        window=None if scan.depth is None else scan.depth.window,
    )


def stored_scan(image: ImageFacts, png: bytes) -> Scan:
    """Make the scan again from its stored facts and pixels.

    Parameters
    ----------
    image
        Its facts.
    png
        Its pixels. Values of more than 8 bits are not stored, so the scan has no ``depth``.

    Raises
    ------
    ScanError
        These are not the bytes of a whole PNG.
    ValueError
        The facts contradict each other or the pixels.
    """
    return restore_scan(
        png,
        modality=image.modality,
        spacing=image.spacing,
        frames=image.frames,
        synthetic=image.synthetic,
        frame=image.frame,
        regions=image.regions,
        corrections=image.corrections,
        origin=image.origin,
        notes=image.notes,
        series=image.series,
    )


def ai_result(
    prediction: Prediction,
    *,
    map_kind: Literal["lesion", "heat", "none"] = "none",
    controls: LesionControls | None = None,
    lesion_threshold: float | None = None,
    measurements: Sequence[Any] = (),
    explored_threshold: float | None = None,
    site_prevalence: float | None = None,
) -> AIResult:
    """Return ``prediction`` as plain values, with what was on screen beside it.

    Parameters
    ----------
    prediction
        What the model answered at its approved operating point.
    map_kind, controls, lesion_threshold
        Which map the regions came from, the controls in force (with ``to_dict``), and the
        threshold actually used.
    measurements
        One per region, largest first: mappings, or dataclasses.
    explored_threshold
        Where the slider over the operating point stood last, if it was moved off the approved one.
    site_prevalence
        The site's own share of positives that stood beside the answer.

    Raises
    ------
    InvalidFeedback
        The prediction is incomplete.
    """
    point = prediction.operating_point
    return AIResult(
        task=prediction.task,
        version=prediction.version,
        bundle_digest=prediction.bundle_digest,
        image_digest=prediction.image_digest,
        probabilities={name: float(prediction.probabilities[name]) for name in prediction.labels},
        positive=prediction.positive,
        probability=float(prediction.probability),
        operating_point=point.name,
        threshold=float(point.threshold),
        flagged=bool(prediction.flagged),
        answer=prediction.answer,
        interval=None if prediction.interval is None else plain(prediction.interval),
        prevalence=None if prediction.prevalence is None else float(prediction.prevalence),
        heat_class=prediction.heat_class,
        map_kind=map_kind,
        controls=None if controls is None else plain(controls.to_dict()),
        lesion_threshold=None if lesion_threshold is None else float(lesion_threshold),
        measurements=tuple(plain(item) for item in measurements),
        explored_threshold=explored_threshold,
        site_prevalence=site_prevalence,
        familiarity=None if prediction.familiarity is None else plain(prediction.familiarity),
        sure=None if prediction.sure is None else bool(prediction.sure),
    )


def plain(value: Any) -> Any:
    """Return ``value`` as JSON has it: NumPy's numbers unpacked, what is not finite as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

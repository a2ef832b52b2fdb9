"""What stands beside an answer: the image's provenance, its quality, and what was measured by hand.

Measurements by hand are worked out again from their points: a length that a browser got wrong, or
that has millimetres where there is no calibration, is refused rather than kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from core.errors import InvalidFeedback, LesionError
from core.lesion import measure_within
from core.review import _check
from core.text import _

if TYPE_CHECKING:
    from core.review._forms import Feedback, ImageFacts

MAX_REASON = 500
MAX_MEASURES = 20
MAX_REGIONS = 64
MAX_CORRECTIONS = 50
MAX_QUALITY_BYTES = 16_384
_DIGEST = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z_]{1,32}")
_OUTCOMES = ("pass", "warn", "fail")
# How far a figure may lie from that of its points, and a point from where it is kept: points are
# rounded to hundredths of a pixel.
_SHARE, _PIXELS = 0.01, 0.1
Point = tuple[float, float]


def beside(form: Feedback) -> None:
    """Refuse a form with facts that cannot be stored, or one read in spite of its quality."""
    _facts(form.image)
    _reason(form.override_reason)
    if form.ai is not None and form.ai.refused and not form.override_reason.strip():
        raise InvalidFeedback(
            _("This is no scan the model knows. Say why its answer was looked at all the same.")
        )
    if form.quality is None:
        return
    if (
        _outcome(form.quality) == "fail"
        and form.ai is not None
        and not form.override_reason.strip()
    ):
        raise InvalidFeedback(
            _("This scan failed its quality check. Say why it was read all the same.")
        )


def override(
    image_digest: str,
    quality: Mapping[str, Any],
    reason: str,
    familiarity: Mapping[str, Any] | None = None,
) -> None:
    """Refuse a reason that cannot be stored, or that is about nothing."""
    _reason(reason)
    _outcome(quality)
    if familiarity is not None and not _check.is_familiarity(familiarity):
        raise InvalidFeedback(_("The AI result is incomplete. Read the scan again, then send."))
    if not _DIGEST.fullmatch(image_digest):
        raise InvalidFeedback(_("The form is not bound to an image. Open the scan again."))


def _facts(facts: ImageFacts) -> None:
    inside = all(r.right <= facts.width and r.bottom <= facts.height for r in facts.regions)
    digests = (facts.origin, facts.series)
    fits = (
        type(facts.frame) is int
        and 0 <= facts.frame < max(facts.frames, 1)
        and inside
        and not (facts.regions and facts.spacing is not None)
        and len(facts.regions) <= MAX_REGIONS
        and len(facts.corrections) <= MAX_CORRECTIONS
        and all(digest is None or _DIGEST.fullmatch(digest) for digest in digests)
        and all(
            _WORD.fullmatch(name) and _is_word_or_number(value)
            for correction in facts.corrections
            for name, value in correction.values
        )
    )
    if not fits:
        raise InvalidFeedback(_("The form is not bound to an image. Open the scan again."))


def _is_word_or_number(value: object) -> bool:
    if isinstance(value, str):
        return bool(_WORD.fullmatch(value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def _reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise InvalidFeedback(
            _("The reason has {n} characters; shorten it to {limit}.").format(
                n=len(reason), limit=MAX_REASON
            )
        )
    if not _check.can_be_stored(reason):
        raise InvalidFeedback(
            _("The reason holds a character that cannot be stored. Type it again without it.")
        )


def _outcome(quality: Mapping[str, Any]) -> str:
    """Return the worst outcome of a quality report; refuse what is none."""
    try:
        size = len(json.dumps(quality, allow_nan=False))
        outcomes = [check["outcome"] for check in quality["checks"]]
        named = all(_WORD.fullmatch(check["name"]) for check in quality["checks"])
    except (TypeError, ValueError, KeyError):
        size, outcomes, named = 0, ["none"], False
    outcomes.append(quality.get("outcome", "pass") if isinstance(quality, Mapping) else "none")
    if not named or size > MAX_QUALITY_BYTES or any(each not in _OUTCOMES for each in outcomes):
        raise InvalidFeedback(_("The quality check is incomplete. Open the scan again."))
    return str(max(outcomes, key=_OUTCOMES.index))


def measures(drawn: Iterable[Mapping[str, Any]], facts: ImageFacts) -> tuple[dict[str, Any], ...]:
    """Return measurements by hand as ``HandMeasure.to_dict()`` gives them, measured again.

    Each is a mapping with ``kind``, ``points``, ``value`` and ``unit``, and may have ``axes`` and
    ``no_mm``. What its points do not give on this image is refused.
    """
    items = tuple(drawn)
    if len(items) > MAX_MEASURES:
        raise InvalidFeedback(
            _("Too much is measured: at most {n} distances and ellipses.").format(n=MAX_MEASURES)
        )
    return tuple(_measure(item, facts) for item in items)


def _measure(item: Mapping[str, Any], facts: ImageFacts) -> dict[str, Any]:
    unusable = InvalidFeedback(_("A measurement cannot be used. Delete it and measure again."))
    try:
        points = [(float(x), float(y)) for x, y in item["points"]]
        value, axes = float(item["value"]), [float(axis) for axis in item.get("axes", ())]
        again = measure_within(
            str(item["kind"]), points, facts.width, facts.height, facts.spacing, facts.regions
        )
        unit, reason = item["unit"], item.get("no_mm")
    except (TypeError, ValueError, KeyError, AttributeError, LesionError):
        raise unusable from None
    if any(map(_moved, points[:2], again.points[:2])):
        raise InvalidFeedback(_("A measurement leaves the image. Delete it and measure again."))
    agrees = (
        set(item) <= set(again.to_dict())
        and unit == again.unit
        and reason in (None, again.no_mm)
        and _near(value, again.value)
        and (not axes or len(axes) == len(again.axes))
        and all(map(_near, axes, again.axes))
    )
    if not agrees:
        raise unusable
    return again.to_dict()


def _moved(point: Point, kept: Point) -> bool:
    return math.dist(point, kept) > _PIXELS


def _near(value: float, true: float) -> bool:
    return math.isclose(value, true, rel_tol=_SHARE)

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

from core.errors import InvalidFeedback
from core.review import _check
from core.scan import Box, Spacing, spacing_within
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
# How far a length may lie from that of its points: a browser rounds what it shows.
_SHARE, _PIXELS, _ROUNDED = 0.02, 1.0, 0.05


def beside(form: Feedback) -> None:
    """Refuse a form with facts that cannot be stored, or one read in spite of its quality."""
    _facts(form.image)
    _reason(form.override_reason)
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
    """Return measurements by hand as plain values; refuse what does not fit the image.

    A caliper has two points; its value is their distance. An ellipse has two opposite corners of
    the upright box around it, or the four ends of its axes, two and two; its value is its area,
    π/4 times the product of the axes.
    """
    items = tuple(drawn)
    if len(items) > MAX_MEASURES:
        raise InvalidFeedback(
            _("Too much is measured: at most {n} calipers and ellipses.").format(n=MAX_MEASURES)
        )
    return tuple(_measure(item, facts) for item in items)


def _measure(item: Mapping[str, Any], facts: ImageFacts) -> dict[str, Any]:
    unusable = InvalidFeedback(_("A measurement cannot be used. Delete it and measure again."))
    try:
        kind, unit = item["kind"], item["unit"]
        points = [(float(x), float(y)) for x, y in item["points"]]
        value = float(item["value"])
    except (TypeError, ValueError, KeyError):
        raise unusable from None
    if set(item) != {"kind", "points", "value", "unit"}:
        raise unusable
    units = {"caliper": ("px", "mm"), "ellipse": ("px2", "mm2")}.get(kind, ())
    counts = {"caliper": (2,), "ellipse": (2, 4)}.get(kind, ())
    if unit not in units or len(points) not in counts or not math.isfinite(value):
        raise unusable
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
        raise unusable
    if not all(0 <= x <= facts.width and 0 <= y <= facts.height for x, y in points):
        raise InvalidFeedback(_("A measurement leaves the image. Delete it and measure again."))
    scale: Spacing | None = (1.0, 1.0)
    if unit.startswith("mm"):
        scale = spacing_within(facts.regions, facts.spacing, _box(points, facts))
    if scale is None or not _agrees(kind, value, points, scale):
        raise unusable
    return {"kind": kind, "points": [list(point) for point in points], "value": value, "unit": unit}


def _box(points: list[tuple[float, float]], facts: ImageFacts) -> Box:
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    left, top = (
        min(math.floor(min(xs)), facts.width - 1),
        min(math.floor(min(ys)), facts.height - 1),
    )
    return left, top, max(1, math.ceil(max(xs)) - left), max(1, math.ceil(max(ys)) - top)


def _agrees(kind: str, value: float, points: list[tuple[float, float]], scale: Spacing) -> bool:
    def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
        return math.hypot((a[0] - b[0]) * scale[1], (a[1] - b[1]) * scale[0])

    pixel = _PIXELS * max(scale)
    if kind == "caliper":
        length = apart(*points)
        return abs(value - length) <= _SHARE * length + pixel + _ROUNDED
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = [(x0, y0), (x1, y0), (x0, y0), (x0, y1)]
    axes = apart(points[0], points[1]), apart(points[2], points[3])
    area = math.pi / 4 * axes[0] * axes[1]
    slack = math.pi / 4 * (sum(axes) * pixel + pixel**2)
    return abs(value - area) <= 2 * _SHARE * area + slack + _ROUNDED

"""What stands beside an answer: the image's provenance, its quality, and what was measured by hand.

Measurements by hand are worked out again from their points: a length that a browser got wrong, or
that has millimetres where there is no calibration, is refused rather than kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
# How far a length may lie from that of its points, which are rounded to hundredths of a pixel.
_SHARE, _PIXELS = 0.01, 0.1
Point = tuple[float, float]


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

    A distance has its two ends as points. An ellipse has the two ends of one axis and an end of
    the other, at a right angle in the picture; its value is its area, and ``axes`` are its longest
    and shortest diameter. Points are (x, y), whole numbers at pixel centres.
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
        kind, unit, reason = str(item["kind"]), item["unit"], item.get("no_mm")
        points = [(float(x), float(y)) for x, y in item["points"]]
        value, axes = float(item["value"]), [float(axis) for axis in item.get("axes", ())]
    except (TypeError, ValueError, KeyError, AttributeError):
        raise unusable from None
    numbers = [value, *axes, *(number for point in points for number in point)]
    if (
        not set(item) <= {"kind", "points", "value", "unit", "axes", "no_mm"}
        or kind not in _MEASURES
        or unit not in _MEASURES[kind].units
        or len(points) != _MEASURES[kind].points
        or not all(map(math.isfinite, numbers))
        or not (reason is None or reason in _NO_MILLIMETRES)
    ):
        raise unusable
    # The third point of an ellipse, squared to the first axis, may come to lie beyond an edge.
    inside = all(0 <= x <= facts.width and 0 <= y <= facts.height for x, y in points[:2])
    near = all(
        -facts.width <= x <= 2 * facts.width and -facts.height <= y <= 2 * facts.height
        for x, y in points
    )
    if not (inside and near):
        raise InvalidFeedback(_("A measurement leaves the image. Delete it and measure again."))
    extent, halves = _drawn(kind, points)
    scale: Spacing | None = (1.0, 1.0)
    if unit.startswith("mm"):
        scale = spacing_within(facts.regions, facts.spacing, extent)
    if scale is None or not _agrees(value, axes, halves, scale):
        raise unusable
    return {
        "kind": kind,
        "points": [list(point) for point in points],
        "value": value,
        "unit": unit,
        "axes": axes,
        "no_mm": reason,
    }


@dataclass(frozen=True, slots=True)
class _Measure:
    points: int
    units: tuple[str, str]


_MEASURES = {"distance": _Measure(2, ("px", "mm")), "ellipse": _Measure(3, ("px2", "mm2"))}
# Why a measurement is in pixels.
_NO_MILLIMETRES = ("uncalibrated", "outside", "crosses", "no lengths")


def _drawn(kind: str, points: list[Point]) -> tuple[Box, list[Point]]:
    """Return the pixels something lies on, and its half axes (one for a distance)."""
    (x0, y0), (x1, y1) = points[:2]
    centre, first = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
    halves = [first]
    reach = abs(first[0]), abs(first[1])
    if kind == "ellipse":
        long = math.hypot(*first)
        across = (-first[1] / long, first[0] / long) if long else (0.0, 0.0)
        x, y = points[2][0] - centre[0], points[2][1] - centre[1]
        short = x * across[0] + y * across[1]
        halves.append((across[0] * short, across[1] * short))
        # The farthest points of an ellipse along x and y.
        reach = (
            math.hypot(*(half[0] for half in halves)),
            math.hypot(*(half[1] for half in halves)),
        )
    # A pixel reaches half a step around its centre.
    left, right = (math.floor(centre[0] + sign * reach[0] + 0.5) for sign in (-1, 1))
    top, bottom = (math.floor(centre[1] + sign * reach[1] + 0.5) for sign in (-1, 1))
    return (left, top, right - left + 1, bottom - top + 1), halves


def _agrees(value: float, axes: list[float], halves: list[Point], scale: Spacing) -> bool:
    scaled = np.array([(x * scale[1], y * scale[0]) for x, y in halves])
    # A scale that differs by direction turns the axes: the singular values are the new ones.
    semi = [float(half) for half in np.linalg.svd(scaled, compute_uv=False)]
    slack = _PIXELS * max(scale)
    if len(halves) == 1:
        return not axes and _near(value, 2 * semi[0], slack)
    if axes and not (
        len(axes) == 2
        and all(_near(axis, 2 * half, slack) for axis, half in zip(axes, semi, strict=True))
    ):
        return False
    return _near(value, math.pi * semi[0] * semi[1], math.pi * (semi[0] + semi[1]) * slack)


def _near(value: float, true: float, slack: float) -> bool:
    return value > 0 and abs(value - true) <= _SHARE * true + slack

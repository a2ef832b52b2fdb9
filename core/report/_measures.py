"""What was measured of the printed outlines and by hand, as a table."""

from __future__ import annotations

import math

import numpy as np

from core.lesion import Lesion
from core.report._document import Grid, Section, Words, plain
from core.report._input import ManualMeasure, ReportInput
from core.report._picture import box_of, letter
from core.scan import Scan
from core.text import _

_NONE = "–"
#: More rows than this do not fit under the image.
_FEW = 6


def measurements(given: ReportInput) -> Section | None:
    """Return the table of everything measured, or None where nothing is."""
    rows = [_of_lesion(lesion, i) for i, lesion in enumerate(given.printed)]
    rows += [_by_hand(measure, given.scan, i) for i, measure in enumerate(given.measures)]
    if not rows:
        return None
    header = ("", _("Longest axis"), _("Perpendicular"), _("Area"), _("Depth / width"))
    return Section(
        name="measurements",
        heading=_("Measurements"),
        place="under" if len(rows) <= _FEW else "below",
        grid=Grid(header, tuple(rows)),
        notes=tuple(_notes(given, rows)),
    )


def length(value: float, unit: str) -> str:
    """Return a length as it is printed: mm to a tenth, pixels whole."""
    return f"{value:.1f} mm" if unit == "mm" else f"{value:.0f} px"


def _of_lesion(lesion: Lesion, index: int) -> tuple[str, ...]:
    m = lesion.measurements
    number = str(index + 1) + ("*" if m.touches_border else "")
    area = f"{m.area:.1f} mm²" if m.unit == "mm" else f"{m.area:.0f} px²"
    return (
        number,
        length(m.longest_chord, m.unit),
        length(m.perpendicular_chord, m.unit),
        area,
        f"{m.depth_to_width:.2f}",
    )


def _by_hand(measure: ManualMeasure, scan: Scan, index: int) -> tuple[str, ...]:
    spacing = scan.spacing_at(box_of(_reach(measure), scan))
    unit = "px" if spacing is None else "mm"
    row, column = spacing or (1.0, 1.0)
    ends = np.array(measure.points, np.float64) * (column, row)
    if measure.kind == "caliper":
        apart = float(np.hypot(*(ends[1] - ends[0])))
        return (letter(index), length(apart, unit), _NONE, _NONE, _NONE)
    # Scales that differ by direction turn the axes: the singular values are the new ones.
    diameters = np.linalg.svd(ends[1::2] - ends[::2], compute_uv=False)
    area = math.pi / 4 * float(diameters.prod())
    said = f"{area:.1f} mm²" if unit == "mm" else f"{area:.0f} px²"
    return (letter(index), *(length(float(axis), unit) for axis in diameters), said, _NONE)


def _reach(measure: ManualMeasure) -> tuple[tuple[float, float], ...]:
    """Return the corners an ellipse reaches to: it bulges beyond the ends of turned axes."""
    if measure.kind == "caliper":
        return measure.points
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = measure.points
    x, y = (ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4
    wide = math.hypot(bx - ax, dx - cx) / 2
    high = math.hypot(by - ay, dy - cy) / 2
    return (x - wide, y - high), (x + wide, y + high)


def _notes(given: ReportInput, rows: list[tuple[str, ...]]) -> list[Words]:
    notes = []
    if given.outline == "accepted":
        notes.append(_("Numbers: the AI’s outline, accepted by the doctor."))
    elif given.outline == "drawn":
        notes.append(_("Numbers: regions drawn by the doctor."))
    if given.measures:
        notes.append(_("Letters: set by hand."))
    if any("px" in row[1] for row in rows):
        notes.append(_("px: pixels, because no single calibration holds there."))
    if any(row[0].endswith("*") for row in rows):
        notes.append(_("* reaches the edge of the image: the true size may be larger."))
    return [plain(note) for note in notes]

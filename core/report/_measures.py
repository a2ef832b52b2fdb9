"""What was measured of the printed outlines and by hand, as a table."""

from __future__ import annotations

from core.lesion import HandMeasure, Lesion
from core.report._document import Grid, Section, Words, plain
from core.report._input import ReportInput
from core.report._picture import letter
from core.text import _

_NONE = "–"
#: More rows than this do not fit under the image.
_FEW = 6


def measurements(given: ReportInput) -> Section | None:
    """Return the table of everything measured, or None where nothing is."""
    rows = [_of_lesion(lesion, i) for i, lesion in enumerate(given.printed)]
    rows += [_by_hand(measure, i) for i, measure in enumerate(given.measures)]
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


def _area(value: float, unit: str) -> str:
    return f"{length(value, unit)}²"


def _of_lesion(lesion: Lesion, index: int) -> tuple[str, ...]:
    m = lesion.measurements
    number = str(index + 1) + ("*" if m.touches_border else "")
    return (
        number,
        length(m.longest_chord, m.unit),
        length(m.perpendicular_chord, m.unit),
        _area(m.area, m.unit),
        f"{m.depth_to_width:.2f}",
    )


def _by_hand(measure: HandMeasure, index: int) -> tuple[str, ...]:
    unit = measure.unit.removesuffix("2")
    if measure.kind == "distance":
        return (letter(index), length(measure.value, unit), _NONE, _NONE, _NONE)
    axes = (length(axis, unit) for axis in measure.axes)
    return (letter(index), *axes, _area(measure.value, unit), _NONE)


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

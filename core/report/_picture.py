"""The image of a report: its pixels as they are, what is drawn over it, and its scale."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.lesion import HandMeasure, Lesion
from core.report._document import Picture, ScaleBar, Shape, Words, plain, strong
from core.report._input import ReportInput
from core.scan import Box, Scan, Spacing
from core.text import _

#: Longest side of a printed image in pixels: more than a printer resolves on 10 cm of paper.
LONGEST: Final = 2000
#: Rows and columns whose scales differ by more than this get a bar each.
_UNEVEN: Final = 0.01


def picture(given: ReportInput) -> Picture:
    """Return the image with the confirmed outline and the manual measurements."""
    scan = given.scan
    pixels = _for_print(scan)
    shapes = [shape for i, lesion in enumerate(given.printed) for shape in _of_lesion(lesion, i)]
    shapes += [shape for i, measure in enumerate(given.measures) for shape in _by_hand(measure, i)]
    spacing, within = scale(given)
    return Picture(
        pixels=pixels,
        width=scan.width,
        height=scan.height,
        about=_("Image of case {case}, {width} × {height} pixels").format(
            case=scan.case_number, width=scan.width, height=scan.height
        ),
        shapes=tuple(shapes),
        bars=_bars(scan, spacing),
        captions=_captions(given, pixels, spacing, within),
    )


def letter(index: int) -> str:
    """Return the name of a manual measurement: A to Z, then A2 and so on."""
    turn, place = divmod(index, 26)
    return chr(65 + place) + (str(turn + 1) if turn else "")


def scale(given: ReportInput) -> tuple[Spacing | None, Box | None]:
    """Return the scale the bar shows, and the region it holds in where not all over the image.

    With regions it is that of the first printed lesion, else of the largest calibrated region.
    """
    scan = given.scan
    if not scan.regions:
        return scan.spacing, None
    calibrated = [region for region in scan.regions if region.spacing is not None]
    boxes = [lesion.box for lesion in given.printed]
    boxes += [measure.box for measure in given.measures]
    for box in boxes:
        for region in calibrated:
            if region.holds(box) and scan.spacing_at(box) == region.spacing:
                calibrated = [region]
                break
        if len(calibrated) == 1:
            break
    if not calibrated:
        return None, None
    found = max(calibrated, key=lambda r: (r.right - r.left) * (r.bottom - r.top))
    size = (found.right - found.left, found.bottom - found.top)
    return found.spacing, (found.left, found.top, *size)


def _for_print(scan: Scan) -> NDArray[np.uint8]:
    ratio = LONGEST / max(scan.width, scan.height)
    if ratio >= 1:
        return scan.pixels
    size = (max(1, round(scan.width * ratio)), max(1, round(scan.height * ratio)))
    # INTER_AREA averages, so speckle does not turn into a moiré pattern.
    return np.asarray(cv2.resize(scan.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _of_lesion(lesion: Lesion, index: int) -> list[Shape]:
    rings = [lesion.contour, *lesion.holes]
    found = [
        Shape("outline", _corners(ring), True, str(index + 1) if not i else "")
        for i, ring in enumerate(rings)
    ]
    m = lesion.measurements
    for ends in (m.longest_chord_ends, m.perpendicular_chord_ends):
        found.append(Shape("chord", np.array(ends, np.float64) + 0.5, False))
    return found


def _corners(chain: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return an outline through the middles of its pixels, without points on straight stretches."""
    points = chain.astype(np.float64) + 0.5
    if len(points) < 4:
        return points
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    # A line that comes back over itself has no area there, but an end that must stay.
    turns |= (before * after).sum(axis=1) < 0
    return points[turns] if int(turns.sum()) >= 3 else points


def _by_hand(measure: HandMeasure, index: int) -> list[Shape]:
    points = np.array(measure.points, np.float64) + 0.5
    if measure.kind == "distance":
        return [Shape("caliper", points, False, letter(index))]
    centre = (points[0] + points[1]) / 2
    first, second = points[1] - centre, points[2] - centre
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)[:, None]
    return [
        Shape("caliper", centre + np.cos(turn) * first + np.sin(turn) * second, True, letter(index))
    ]


def _bars(scan: Scan, spacing: Spacing | None) -> tuple[ScaleBar, ...]:
    if spacing is None:
        length = nice_length(scan.width)
        return (ScaleBar(length, f"{length:g} px"),)
    row, column = spacing
    across = nice_length(scan.width * column)
    bars = [ScaleBar(across / column, f"{across:g} mm")]
    if abs(row / column - 1) > _UNEVEN:
        down = min(across, nice_length(scan.height * row))
        bars.append(ScaleBar(down / row, f"{down:g} mm", upright=True))
    return tuple(bars)


def nice_length(extent: float) -> float:
    """Return the longest of 1, 2, 5 times a power of ten that is at most 0.4 of ``extent``."""
    power = 10.0 ** math.floor(math.log10(extent * 0.4))
    best = max(step for step in (1, 2, 5) if step * power <= extent * 0.4 * (1 + 1e-9))
    return float(best * power)


def _captions(
    given: ReportInput, pixels: NDArray[np.uint8], spacing: Spacing | None, within: Box | None
) -> tuple[Words, ...]:
    scan = given.scan
    lines: list[Words] = []
    if scan.frames > 1:
        lines.append(strong(_frame(scan)))
    lines.append(plain(_outline_words(given)))
    lines.append(plain(_scale_words(scan, spacing, within)))
    if pixels.shape[:2] != scan.pixels.shape[:2]:
        lines.append(
            plain(
                _("Reduced for print: {width} × {height} px shown as {w} × {h}.").format(
                    width=scan.width, height=scan.height, w=pixels.shape[1], h=pixels.shape[0]
                )
            )
        )
    return tuple(lines)


def _frame(scan: Scan) -> str:
    number = _("Frame {n} of {count}").format(n=scan.frame + 1, count=scan.frames)
    starts = scan.loop.starts if scan.loop is not None else None
    return number if starts is None else f"{number} · {starts[scan.frame]:.2f} s"


def _outline_words(given: ReportInput) -> str:
    if given.outline == "accepted":
        return _("Outline: by the AI, accepted by the doctor.")
    if given.outline == "drawn":
        return _("Outline: drawn by the doctor.")
    if given.prediction is not None and given.prediction.has_lesion_map:
        return _("No outline: none was accepted or drawn.")
    return _("No outline: none was drawn.")


def _scale_words(scan: Scan, spacing: Spacing | None, within: Box | None) -> str:
    size = f"{scan.width} × {scan.height} px"
    if spacing is None:
        return _("{size}; no calibration is known, so lengths are in pixels.").format(size=size)
    row, column = spacing
    step = f"{column:.3g}" if abs(row / column - 1) <= _UNEVEN else f"{column:.3g} × {row:.3g}"
    words = _("{size}; one pixel is {step} mm.").format(size=size, step=step)
    if within is not None:
        left, top, width, height = within
        words += " " + _(
            "The scale holds in the calibrated area of {width} × {height} px from ({left}, {top})."
        ).format(width=width, height=height, left=left, top=top)
    return words

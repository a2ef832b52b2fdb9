"""Lesions and heat regions: what the room hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import LesionError
from core.lesion._controls import LesionControls
from core.lesion._echogenicity import echogenicities
from core.lesion._measure import Measurements, check_spacing, measure
from core.lesion._shape import MAX_HOLES, Regions, find_regions, keep_regions, look_up
from core.text import _

_Item = TypeVar("_Item", bound=np.generic)
Contour = NDArray[np.int32]
Box = tuple[int, int, int, int]
Spacing = tuple[float, float]
#: mm per pixel (row, column) of the whole picture, or what gives it for a box: None where a box has
#: no scale of its own, as across two regions of an ultrasound image.
Scale = Spacing | Callable[[Box], Spacing | None] | None


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """One lesion.

    Attributes
    ----------
    number
        From 1, the largest first.
    contour
        (N, 2) int32, (x, y): the outer outline through the centres of its boundary pixels,
        anticlockwise as seen, every pixel of it; read-only.
    holes
        Outlines of its holes, the largest first, in the lesion's pixels around each; see
        :attr:`LesionResult.holes_omitted`.
    measurements
        See :class:`Measurements`.
    box
        Left, top, width, height in pixels.
    """

    number: int
    contour: Contour
    holes: tuple[Contour, ...]
    measurements: Measurements
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class LesionResult:
    """Lesions of one picture.

    Attributes
    ----------
    mask
        (H, W) uint8, 255 in the lesions kept, else 0; read-only.
    lesions
        The largest first.
    threshold
        The probability the map was cut at (Otsu's own level where that was asked for).
    total
        Lesions of the smallest area or more, before the largest were kept.
    holes_omitted
        Holes beyond the 50 largest, whose outlines are not kept; mask and areas leave them out
        all the same.
    controls
        What made it.
    """

    mask: NDArray[np.uint8]
    lesions: tuple[Lesion, ...]
    threshold: float
    total: int
    holes_omitted: int
    controls: LesionControls


@dataclass(frozen=True, slots=True, eq=False)
class HeatRegion:
    """One region of a heatmap: a place to look at, never a lesion, so nothing is measured.

    Attributes are those of :class:`Lesion`, without measurements.
    """

    number: int
    contour: Contour
    holes: tuple[Contour, ...]
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class HeatRegionResult:
    """Regions of one heatmap; attributes as in :class:`LesionResult`, without measurements."""

    mask: NDArray[np.uint8]
    regions: tuple[HeatRegion, ...]
    threshold: float
    total: int
    holes_omitted: int
    controls: LesionControls


def find_lesions(
    probability: NDArray[np.float32],
    grey: NDArray[np.uint8],
    controls: LesionControls,
    *,
    spacing: Scale = None,
) -> LesionResult:
    """Find and measure the lesions in a probability map.

    Parameters
    ----------
    probability
        (H, W) float32, 0 to 1, at the resolution of the picture.
    grey
        (H, W) uint8: the picture's grey levels.
    controls
        How the map becomes a mask.
    spacing
        mm per pixel (row, column), which may differ, or a function that gives it for the box
        (left, top, width, height) of each lesion, as ``Scan.spacing_at``; None measures in pixels.

    Raises
    ------
    LesionError
        Map, picture or spacing cannot be used; one line says why.
    """
    if not callable(spacing):
        check_spacing(spacing)
    regions = find_regions(probability, controls)
    _check_grey(grey, probability.shape)
    contours, holes, omitted = _outlines(regions)
    return LesionResult(
        mask=_frozen(regions.mask),
        lesions=_measured(regions, contours, holes, grey, spacing),
        threshold=regions.threshold,
        total=regions.total,
        holes_omitted=omitted,
        controls=controls,
    )


def find_heat_regions(heat: NDArray[np.float32], controls: LesionControls) -> HeatRegionResult:
    """Shape a heatmap ((H, W) float32, 0 to 1) with the same controls, without measuring.

    Raises
    ------
    LesionError
        The heatmap cannot be used; one line says why.
    """
    regions = find_regions(heat, controls)
    contours, holes, omitted = _outlines(regions)
    return HeatRegionResult(
        mask=_frozen(regions.mask),
        regions=tuple(
            HeatRegion(i + 1, contour, holes[i], _box(contour))
            for i, contour in enumerate(contours)
        ),
        threshold=regions.threshold,
        total=regions.total,
        holes_omitted=omitted,
        controls=controls,
    )


def lesion_from_mask(
    mask: NDArray[np.uint8],
    grey: NDArray[np.uint8],
    spacing: Scale = None,
) -> Lesion:
    """Measure a drawn outline exactly as a found one.

    Parameters
    ----------
    mask
        (H, W) uint8 or bool, not zero inside. Of several pieces the largest is measured.
    grey, spacing
        As for :func:`find_lesions`.

    Raises
    ------
    LesionError
        The mask is empty, or one of the three cannot be used.
    """
    if not callable(spacing):
        check_spacing(spacing)
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype not in (np.uint8, np.bool_):
        raise LesionError(_("The drawn region must be a mask with rows and columns only."))
    _check_grey(grey, mask.shape)
    if not mask.any():
        raise LesionError(_("The drawn region is empty: draw around the lesion."))
    solid = (mask != 0).view(np.uint8) * np.uint8(255)
    regions = keep_regions(solid, 0, 1)
    contours, holes, _omitted = _outlines(regions)
    return _measured(regions, contours, holes, grey, spacing)[0]


def _measured(
    regions: Regions,
    contours: list[Contour],
    holes: list[tuple[Contour, ...]],
    grey: NDArray[np.uint8],
    spacing: Scale,
) -> tuple[Lesion, ...]:
    boxes = [_box(contour) for contour in contours]
    seeds = [(int(c[0, 0]), int(c[0, 1])) for c in contours]
    greys = echogenicities(regions, np.ascontiguousarray(grey), boxes, seeds)
    shape = (regions.mask.shape[0], regions.mask.shape[1])
    return tuple(
        Lesion(
            number=i + 1,
            contour=contour,
            holes=holes[i],
            measurements=measure(
                contour,
                int(regions.areas[i]),
                boxes[i],
                shape,
                echogenicity=greys[i],
                spacing=_spacing(spacing, boxes[i]),
            ),
            box=boxes[i],
        )
        for i, contour in enumerate(contours)
    )


def _spacing(scale: Scale, box: Box) -> Spacing | None:
    if not callable(scale):
        return scale
    found = scale(box)
    check_spacing(found)
    return found


def _outlines(regions: Regions) -> tuple[list[Contour], list[tuple[Contour, ...]], int]:
    """Return the outer outline and the holes' outlines of each region, and the holes left out.

    OpenCV takes over a second for the outlines of 100 000 holes, so all but the largest are
    filled before it looks. A region that lay in such a hole is then outlined by itself.
    """
    count = len(regions.areas)
    outer: list[Contour | None] = [None] * count
    holes: list[list[Contour]] = [[] for _ in range(count)]
    mask, omitted = _without_small_holes(regions)
    found, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for index, raw in enumerate(found):
        contour = _frozen(raw.reshape(-1, 2))
        owner = int(regions.owner[contour[0, 1], contour[0, 0]]) - 1
        if tree[0, index, 3] < 0:
            outer[owner] = contour
        else:
            holes[owner].append(contour)
    for index in range(count):
        if outer[index] is None:
            outer[index] = _alone(regions, index)
    return (
        [contour for contour in outer if contour is not None],
        [tuple(sorted(h, key=cv2.contourArea, reverse=True)) for h in holes],
        omitted,
    )


def _without_small_holes(regions: Regions) -> tuple[NDArray[np.uint8], int]:
    if regions.solid:
        return regions.mask, 0
    padded = cv2.copyMakeBorder(
        cv2.bitwise_not(regions.mask), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255
    )
    _count, labels, stats, _centres = cv2.connectedComponentsWithStats(padded, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[[0, labels[0, 0]]] = -1  # the regions themselves, and what joins the edge
    if len(areas) <= MAX_HOLES + 2:
        return regions.mask, 0
    order = np.argsort(-areas, kind="stable")
    fill = np.full(len(areas), 255, np.uint8)
    fill[order[:MAX_HOLES]] = 0
    fill[labels[0, 0]], fill[0] = 0, 255
    return look_up(fill, labels[1:-1, 1:-1]), len(areas) - 2 - MAX_HOLES


def _alone(regions: Regions, index: int) -> Contour:
    alone = cv2.inRange(regions.owner, index + 1, index + 1)
    left, top, width, height = cv2.boundingRect(alone)
    found, _tree = cv2.findContours(
        alone[top : top + height, left : left + width],
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_NONE,
        offset=(left, top),
    )
    return _frozen(found[0].reshape(-1, 2))


def _check_grey(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    if not isinstance(grey, np.ndarray) or grey.dtype != np.uint8 or grey.shape != shape:
        raise LesionError(
            _("The picture must have 8-bit grey levels and the size of the lesion map.")
        )


def _box(contour: Contour) -> Box:
    left, top, width, height = cv2.boundingRect(contour)
    return (int(left), int(top), int(width), int(height))


def _frozen(array: NDArray[_Item]) -> NDArray[_Item]:
    array.flags.writeable = False
    return array

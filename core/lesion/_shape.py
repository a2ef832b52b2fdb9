"""From a map to labelled regions: threshold, morphology, holes, components."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import LesionError
from core.lesion._controls import LesionControls
from core.lesion._morphology import apply_morphology
from core.text import _

#: Longest side of a map, in pixels: outlines go to the browser as 16-bit integers.
LONGEST_SIDE = 32_767
#: Outlines of holes kept for one picture; the others are counted (speckle can have 100 000).
MAX_HOLES = 50
_BYTE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions found in a map, numbered from 1, the largest first.

    Attributes
    ----------
    owner
        (H, W) uint8: the number of the region a pixel belongs to, or 0.
    mask
        (H, W) uint8: 255 where a region is, else 0.
    areas
        (N,) int: pixels of each.
    total
        Regions of the smallest area or more, before the largest were kept.
    threshold
        The probability the map was cut at.
    solid
        Whether no region can have a hole, because all were filled.
    """

    owner: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    areas: NDArray[np.intp]
    total: int
    threshold: float = 0.5
    solid: bool = False


def check_map(values: NDArray[np.float32]) -> None:
    """Refuse what is not a (H, W) float32 map of finite values from 0 to 1.

    Raises
    ------
    LesionError
        With one line that says what is wrong.
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        raise LesionError(_("The lesion map must hold 32-bit floating point numbers."))
    if values.ndim != 2 or values.size == 0:
        raise LesionError(_("The lesion map must have rows and columns only, and not be empty."))
    if max(values.shape) > LONGEST_SIDE:
        raise LesionError(
            _("The lesion map is too large: at most {limit} pixels a side.").format(
                limit=LONGEST_SIDE
            )
        )
    low, high = float(values.min()), float(values.max())  # a NaN comes through both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise LesionError(_("The lesion map holds values that are not numbers: read again."))
    if low < 0 or high > 1:
        raise LesionError(_("The lesion map holds values outside 0 to 1: read again."))


def find_regions(values: NDArray[np.float32], controls: LesionControls) -> Regions:
    """Shape a map into regions, in the order :class:`LesionControls` states.

    Regions are joined over 8 neighbours, background and holes over 4.
    """
    check_map(values)
    values = np.ascontiguousarray(values)
    threshold = controls.threshold
    if controls.method == "otsu":
        threshold = _otsu(values, threshold)
    mask = at_least(values, threshold)
    minimum, keep = controls.minimum_area, controls.keep_largest
    if controls.method == "hysteresis":
        count, labels = cv2.connectedComponents(at_least(values, controls.low), connectivity=8)
        reached = _reached(labels, count, mask)
        if controls.operation == "none" and not controls.fill_holes:
            # Nothing changes the parts any more, so they need not be labelled again.
            areas = np.where(reached > 0, _label_areas(labels, count), -1)
            return replace(_number(labels, areas, minimum, keep), threshold=threshold)
        mask = look_up(reached, labels)
    mask = apply_morphology(mask, controls)
    if controls.fill_holes:
        mask = fill_holes(mask)
    regions = keep_regions(mask, minimum, keep)
    return replace(regions, threshold=threshold, solid=controls.fill_holes)


def _otsu(values: NDArray[np.float32], fallback: float) -> float:
    levels = cv2.convertScaleAbs(values, alpha=255)
    if int(levels.min()) == int(levels.max()):  # a single level has nothing to separate
        return fallback
    level, _mask = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float((level + 0.5) / 255)


def _reached(labels: NDArray[np.int32], count: int, strong: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return, for each label, 255 where one of its pixels is strong, else 0."""
    reached = np.zeros(count, np.uint8)
    if count <= _BYTE:
        found = cv2.calcHist([labels.astype(np.uint8)], [0], strong, [_BYTE], [0, _BYTE])
        reached[found.reshape(-1)[:count] > 0] = 255
    else:
        reached[labels.reshape(-1)[np.flatnonzero(strong)]] = 255
    return reached


def look_up(table: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return ``table[labels]``; several times faster where there are few labels."""
    if len(table) > _BYTE:
        return np.asarray(table[labels])
    padded = np.zeros(_BYTE, np.uint8)
    padded[: len(table)] = table
    return np.asarray(cv2.LUT(labels.astype(np.uint8), padded))


def _label_areas(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    # OpenCV counts in 32-bit floating point numbers, which are exact up to 2 ** 24.
    if count > _BYTE or labels.size > 2**24:
        return np.asarray(np.bincount(labels.reshape(-1), minlength=count))
    counts = cv2.calcHist([labels.astype(np.uint8)], [0], None, [_BYTE], [0, _BYTE])
    return np.asarray(counts.reshape(-1)[:count].astype(np.intp))


def at_least(values: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """Return 255 where a value reaches the threshold (rounded to the map's 32 bits), else 0."""
    return np.asarray((values >= np.float32(threshold)).view(np.uint8) * np.uint8(255))


def fill_holes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `mask` with all background filled that 4-neighbours do not join to the edge."""
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return mask
    # Outside the box around everything there is no hole.
    part = np.s_[top : top + height, left : left + width]
    padded = cv2.copyMakeBorder(mask[part], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 1, flags=4)
    filled = np.zeros_like(mask)
    filled[part] = cv2.compare(padded, 1, cv2.CMP_NE)[1:-1, 1:-1]
    return filled


def keep_regions(mask: NDArray[np.uint8], minimum_area: int, keep: int) -> Regions:
    """Number the regions of `mask` ((H, W), 0 or 255), the largest `keep` of them."""
    left, top, width, height = cv2.boundingRect(mask)
    part = np.s_[top : top + height, left : left + width]
    owner = np.zeros_like(mask)
    if not width:
        return Regions(owner=owner, mask=mask, areas=np.zeros(0, np.intp), total=0)
    count, labels = cv2.connectedComponents(mask[part], connectivity=8)
    areas = _label_areas(labels, count)
    areas[0] = -1
    regions = _number(labels, areas, minimum_area, keep)
    kept = np.zeros_like(mask)
    owner[part], kept[part] = regions.owner, regions.mask
    return replace(regions, owner=owner, mask=kept)


def _number(
    labels: NDArray[np.int32], areas: NDArray[np.intp], minimum_area: int, keep: int
) -> Regions:
    """Number the largest of the labelled parts; one of area -1 is none."""
    total = int(np.count_nonzero(areas >= minimum_area))
    kept = _largest(labels, areas, min(keep, total))
    number_of = np.zeros(len(areas), np.uint8)
    number_of[kept] = np.arange(1, len(kept) + 1)
    owner = look_up(number_of, labels)
    return Regions(
        owner=owner,
        mask=cv2.threshold(owner, 0, 255, cv2.THRESH_BINARY)[1],
        areas=areas[kept],
        total=total,
    )


def _largest(labels: NDArray[np.int32], areas: NDArray[np.intp], keep: int) -> NDArray[np.intp]:
    """Return the labels of the `keep` largest regions, equals in the order they are read.

    Reading order is row by row, from the left: the topmost, then the leftmost.
    """
    if keep == 0:
        return np.zeros(0, np.intp)
    smallest = np.partition(areas, -keep)[-keep]
    candidates = np.flatnonzero(areas >= smallest)
    first_pixel = np.zeros(len(areas), np.intp)
    if len(np.unique(areas[candidates])) < len(candidates):
        # OpenCV numbers in blocks of two rows, so equals have to be looked up.
        wanted = np.zeros(len(areas), np.bool_)
        wanted[candidates] = True
        at = np.flatnonzero(wanted[labels])[::-1]
        first_pixel[labels.reshape(-1)[at]] = at  # the last one written is the first one read
    order = np.lexsort((first_pixel[candidates], -areas[candidates]))
    return np.asarray(candidates[order[:keep]])

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


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions found in a map, numbered from 1, the largest first.

    Attributes
    ----------
    owner
        (H, W) uint8: the number of the region a pixel belongs to, or 0.
    mask
        (H, W) uint8: 255 where a region is, else 0.
    boxes
        (N, 4) int: left, top, width, height of each, in pixels.
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
    boxes: NDArray[np.intp]
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
    mask, threshold = _cut(np.ascontiguousarray(values), controls)
    mask = apply_morphology(mask, controls)
    if controls.fill_holes:
        mask = fill_holes(mask)
    regions = keep_regions(mask, controls.minimum_area, controls.keep_largest)
    return replace(regions, threshold=float(threshold), solid=controls.fill_holes)


def _cut(values: NDArray[np.float32], controls: LesionControls) -> tuple[NDArray[np.uint8], float]:
    threshold = controls.threshold
    if controls.method == "otsu":
        levels = cv2.convertScaleAbs(values, alpha=255)
        low, high = int(levels.min()), int(levels.max())
        if low < high:  # a single level has nothing to separate
            level, _mask = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            threshold = (level + 0.5) / 255
    high_mask = at_least(values, threshold)
    if controls.method != "hysteresis":
        return high_mask, threshold
    count, labels = cv2.connectedComponents(at_least(values, controls.low), connectivity=8)
    reached = np.zeros(count, np.uint8)
    reached[labels.reshape(-1)[np.flatnonzero(high_mask)]] = 255
    return reached[labels], threshold


def at_least(values: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """Return 255 where a value reaches the threshold (rounded to the map's 32 bits), else 0."""
    return np.asarray((values >= np.float32(threshold)).view(np.uint8) * np.uint8(255))


def fill_holes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `mask` with all background filled that 4-neighbours do not join to the edge."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 1, flags=4)
    outside = padded[1:-1, 1:-1] == 1
    return np.asarray((~outside).view(np.uint8) * np.uint8(255))


def keep_regions(mask: NDArray[np.uint8], minimum_area: int, keep: int) -> Regions:
    """Number the regions of `mask` ((H, W), 0 or 255), the largest `keep` of them."""
    _count, labels, stats, _centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    enough = np.flatnonzero(areas >= minimum_area)
    # By area; of equal ones the topmost, then the leftmost, so that a tie has one answer.
    order = np.lexsort(
        (
            stats[1:, cv2.CC_STAT_LEFT][enough],
            stats[1:, cv2.CC_STAT_TOP][enough],
            -areas[enough],
        )
    )
    kept = 1 + enough[order[:keep]]
    number_of = np.zeros(len(stats), np.uint8)
    number_of[kept] = np.arange(1, len(kept) + 1)
    owner = number_of[labels]
    return Regions(
        owner=owner,
        mask=(owner > 0).view(np.uint8) * np.uint8(255),
        boxes=stats[kept, :4].astype(np.intp),
        areas=areas[kept - 1].astype(np.intp),
        total=len(enough),
    )

"""Grey level of each lesion against the tissue around it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from core.lesion._shape import Regions

Box = tuple[int, int, int, int]
Window = tuple[slice, slice]

#: A ring of equal area round a disc of radius r is (√2 - 1) r wide.
_EQUAL_AREA = math.sqrt(2) - 1
#: The labelled distance transform takes about as long as this many plain ones.
_LABELLED_COST = 5
#: Rounding of a chamfer distance in OpenCV, in pixels.
_ROUNDING = 0.01


def echogenicities(
    regions: Regions,
    grey: NDArray[np.uint8],
    boxes: list[Box],
    seeds: list[tuple[int, int]],
) -> list[float | None]:
    """Return mean grey inside minus mean grey in the ring, for each region; None without a ring.

    The ring of a region of area A is every background pixel, holes too, that is nearer to it
    than to another region and at most (√2 - 1) √(A / π) away, at least 1 pixel; a pixel equally
    near to two may count for either. Distances are OpenCV's 5 × 5 chamfer distances, within 2 %
    of the Euclidean.

    A few compact regions are worked on one by one, each in a window of its own; many, or long
    ones wound round each other, by one distance transform that tells which region is nearest.

    Parameters
    ----------
    regions
        The regions of one picture.
    grey
        (H, W) uint8.
    boxes
        Left, top, width, height of each region.
    seeds
        (x, y) of one pixel of each region.
    """
    if not boxes:
        return []
    widths = np.maximum(1.0, _EQUAL_AREA * np.sqrt(regions.areas / math.pi))
    shape = regions.mask.shape
    contested = _contested(regions, boxes, widths)
    windows = [_window(b, math.ceil(w) + 1, shape) for b, w in zip(boxes, widths, strict=True)]
    whole = (
        slice(min(w[0].start for w in windows), max(w[0].stop for w in windows)),
        slice(min(w[1].start for w in windows), max(w[1].stop for w in windows)),
    )
    area, cost = _pixels(whole), sum(map(_pixels, windows))
    if cost > (_LABELLED_COST - 1) * area:
        shifted = [(x - whole[1].start, y - whole[0].start) for x, y in seeds]
        return _together(regions.owner[whole], regions.mask[whole], grey[whole], widths, shifted)
    # Windows in which every distance reaches as far as any ring tell who is nearest by
    # themselves; where they grow too large, one more transform over the whole tells it.
    reach = math.ceil(widths.max()) + 1
    wide = [_window(box, reach, shape) for box in boxes]
    by_themselves = contested and sum(map(_pixels, wide)) < cost + area
    windows = wide if by_themselves else windows
    distances = [
        cv2.distanceTransform(
            cv2.compare(regions.owner[window], index + 1, cv2.CMP_NE), cv2.DIST_L2, 5
        )
        for index, window in enumerate(windows)
    ]
    nearest = np.full(shape if contested else (0, 0), np.inf, np.float32)
    if by_themselves:
        for window, distance in zip(windows, distances, strict=True):
            nearest[window] = cv2.min(nearest[window], distance)
        nearest += np.float32(_ROUNDING)
    elif contested:
        background = cv2.bitwise_not(regions.mask[whole])
        nearest[whole] = cv2.distanceTransform(background, cv2.DIST_L2, 5) + np.float32(_ROUNDING)
    result: list[float | None] = []
    for window, distance, width in zip(windows, distances, widths, strict=True):
        ring = cv2.inRange(distance, 0, float(width)) & cv2.bitwise_not(regions.mask[window])
        if contested:
            ring &= cv2.compare(distance, nearest[window], cv2.CMP_LE)
        inside = cv2.mean(grey[window], mask=cv2.compare(distance, 0, cv2.CMP_EQ))[0]
        around = cv2.mean(grey[window], mask=ring)[0]
        result.append(float(inside - around) if cv2.countNonZero(ring) else None)
    return result


def _contested(regions: Regions, boxes: list[Box], widths: NDArray[np.float64]) -> bool:
    """Return whether another region may be nearer to some pixel of a ring.

    It would have to lie within twice the ring's width.
    """
    margins = [math.ceil(2 * width) + 1 for width in widths]
    windows = [_window(b, m, regions.mask.shape) for b, m in zip(boxes, margins, strict=True)]
    return any(
        cv2.countNonZero(regions.mask[window]) > area
        for window, area in zip(windows, regions.areas, strict=True)
    )


def _together(
    owner: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    grey: NDArray[np.uint8],
    widths: NDArray[np.float64],
    seeds: list[tuple[int, int]],
) -> list[float | None]:
    """Give each background pixel to the nearest region first, then measure all at once."""
    distance, nearest = cv2.distanceTransformWithLabels(
        cv2.bitwise_not(mask), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    region_of = np.zeros(len(seeds) + 1, np.intp)
    for index, (x, y) in enumerate(seeds):
        region_of[nearest[y, x]] = index + 1
    reach = np.concatenate(([0.0], widths)).astype(np.float32)[region_of]
    at = np.flatnonzero(cv2.inRange(distance, _ROUNDING, float(reach.max())))
    labels = nearest.reshape(-1)[at]
    close = distance.reshape(-1)[at] <= reach[labels]
    at, numbers = at[close], region_of[labels[close]]
    size = len(seeds) + 1
    pixels, values = owner.reshape(-1), grey.reshape(-1)
    ring_count = np.bincount(numbers, minlength=size)
    ring_sum = np.bincount(numbers, weights=values[at], minlength=size)
    count = np.bincount(pixels, minlength=size)
    total = np.bincount(pixels, weights=values, minlength=size)
    return [
        float(total[i] / count[i] - ring_sum[i] / ring_count[i]) if ring_count[i] else None
        for i in range(1, size)
    ]


def _window(box: Box, margin: int, shape: tuple[int, ...]) -> Window:
    left, top, width, height = box
    return (
        slice(max(0, top - margin), min(shape[0], top + height + margin)),
        slice(max(0, left - margin), min(shape[1], left + width + margin)),
    )


def _pixels(window: Window) -> int:
    rows, columns = window
    return int((rows.stop - rows.start) * (columns.stop - columns.start))

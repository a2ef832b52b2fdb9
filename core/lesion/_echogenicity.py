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
    windows = [
        _window(box, math.ceil(width) + 1, grey.shape)
        for box, width in zip(boxes, widths, strict=True)
    ]
    whole = (
        slice(min(w[0].start for w in windows), max(w[0].stop for w in windows)),
        slice(min(w[1].start for w in windows), max(w[1].stop for w in windows)),
    )
    owner, mask, part = regions.owner[whole], regions.mask[whole], grey[whole]
    top, left = whole[0].start, whole[1].start
    if sum(map(_pixels, windows)) > (_LABELLED_COST - 1) * _pixels(whole):
        return _together(owner, mask, part, widths, [(x - left, y - top) for x, y in seeds])
    background = cv2.bitwise_not(mask)
    contested = _contested(regions, boxes, widths)
    to_nearest = np.zeros((0, 0), np.float32)
    if any(contested):
        to_nearest = cv2.distanceTransform(background, cv2.DIST_L2, 5) + np.float32(_ROUNDING)
    result: list[float | None] = []
    for index, (rows, columns) in enumerate(windows):
        window = np.s_[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        lesion = cv2.inRange(owner[window], index + 1, index + 1)
        distance = cv2.distanceTransform(cv2.bitwise_not(lesion), cv2.DIST_L2, 5)
        ring = cv2.inRange(distance, 0, float(widths[index])) & background[window]
        if contested[index]:
            ring &= cv2.compare(distance, to_nearest[window], cv2.CMP_LE)
        inside = cv2.mean(part[window], mask=lesion)[0]
        around = cv2.mean(part[window], mask=ring)[0]
        result.append(float(inside - around) if cv2.countNonZero(ring) else None)
    return result


def _contested(regions: Regions, boxes: list[Box], widths: NDArray[np.float64]) -> list[bool]:
    """Return whether another region may be nearer to some pixel of each one's ring.

    It would have to lie within twice the ring's width.
    """
    margins = [math.ceil(2 * width) + 1 for width in widths]
    windows = [_window(b, m, regions.mask.shape) for b, m in zip(boxes, margins, strict=True)]
    return [
        cv2.countNonZero(regions.mask[window]) > area
        for window, area in zip(windows, regions.areas, strict=True)
    ]


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

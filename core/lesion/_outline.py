"""Geometry of one outline: the half-pixel outline, its chords, its smoothed length.

An outline from OpenCV runs through the centres of the boundary pixels, so measuring along it
loses half a pixel all round: a row of ten pixels would be nine long. Chords and hull are
therefore measured on the *half-pixel outline*, which runs half-way between the boundary pixels
and their 4-neighbours outside (marching squares at one half, as scikit-image's Feret diameter
does it), and that row is ten long and one wide.

Points are (x, y): column, row, in pixels, a pixel's centre on whole numbers. Millimetres come in
by scaling the points with (column, row) spacing before anything is measured.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Chord = tuple[tuple[float, float], tuple[float, float]]

# The eight directions of a chain, anticlockwise as seen, from the right (rows grow downwards).
_STEPS = np.array([(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)])
# Direction of a step from its 3 * dx + dy + 4.
_DIRECTION = np.full(9, 0, np.intp)
_DIRECTION[_STEPS[:, 0] * 3 + _STEPS[:, 1] + 4] = np.arange(8)
# Savitzky-Golay weights: quadratic, seven points (Analytical Chemistry 36, 1627, 1964).
_SMOOTH = np.array([-2, 3, 6, 7, 6, 3, -2]) / 21
#: Chains with more points are thinned out before their hull is sought.
_LONG = 2_000
#: Chains are followed whole when a chord is sought while points² / extent stays below this.
_SHORT = 3_000
#: Long chains are gone through in pieces of this many points, which stay in the cache.
_PIECE = 32_768


def _outward_table() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return, for each pair of steps in and out, the 4-neighbours passed outside, and how many.

    Walking anticlockwise, what lies between the way back and the way on, anticlockwise, is
    outside.
    """
    passed = np.zeros((64, 4), np.intp)
    count = np.zeros(64, np.intp)
    for step_in in range(8):
        for step_out in range(8):
            back = (step_in + 4) % 8
            turns = (step_out - back) % 8 or 8
            codes = [c for c in ((back + k) % 8 for k in range(1, turns)) if c % 2 == 0]
            passed[step_in * 8 + step_out, : len(codes)] = codes
            count[step_in * 8 + step_out] = len(codes)
    return passed, count


_PASSED, _PASSED_COUNT = _outward_table()


def half_pixel_outline(chain: NDArray[np.int32]) -> Points:
    """Return the (M, 2) outline half a pixel outside a closed outer `chain` of pixel centres.

    Parameters
    ----------
    chain
        (N, 2) of 8-neighbours, anticlockwise as seen, as OpenCV gives an outer contour without
        approximation.
    """
    return _outline_at(chain, np.arange(len(chain)))[0]


def _outline_at(chain: NDArray[np.int32], at: NDArray[np.intp]) -> tuple[Points, NDArray[np.intp]]:
    """Return the outline points that belong to the chain's points `at`, and whose each is."""
    if len(chain) == 1:
        return np.asarray(chain[0] + _STEPS[::2] * 0.5), np.zeros(4, np.intp)
    here = chain[at]
    before, after = here - chain[at - 1], chain[(at + 1) % len(chain)] - here
    step_in = _DIRECTION[before[:, 0] * 3 + before[:, 1] + 4]
    turn = step_in * 8 + _DIRECTION[after[:, 0] * 3 + after[:, 1] + 4]
    counts = _PASSED_COUNT[turn]
    codes = _PASSED[turn][np.arange(4) < counts[:, None]]
    points = np.asarray(np.repeat(here, counts, axis=0) + _STEPS[codes] * 0.5)
    return points, np.repeat(at, counts)


def convex_hull(chain: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the (H, 2) convex hull of a chain of pixel centres."""
    points = chain
    if len(chain) > _LONG:
        # Only the first and last point of a row can be a corner; sorting all takes far longer.
        rows = chain[:, 1] - chain[:, 1].min()
        left = np.full(int(rows.max()) + 1, np.iinfo(np.int32).max, np.int32)
        right = np.full(len(left), -1, np.int32)
        np.minimum.at(left, rows, chain[:, 0])
        np.maximum.at(right, rows, chain[:, 0])
        y = np.arange(len(left), dtype=np.int32) + chain[:, 1].min()
        points = np.concatenate((np.stack((left, y), axis=1), np.stack((right, y), axis=1)))
    return np.asarray(cv2.convexHull(points.reshape(-1, 1, 2)).reshape(-1, 2))


def half_pixel_hull(corners: NDArray[np.int32]) -> Points:
    """Return the (H, 2) convex hull of the half-pixel outline from that of its chain, exactly."""
    # In half pixels everything is a whole number, so the hull of the hull is exact.
    tips = (corners[:, None] * 2 + _STEPS[::2]).astype(np.int32)
    return np.asarray(cv2.convexHull(tips.reshape(-1, 1, 2)).reshape(-1, 2) / 2.0)


def longest_chord(hull: Points, scale: Points) -> Chord:
    """Return the ends, in pixels, of the longest distance between two outline points.

    That is the maximum Feret diameter; it lies between corners of the convex hull, and all pairs
    of them are compared (a hull on 1024 × 1024 has a few hundred at most). Of chords equally
    long the one nearest the horizontal is taken, rising to the right before falling, then the
    upper, so that a square has one answer.

    Parameters
    ----------
    hull
        (H, 2) corners in pixels.
    scale
        (2,) size of a pixel in x and y.
    """
    points = hull * scale
    x, y = points[:, 0], points[:, 1]
    squared = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    first, second = np.nonzero(squared >= squared.max() * (1 - 1e-12))
    angles = np.round(chord_angle(points[first], points[second]), 6)
    best = np.lexsort((hull[first, 0], hull[first, 1], -angles, np.abs(angles)))[0]
    ends = sorted((_point(hull[first[best]]), _point(hull[second[best]])))
    return (ends[0], ends[1])


def chord_angle(start: Points, end: Points) -> NDArray[np.float64]:
    """Return degrees in (-90, 90] against the horizontal, positive where the right end is higher.

    Parameters
    ----------
    start, end
        (..., 2) points, scaled.
    """
    dx, dy = end[..., 0] - start[..., 0], start[..., 1] - end[..., 1]
    flip = np.where((dx < 0) | ((dx == 0) & (dy < 0)), -1.0, 1.0)
    return np.asarray(np.degrees(np.arctan2(dy * flip, dx * flip)))


def perpendicular_chord(
    chain: NDArray[np.int32], corners: NDArray[np.int32], axis: Chord, scale: Points
) -> Chord:
    """Return the ends, in pixels, of the longest chord at a right angle to `axis`.

    A chord joins the first and the last crossing of one line with the half-pixel outline, both
    on the outline itself, as calipers are set from margin to margin; a notch in between is
    passed over. The longest one goes through a corner of the outline, so lines are laid through
    corners, and the answer is exact.

    Of a long outline not every corner is tried. It is cut into slices across the axis; no chord
    in a slice is longer than the slice is high. Slices lower than a chord already found are left
    out, and so are corners that lie too deep for a longer one.

    Parameters
    ----------
    chain
        (N, 2) pixel centres, as for :func:`half_pixel_outline`.
    corners
        (H, 2) its convex hull.
    axis
        Ends of the longest chord, in pixels.
    scale
        (2,) size of a pixel in x and y.
    """
    run = (np.array(axis[1]) - np.array(axis[0])) * scale
    along = run / math.hypot(*run)
    frame = (along * scale, np.array((-along[1], along[0])) * scale)
    if len(chain) ** 2 <= _SHORT * max(map(abs, np.subtract(*axis))):
        starts, ends = _edges(chain, np.ones(len(chain), np.bool_))
        return _longest_across(starts, ends, frame, np.unique(_along(starts, frame)))[1]
    return _longest_by_slices(chain, corners, frame, scale)


def _longest_by_slices(
    chain: NDArray[np.int32],
    corners: NDArray[np.int32],
    frame: tuple[Points, Points],
    scale: Points,
) -> Chord:
    """Return what :func:`_longest_across` finds at all corners, without trying them all."""
    # As wide as the longest step of a chain: a step, and what hangs on it, touches two at most.
    wide = float(np.hypot(*scale))
    ends = _project(corners, frame[0])
    start = float(ends.min()) - wide
    of_point = np.empty(len(chain), np.int32)
    top = np.full(int((float(ends.max()) - start) / wide) + 4, -np.inf)
    bottom = -top
    for first in range(0, len(chain), _PIECE):
        piece = chain[first : first + _PIECE]
        slices = ((_project(piece, frame[0]) - start) / wide).astype(np.int32)
        across = _project(piece, frame[1])
        of_point[first : first + _PIECE] = slices
        np.maximum.at(top, slices + 1, across)
        np.minimum.at(bottom, slices + 1, across)
    # What hangs on the slices beside counts in, half a step further out than the chain.
    top = np.maximum(np.maximum(top[:-2], top[1:-1]), top[2:]) + wide / 2
    bottom = np.minimum(np.minimum(bottom[:-2], bottom[1:-1]), bottom[2:]) - wide / 2
    bound = top - bottom

    def edges_of(chosen: NDArray[np.bool_]) -> tuple[Points, Points]:
        near = chosen.copy()  # a chord of a slice may end on a step from the slice beside it
        near[1:] |= chosen[:-1]
        near[:-1] |= chosen[1:]
        return _edges(chain, near[of_point])

    highest = bound == bound.max()
    lines = np.asarray(start + (np.flatnonzero(highest) + 0.5) * wide, dtype=np.float64)
    best = _longest_across(*edges_of(highest), frame, lines)

    starts, ends = edges_of(bound >= best[0])
    u, v = _along(starts, frame), _project(starts, frame[1])
    of_corner = ((u - start) / wide).astype(np.intp)
    # A chord as long as the best one ends this high or this low in its slice.
    outermost = (v >= bottom[of_corner] + best[0]) | (v <= top[of_corner] - best[0])
    lines = np.unique(u[outermost & (bound[of_corner] >= best[0])])
    return max(best, _longest_across(starts, ends, frame, lines))[1] if len(lines) else best[1]


def _edges(chain: NDArray[np.int32], wanted: NDArray[np.bool_]) -> tuple[Points, Points]:
    """Return both ends of the half-pixel outline's edges between neighbouring wanted points."""
    at = np.flatnonzero(wanted)
    points, owner = _outline_at(chain, at)
    run = np.cumsum(np.concatenate(([0], np.diff(at) != 1)))
    over_the_end = bool(wanted[0] and wanted[-1])
    if over_the_end:
        run[run == run[-1]] = 0
    run = run[np.searchsorted(at, owner)]
    joined = run == np.roll(run, -1)
    joined[-1] &= over_the_end
    return points[joined], np.roll(points, -1, axis=0)[joined]


def _longest_across(
    starts: Points, ends: Points, frame: tuple[Points, Points], lines: NDArray[np.float64]
) -> tuple[float, Chord]:
    """Return the longest chord on the given sorted lines: its length and its ends in pixels."""
    u, v = _along(starts, frame), _project(starts, frame[1])
    u_next, v_next = _along(ends, frame), _project(ends, frame[1])
    first = np.searchsorted(lines, np.minimum(u, u_next), side="left")
    counts = np.searchsorted(lines, np.maximum(u, u_next), side="right") - first
    edge = np.repeat(np.arange(len(u)), counts)
    line = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    rise = u_next[edge] - u[edge]
    part = np.divide(lines[line] - u[edge], rise, out=np.zeros(len(edge)), where=rise != 0)
    height = v[edge] + part * (v_next[edge] - v[edge])
    upper, lower = np.full(len(lines), -np.inf), np.full(len(lines), np.inf)
    np.maximum.at(upper, line, height)
    np.minimum.at(lower, line, height)
    span = upper - lower
    best = int(np.argmax(span))
    sides = []
    for side in (lower, upper):
        crossing = np.flatnonzero((line == best) & (height == side[best]))[0]
        at = edge[crossing]
        sides.append(_point(starts[at] + part[crossing] * (ends[at] - starts[at])))
    sides.sort()
    return float(span[best]), (sides[0], sides[1])


def _along(points: Points, frame: tuple[Points, Points]) -> NDArray[np.float64]:
    # Corners of a grid often lie on one line across; rounding keeps them on it, so that a lesion
    # measures the same turned or mirrored.
    return np.round(_project(points, frame[0]), 9)


def _project(points: NDArray[np.int32] | Points, onto: Points) -> NDArray[np.float64]:
    return np.asarray(points[:, 0] * onto[0] + points[:, 1] * onto[1], dtype=np.float64)


def smoothed_length(chain: NDArray[np.int32], scale: Points) -> float:
    """Return the length of `chain` after the staircase of its pixels has been smoothed.

    A quadratic fitted to seven neighbours (Savitzky and Golay 1964) keeps bends and takes out
    steps. Without it a chain is up to 8 % too long, 5.5 % on average. Chains shorter than seven
    points are left as they are.
    """
    reach = len(_SMOOTH) // 2 if len(chain) >= len(_SMOOTH) else 0
    weights = _SMOOTH if reach else np.ones(1)
    ring = np.concatenate((chain[len(chain) - reach :], chain, chain[: reach + 1]))
    total = 0.0
    for first in range(0, len(chain), _PIECE):
        # The moves of the smoothed points are the smoothed moves.
        moves = np.diff(ring[first : first + _PIECE + 2 * reach + 1], axis=0)
        dx, dy = (np.convolve(moves[:, side] * scale[side], weights, "valid") for side in (0, 1))
        total += float(np.sqrt(dx * dx + dy * dy).sum())
    return total


def closed_length(points: Points) -> float:
    """Return the length of the closed polygon through (N, 2) `points`."""
    moves = np.roll(points, -1, axis=0) - points
    return float(np.hypot(moves[:, 0], moves[:, 1]).sum())


def pixel_girth(scale: Points) -> float:
    """Return the circumference of the ellipse that just fits a pixel of this size.

    It is what an outline through pixel centres gains when it moves out by half a pixel: the
    circumferences of convex shapes add up when one is carried round the other. (Ramanujan's
    second formula.)
    """
    a, b = float(scale[0]) / 2, float(scale[1]) / 2
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def polygon_area(points: Points) -> float:
    """Return the area of the polygon through (N, 2) `points`."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _point(values: Points) -> tuple[float, float]:
    return (float(values[0]), float(values[1]))

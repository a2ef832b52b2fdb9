"""From the doctor's drawing to a mask."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import LesionError
from core.text import _

#: Most corners a drawing may have.
MAX_POINTS: Final = 20_000
#: How far outside the picture a corner may lie, in pixels.
_FAR = 100_000.0


def mask_from_polygon(points: ArrayLike, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the mask of a region drawn on the picture.

    A pixel belongs to it when the line goes round its centre (non-zero winding: where a drawing
    crosses itself, every part it encloses counts) or when the line runs through it. The outline
    of a lesion therefore gives back the lesion's own pixels. What lies outside the picture is
    cut off.

    Parameters
    ----------
    points
        (N, 2) x, y in pixels, pixel centres on whole numbers; closed by itself; 3 to 20 000.
    shape
        Rows and columns of the picture.

    Returns
    -------
    (H, W) uint8, 255 inside, else 0.

    Raises
    ------
    LesionError
        Too few or too many points, points that are not finite numbers near the picture, or
        nothing of the region lies in the picture.
    """
    try:
        corners = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MAX_POINTS:
        raise LesionError(
            _("A drawn region needs 3 to {limit} points: draw around the lesion.").format(
                limit=MAX_POINTS
            )
        )
    if not np.isfinite(corners).all() or np.abs(corners).max() > _FAR:
        raise LesionError(_("The drawn region has points far outside the picture: draw it again."))
    # Eight binary places are a 256th of a pixel, OpenCV's own precision for lines.
    fixed = np.round(corners * 256).astype(np.int32).reshape(-1, 1, 2)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [fixed], (255,), lineType=cv2.LINE_8, shift=8)
    mask[_winding(corners, shape) != 0] = 255
    if not mask.any():
        raise LesionError(_("The drawn region lies outside the picture: draw it again."))
    return mask


def _winding(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return how often the polygon goes round each pixel's centre."""
    height, width = shape
    turns = np.zeros((height, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        sign, low, high = (1, y0, y1) if y0 < y1 else (-1, y1, y0)
        rows = np.arange(max(0, int(np.ceil(low))), min(height, int(np.ceil(high))))
        cross = x0 + (rows - y0) / (y1 - y0) * (x1 - x0)
        # Each row occurs once per edge, so plain indexing adds up.
        turns[rows, np.clip(np.ceil(cross), 0, width).astype(np.intp)] += sign
    return np.cumsum(turns, axis=1, dtype=np.int32)[:, :width]

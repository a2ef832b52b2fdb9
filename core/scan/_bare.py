"""The picture of a scan without its frame and without what was written over it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan._layout import find_layout
from core.scan._measures import strokes

#: Share of a cell that must be free of strokes for its own pixels to stand for it.
_FREE = 0.3
#: Standard deviation, in cells, of the neighbourhood that stands for a cell that is not.
_NEAR = 2.0
#: Pixels of a stroke and two around it that make a mark: a cross of 7 pixels has 84. Phantoms
#: without any reach 46 at 128 x 128 pixels, and 25 at 256 and above (docs/audit.md).
_WRITTEN = 60


@dataclass(frozen=True, slots=True, eq=False)
class Bare:
    """A small picture to compare scans by.

    Attributes
    ----------
    pixels
        uint8 ``(side, side)``: the picture inside the frame, stretched to a square, without
        burned-in strokes.
    lettering
        Share of the picture within 2 pixels of burned-in strokes, 0 to 1.
    written
        Whether a stroke is as large as a letter or a caliper mark. Speckle of a pixel or two can
        be as hard in pictures of few pixels, but hangs together less.
    """

    pixels: NDArray[np.uint8]
    lettering: float
    written: bool


def bare_picture(grey: NDArray[np.uint8], side: int) -> Bare:
    """Reduce the picture of a scan to a square, leaving out the frame and what is written on it.

    The same scan with other letters, calipers or borders gives nearly the same square. Cells that
    strokes cover are filled from around them by normalised convolution (Knutsson H., Westin C.-F.,
    *Normalized and differential convolution*, CVPR 1993).

    Parameters
    ----------
    grey
        uint8 ``(H, W)``.
    side
        Side of the square, in cells.
    """
    left, top, width, height = find_layout(grey).content
    picture, around = strokes(grey[top : top + height, left : left + width])
    size = (side, side)
    plain = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    lettering = float(around.mean())
    if not lettering:
        return Bare(np.asarray(plain, np.uint8), 0.0, written=False)
    _n, _parts, facts, _centres = cv2.connectedComponentsWithStats(around, connectivity=8)
    written = bool(facts[1:, cv2.CC_STAT_AREA].max(initial=0) >= _WRITTEN)
    free = 1 - around
    weight = cv2.resize(free.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    value = cv2.resize((picture * free).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    nearby = cv2.GaussianBlur(value, (0, 0), _NEAR)
    nearby /= np.maximum(cv2.GaussianBlur(weight, (0, 0), _NEAR), 1e-3)
    filled = np.where(weight > _FREE, value / np.maximum(weight, _FREE), nearby)
    return Bare(np.clip(np.rint(filled), 0, 255).astype(np.uint8), lettering, written)

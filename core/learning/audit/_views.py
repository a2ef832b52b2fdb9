"""How a small picture is described so that its near-duplicates lie near it.

A descriptor is the low part of the discrete cosine transform, as in perceptual hashes (Zauner C.,
*Implementation and benchmarking of perceptual image hash functions*, 2010), of the picture after
its local mean was taken away and its local contrast evened out: scans look alike in what is bright
above and dark below, and differ in the rest. It is kept as numbers and not cut to bits, so that a
product of two descriptors is a correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from core.learning.audit._thumbs import SIDE

#: Lowest frequencies each way that are kept; without the mean that makes 99 numbers.
_KEPT = 10
DESCRIBED = _KEPT * _KEPT - 1
#: Standard deviations, in cells, of the Gaussians: speckle below the first, shading above the last.
_FINE, _COARSE = 1.0, 6.0
#: Grey levels squared that the local contrast is never taken to be below.
_FLAT = 4.0
#: Side of a crop by the side of the whole: between two crops ECC finds the way by itself.
_CROPPED = 0.88


@dataclass(frozen=True, slots=True)
class View:
    """A way of looking at a picture: a crop of it, or its mirror image.

    Attributes
    ----------
    left, top
        Where the crop begins, in shares of the side.
    share
        Its side, in shares of the side.
    mirrored, upturned
        Whether left and right, and whether top and bottom are exchanged before.
    """

    left: float = 0.0
    top: float = 0.0
    share: float = 1.0
    mirrored: bool = False
    upturned: bool = False

    def matrix(self) -> NDArray[np.float32]:
        """Return (2, 3) float32: where a cell of the view comes from in the turned picture."""
        move = (self.share - 1) / 2
        return np.array(
            [
                [self.share, 0, self.left * SIDE + move],
                [0, self.share, self.top * SIDE + move],
            ],
            np.float32,
        )

    def turned(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the whole picture, mirrored where this view is."""
        if self.mirrored:
            picture = picture[:, ::-1]
        if self.upturned:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the view, (48, 48) uint8 like the picture."""
        turned = self.turned(picture)
        if self.share == 1:
            return turned
        return np.asarray(
            cv2.warpAffine(
                turned,
                self.matrix(),
                (SIDE, SIDE),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )


WHOLE = View()
#: The whole, five crops that between them are near any crop of a fifth, and three mirror images.
VIEWS: tuple[View, ...] = (
    WHOLE,
    *(
        View(x * (1 - _CROPPED), y * (1 - _CROPPED), _CROPPED)
        for x, y in ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5))
    ),
    View(mirrored=True),
    View(upturned=True),
    View(mirrored=True, upturned=True),
)


def evened(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (48, 48) float32: the picture without its shading, its contrast the same all over."""
    plane = picture.astype(np.float32)
    detail = cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
    power = cv2.GaussianBlur(detail * detail, (0, 0), _COARSE)
    return np.asarray(detail / np.sqrt(power + _FLAT), np.float32)


def describe(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the descriptors of (n, 48, 48) pictures: (n, 99) float32 of length 1, or 0 of none."""
    if not len(pictures):
        return np.zeros((0, DESCRIBED), np.float32)
    even = np.stack([evened(picture) for picture in pictures])
    low = dctn(even, axes=(1, 2), norm="ortho")[:, :_KEPT, :_KEPT].reshape(len(even), -1)[:, 1:]
    length = np.linalg.norm(low, axis=1, keepdims=True)
    return np.asarray(low / np.maximum(length, 1e-6), np.float32)

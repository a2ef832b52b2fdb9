"""The figures a scan's quality is judged by: numbers alone, no thresholds.

All are measured on the picture and not on the empty frame around it, and on a reduced copy where
the reduction does not change what is asked, so that a large image costs little more than a
small one. The same pixels always give the same figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan._layout import Layout, find_layout
from core.scan._scan import Scan

Plane = NDArray[np.float32]

#: A pixel whose channels lie this far apart is coloured, in grey levels.
COLOUR = 40
#: Pixels that shares and percentiles are taken from, at the most: a grid, never an average.
_SAMPLED = 2**18
#: Short side to which a picture is reduced before its sharpness is measured. More detail than
#: this no reader of whole pictures uses, so a large image may lack it.
_SHARP_SIDE = 384
#: Standard deviations, in pixels, of the two Gaussians: what is finer than the first, and what
#: is finer than the second and so holds the whole speckle.
_FINE, _COARSE = 0.8, 4.0
_TILE = 32
#: A tile whose detail is weaker, in grey levels, is rounding and says nothing of sharpness.
_TILE_DETAIL = 3.0
_TILES = 4
#: Short side to which a picture is reduced before lettering is looked for.
_LETTER_SIDE = 1024
#: Second difference, in grey levels, of a stroke of one pixel: echo, limited by the beam, has
#: nothing as thin.
_STROKE = 260
#: Pixels around a stroke that it makes hard to read.
_AROUND = 5


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured on a scan.

    Attributes
    ----------
    layout
        Where the picture lies.
    resolution
        Short side of the picture in pixels; of the largest where there are several.
    detail
        Share of the fine detail of the speckle that is finer still, 0 to 1: see :func:`detail`.
        None where the picture has too little texture to tell.
    contrast
        Grey levels between the 5th and the 95th percentile.
    brightness
        Mean grey level.
    black, white
        Shares of pixels clipped to the two ends of the grey scale, 0 to 1.
    coloured
        Share of coloured pixels, 0 to 1.
    lettering
        Share of the picture within 2 pixels of thin hard strokes, 0 to 1.
    frame
        Share of the image that lies outside the picture, 0 to 1.
    spread
        Standard deviation of the whole image in grey levels.
    """

    layout: Layout
    resolution: int
    detail: float | None
    contrast: float
    brightness: float
    black: float
    white: float
    coloured: float
    lettering: float
    frame: float
    spread: float


@dataclass(frozen=True, slots=True)
class Levels:
    """How often each grey level occurs: what all figures of brightness are taken from at once.

    ``counts`` is int64 ``(256,)``, with at least one pixel.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Levels:
        """Count the levels of uint8 ``(H, W)``, fewer than 2 ** 24 pixels: OpenCV's are floats."""
        counts = cv2.calcHist([pixels], [0], None, [256], [0, 256])
        return cls(counts.ravel().astype(np.int64))

    @property
    def mean(self) -> float:
        """Mean level."""
        return float(self.counts @ np.arange(256)) / int(self.counts.sum())

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.counts @ (np.arange(256) - self.mean) ** 2 / self.counts.sum())

    def share(self, first: int, last: int) -> float:
        """Return the share of pixels from one level up to another, 0 to 1."""
        return float(self.counts[first : last + 1].sum() / self.counts.sum())

    def percentile(self, percent: float) -> float:
        """Return a percentile, between two pixels linearly as NumPy does."""
        up_to = np.cumsum(self.counts)
        place = percent / 100 * (int(up_to[-1]) - 1)
        below, above = np.searchsorted(up_to, [math.floor(place), math.ceil(place)], side="right")
        return float(below + (place % 1.0) * (above - below))


def measure(scan: Scan) -> Measures:
    """Measure everything a quality check asks for.

    Parameters
    ----------
    scan
        Any scan.
    """
    grey = scan.grey
    layout = find_layout(grey)
    left, top, width, height = layout.content
    window = (slice(top, top + height), slice(left, left + width))
    picture = grey[window]
    levels = Levels.of(grid(picture))
    sides = [min(box[2], box[3]) for box in layout.panels] or [min(width, height)]
    return Measures(
        layout=layout,
        resolution=max(sides),
        detail=detail(picture),
        contrast=levels.percentile(95) - levels.percentile(5),
        brightness=levels.mean,
        # One level of slack: JPEG moves a clipped pixel by that much.
        black=levels.share(0, 1),
        white=levels.share(254, 255),
        coloured=coloured_share(scan.pixels[window]),
        lettering=lettering(picture),
        frame=1.0 - width * height / (scan.width * scan.height),
        spread=Levels.of(grid(grey)).deviation,
    )


def detail(picture: NDArray[np.uint8]) -> float | None:
    """Return how much of the texture of a picture is fine: what blur and enlargement take away.

    Method: variance above a Gaussian of 0.8 pixels by variance above one of 4 pixels, per tile of
    32 x 32 pixels, and the square root of the median over the tiles. Speckle is texture at the
    limit of the beam, so a sharp scan has much of the first; a ratio does not change with gain;
    a median over tiles does not see burned-in letters, which are sharp in a blurred picture too.
    A relative of the measure of Crete F. et al., *The blur effect*, SPIE 6492, 2007, which also
    asks how much a second blur takes away.

    Parameters
    ----------
    picture
        uint8 ``(H, W)``.

    Returns
    -------
    float or None
        0 to 1; None where fewer than 4 tiles have texture.
    """
    small = _reduced(picture, _SHARP_SIDE).astype(np.float32)
    fine = small - cv2.GaussianBlur(small, (0, 0), _FINE)
    coarse = small - cv2.GaussianBlur(small, (0, 0), _COARSE)
    tiles = (max(1, small.shape[1] // _TILE), max(1, small.shape[0] // _TILE))
    of_fine, of_coarse = tile_means(fine * fine, tiles), tile_means(coarse * coarse, tiles)
    textured = of_coarse >= _TILE_DETAIL**2
    if np.count_nonzero(textured) < min(_TILES, textured.size):
        return None
    return math.sqrt(float(np.median(of_fine[textured] / of_coarse[textured])))


def tile_means(values: Plane, tiles: tuple[int, int]) -> NDArray[np.float64]:
    """Return the mean of each of so many tiles across and down, parts of pixels counted in part.

    What OpenCV's area interpolation gives, from an integral image and so several times faster
    where tiles are large.

    Parameters
    ----------
    values
        float32 ``(H, W)``.
    tiles
        How many across and down, at most W and H.
    """
    across, down = tiles
    of_rows = _at_edges(cv2.integral(values, sdepth=cv2.CV_64F), down)
    sums = np.diff(np.diff(_at_edges(of_rows.T, across), axis=0).T, axis=0)
    return np.asarray(sums * (across * down / values.size), np.float64)


def _at_edges(sums: NDArray[np.float64], parts: int) -> NDArray[np.float64]:
    """Return running sums at the edges of equal parts of their rows, inside a pixel linearly."""
    edges = np.linspace(0.0, len(sums) - 1, parts + 1)
    at = np.minimum(edges.astype(np.intp), len(sums) - 2)
    inside = (edges - at)[:, None]
    return np.asarray(sums[at] * (1.0 - inside) + sums[at + 1] * inside, np.float64)


def coloured_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of coloured pixels, 0 to 1.

    Parameters
    ----------
    pixels
        uint8, ``(H, W)`` or ``(H, W, 3)``.
    """
    if pixels.ndim == 2:
        return 0.0
    red, green, blue = cv2.split(grid(pixels))
    most = cv2.max(cv2.max(red, green), blue)
    least = cv2.min(cv2.min(red, green), blue)
    return float((cv2.subtract(most, least) > COLOUR).mean())


def lettering(picture: NDArray[np.uint8]) -> float:
    """Return the share of a picture that lies on or beside burned-in strokes, 0 to 1.

    Letters, calipers and scales are lines of a pixel or two with hard edges; echoes are as wide
    as the beam. A stroke is found by its second difference.

    Parameters
    ----------
    picture
        uint8 ``(H, W)``.
    """
    return float(strokes(picture)[1].mean())


def strokes(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Find burned-in strokes as :func:`lettering` counts them.

    Parameters
    ----------
    picture
        uint8 ``(H, W)``.

    Returns
    -------
    tuple
        The picture reduced to a short side of 1024 pixels at the most, uint8 ``(h, w)``, and of
        the same size 1 on and beside strokes, else 0.
    """
    small = _reduced(picture, _LETTER_SIDE)
    found = np.abs(cv2.Laplacian(small, cv2.CV_16S, ksize=1)) >= _STROKE
    around = cv2.dilate(found.view(np.uint8), np.ones((_AROUND, _AROUND), np.uint8))
    return small, np.asarray(around, np.uint8)


def grid(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return every n-th pixel both ways: enough for shares and percentiles, and never averaged."""
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _SAMPLED))
    return np.ascontiguousarray(pixels[::step, ::step])


def _reduced(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = picture.shape
    factor = side / min(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

"""Shapes whose measurements are known, and the measurements of any mask."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from core.lesion import lesion_from_mask


def disc(radius: float, centre=None, side: int | None = None) -> np.ndarray:
    side = side or int(2 * radius + 9)
    cx, cy = centre or (side / 2 - 0.3, side / 2 + 0.2)
    y, x = np.mgrid[:side, :side]
    return (x - cx) ** 2 + (y - cy) ** 2 <= radius**2


def rectangle(length: float, breadth: float, degrees: float, side: int = 0) -> np.ndarray:
    """Anticlockwise as seen, long side along the horizontal at 0 degrees."""
    side = side or int(math.hypot(length, breadth) + 9)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.23
    t = math.radians(degrees)
    u, v = x * math.cos(t) - y * math.sin(t), x * math.sin(t) + y * math.cos(t)
    return (np.abs(u) <= length / 2) & (np.abs(v) <= breadth / 2)


def ellipse(a: float, b: float, degrees: float) -> np.ndarray:
    side = int(2 * a + 9)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.31
    t = math.radians(degrees)
    u, v = x * math.cos(t) - y * math.sin(t), x * math.sin(t) + y * math.cos(t)
    return (u / a) ** 2 + (v / b) ** 2 <= 1


def star(points: int = 7, outer: float = 70, inner: float = 25) -> np.ndarray:
    side = int(2 * outer + 9)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.4
    wave = np.abs((np.arctan2(y, x) * points / np.pi) % 2 - 1)
    return np.hypot(x, y) <= inner + (outer - inner) * wave**2


def blot(seed: int, side: int = 90) -> np.ndarray:
    # Seeds 3 and 4 have one longest chord; with two, turning the picture may choose the other.
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    rough = ndimage.gaussian_filter(rng.standard_normal((side, side)), 3)
    mask = np.hypot(x, y * 1.4) + rough * 60 < side * 0.3
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    return labels == np.bincount(labels[mask]).argmax()


def measured(mask, spacing=None, grey=None):
    mask = np.asarray(mask, np.uint8)
    grey = np.zeros(mask.shape, np.uint8) if grey is None else grey
    return lesion_from_mask(mask, grey, spacing).measurements


SHAPES = {
    "disc": disc(20), "ellipse": ellipse(40, 15, 25), "rectangle": rectangle(60, 20, 33),
    "star": star(), "blot": blot(3), "other blot": blot(4),
}  # fmt: skip

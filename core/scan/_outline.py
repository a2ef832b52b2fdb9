"""Outlines of lesions: a radius over the angle, its mask, and the distance to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
_ANGLES = 1440


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A lesion's outline on the grid.

    Attributes
    ----------
    mask
        uint8 ``(H, W)``, 255 where the centre of the pixel lies inside.
    distance
        float32 ``(H, W)``, pixels to the outline: negative inside, positive outside.
    facing
        float32 ``(H, W)``, 0 to 1: how squarely the nearest piece of outline faces the beam.
    """

    mask: NDArray[np.uint8]
    distance: Plane
    facing: Plane


def draw_outline(
    shape: tuple[int, int],
    *,
    kind: str,
    centre: tuple[float, float],
    axes: tuple[float, float],
    angle: float,
    rng: np.random.Generator,
) -> Outline:
    """Draw an outline.

    Parameters
    ----------
    shape
        ``(H, W)``.
    kind
        A shape of :class:`core.scan.LesionSpec`.
    centre
        Column and row of the middle, in pixels from the image's corner.
    axes
        Full lengths of the two axes of the underlying ellipse, in pixels.
    angle
        Degrees by which the first axis is turned, clockwise on the screen.
    rng
        Chooses lobes, bays and spicules; not used for ``ellipse``.
    """
    rows, columns = np.indices(shape, dtype=np.float32)
    right = columns + np.float32(0.5 - centre[0])
    down = rows + np.float32(0.5 - centre[1])
    cos, sin = np.float32(np.cos(np.radians(angle))), np.float32(np.sin(np.radians(angle)))
    along = (right * cos + down * sin) / np.float32(axes[0] / 2)
    beside = (down * cos - right * sin) / np.float32(axes[1] / 2)
    radius = _radius(kind, rng)
    position = (np.arctan2(beside, along) / np.float32(2 * np.pi)) % 1.0 * _ANGLES
    at = np.interp(position, np.arange(_ANGLES + 1), np.append(radius, radius[0]))
    mask = np.where(np.hypot(along, beside) <= at, np.uint8(255), np.uint8(0))

    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 5)
    # Both count from pixel centre to pixel centre, so the outline lies half a pixel in between.
    distance = np.where(mask > 0, 0.5 - inside, outside - 0.5).astype(np.float32)
    smooth = cv2.GaussianBlur(distance, (0, 0), 2.0)
    vertical = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    horizontal = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
    facing = np.abs(vertical) / (np.hypot(vertical, horizontal) + np.float32(1e-3))
    return Outline(mask, distance, np.asarray(facing, dtype=np.float32))


def _radius(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the radius over the angle, around 1, of each kind of outline."""
    theta = np.linspace(0.0, 2 * np.pi, _ANGLES, endpoint=False)
    if kind == "ellipse":
        return np.ones(_ANGLES)
    if kind == "oval":
        return 1.0 + _waves(theta, rng, range(2, 5), 0.035)
    if kind == "lobulated":
        lobes = int(rng.integers(3, 5))
        phase = rng.uniform(0, 2 * np.pi)
        # Rounded bulges that meet in shallow notches, as of spheres grown together.
        bulges = np.abs(np.cos(lobes * (theta - phase) / 2)) ** 0.8
        return 0.88 + 0.2 * bulges + _waves(theta, rng, range(2, 5), 0.05)
    if kind == "irregular":
        return 0.95 + _waves(theta, rng, range(2, 14), 0.13) + _spikes(theta, rng, 7, 0.22, 0.14)
    if kind == "spiculated":
        body = 0.74 + _waves(theta, rng, range(2, 12), 0.11)
        body += _spikes(theta, rng, 5, 0.25, 0.16)
        return body + _spikes(theta, rng, 13, 0.5, 0.05)
    raise ValueError("The shape of a lesion is one of those LesionSpec names.")


def _waves(
    theta: NDArray[np.float64], rng: np.random.Generator, orders: range, deviation: float
) -> NDArray[np.float64]:
    """Smooth wobble: a few Fourier terms that fall off with their order."""
    total = np.zeros_like(theta)
    for order in orders:
        total += rng.normal() * np.cos(order * theta + rng.uniform(0, 2 * np.pi)) / order**0.9
    return np.asarray(total * (deviation / max(float(total.std()), 1e-9)))


def _spikes(
    theta: NDArray[np.float64], rng: np.random.Generator, count: int, height: float, width: float
) -> NDArray[np.float64]:
    """Pointed projections all around, unevenly spaced and long."""
    total = np.zeros_like(theta)
    places = (np.arange(count) + rng.uniform(-0.5, 0.5, count)) * 2 * np.pi / count
    for place in places:
        apart = np.abs((theta - place + np.pi) % (2 * np.pi) - np.pi)
        tall, wide = height * rng.uniform(0.1, 1.0) ** 1.5, width * rng.uniform(0.7, 1.5)
        total = np.maximum(total, tall * np.exp(-apart / wide))
    return total

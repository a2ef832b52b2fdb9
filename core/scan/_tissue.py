"""Anatomy of a synthetic breast, as echogenicity in decibels over an image.

Skin, subcutaneous fat with septa, fibroglandular tissue, retromammary fascia and pectoral
muscle, laid over each other with boundaries that wander. Levels are relative to fibroglandular
tissue; fat is the darker one in the breast, and interfaces are bright where they lie across the
beam (Stavros, *Breast Ultrasound*, 2004, chapters on normal anatomy).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

FAT_DB, GLAND_DB, MUSCLE_DB = -15.0, -3.0, -14.0


@dataclass(frozen=True, slots=True)
class Layers:
    """Mean thickness of each layer in mm, from the skin down; muscle takes the rest."""

    skin: float
    fat: float
    gland: float


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], rows: float, columns: float
) -> Plane:
    """Return Gaussian noise of zero mean and unit deviation.

    Parameters
    ----------
    shape
        ``(H, W)`` of the result.
    rows, columns
        Distance in pixels over which it stays alike, each way.
    """
    height = max(2, round(shape[0] / max(rows, 1.0)) + 2)
    width = max(2, round(shape[1] / max(columns, 1.0)) + 2)
    coarse = rng.standard_normal((height, width)).astype(np.float32)
    # Drawn a cell too large and cut, so that the border is as lively as the middle.
    big = cv2.resize(
        coarse,
        (
            round(shape[1] * width / max(width - 2, 1)),
            round(shape[0] * height / max(height - 2, 1)),
        ),
        interpolation=cv2.INTER_CUBIC,
    )
    top, left = (big.shape[0] - shape[0]) // 2, (big.shape[1] - shape[1]) // 2
    cut = big[top : top + shape[0], left : left + shape[1]]
    return np.asarray((cut - cut.mean()) / max(float(cut.std()), 1e-6), dtype=np.float32)


def strands(field: Plane, thickness: float, *, across: float) -> Plane:
    """Draw the level lines of ``field`` through zero as thin bright interfaces.

    Parameters
    ----------
    field
        Smooth ``(H, W)``; its zeros are closed wandering lines, like septa round fat lobules.
    thickness
        Standard deviation of a line, in pixels.
    across
        0 to 1: how much less a line that runs along the beam reflects than one across it.

    Returns
    -------
    numpy.ndarray
        float32 ``(H, W)``, 0 to 1.
    """
    down = cv2.Sobel(field, cv2.CV_32F, 0, 1, scale=0.125)
    right = cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=0.125)
    slope = np.hypot(down, right) + np.float32(1e-4)
    line = np.exp(-0.5 * (field / slope / np.float32(thickness)) ** 2)
    facing = (down / slope) ** 2
    return np.asarray(line * (1.0 - across * (1.0 - facing)), dtype=np.float32)


def breast(
    rng: np.random.Generator, shape: tuple[int, int], spacing_mm: float, layers: Layers
) -> Plane:
    """Return the echogenicity of a breast without a lesion.

    Parameters
    ----------
    shape
        ``(H, W)``, row 0 at the probe.
    spacing_mm
        Millimetres per pixel, the same both ways.
    layers
        Mean thicknesses.

    Returns
    -------
    numpy.ndarray
        float32 ``(H, W)``, dB relative to bright fibroglandular tissue.
    """

    def noise(rows_mm: float, columns_mm: float) -> Plane:
        return smooth_noise(rng, shape, rows_mm / spacing_mm, columns_mm / spacing_mm)

    def border(depth_mm: float, swing_mm: float, length_mm: float) -> Plane:
        """Depth of a boundary over the columns, in mm, below the skin's entry."""
        line = smooth_noise(rng, (2, shape[1]), 2.0, length_mm / spacing_mm)[:1]
        return np.asarray(depth_mm + swing_mm * line, dtype=np.float32)

    depth: Plane = ((np.arange(shape[0], dtype=np.float32) + 0.5) * np.float32(spacing_mm))[:, None]
    entry = border(0.9, 0.05, 25.0)
    skin_end = entry + border(layers.skin, 0.12, 12.0)
    fat_end = entry + border(layers.skin + layers.fat, 1.5, 11.0)
    gland_end = entry + border(layers.skin + layers.fat + layers.gland, 0.9, 18.0)
    # Boundaries of tissue are no functions of the column: fat bulges into gland and back.
    bulge = np.float32(1.3) * noise(2.6, 6.0) + np.float32(0.4) * noise(0.8, 2.2)

    # Fat: dark lobules, longer than tall, inside bright septa that come and go.
    lobules = noise(3.2, 9.5) + 0.12 * noise(1.2, 4.0)
    fine = noise(1.7, 7.5)
    patchy = _soft(noise(1.8, 4.5), 0.1, 0.5)
    sheets = strands(lobules, 0.40 / spacing_mm, across=0.85) * (0.15 + 0.85 * patchy)
    septa = strands(lobules, 0.16 / spacing_mm, across=0.75) * (0.25 + 0.75 * patchy)
    wisps = strands(fine, 0.15 / spacing_mm, across=0.92) * _soft(noise(1.6, 3.0), 0.2, 0.4)
    grain = 1.5 * noise(1.6, 3.5) + 1.7 * noise(0.45, 1.3)
    fat = FAT_DB + grain + 7.0 * sheets + 12.0 * septa + 11.0 * wisps

    # Gland: bright, streaky, with islands of fat and thin dark ducts.
    streaks = 2.4 * noise(0.6, 2.6) + 2.2 * noise(1.8, 6.5) + 1.2 * noise(0.35, 0.9)
    islands = _soft(noise(2.2, 5.5) + 0.3 * noise(0.8, 1.8), 0.7, 0.3)
    fibres = strands(noise(1.5, 7.5), 0.17 / spacing_mm, across=0.85) * (0.3 + 0.7 * patchy)
    gland = GLAND_DB + streaks + 6.5 * fibres - islands * 9.0

    # Muscle: fibres along it, under a bright fascia.
    tilt = border(0.0, 0.5, 30.0)
    muscle = MUSCLE_DB + _striae(rng, shape, spacing_mm, depth + tilt) + 1.2 * noise(2.5, 9.0)

    echo = _mix(fat, gland, _soft(depth + bulge, fat_end, 0.45))
    echo = _mix(echo, muscle, _soft(depth + 0.15 * bulge, gland_end, 0.2))
    fascia_patch = 0.3 + 0.7 * _soft(noise(2.5, 4.0), -0.1, 0.6)
    echo += 13.0 * fascia_patch * _bump(depth + 0.15 * bulge, gland_end, 0.26)
    echo += 9.0 * (1.2 - fascia_patch) * _bump(depth + 0.15 * bulge, gland_end + 0.9, 0.16)
    pleura = gland_end + border(9.5, 0.7, 20.0)
    echo += 10.0 * fascia_patch * _bump(depth, pleura, 0.32)
    echo -= 9.0 * _soft(depth, pleura + 0.6, 0.5)

    skin = -5.0 + 1.5 * noise(0.4, 2.0) - 3.0 * np.sin(np.pi * depth / layers.skin) ** 2
    echo = _mix(skin, echo, _soft(depth, skin_end, 0.10))
    echo += 7.0 * _bump(depth, skin_end, 0.16) * (0.7 + 0.3 * fascia_patch)
    # Gel and the probe's own ringing above the skin, then the bright line of entry.
    ringing = -13.0 - 7.0 * np.cos(depth * 2 * np.pi / 0.42) * np.exp(-depth / 0.8)
    echo = _mix(np.broadcast_to(ringing, shape), echo, _soft(depth, entry, 0.06))
    echo += 9.0 * _bump(depth, entry, 0.13)
    return np.asarray(echo, dtype=np.float32)


def _striae(
    rng: np.random.Generator, shape: tuple[int, int], spacing_mm: float, depth: Plane
) -> Plane:
    """Long thin bright fibres that follow the muscle, in dB."""
    streaks = smooth_noise(rng, shape, 0.55 / spacing_mm, 9.0 / spacing_mm)
    rows = (depth / np.float32(spacing_mm)).astype(np.float32)
    columns = np.broadcast_to(np.arange(shape[1], dtype=np.float32), shape)
    bent = cv2.remap(
        streaks,
        np.ascontiguousarray(columns),
        np.ascontiguousarray(np.broadcast_to(rows, shape)),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(2.4 * bent + 5.0 * _soft(bent, 1.2, 0.3), dtype=np.float32)


def _soft(values: NDArray[np.floating], edge: Plane | float, width: float) -> Plane:
    """0 below ``edge`` and 1 above, over about ``width`` either side."""
    steep = np.clip((values - edge) / np.float32(width), -12.0, 12.0)
    return np.asarray(1.0 / (1.0 + np.exp(-2.0 * steep)), dtype=np.float32)


def _bump(values: NDArray[np.floating], centre: Plane | float, width: float) -> Plane:
    return np.asarray(np.exp(-0.5 * ((values - centre) / np.float32(width)) ** 2), np.float32)


def _mix(below: Plane, above: Plane, share: Plane) -> Plane:
    """``below`` where ``share`` is 0, ``above`` where it is 1."""
    return np.asarray(below + (above - below) * share, dtype=np.float32)

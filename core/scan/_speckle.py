"""Speckle: the envelope of echoes from more scatterers than the beam can resolve.

The image of a field of point scatterers is their convolution with the point-spread function
(Bamber and Dickinson, *Ultrasonic B-scanning: a computer simulation*, Phys. Med. Biol. 25:463,
1980). With many scatterers per resolution cell the demodulated field is complex Gaussian, its
envelope Rayleigh distributed with mean over standard deviation of 1.91 whatever the echogenicity
(Burckhardt, *Speckle in ultrasound B-mode scans*, IEEE Trans. Sonics Ultrason. 25:1-6, 1978;
Wagner, Smith, Sandrik and Lopez, *Statistics of speckle in ultrasound B-scans*, ibid.
30:156-163, 1983). So complex white noise stands for the scatterers here, and a Gaussian that is
short along the beam and wider across it, wider still with depth, for the point-spread function.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

#: Standard deviation of the point-spread function, in mm: along the beam, and across it at the
#: skin and at 50 mm depth. Typical of a 10 MHz linear array.
AXIAL_MM = 0.11
LATERAL_MM = (0.17, 0.40)
_LATERAL_DEPTH_MM = 50.0
_BANDS = 3


def envelope(
    amplitude: Plane, spacing_mm: float, rng: np.random.Generator, *, looks: int = 1
) -> Plane:
    """Simulate the envelope that an array would receive.

    Parameters
    ----------
    amplitude
        float32 ``(H, W)``, strength of the scatterers, at least 0; row 0 at the probe.
    spacing_mm
        Millimetres per pixel, the same both ways.
    rng
        Source of the scatterers' phases.
    looks
        Independent views that are averaged (spatial compounding). One gives fully developed
        speckle; ``n`` reduce its contrast by the square root of ``n`` (Burckhardt 1978).

    Returns
    -------
    numpy.ndarray
        float32 ``(H, W)``; its mean square is the local mean square of ``amplitude``.
    """
    total = np.zeros_like(amplitude)
    for _look in range(looks):
        parts = (
            _beam(amplitude * rng.standard_normal(amplitude.shape, np.float32), spacing_mm)
            for _part in ("real", "imaginary")
        )
        real, imaginary = parts
        total += np.hypot(real, imaginary) * np.float32(np.sqrt(0.5))
    return total / np.float32(looks)


def _beam(field: Plane, spacing_mm: float) -> Plane:
    """Convolve with a point-spread function that widens with depth, keeping the mean square."""
    rows = field.shape[0]
    depths = np.linspace(0.0, rows * spacing_mm, _BANDS)
    axial = _gaussian(AXIAL_MM / spacing_mm)
    narrow, wide = LATERAL_MM
    widths = narrow + (wide - narrow) * depths / _LATERAL_DEPTH_MM
    lateral = [_gaussian(width / spacing_mm, widths[-1] / spacing_mm) for width in widths]
    blurred = [cv2.sepFilter2D(field, cv2.CV_32F, kernel, axial) for kernel in lateral]

    position = np.linspace(0.0, _BANDS - 1.0, rows)
    out = np.zeros_like(field)
    power = np.zeros(rows)
    weights = [np.clip(1.0 - np.abs(position - band), 0.0, 1.0) for band in range(_BANDS)]
    for one in range(_BANDS):
        out += blurred[one] * weights[one][:, None].astype(np.float32)
        for other in range(_BANDS):
            power += weights[one] * weights[other] * float(lateral[one] @ lateral[other])
    power *= float(axial @ axial)
    return np.asarray(out / np.sqrt(power)[:, None], dtype=np.float32)


def _gaussian(sigma: float, longest: float | None = None) -> NDArray[np.float64]:
    """Return a Gaussian of unit sum, long enough for ``longest`` (default ``sigma``)."""
    reach = max(1, round(3.5 * (longest or sigma)))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    return np.asarray(kernel / kernel.sum())

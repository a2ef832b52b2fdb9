"""The scan that travels through every room, and the number people call it by."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

#: Crockford's base 32: no I, L, O or U, so a number survives being read aloud.
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CASE_BITS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One decoded image, upright, with what identifies it and nothing about the patient.

    Make one with :meth:`from_pixels`, which fills in the digest and seals the pixels.

    Attributes
    ----------
    pixels
        uint8, ``(H, W)`` grey or ``(H, W, 3)`` RGB, 0 to 255, upright and read-only.
    digest
        SHA-256 (hex) of shape, dtype, pixels and spacing: the identity of what is stored and
        shown.
    source_digest
        SHA-256 (hex) of the bytes it was read from: a key for caches in memory, never stored.
    modality
        ``"US"`` where known, else ``"unknown"``.
    spacing
        Millimetres per pixel as (row, column), or None where no calibration is known.
    frames
        Frames of the source; the pixels are the first of them.
    synthetic
        Whether it is known to be a phantom.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    digest: str
    source_digest: str = field(repr=False)
    modality: str
    spacing: tuple[float, float] | None = None
    frames: int = 1
    synthetic: bool = False

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)
        if self.pixels.flags.writeable:
            raise ValueError("The pixels of a scan are read-only; use Scan.from_pixels.")

    @classmethod
    def from_pixels(
        cls,
        pixels: NDArray[np.uint8],
        *,
        modality: str = "unknown",
        spacing: tuple[float, float] | None = None,
        source_digest: str | None = None,
        frames: int = 1,
        synthetic: bool = False,
    ) -> Scan:
        """Copy ``pixels`` into a scan.

        Parameters
        ----------
        pixels
            uint8, ``(H, W)`` or ``(H, W, 3)`` RGB. Three equal channels become ``(H, W)``.
        modality, spacing, frames, synthetic
            As the attributes of :class:`Scan`.
        source_digest
            SHA-256 of the bytes it came from; the digest of the scan where there were none.

        Raises
        ------
        ValueError
            The array has another shape or dtype, or the spacing is not positive and finite.
        """
        _check_pixels(pixels)
        if spacing is not None:
            spacing = (float(spacing[0]), float(spacing[1]))
            if not all(math.isfinite(step) and step > 0 for step in spacing):
                raise ValueError("The spacing of a scan is positive and finite.")
        grey = without_colour(pixels)
        # An array over immutable bytes cannot be made writeable again by anyone.
        buffer = grey.tobytes()
        sealed = np.frombuffer(buffer, np.uint8).reshape(grey.shape)
        digest = _digest(buffer, grey.shape, spacing)
        return cls(
            pixels=sealed,
            digest=digest,
            source_digest=source_digest or digest,
            modality=modality,
            spacing=spacing,
            frames=frames,
            synthetic=synthetic,
        )

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def grey(self) -> NDArray[np.uint8]:
        """uint8 ``(H, W)``: the pixels, or the luma of RGB (ITU-R BT.601)."""
        if self.pixels.ndim == 2:
            return self.pixels
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)

    @property
    def case_number(self) -> str:
        """The number people call it by, as :func:`case_number`."""
        return case_number(self.digest)


def case_number(digest: str) -> str:
    """Return the case number of a digest: its first 50 bits in Crockford base 32.

    Parameters
    ----------
    digest
        SHA-256 in hex, as :attr:`Scan.digest`.

    Returns
    -------
    str
        ``"XXXXX-XXXXX"``; the same digest always gives the same number.
    """
    bits = int(digest[:16], 16) >> (64 - _CASE_BITS)
    letters = [_CROCKFORD[(bits >> shift) & 31] for shift in range(_CASE_BITS - 5, -1, -5)]
    return "".join(letters[:5]) + "-" + "".join(letters[5:])


def without_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``(H, W)`` where the three channels are equal everywhere, else ``pixels``."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(red)
    return pixels


def _digest(buffer: bytes, shape: tuple[int, ...], spacing: tuple[float, float] | None) -> str:
    # float.hex is exact and says the same on every machine.
    geometry = "none" if spacing is None else ",".join(step.hex() for step in spacing)
    digest = hashlib.sha256(f"scan/1|{shape}|uint8|{geometry}|".encode())
    digest.update(buffer)
    return digest.hexdigest()


def _check_pixels(pixels: NDArray[np.uint8]) -> None:
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colour) or 0 in pixels.shape:
        raise ValueError("The pixels of a scan are uint8, (H, W) or (H, W, 3).")

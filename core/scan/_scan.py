"""The scan that travels through every room, and the number people call it by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan._parts import (
    Box,
    Correction,
    Depth,
    Loop,
    Note,
    Region,
    Spacing,
    check_spacing,
    spacing_within,
)

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
        SHA-256 (hex) of shape, dtype, pixels, spacing and regions: the identity of what is stored
        and shown.
    source_digest
        SHA-256 (hex) of the bytes it was read from: a key for caches in memory, never stored.
    modality
        ``"US"`` where known, else ``"unknown"``.
    spacing
        Millimetres per pixel as (row, column) all over the image, or None where no calibration is
        known or it differs by region: see :meth:`spacing_at`.
    frames, frame
        Frames of the source, and which of them this is, from 0.
    synthetic
        Whether it is known to be a phantom.
    regions
        Areas with a scale of their own; beside them ``spacing`` is None.
    depth
        The values behind the pixels where there are more than 8 bits of grey; in memory only.
    loop
        The frames of a source of several; in memory only.
    corrections, origin
        What was done to the image before it was read, in order, and the digest of the scan it was
        done to first; empty and None for a scan as it came.
    notes
        What reading the file had to decide.
    series
        Digest of the first frame where there are several: what ties them together.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    digest: str
    source_digest: str = field(repr=False)
    modality: str
    spacing: Spacing | None = None
    frames: int = 1
    synthetic: bool = False
    frame: int = 0
    regions: tuple[Region, ...] = ()
    depth: Depth | None = field(default=None, repr=False)
    loop: Loop | None = field(default=None, repr=False)
    corrections: tuple[Correction, ...] = ()
    origin: str | None = None
    notes: tuple[Note, ...] = ()
    series: str | None = None

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)
        if self.pixels.flags.writeable:
            raise ValueError("The pixels of a scan are read-only; use Scan.from_pixels.")
        if not 0 <= self.frame < max(self.frames, 1):
            raise ValueError("The frame of a scan is one of its frames.")
        if self.regions and self.spacing is not None:
            raise ValueError("A scan has one spacing or regions, not both.")
        if any(r.right > self.width or r.bottom > self.height for r in self.regions):
            raise ValueError("A region lies inside the image and has an area.")
        if self.depth is not None and self.depth.values.shape != self.pixels.shape:
            raise ValueError("The values of a deep image have the size of its pixels.")

    @classmethod
    def from_pixels(
        cls,
        pixels: NDArray[np.uint8],
        *,
        modality: str = "unknown",
        spacing: Spacing | None = None,
        source_digest: str | None = None,
        frames: int = 1,
        synthetic: bool = False,
        frame: int = 0,
        regions: tuple[Region, ...] = (),
        depth: Depth | None = None,
        loop: Loop | None = None,
        corrections: tuple[Correction, ...] = (),
        origin: str | None = None,
        notes: tuple[Note, ...] = (),
        series: str | None = None,
    ) -> Scan:
        """Copy ``pixels`` into a scan.

        Parameters
        ----------
        pixels
            uint8, ``(H, W)`` or ``(H, W, 3)`` RGB. Three equal channels become ``(H, W)``.
        modality, spacing, frames, synthetic, frame, regions, depth, loop, corrections, origin, \
        notes, series
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
            spacing = check_spacing(spacing)
        grey = without_colour(pixels)
        # An array over immutable bytes cannot be made writeable again by anyone.
        buffer = grey.tobytes()
        sealed = np.frombuffer(buffer, np.uint8).reshape(grey.shape)
        digest = _digest(buffer, grey.shape, spacing, regions)
        return cls(
            pixels=sealed,
            digest=digest,
            source_digest=source_digest or digest,
            modality=modality,
            spacing=spacing,
            frames=frames,
            synthetic=synthetic,
            frame=frame,
            regions=regions,
            depth=depth,
            loop=loop,
            corrections=corrections,
            origin=origin,
            notes=notes,
            series=series,
        )

    def with_loop(self, loop: Loop) -> Scan:
        """Return the same scan, knowing the loop it is a frame of."""
        return replace(self, loop=loop)

    def spacing_at(self, box: Box) -> Spacing | None:
        """Return the one scale that holds all over ``box`` (left, top, width, height), or None.

        None where no calibration is known, or where the box leaves a region or touches two: no
        measurement crosses regions.
        """
        return spacing_within(self.regions, self.spacing, box)

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


def _digest(
    buffer: bytes,
    shape: tuple[int, ...],
    spacing: Spacing | None,
    regions: tuple[Region, ...],
) -> str:
    # float.hex is exact and says the same on every machine.
    geometry = _hex(spacing)
    if regions:
        # Only where there are any: what was stored before there were regions keeps its digest.
        areas = (f"{r.left},{r.top},{r.right},{r.bottom}:{_hex(r.spacing)}" for r in regions)
        geometry += "|" + ";".join(areas)
    digest = hashlib.sha256(f"scan/1|{shape}|uint8|{geometry}|".encode())
    digest.update(buffer)
    return digest.hexdigest()


def _hex(spacing: Spacing | None) -> str:
    return "none" if spacing is None else ",".join(step.hex() for step in spacing)


def _check_pixels(pixels: NDArray[np.uint8]) -> None:
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colour) or 0 in pixels.shape:
        raise ValueError("The pixels of a scan are uint8, (H, W) or (H, W, 3).")

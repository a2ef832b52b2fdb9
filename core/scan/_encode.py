"""Pixels to PNG and back: how images leave, and how stored scans return."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UnsupportedFormat
from core.scan._formats import corrupt
from core.scan._parts import Correction, Note, Region
from core.scan._png import PNG
from core.scan._scan import Scan
from core.text import _

#: zlib's fastest: speckle hardly compresses, so more effort buys time and no bytes.
_COMPRESS_LEVEL = 1


def encode_png(image: Scan | NDArray[np.uint8]) -> bytes:
    """Encode pixels exactly, without any metadata.

    Parameters
    ----------
    image
        A scan, or uint8 ``(H, W)``, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA.

    Returns
    -------
    bytes
        A PNG with the same values.

    Raises
    ------
    ValueError
        The array has another shape or dtype.
    """
    pixels = image.pixels if isinstance(image, Scan) else image
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not shape_fits or 0 in pixels.shape:
        raise ValueError("A PNG is made of uint8 pixels, (H, W), (H, W, 3) or (H, W, 4).")
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        out, format="PNG", compress_level=_COMPRESS_LEVEL
    )
    return out.getvalue()


def pixels_from_png(png: bytes) -> NDArray[np.uint8]:
    """Read back what :func:`encode_png` made of grey or RGB pixels.

    No limits apply: what was within them when it was stored stays readable when they change.

    Returns
    -------
    numpy.ndarray
        uint8, ``(H, W)`` or ``(H, W, 3)``.

    Raises
    ------
    CorruptFile
        These are not the bytes of a whole PNG.
    UnsupportedFormat
        A PNG that :func:`encode_png` does not make of grey or RGB pixels.
    """
    if not PNG.matches(png):
        raise corrupt()
    decoded = PNG.open(png).decode()
    if decoded.depth is not None or decoded.notes:
        # More than the pixels that encode_png was given, so something else made this file.
        raise UnsupportedFormat(_("This is not an image that was stored here."))
    return decoded.pixels


def restore_scan(
    png: bytes,
    *,
    modality: str = "unknown",
    spacing: tuple[float, float] | None = None,
    frames: int = 1,
    synthetic: bool = False,
    frame: int = 0,
    regions: tuple[Region, ...] = (),
    corrections: tuple[Correction, ...] = (),
    origin: str | None = None,
    notes: tuple[Note, ...] = (),
    series: str | None = None,
) -> Scan:
    """Make the scan again that was stored as PNG and geometry.

    Parameters
    ----------
    png
        ``encode_png(scan)``.
    modality, spacing, frames, synthetic, frame, regions, corrections, origin, notes, series
        As the scan had them. Digest and case number are the same again if pixels, spacing and
        regions are; the source digest is that of ``png``.

    Raises
    ------
    ValueError
        They contradict each other or the pixels, as a region outside the image does.
    CorruptFile
        These are not the bytes of a whole PNG.
    """
    return Scan.from_pixels(
        pixels_from_png(png),
        modality=modality,
        spacing=spacing,
        frames=frames,
        synthetic=synthetic,
        frame=frame,
        regions=regions,
        corrections=corrections,
        origin=origin,
        notes=notes,
        series=series,
        source_digest=hashlib.sha256(png).hexdigest(),
    )


def thumbnail(scan: Scan, size: int = 96) -> NDArray[np.uint8]:
    """Return a small picture of a scan, for recognising it and not for reading.

    Parameters
    ----------
    scan
        Any scan.
    size
        Longest side in pixels, at least 1. A smaller scan is not enlarged.

    Returns
    -------
    numpy.ndarray
        uint8, ``(h, w)`` or ``(h, w, 3)``, the sides in the scan's proportion.
    """
    if size < 1:
        raise ValueError("A thumbnail has at least one pixel.")
    scale = size / max(scan.width, scan.height)
    if scale >= 1:
        return scan.pixels
    target = (max(1, round(scan.width * scale)), max(1, round(scan.height * scale)))
    # INTER_AREA averages, so speckle does not turn into a moiré pattern.
    small = cv2.resize(scan.pixels, target, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)

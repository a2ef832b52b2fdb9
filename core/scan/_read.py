"""From uploaded bytes to a :class:`~core.scan.Scan`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from core.errors import EmptyFile, TooManyPixels, TooSmall, UnsupportedFormat
from core.scan._bmp import BMP
from core.scan._dicom import DICOM
from core.scan._formats import Decoded, Format, too_large
from core.scan._jpeg import JPEG
from core.scan._parts import Loop
from core.scan._png import PNG
from core.scan._scan import Scan
from core.scan._tiff import TIFF
from core.scan._webp import WEBP
from core.settings import Settings, load_settings
from core.text import _

#: Every format that is read, in the order people are told about them.
#: DICOM before TIFF: the 128 bytes in front of its mark may hold a TIFF header.
FORMATS: tuple[Format, ...] = (PNG, JPEG, DICOM, TIFF, BMP, WEBP)
#: Fewest pixels per side: below this there is nothing to read.
SMALLEST_SIDE = 32
#: Most pixels per side: what 16-bit coordinates of outlines and the viewer can hold, halved.
LARGEST_SIDE = 16_384


def readable_formats() -> tuple[str, ...]:
    """Return the names of the formats that are read, as people call them."""
    return tuple(format_.name for format_ in FORMATS)


def read_scan(data: bytes, name: str = "", *, settings: Settings | None = None) -> Scan:
    """Read an uploaded file.

    Parameters
    ----------
    data
        The whole file. Its content alone decides what it is.
    name
        The file's name. Not looked at and not kept, because extensions lie and names hold
        patients' names; it is here so that callers need not decide.
    settings
        Limits on bytes and pixels; read from the environment where none are given.

    Returns
    -------
    Scan
        Upright, ``(H, W)`` where it is grey, without metadata. The modality of a
        picture format is ``"unknown"`` and its spacing None.

    Raises
    ------
    EmptyFile, FileTooLarge, UnsupportedFormat, TooManyPixels, TooSmall, CorruptFile
        All :class:`~core.errors.ScanError`: one line, what is wrong and what to do. Bytes and
        pixels are limited by the header, before anything is decoded.
    """
    limits = settings or load_settings()
    if not data:
        raise EmptyFile(_("This file is empty. Export the scan again and upload that."))
    if len(data) > limits.max_upload_bytes:
        raise too_large(limits.max_upload_bytes)
    opened = _format_of(data).open(data)
    if opened.width * opened.height > limits.max_pixels:
        raise TooManyPixels(
            _(
                "This image has more than {limit} million pixels. "
                "Export it at the scanner's own resolution."
            ).format(limit=f"{limits.max_pixels / 1_000_000:g}")
        )
    if max(opened.width, opened.height) > LARGEST_SIDE:
        raise TooManyPixels(
            _(
                "This image is longer than {side} pixels on one side. "
                "Export a single image of the scan."
            ).format(side=LARGEST_SIDE)
        )
    if min(opened.width, opened.height) < SMALLEST_SIDE:
        raise TooSmall(
            _(
                "This image is smaller than {side} pixels on one side, too small to read. "
                "Export it at the scanner's own resolution."
            ).format(side=SMALLEST_SIDE)
        )
    return _as_scan(opened.decode(), hashlib.sha256(data).hexdigest())


def _as_scan(decoded: Decoded, source: str) -> Scan:
    more = decoded.more
    if more is None or decoded.frames < 2:
        return _frame(decoded, source, 0, 1, None)
    first = _frame(decoded, source, 0, decoded.frames, None)
    series, frames = first.digest, decoded.frames

    def decode(index: int) -> Scan:
        if index == 0:
            return first
        return _frame(more(index), source, index, frames, series)

    first = replace(first, series=series)
    return first.with_loop(Loop(frames, decoded.starts, decoded.held_bytes, decode))


def _frame(decoded: Decoded, source: str, index: int, frames: int, series: str | None) -> Scan:
    return Scan.from_pixels(
        decoded.pixels,
        modality=decoded.modality,
        spacing=decoded.spacing,
        frames=frames,
        frame=index,
        regions=decoded.regions,
        depth=decoded.depth,
        notes=decoded.notes,
        series=series,
        source_digest=source,
    )


def _format_of(data: bytes) -> Format:
    for format_ in FORMATS:
        if format_.matches(data):
            return format_
    raise UnsupportedFormat(
        _("This file is not an image that can be read here. Export the scan as {formats}.").format(
            formats=" / ".join(readable_formats())
        )
    )

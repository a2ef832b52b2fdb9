"""JPEG: what is read is what any viewer shows, and half an image is not read."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image
from raster_build import grey_jpeg, saved

from core.errors import CorruptFile, UnsupportedFormat
from core.scan import make_phantom, read_scan
from core.scan.phantom import PhantomSpec


def test_a_jpeg_is_read_as_any_viewer_shows_it() -> None:
    for data in (grey_jpeg(quality=90), grey_jpeg(quality=75, progressive=True)):
        np.testing.assert_array_equal(
            read_scan(data).pixels, np.asarray(Image.open(io.BytesIO(data)))
        )


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_jpeg_that_was_cut_off_and_closed_again_is_not_half_grey(share: float) -> None:
    phantom = make_phantom(PhantomSpec(width=160, height=128), seed=3).scan.pixels
    data = saved(Image.fromarray(phantom), "JPEG", quality=90)
    start = data.index(b"\xff\xda") + 12
    cut = start + int(share * (len(data) - start))
    with pytest.raises(CorruptFile):
        read_scan(data[:cut].rstrip(b"\xff") + b"\xff\xd9")


@pytest.mark.parametrize(("offset", "value"), [(1, 0xC3), (1, 0xC9), (4, 12), (9, 2)])
def test_other_kinds_of_jpeg_are_refused(offset: int, value: int) -> None:
    data = bytearray(grey_jpeg())
    data[data.index(b"\xff\xc0") + offset] = value
    with pytest.raises(UnsupportedFormat, match="JPEG"):
        read_scan(bytes(data))


def test_a_jpeg_with_a_second_frame_or_endless_scans_is_damage() -> None:
    data = grey_jpeg()
    frame = data.index(b"\xff\xc0")
    scan = data.index(b"\xff\xda")
    twice = data[:frame] + data[frame : frame + 13] + data[frame:]
    endless = data[:scan] + data[scan:-2] * 101 + data[-2:]
    flat = bytearray(data)
    flat[frame + 5 : frame + 7] = b"\0\0"
    for broken in (twice, endless, bytes(flat), data[:2] + data[scan:], data[:scan] + data[-2:]):
        with pytest.raises(CorruptFile):
            read_scan(broken)


def test_a_preview_inside_a_jpeg_is_not_taken_for_the_scan() -> None:
    preview = saved(Image.new("L", (40, 40), 9), "JPEG")
    exif = Image.Exif()
    exif[0x0112] = 1
    data = grey_jpeg(exif=exif)
    inner = b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\0\0\0\0" + preview
    segment = b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner
    scan = read_scan(data[:2] + segment + data[2:])
    assert (scan.width, scan.height) == (64, 48)

"""Reading uploads: what is read is right, and what is not right is not read."""

from __future__ import annotations

import csv
import io
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from raster_build import (
    SIGNATURE,
    chunk,
    grey_jpeg,
    grey_png,
    header,
    insert,
    picture,
    png,
    saved,
    tiff,
)

from core.errors import (
    CorruptFile,
    EmptyFile,
    FileTooLarge,
    ScanError,
    TooManyPixels,
    TooSmall,
    UnsupportedFormat,
)
from core.scan import encode_png, read_scan, readable_formats
from core.settings import ROOT, load_settings

SETTINGS = load_settings({})
DATA = ROOT.parent / "shared" / "data"


def test_a_png_is_read_to_the_last_grey_level() -> None:
    scan = read_scan(grey_png())
    np.testing.assert_array_equal(scan.pixels, picture())
    assert (scan.width, scan.height, scan.frames) == (64, 48, 1)
    assert (scan.modality, scan.spacing, scan.synthetic) == ("unknown", None, False)


def test_colour_stays_colour() -> None:
    colours = picture(1, (48, 64, 3))
    np.testing.assert_array_equal(read_scan(saved(Image.fromarray(colours), "PNG")).pixels, colours)
    jpeg = saved(Image.fromarray(colours), "JPEG", subsampling=2, quality=85)
    np.testing.assert_array_equal(read_scan(jpeg).pixels, np.asarray(Image.open(io.BytesIO(jpeg))))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "BMP"])
def test_grey_stored_as_colour_is_grey_again(format_: str) -> None:
    data = saved(Image.fromarray(picture()).convert("RGB"), format_)
    assert read_scan(data).pixels.shape == (48, 64)


def test_the_content_decides_and_not_the_extension() -> None:
    assert read_scan(grey_png(), "scan.jpg").digest == read_scan(grey_png(), "scan.png").digest
    assert read_scan(grey_jpeg(), "scan.dcm").width == 64
    with pytest.raises(UnsupportedFormat):
        read_scan(b"%PDF-1.7 not a picture at all", "scan.png")


def test_a_name_reaches_neither_the_scan_nor_an_error() -> None:
    name = "MUSTERMANN_ERIKA_1961.png"
    scan = read_scan(grey_png(), name)
    assert "MUSTERMANN" not in repr(scan)
    assert "MUSTERMANN" not in "".join(str(getattr(scan, slot)) for slot in scan.__slots__)
    for bad in (b"", b"nonsense", grey_png()[:60], grey_jpeg()[:60]):
        with pytest.raises(ScanError) as caught:
            read_scan(bad, name)
        assert "MUSTERMANN" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_rotated_phone_photo_is_not_read_sideways(orientation: int, format_: str) -> None:
    # A known scene, stored the way a camera held like this stores it.
    scene = picture(3)
    stored = {
        1: scene,
        2: np.fliplr(scene),
        3: np.rot90(scene, 2),
        4: np.flipud(scene),
        5: scene.T,
        6: np.rot90(scene, 1),
        7: np.rot90(scene, 2).T,
        8: np.rot90(scene, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    scan = read_scan(
        saved(
            image,
            format_,
            exif=exif,
            **({"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(format_, {})),
        )
    )
    assert scan.pixels.shape == scene.shape
    assert np.abs(scan.pixels.astype(int) - scene).max() <= (8 if format_ == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_agrees_with_pillow(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    for format_ in ("PNG", "TIFF"):
        data = saved(Image.fromarray(picture(4, (48, 64, 3))), format_, exif=exif)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        np.testing.assert_array_equal(read_scan(data).pixels, expected)


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"garbage", b"\xff" * 40]
)
def test_a_broken_exif_block_does_not_stop_a_read(block: bytes) -> None:
    np.testing.assert_array_equal(
        read_scan(insert(grey_png(), chunk(b"eXIf", block))).pixels, picture()
    )
    assert read_scan(grey_jpeg(exif=b"Exif\0\0" + block)).width == 64


def test_orientation_outside_1_to_8_is_upright() -> None:
    for value in (0, 9, 65535):
        block = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, value, 0) + b"\0" * 4
        np.testing.assert_array_equal(
            read_scan(insert(grey_png(), chunk(b"eXIf", block))).pixels, picture()
        )


def test_an_empty_file_says_so() -> None:
    with pytest.raises(EmptyFile, match="empty"):
        read_scan(b"")


def test_a_file_over_the_limit_is_refused_whatever_it_is() -> None:
    small = replace(SETTINGS, max_upload_bytes=2**20)
    with pytest.raises(FileTooLarge, match="larger than 1 MB"):
        read_scan(b"\0" * (2**20 + 1), settings=small)
    padded = grey_png() + b"\0" * (2**20 - len(grey_png()))
    assert read_scan(padded, settings=small).width == 64


def test_what_is_not_an_image_names_what_is_read() -> None:
    for data in (b"hello", b"BM" + b"\0" * 100, b"GIF89a" + b"\0" * 100, b"\0" * 500, b"RIFF"):
        with pytest.raises(UnsupportedFormat, match="PNG / JPEG / DICOM / TIFF / BMP / WebP"):
            read_scan(data)
    assert readable_formats() == ("PNG", "JPEG", "DICOM", "TIFF", "BMP", "WebP")


def huge_png() -> bytes:
    return png(header(100_000, 100_000), chunk(b"IDAT", zlib.compress(b"\0" * 1000)))


def huge_tiff() -> bytes:
    return tiff(picture(), tags={256: (4, [100_000]), 257: (4, [100_000])})


def huge_bmp() -> bytes:
    data = bytearray(saved(Image.fromarray(picture()), "BMP"))
    data[18:26] = struct.pack("<ii", 100_000, 100_000)
    return bytes(data)


def huge_webp() -> bytes:
    body = struct.pack("<4sIII", b"VP8X", 10, 0, 0xFFFFFF) + b"\xff\xff"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def huge_jpeg() -> bytes:
    data = bytearray(grey_jpeg())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


@pytest.mark.parametrize("make", [huge_png, huge_jpeg, huge_tiff, huge_bmp, huge_webp])
def test_a_header_that_claims_gigapixels_costs_no_memory(make: object) -> None:
    data = make()  # type: ignore[operator]
    tracemalloc.start()
    try:
        with pytest.raises(TooManyPixels, match="40 million pixels"):
            read_scan(data, settings=SETTINGS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_limits_come_before_decoding() -> None:
    # Only the header is there: had anything been decoded, the file would be called corrupt.
    few = replace(SETTINGS, max_pixels=1_000_000)
    start_of_jpeg = grey_jpeg()
    start_of_jpeg = start_of_jpeg[: start_of_jpeg.index(b"\xff\xc0") + 19]
    for width, height, error in (
        (1001, 1000, TooManyPixels),
        (31, 900, TooSmall),
        (900, 31, TooSmall),
    ):
        with pytest.raises(error):
            read_scan(SIGNATURE + header(width, height), settings=few)
        frame = start_of_jpeg.index(b"\xff\xc0") + 5
        size = struct.pack(">HH", height, width)
        with pytest.raises(error):
            read_scan(start_of_jpeg[:frame] + size + start_of_jpeg[frame + 4 :], settings=few)
    with pytest.raises(CorruptFile):
        read_scan(SIGNATURE + header(1000, 1000), settings=few)


def test_a_limit_above_pillows_own_neither_warns_nor_fails() -> None:
    # Pillow warns at 89 million pixels; a site may allow more. Warnings are errors here.
    rows = zlib.compress(b"\0" * (6250 * 2001), 1)
    data = png(header(16_000, 6250, depth=1), chunk(b"IDAT", rows))
    scan = read_scan(data, settings=replace(SETTINGS, max_pixels=200_000_000))
    assert (scan.width, scan.height) == (16_000, 6250)


def test_a_side_the_viewer_cannot_show_is_refused_before_decoding() -> None:
    with pytest.raises(TooManyPixels, match="16384"):
        read_scan(png(header(16_385, 64, depth=1), chunk(b"IDAT", b"never looked at")))


def test_a_side_below_32_pixels_is_too_small() -> None:
    assert read_scan(saved(Image.new("L", (32, 32), 7), "PNG")).width == 32
    with pytest.raises(TooSmall, match="32"):
        read_scan(saved(Image.new("L", (31, 400)), "PNG"))


@pytest.mark.parametrize("make", [grey_png, grey_jpeg])
def test_a_file_cut_off_anywhere_is_never_half_a_scan(make: object) -> None:
    data = make()  # type: ignore[operator]
    for end in [*range(8, len(data) - 1, 7), len(data) - 1]:
        with pytest.raises((CorruptFile, UnsupportedFormat)):
            read_scan(data[:end])


@pytest.mark.parametrize("make", [grey_png, grey_jpeg])
def test_what_follows_the_image_is_ignored(make: object) -> None:
    data = make()  # type: ignore[operator]
    one, other = read_scan(data), read_scan(data + b"PK\x03\x04 a video, a preview, anything")
    assert one.digest == other.digest
    assert one.source_digest != other.source_digest


def test_metadata_changes_nothing_that_travels_on() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Erika Mustermann")
    plain = read_scan(grey_png())
    marked = read_scan(grey_png(pnginfo=info, dpi=(300, 300), icc_profile=b"\0" * 200))
    assert plain.digest == marked.digest
    assert b"Mustermann" not in encode_png(marked)
    with Image.open(io.BytesIO(encode_png(marked))) as image:
        assert image.info == {}


@pytest.mark.parametrize("set_", ["busi", "busbra"])
def test_real_scans_are_read_as_a_plain_decoder_reads_them(set_: str) -> None:
    folder: Path = DATA / set_
    if not folder.is_dir():
        pytest.skip("the real scans are not on this machine")
    with (folder / "manifest.csv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest))
    for row in rows[:: max(1, len(rows) // 40)]:
        data = (folder / "images" / row["label"] / row["file"]).read_bytes()
        scan = read_scan(data, row["file"])
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(scan.grey, np.asarray(image.convert("L")))
        assert (scan.width, scan.height) == (int(row["width"]), int(row["height"]))

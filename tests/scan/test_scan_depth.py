"""More than eight bits: no value is lost, and what is seen is the whole range."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from raster_build import chunk, deep_picture, insert, opened, png_of, saved, tiff
from raster_samples import adam7, with_alpha

from core.scan import Note, Scan, read_scan
from core.scan._parts import full_range

RGB = (48, 64, 3)
NARROW = np.random.default_rng(3).integers(1200, 1900, (48, 64)).astype(np.uint16)


def values_of(scan: Scan) -> np.ndarray:
    assert scan.depth is not None
    return scan.depth.values


@pytest.mark.parametrize("values", [deep_picture(), deep_picture(most=4095), NARROW])
@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_keep_every_value(values: np.ndarray, format_: str) -> None:
    data = saved(Image.fromarray(values), format_)
    scan = read_scan(data)
    np.testing.assert_array_equal(values_of(scan), values)
    np.testing.assert_array_equal(values_of(scan), np.asarray(opened(data)))
    assert (scan.depth.slope, scan.depth.intercept, scan.depth.inverted) == (1.0, 0.0, False)
    assert not scan.depth.values.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        scan.depth.values.flags.writeable = True


def test_the_whole_range_is_seen_until_a_window_is_chosen() -> None:
    scan = read_scan(saved(Image.fromarray(NARROW), "PNG"))
    low, high = int(NARROW.min()), int(NARROW.max())
    expected = np.rint((NARROW - low) / (high - low) * 255)
    np.testing.assert_array_equal(scan.pixels, expected)
    assert scan.depth.window == full_range(NARROW, 1.0, 0.0)
    assert scan.depth.presets == (scan.depth.window,)


def test_a_flat_deep_image_is_read() -> None:
    flat = np.full((48, 64), 700, np.uint16)
    scan = read_scan(saved(Image.fromarray(flat), "PNG"))
    np.testing.assert_array_equal(values_of(scan), flat)
    assert np.ptp(scan.pixels) == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_turns_the_picture_and_not_the_values(order: str) -> None:
    plain = read_scan(tiff(NARROW, order=order))
    turned = read_scan(tiff(NARROW, order=order, photometric=0))
    np.testing.assert_array_equal(values_of(turned), NARROW)
    assert turned.depth.inverted
    np.testing.assert_array_equal(turned.pixels, 255 - plain.pixels)
    eight = (NARROW >> 4).astype(np.uint8)
    np.testing.assert_array_equal(read_scan(tiff(eight, photometric=0)).pixels, 255 - eight)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_values_are_upright_as_the_pixels_are(orientation: int, format_: str) -> None:
    values = deep_picture(4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    deep = read_scan(saved(Image.fromarray(values), format_, exif=exif))
    # Pillow turns 8-bit pictures the same way, tested elsewhere: the high bytes tell.
    high = read_scan(saved(Image.fromarray((values >> 8).astype(np.uint8)), format_, exif=exif))
    np.testing.assert_array_equal(values_of(deep) >> 8, high.pixels)
    np.testing.assert_array_equal(deep.depth.apply(deep.depth.window), deep.pixels)


def test_colour_of_sixteen_bits_is_cut_to_the_upper_eight_and_says_so() -> None:
    deep = deep_picture(1, RGB)
    opaque = with_alpha(deep, 65535)
    for data in (
        png_of(deep),
        png_of(opaque),
        tiff(deep),
        tiff(deep, planar=True, order=">"),
        tiff(opaque, tags={338: (3, [2])}),
        cv2.imencode(".tiff", np.ascontiguousarray(deep[..., ::-1]))[1].tobytes(),
    ):
        scan = read_scan(data)
        np.testing.assert_array_equal(scan.pixels, deep >> 8)
        assert scan.notes == (Note.COLOUR_DEPTH_CUT,)
        assert scan.depth is None


def test_grey_exported_as_deep_colour_keeps_its_depth() -> None:
    grey = deep_picture(2)
    stacked = np.dstack([grey] * 3)
    for data in (png_of(stacked), tiff(stacked), png_of(with_alpha(stacked, 65535))):
        scan = read_scan(data)
        np.testing.assert_array_equal(values_of(scan), grey)
        assert scan.notes == ()
    # One value in one channel is a colour.
    stacked[-1, -1, 2] ^= 1
    assert read_scan(png_of(stacked)).notes == (Note.COLOUR_DEPTH_CUT,)


def test_an_interlaced_deep_png_is_read() -> None:
    np.testing.assert_array_equal(values_of(read_scan(adam7(deep_picture(5)))), deep_picture(5))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_transparent_parts_lie_on_black_and_say_so(
    dtype: type[np.unsignedinteger], colour: bool, kind: str
) -> None:
    most = int(np.iinfo(dtype).max)
    values = deep_picture(6, RGB if colour else (48, 64), most).astype(dtype)
    alpha = deep_picture(7, (48, 64), most).astype(dtype)
    stored = np.dstack([values, alpha])
    data = png_of(stored) if kind == "PNG" else tiff(stored, tags={338: (3, [2])})
    scan = read_scan(data)
    share = alpha.astype(np.float64) / most
    expected = np.rint(values * (share[..., None] if colour else share))
    if dtype == np.uint8:
        np.testing.assert_array_equal(scan.pixels, expected)
        assert scan.notes == (Note.TRANSPARENCY_ON_BLACK,)
    elif colour:
        np.testing.assert_array_equal(scan.pixels, expected.astype(np.uint16) >> 8)
        assert scan.notes == (Note.TRANSPARENCY_ON_BLACK, Note.COLOUR_DEPTH_CUT)
    else:
        np.testing.assert_array_equal(values_of(scan), expected)
        assert scan.notes == (Note.TRANSPARENCY_ON_BLACK,)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_transparent_colour_is_black_and_only_where_it_occurs(
    colour: bool, dtype: type[np.unsignedinteger]
) -> None:
    most = int(np.iinfo(dtype).max)
    values = deep_picture(8, RGB if colour else (48, 64), most).astype(dtype)
    key = np.atleast_1d(values[5, 5]).astype(">u2")
    clear = np.all(np.atleast_3d(values) == values[5, 5], axis=2)
    scan = read_scan(png_of(values, chunk(b"tRNS", key.tobytes())))
    assert Note.TRANSPARENCY_ON_BLACK in scan.notes
    seen = scan.pixels if scan.depth is None else scan.depth.values
    assert not seen[clear].any()
    plain = read_scan(png_of(values))
    before = plain.pixels if plain.depth is None else plain.depth.values
    np.testing.assert_array_equal(seen[~clear], before[~clear])
    absent = (key ^ 1) if not np.any(values == key[0] ^ 1) else None
    if absent is not None:
        assert read_scan(png_of(values, chunk(b"tRNS", absent.tobytes()))).notes == plain.notes


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_an_opaque_alpha_channel_changes_nothing(format_: str) -> None:
    image = Image.fromarray(deep_picture(9, RGB, 255).astype(np.uint8))
    options = {"lossless": True} if format_ == "WEBP" else {}
    scan = read_scan(saved(image.convert("RGBA"), format_, **options))
    assert scan.notes == ()
    np.testing.assert_array_equal(scan.pixels, np.asarray(image))


def test_a_palette_with_transparent_entries_lies_on_black() -> None:
    image = Image.fromarray(deep_picture(10, (48, 64), 3).astype(np.uint8))
    image.putpalette([200, 0, 0, 0, 100, 0, 0, 0, 50, 90, 90, 90])
    scan = read_scan(saved(image, "PNG", transparency=b"\xff\x00\x80"))
    expected = np.array([[200, 0, 0], [0, 0, 0], [0, 0, 25], [90, 90, 90]], np.uint8)
    np.testing.assert_array_equal(scan.pixels, expected[np.asarray(image)])
    assert scan.notes == (Note.TRANSPARENCY_ON_BLACK,)


def test_dots_per_inch_are_the_size_of_a_print_and_no_calibration() -> None:
    image = Image.fromarray(deep_picture(11))
    for format_ in ("PNG", "TIFF", "BMP", "JPEG"):
        eight = Image.fromarray(deep_picture(11, most=255).astype(np.uint8))
        assert read_scan(saved(eight, format_, dpi=(254, 254))).spacing is None
    assert read_scan(saved(image, "TIFF", dpi=(254, 254))).spacing is None
    metres = chunk(b"pHYs", b"\0\0\x27\x10" * 2 + b"\1")
    assert read_scan(insert(saved(image, "PNG"), metres)).spacing is None

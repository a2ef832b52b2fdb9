"""TIFF: every value comes back as it was stored, whatever the layout."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from raster_build import deep_picture, opened, picture, saved, tiff
from raster_samples import few_bits, packed_12, phantom

from core.errors import CorruptFile, UnsupportedFormat
from core.scan import Note, read_scan

RGB = (48, 64, 3)
DEEP = deep_picture(1)


def smooth() -> np.ndarray:
    """uint16 that a predictor helps with."""
    y, x = np.mgrid[:48, :64]
    return (x * 400 + y * 90 + DEEP % 64).astype(np.uint16)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("mode", ["L", "I;16", "I;16B", "RGB", "I", "F"])
def test_a_tiff_of_another_writer_is_read_exactly(
    compression: str, predictor: int, mode: str
) -> None:
    values = smooth()
    image = {
        "L": lambda: Image.fromarray((values >> 8).astype(np.uint8)),
        "I;16": lambda: Image.fromarray(values),
        "I;16B": lambda: Image.fromarray(values.astype(">u2")),
        "RGB": lambda: Image.fromarray(picture(2, RGB)),
        "I": lambda: Image.fromarray(values.astype(np.int32) - 70_000),
        "F": lambda: Image.fromarray(values.astype(np.float32)),
    }[mode]()
    info = {317: 3 if mode == "F" else 2} if predictor == 2 and compression != "raw" else {}
    data = saved(image, "TIFF", compression=compression, tiffinfo=info)
    scan = read_scan(data)
    expected = np.asarray(opened(data))
    if scan.depth is None:
        np.testing.assert_array_equal(scan.pixels, expected)
    else:
        depth = scan.depth
        np.testing.assert_array_equal(depth.values * depth.slope + depth.intercept, expected)


@pytest.mark.parametrize("compression", ["packbits", "zstd", "lzma"])
@pytest.mark.parametrize("strip", [None, 7 * 128])
def test_other_compressions_are_read_exactly(compression: str, strip: int | None) -> None:
    options = {} if strip is None else {"strip_size": strip}
    data = saved(Image.fromarray(DEEP), "TIFF", compression=compression, **options)
    np.testing.assert_array_equal(read_scan(data).depth.values, DEEP)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(
    "layout", [{}, {"rows_per_strip": 7}, {"tile": (16, 16)}, {"tile": (32, 80)}]
)
def test_every_layout_gives_the_same_image(
    order: str, big: bool, compression: int, planar: bool, layout: dict[str, object]
) -> None:
    options = {"order": order, "big": big, "compression": compression, **layout}
    colours = picture(3, RGB)
    data = tiff(colours, planar=planar, **options)
    np.testing.assert_array_equal(read_scan(data).pixels, colours)
    np.testing.assert_array_equal(read_scan(tiff(DEEP, **options)).depth.values, DEEP)


def test_twelve_packed_bits_are_read_as_another_reader_reads_them() -> None:
    values = deep_picture(4, most=4095)
    data = packed_12(values)
    np.testing.assert_array_equal(read_scan(data).depth.values, values)
    np.testing.assert_array_equal(np.asarray(opened(data)), values)
    odd = packed_12(np.pad(values, ((0, 0), (0, 2))))
    assert read_scan(odd).width == 66


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1])
def test_few_grey_levels_are_spread_exactly(bits: int, photometric: int) -> None:
    levels, packed = few_bits(bits)
    tags = {256: (3, [48]), 258: (3, [bits])}
    data = tiff(packed, photometric=photometric, tags=tags)
    expected = levels * (255 // (2**bits - 1))
    np.testing.assert_array_equal(
        read_scan(data).pixels, expected if photometric else 255 - expected
    )
    np.testing.assert_array_equal(read_scan(data).pixels, np.asarray(opened(data).convert("L")))


@pytest.mark.parametrize(
    ("dtype", "shift", "slope"),
    [
        (np.int8, -128, 1.0),
        (np.int16, -32768, 1.0),
        (np.int32, -70_000, 1.0),
        (np.uint32, 4_000_000_000, 1.0),
        (np.float32, -1024, 1.0),
        (np.float64, 0, 1 / 65535),
        (np.float32, 0, 1 / 65535),
        (np.float16, 0, 1 / 255),
    ],
)
def test_unusual_numbers_come_back_exactly(
    dtype: type[np.number], shift: int, slope: float
) -> None:
    most = 255 if dtype in (np.int8, np.float16) else 65535
    steps = deep_picture(5, most=most)
    stored = (steps.astype(np.float64) * slope + shift).astype(dtype)
    scan = read_scan(tiff(stored))
    depth = scan.depth
    back = (depth.values * depth.slope + depth.intercept).astype(dtype)
    np.testing.assert_array_equal(back, stored)
    assert depth.presets == (depth.window,)
    # The full range in the unit of the values, and so the same picture as of the plain steps.
    np.testing.assert_allclose(depth.window.centre, (most / 2) * slope + shift, rtol=1e-6)
    np.testing.assert_array_equal(scan.pixels, np.rint(steps / most * 255))


@pytest.mark.parametrize(
    "values",
    [
        DEEP.astype(np.uint32) * 2,
        DEEP.astype(np.int32) * -3,
        (DEEP / 3).astype(np.float32),
        DEEP.astype(np.float64) + 0.1 * (DEEP[5, 5] == DEEP),
    ],
)
def test_numbers_that_16_bits_cannot_hold_are_refused_and_not_rounded(values: np.ndarray) -> None:
    with pytest.raises(UnsupportedFormat, match="16 whole-number bits"):
        read_scan(tiff(values))


def test_a_number_that_is_none_is_damage() -> None:
    values = DEEP.astype(np.float32)
    values[3, 3] = np.nan
    with pytest.raises(CorruptFile):
        read_scan(tiff(values))


@pytest.mark.parametrize("scale", [256, 257])
def test_a_palette_gives_its_colours(scale: int) -> None:
    indices = deep_picture(6, most=255).astype(np.uint8)
    colours = np.random.default_rng(6).integers(0, 256, (256, 3))
    tags = {320: (3, (colours.T * scale).ravel().tolist())}
    scan = read_scan(tiff(indices, photometric=3, tags=tags))
    np.testing.assert_array_equal(scan.pixels, colours[indices])
    assert scan.notes == ()
    deep = {320: (3, (colours.T * 256 + 7).ravel().tolist())}
    assert read_scan(tiff(indices, photometric=3, tags=deep)).notes == (Note.COLOUR_DEPTH_CUT,)


def test_print_colours_are_those_of_the_plain_formula() -> None:
    inks = picture(7, (48, 64, 4))
    data = tiff(inks, photometric=5)
    scan = read_scan(data)
    assert scan.notes == (Note.PRINT_COLOURS,)
    np.testing.assert_array_equal(scan.pixels, np.asarray(opened(data).convert("RGB")))
    wide = inks.astype(np.float64)
    exact = (255 - wide[..., :3]) * (255 - wide[..., 3:]) / 255
    assert np.abs(scan.pixels - exact).max() <= 1
    with pytest.raises(UnsupportedFormat):
        read_scan(tiff(inks, photometric=5, tags={332: (3, [2])}))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_inside_a_tiff_is_read_as_another_reader_reads_it(mode: str) -> None:
    image = Image.fromarray(phantom() if mode == "L" else picture(8, RGB))
    for options in ({}, {"strip_size": 16 * 64 * 3}, {"quality": 60}):
        data = saved(image, "TIFF", compression="jpeg", **options)
        np.testing.assert_array_equal(read_scan(data).pixels, np.asarray(opened(data)))


@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_jpeg_parts_take_their_colours_from_the_tiff(tile: tuple[int, int] | None) -> None:
    colours = picture(9, RGB)
    high, wide = tile or (48, 64)
    blocks = [
        colours[y : y + high, x : x + wide] for y in range(0, 48, high) for x in range(0, 64, wide)
    ]
    for kept, photometric in ((True, 2), (False, 6)):
        # RGB stored as it is, without a mark; and the usual YCbCr.
        parts = [
            saved(Image.fromarray(b), "JPEG", quality=95, keep_rgb=kept, subsampling=0)
            for b in blocks
        ]
        if kept:
            parts = [part.replace(b"Adobe", b"Other") for part in parts]
        scan = read_scan(
            tiff(colours, compression=7, photometric=photometric, tile=tile, parts=parts)
        )
        assert np.abs(scan.pixels.astype(int) - colours).max() < 25


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (picture(1, RGB), {"photometric": 8}),
        (picture(1, RGB), {"photometric": 6}),
        (picture(), {"photometric": 32803}),
        (picture(), {"compression": 4}),
        (picture(), {"compression": 34712}),
        (picture(), {"tags": {266: (3, [2])}}),
        (picture(), {"tags": {284: (3, [3])}}),
        (picture(), {"tags": {317: (3, [9])}}),
        (picture(), {"tags": {258: (3, [6])}}),
        (picture(), {"tags": {339: (3, [5])}}),
        (picture(1, RGB), {"tags": {258: (3, [8, 8, 16])}}),
        (picture(1, (48, 64, 2)), {"tags": {338: (3, [0])}}),
        (picture(1, (48, 64, 2)), {}),
        (DEEP.astype(np.uint64), {}),
    ],
)
def test_what_would_not_be_read_exactly_is_refused(
    pixels: np.ndarray, options: dict[str, object]
) -> None:
    with pytest.raises(UnsupportedFormat, match="kind of TIFF"):
        read_scan(tiff(pixels, **options))


def test_padding_behind_the_colours_is_dropped() -> None:
    padded = np.dstack([picture(1, RGB), np.zeros((48, 64), np.uint8)])
    scan = read_scan(tiff(padded))
    np.testing.assert_array_equal(scan.pixels, picture(1, RGB))
    assert scan.notes == ()

"""DICOM colours: planes, luminance and palettes come out as the colours that are meant."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_factory import loop_pixels, read
from dicom_samples import colour_pixels
from pydicom.pixels.processing import convert_color_space

from core.scan import Note
from core.scan._dicom_pixels import rgb_of_ybr

GREY = loop_pixels(1)[0]
PALETTE = ("Red", "Green", "Blue")


def ybr(rgb: np.ndarray) -> np.ndarray:
    return convert_color_space(rgb, "RGB", "YBR_FULL")


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "rle", "jpeg2000"])
def test_ybr_becomes_rgb(syntax: str) -> None:
    stored = ybr(colour_pixels())
    scan = read(stored, photometric="YBR_FULL", syntax=syntax)
    np.testing.assert_array_equal(scan.pixels, convert_color_space(stored, "YBR_FULL", "RGB"))


def test_every_ybr_value_is_converted_as_pydicom_does() -> None:
    cb, cr = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for y in (0, 1, 77, 128, 254, 255):
        stored = np.stack([np.full_like(cb, y), cb, cr], axis=2)
        difference = rgb_of_ybr(stored).astype(int) - convert_color_space(stored, "YBR_FULL", "RGB")
        # pydicom computes with 24 bits: at most a rounding of an exact half apart.
        assert (difference != 0).mean() < 1e-3
        assert np.abs(difference).max() <= 1


def test_planes_are_put_together() -> None:
    planes = np.ascontiguousarray(colour_pixels().transpose(2, 0, 1)).tobytes()
    scan = read(colour_pixels(), tags={"PlanarConfiguration": 1, "PixelData": planes})
    np.testing.assert_array_equal(scan.pixels, colour_pixels())


@pytest.mark.parametrize("syntax", ["rle", "jpeg2000"])
def test_planes_of_a_header_do_not_tear_a_codestream_apart(syntax: str) -> None:
    scan = read(colour_pixels(), syntax=syntax, tags={"PlanarConfiguration": 1})
    np.testing.assert_array_equal(scan.pixels, colour_pixels())


def test_halved_colour_is_spread_again() -> None:
    full = ybr(colour_pixels())
    full[:, 1::2, 1:] = full[:, ::2, 1:]
    flat = full.reshape(96, 64, 6)
    stored = np.stack([flat[..., 0], flat[..., 3], flat[..., 1], flat[..., 2]], axis=2)
    tags = {"PhotometricInterpretation": "YBR_FULL_422", "PixelData": stored.tobytes()}
    np.testing.assert_array_equal(
        read(colour_pixels(), tags=tags).pixels, convert_color_space(full, "YBR_FULL", "RGB")
    )


def test_colours_of_sixteen_bits_are_cut_and_said_to_be() -> None:
    wide = colour_pixels().astype(np.uint16) * 257
    scan = read(wide)
    np.testing.assert_array_equal(scan.pixels, colour_pixels())
    assert Note.COLOUR_DEPTH_CUT in scan.notes


def palette_tags(tables: np.ndarray, bits: int, first: int = 0) -> dict[str, object]:
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, table in zip(PALETTE, tables, strict=True):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [len(table), first, bits]
        tags[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    return tags


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "rle"])
@pytest.mark.parametrize("bits", [8, 16])
def test_palette_colours_are_looked_up(syntax: str, bits: int) -> None:
    tables = np.random.default_rng(3).integers(0, 256, (3, 200), dtype=np.uint8)
    wide = tables if bits == 8 else tables.astype("<u2") * 257
    scan = read(GREY, tags=palette_tags(wide, bits, 10), syntax=syntax)
    index = np.clip(GREY.astype(int) - 10, 0, 199)
    np.testing.assert_array_equal(scan.pixels, np.moveaxis(tables[:, index], 0, 2))
    assert scan.notes == ()


def test_a_palette_in_segments_is_unrolled() -> None:
    # C.7.9.2: 56 equal entries, then a straight line to 200 over 200 more.
    words = np.array([0, 1, 10 * 256, 1, 55, 10 * 256, 1, 200, 200 * 256], "<u2")
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name in PALETTE:
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"Segmented{name}PaletteColorLookupTableData"] = words.tobytes()
    pixels = read(GREY, tags=tags).pixels
    table = np.concatenate([np.full(56, 10.0), 10 + np.arange(1, 201) * 190 / 200])
    assert pixels.ndim == 2
    assert np.abs(pixels - table[GREY]).max() <= 1
    assert np.ptp(pixels) > 60

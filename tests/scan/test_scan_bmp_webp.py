"""BMP, WebP and print colours: as another reader reads them, or refused."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from raster_build import bmp, deep_picture, opened, picture, saved
from raster_samples import few_bits, phantom, with_alpha

from core.errors import CorruptFile, ScanError, UnsupportedFormat
from core.scan import Note, read_scan

RGB = (48, 64, 3)
PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_bmp_of_another_writer_is_read_exactly(mode: str) -> None:
    # 61 columns: rows are padded to four bytes.
    colours = Image.fromarray(np.ascontiguousarray(picture(2, RGB)[:, :61]))
    image = colours.quantize(200) if mode == "P" else colours.convert(mode)
    data = saved(image, "BMP")
    seen = read_scan(data).pixels
    expected = np.asarray(opened(data).convert("RGB"))
    np.testing.assert_array_equal(np.dstack([seen] * 3) if seen.ndim == 2 else seen, expected)


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("size", [12, 40, 108, 124])
@pytest.mark.parametrize("top_down", [False, True])
def test_a_bmp_palette_gives_its_colours(bits: int, size: int, top_down: bool) -> None:
    levels, rows = (phantom(), phantom()) if bits == 8 else few_bits(bits)
    data = bmp(rows, bits, palette=PALETTE[: 2**bits], size=size, top_down=top_down and size > 12)
    np.testing.assert_array_equal(read_scan(data).pixels, PALETTE[levels])
    np.testing.assert_array_equal(read_scan(data).pixels, np.asarray(opened(data).convert("RGB")))


def test_a_bmp_index_without_a_colour_is_damage() -> None:
    few = PALETTE[: int(phantom().max())]
    with pytest.raises(CorruptFile):
        read_scan(bmp(phantom(), 8, palette=few))


def test_sixteen_bits_of_a_bmp_are_spread_over_the_whole_range() -> None:
    words = deep_picture(3)
    rows = words.view(np.uint8)
    five = lambda at: np.rint(((words >> at) & 31) * 255 / 31)  # noqa: E731
    expected = np.stack([five(10), five(5), five(0)], axis=-1)
    np.testing.assert_array_equal(read_scan(bmp(rows, 16)).pixels, expected)
    six = np.rint(((words >> 5) & 63) * 255 / 63)
    expected = np.stack([five(11), six, five(0)], axis=-1)
    data = bmp(rows, 16, masks=(0xF800, 0x07E0, 0x001F))
    np.testing.assert_array_equal(read_scan(data).pixels, expected)


def test_the_fourth_byte_of_a_plain_bmp_is_padding() -> None:
    stored = picture(4, (48, 64, 4))
    data = bmp(stored.reshape(48, -1), 32)
    np.testing.assert_array_equal(read_scan(data).pixels, stored[..., 2::-1])
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_scan(data).pixels, seen[..., ::-1])


def test_a_bmp_with_an_alpha_mask_lies_on_black() -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    stored = with_alpha(picture(5, RGB), 51)
    scan = read_scan(bmp(stored.reshape(48, -1), 32, masks=masks, size=56))
    assert scan.notes == (Note.TRANSPARENCY_ON_BLACK,)
    expected = np.rint(stored[..., 2::-1] * (stored[..., 3:] / 255.0))
    np.testing.assert_array_equal(scan.pixels, expected)


@pytest.mark.parametrize(
    ("masks", "error"),
    [
        ((0xFF0000, 0xFF00, 0xFFFF), CorruptFile),
        ((0xFF0000, 0xFF00, 0xA5), CorruptFile),
        ((0xFF0000, 0, 0xFF), CorruptFile),
        ((0x3FF00000, 0xFFC00, 0x3FF), UnsupportedFormat),
    ],
)
def test_odd_masks_of_a_bmp_are_not_guessed(masks: tuple[int, ...], error: type) -> None:
    with pytest.raises(error):
        read_scan(bmp(picture(6, (48, 64, 4)).reshape(48, -1), 32, masks=masks))
    with pytest.raises(ScanError):
        read_scan(bmp(deep_picture().view(np.uint8), 16, masks=(0xF80000, 0x7E0, 0x1F)))


@pytest.mark.parametrize("compression", [1, 2, 4, 5, 99])
def test_a_compressed_bmp_is_refused(compression: int) -> None:
    data = bytearray(bmp(phantom(), 8, palette=PALETTE))
    data[30] = compression
    with pytest.raises(UnsupportedFormat, match="kind of BMP"):
        read_scan(bytes(data))


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 80}, {"quality": 80, "method": 6}]
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_webp_is_read_as_another_reader_reads_it(mode: str, options: dict[str, object]) -> None:
    image = Image.fromarray(phantom() if mode == "L" else picture(7, RGB))
    data = saved(image, "WEBP", **options)
    expected = np.asarray(opened(data).convert("RGB"))
    seen = read_scan(data).pixels
    np.testing.assert_array_equal(seen if seen.ndim == 3 else np.dstack([seen] * 3), expected)
    if "lossless" in options:
        np.testing.assert_array_equal(seen, np.asarray(image))


@pytest.mark.parametrize("options", [{"lossless": True, "exact": True}, {"quality": 90}])
def test_a_transparent_webp_lies_on_black(options: dict[str, object]) -> None:
    data = saved(Image.fromarray(with_alpha(picture(8, RGB), 51)), "WEBP", **options)
    scan = read_scan(data)
    assert scan.notes == (Note.TRANSPARENCY_ON_BLACK,)
    seen = np.asarray(opened(data).convert("RGBA"))
    assert seen[0, 0, 3] == 51
    np.testing.assert_array_equal(scan.pixels, np.rint(seen[..., :3] * (seen[..., 3:] / 255.0)))


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_an_animation_is_not_read_as_its_first_frame_in_silence(format_: str) -> None:
    frames = [Image.fromarray(picture(seed)) for seed in range(3)]
    data = saved(frames[0], format_, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedFormat, match="animation"):
        read_scan(data)


def test_the_metadata_of_a_webp_stays_behind() -> None:
    plain = saved(Image.fromarray(picture(9, RGB)), "WEBP", lossless=True)
    marked = saved(
        Image.fromarray(picture(9, RGB)),
        "WEBP",
        lossless=True,
        xmp=b"<x>Erika Mustermann</x>",
        icc_profile=b"\0" * 200,
    )
    assert b"Mustermann" in marked
    assert read_scan(plain).digest == read_scan(marked).digest
    assert read_scan(plain).digest == read_scan(plain + b"what follows").digest


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_that_was_cut_off_and_closed_again_is_not_half_a_scan(
    share: float, lossless: bool
) -> None:
    data = saved(Image.fromarray(picture(10, RGB)), "WEBP", lossless=lossless, quality=90)
    body = data[20:]
    part = body[: int(len(body) * share) // 2 * 2]
    closed = data[12:16] + struct.pack("<I", len(part)) + part
    with pytest.raises(CorruptFile):
        read_scan(b"RIFF" + struct.pack("<I", 4 + len(closed)) + b"WEBP" + closed)


@pytest.mark.parametrize("progressive", [False, True])
def test_print_colours_of_a_jpeg_are_those_of_another_reader(progressive: bool) -> None:
    inks = Image.fromarray(picture(11, RGB)).convert("CMYK")
    data = saved(inks, "JPEG", quality=95, progressive=progressive)
    scan = read_scan(data)
    assert scan.notes == (Note.PRINT_COLOURS,)
    np.testing.assert_array_equal(scan.pixels, np.asarray(opened(data).convert("RGB")))
    # The colours are right and not their negative.
    assert np.abs(scan.pixels.astype(int) - picture(11, RGB)).mean() < 10


def test_print_colours_that_may_be_inverted_are_not_guessed() -> None:
    data = saved(Image.fromarray(picture(12, RGB)).convert("CMYK"), "JPEG")
    with pytest.raises(UnsupportedFormat, match="does not say how"):
        read_scan(data.replace(b"Adobe", b"Other"))

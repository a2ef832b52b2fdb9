"""PNG: what is read is exact, and what breaks the rules is not read."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from raster_build import SIGNATURE, chunk, grey_png, header, insert, picture, png, saved

from core.errors import CorruptFile, ScanError, UnsupportedFormat
from core.scan import Note, read_scan


def test_a_flipped_bit_in_a_png_is_found() -> None:
    data = grey_png()
    for position in range(8, len(data), 5):
        broken = bytearray(data)
        broken[position] ^= 1 << (position % 8)
        with pytest.raises(ScanError):
            read_scan(bytes(broken))


@pytest.mark.parametrize("width", [0, 2**31, 2**32 - 1])
def test_an_absurd_header_is_damage(width: int) -> None:
    with pytest.raises(CorruptFile):
        read_scan(png(header(width, 64), chunk(b"IDAT", zlib.compress(b""))))


@pytest.mark.parametrize("value", [0, 0xA5, 255])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("colour", "depth"),
    [(0, 1), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)],
)
def test_a_png_with_too_few_rows_is_damage_and_not_black(
    colour: int, depth: int, interlaced: bool, value: int
) -> None:
    # Checksums and stream are sound here: only the number of rows tells.
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = (
        [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)]
        if interlaced
        else [(64, 64)]
    )
    rows = b"".join(
        (b"\0" + bytes((value,)) * (columns * channels * depth // 8)) * count
        for columns, count in passes
    )
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, depth, colour, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b""
    whole = png(head, palette, chunk(b"IDAT", zlib.compress(rows)))
    assert read_scan(whole).width == 64
    for missing in (1, 2, len(rows) // 64, len(rows) // 3, len(rows)):
        part = zlib.compress(rows[: len(rows) - missing])
        with pytest.raises(CorruptFile):
            read_scan(png(head, palette, chunk(b"IDAT", part)))


def test_a_png_in_many_small_pieces_is_whole() -> None:
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture()), 9)
    pieces = (chunk(b"IDAT", rows[at : at + 3]) for at in range(0, len(rows), 3))
    np.testing.assert_array_equal(read_scan(png(header(64, 48), *pieces)).pixels, picture())


def test_compressed_text_cannot_blow_up() -> None:
    bomb = zlib.compress(b"A" * 100_000_000, 9)
    text = chunk(b"zTXt", b"Comment\0\0" + bomb)
    profile = chunk(b"iCCP", b"profile\0\0" + bomb)
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(
            read_scan(insert(grey_png(), profile, text)).pixels, picture()
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_grey_levels_are_spread_exactly(depth: int) -> None:
    most = 2**depth - 1
    levels = np.random.default_rng(depth).integers(0, most + 1, (40, 48))
    bits = ((levels[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(40, -1)
    rows = b"".join(b"\0" + np.packbits(row.astype(np.uint8)).tobytes() for row in bits)
    data = png(header(48, 40, depth), chunk(b"IDAT", zlib.compress(rows)))
    np.testing.assert_array_equal(read_scan(data).pixels, levels * (255 // most))
    absent, present = (level for level in (0, most))
    opaque = np.where(levels == 0, 1, levels)
    bits = ((opaque[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(40, -1)
    rows = b"".join(b"\0" + np.packbits(row.astype(np.uint8)).tobytes() for row in bits)
    image = chunk(b"IDAT", zlib.compress(rows))
    key = chunk(b"tRNS", struct.pack(">H", absent))
    assert read_scan(png(header(48, 40, depth), key, image)).width == 48
    laid = read_scan(png(header(48, 40, depth), chunk(b"tRNS", struct.pack(">H", present)), image))
    assert laid.notes == (Note.TRANSPARENCY_ON_BLACK,)
    np.testing.assert_array_equal(laid.pixels, np.where(opaque == most, 0, opaque * (255 // most)))


def test_a_palette_gives_its_colours() -> None:
    colours = picture(5, (48, 64, 3))
    image = Image.fromarray(colours).quantize(32)
    np.testing.assert_array_equal(
        read_scan(saved(image, "PNG")).pixels, np.asarray(image.convert("RGB"))
    )
    grey = Image.fromarray(picture() // 16)
    grey.putpalette(bytes(value for level in range(16) for value in (level * 17,) * 3))
    scan = read_scan(saved(grey, "PNG", bits=4))
    np.testing.assert_array_equal(scan.pixels, picture() // 16 * 17)


def test_a_palette_index_without_a_colour_is_damage() -> None:
    rows = zlib.compress((b"\0" + bytes(range(64))) * 64)
    data = png(header(64, 64, colour=3), chunk(b"PLTE", b"\1\2\3" * 10), chunk(b"IDAT", rows))
    with pytest.raises(CorruptFile):
        read_scan(data)


def test_an_unused_transparent_colour_does_not_stop_a_read() -> None:
    image = Image.fromarray(np.minimum(picture(), 250))
    np.testing.assert_array_equal(
        read_scan(saved(image, "PNG", transparency=255)).pixels, np.asarray(image)
    )


def test_an_animation_is_not_read_as_its_first_frame_in_silence() -> None:
    frames = [Image.fromarray(picture(seed)) for seed in range(3)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in data
    with pytest.raises(UnsupportedFormat, match="animation"):
        read_scan(data)


def test_an_interlaced_png_is_read() -> None:
    # One row filter per pass of Adam7; a flat image is enough to tell passes from rows.
    flat = np.full((64, 64), 77, np.uint8)
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    rng = np.random.default_rng(9)
    flat[:] = rng.integers(0, 256, flat.shape)
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, right in passes
        for row in flat[top::down, left::right]
    )
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 1))
    data = png(head, chunk(b"IDAT", zlib.compress(rows)))
    np.testing.assert_array_equal(read_scan(data).pixels, flat)


@pytest.mark.parametrize("kind", [b"CgBI", b"ABCD"])
def test_a_private_png_is_refused(kind: bytes) -> None:
    data = grey_png()
    odd = (
        data[:8] + chunk(kind, b"\0" * 13) + data[8:]
        if kind == b"CgBI"
        else insert(data, chunk(kind, b""))
    )
    with pytest.raises(UnsupportedFormat, match="standard PNG"):
        read_scan(odd)


@pytest.mark.parametrize(
    "build",
    [
        lambda: png(header(64, 48, depth=3), chunk(b"IDAT", b"")),
        lambda: png(header(64, 48, colour=5), chunk(b"IDAT", b"")),
        lambda: png(header(64, 48)),
        lambda: insert(grey_png(), header(64, 48)),
        lambda: insert(grey_png(), chunk(b"IDAT", b""), chunk(b"tEXt", b"a\0b")),
        lambda: png(header(64, 48, colour=3), chunk(b"IDAT", zlib.compress(b"\0" * 65 * 48))),
        lambda: insert(grey_png(), chunk(b"tRNS", b"\0")),
        lambda: SIGNATURE + chunk(b"tEXt", b"a\0b" * 20),
    ],
)
def test_a_png_that_breaks_the_rules_is_damage(build: object) -> None:
    with pytest.raises(CorruptFile):
        read_scan(build())  # type: ignore[operator]


def test_many_empty_chunks_do_not_take_forever() -> None:
    with pytest.raises(CorruptFile):
        read_scan(insert(grey_png(), chunk(b"teSt", b"") * 100_001))

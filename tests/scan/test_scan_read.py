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

from core.errors import (
    CorruptFile,
    EmptyFile,
    FileTooLarge,
    ScanError,
    TooManyPixels,
    TooSmall,
    UnsupportedFormat,
)
from core.scan import encode_png, make_phantom, read_scan, readable_formats
from core.scan.phantom import PhantomSpec
from core.settings import ROOT, load_settings

SETTINGS = load_settings({})
DATA = ROOT.parent / "shared" / "data"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=format_, **options)
    return out.getvalue()


def picture(seed: int = 0, shape: tuple[int, ...] = (48, 64)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, *shape[2:]), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8) + (1,) * (len(shape) - 2), np.uint8))


def grey_png(**options: object) -> bytes:
    return saved(Image.fromarray(picture()), "PNG", **options)


def grey_jpeg(**options: object) -> bytes:
    return saved(Image.fromarray(picture()), "JPEG", **options)


def insert(data: bytes, *chunks: bytes) -> bytes:
    """Put PNG chunks right behind the header."""
    return data[:33] + b"".join(chunks) + data[33:]


def test_a_png_is_read_to_the_last_grey_level() -> None:
    scan = read_scan(grey_png())
    np.testing.assert_array_equal(scan.pixels, picture())
    assert (scan.width, scan.height, scan.frames) == (64, 48, 1)
    assert (scan.modality, scan.spacing, scan.synthetic) == ("unknown", None, False)


def test_a_jpeg_is_read_as_any_viewer_shows_it() -> None:
    for data in (grey_jpeg(quality=90), grey_jpeg(quality=75, progressive=True)):
        np.testing.assert_array_equal(
            read_scan(data).pixels, np.asarray(Image.open(io.BytesIO(data)))
        )


def test_colour_stays_colour() -> None:
    colours = picture(1, (48, 64, 3))
    np.testing.assert_array_equal(read_scan(saved(Image.fromarray(colours), "PNG")).pixels, colours)
    jpeg = saved(Image.fromarray(colours), "JPEG", subsampling=2, quality=85)
    np.testing.assert_array_equal(read_scan(jpeg).pixels, np.asarray(Image.open(io.BytesIO(jpeg))))


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
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
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
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
        saved(image, format_, exif=exif, **({"quality": 100} if format_ == "JPEG" else {}))
    )
    assert scan.pixels.shape == scene.shape
    assert np.abs(scan.pixels.astype(int) - scene).max() <= (8 if format_ == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_agrees_with_pillow(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(picture(4, (48, 64, 3))), "PNG", exif=exif)
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
    for data in (b"hello", b"BM" + b"\0" * 100, b"GIF89a" + b"\0" * 100, b"\0" * 500):
        with pytest.raises(UnsupportedFormat, match="PNG / JPEG"):
            read_scan(data)
    assert {"PNG", "JPEG", "DICOM"} <= set(readable_formats())


def huge_png() -> bytes:
    return png(header(100_000, 100_000), chunk(b"IDAT", zlib.compress(b"\0" * 1000)))


def huge_jpeg() -> bytes:
    data = bytearray(grey_jpeg())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


@pytest.mark.parametrize("make", [huge_png, huge_jpeg])
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


@pytest.mark.parametrize("width", [0, 2**31, 2**32 - 1])
def test_an_absurd_header_is_damage(width: int) -> None:
    with pytest.raises(CorruptFile):
        read_scan(png(header(width, 64), chunk(b"IDAT", zlib.compress(b""))))


@pytest.mark.parametrize("make", [grey_png, grey_jpeg])
def test_a_file_cut_off_anywhere_is_never_half_a_scan(make: object) -> None:
    data = make()  # type: ignore[operator]
    for end in [*range(8, len(data) - 1, 7), len(data) - 1]:
        with pytest.raises((CorruptFile, UnsupportedFormat)):
            read_scan(data[:end])


def test_a_flipped_bit_in_a_png_is_found() -> None:
    data = grey_png()
    for position in range(8, len(data), 5):
        broken = bytearray(data)
        broken[position] ^= 1 << (position % 8)
        with pytest.raises(ScanError):
            read_scan(bytes(broken))


@pytest.mark.parametrize("missing", [1, 65, 3000])
def test_a_png_with_too_few_rows_is_damage_and_not_black(missing: int) -> None:
    # Checksums and stream are sound here: only the number of rows tells.
    rows = b"\0" * (65 * 64)
    assert read_scan(png(header(64, 64), chunk(b"IDAT", zlib.compress(rows)))).width == 64
    with pytest.raises(CorruptFile):
        read_scan(png(header(64, 64), chunk(b"IDAT", zlib.compress(rows[missing:]))))


def test_a_png_in_many_small_pieces_is_whole() -> None:
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture()), 9)
    pieces = (chunk(b"IDAT", rows[at : at + 3]) for at in range(0, len(rows), 3))
    np.testing.assert_array_equal(read_scan(png(header(64, 48), *pieces)).pixels, picture())


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_jpeg_that_was_cut_off_and_closed_again_is_not_half_grey(share: float) -> None:
    phantom = make_phantom(PhantomSpec(width=160, height=128), seed=3).scan.pixels
    data = saved(Image.fromarray(phantom), "JPEG", quality=90)
    start = data.index(b"\xff\xda") + 12
    cut = start + int(share * (len(data) - start))
    with pytest.raises(CorruptFile):
        read_scan(data[:cut].rstrip(b"\xff") + b"\xff\xd9")


@pytest.mark.parametrize("make", [grey_png, grey_jpeg])
def test_what_follows_the_image_is_ignored(make: object) -> None:
    data = make()  # type: ignore[operator]
    one, other = read_scan(data), read_scan(data + b"PK\x03\x04 a video, a preview, anything")
    assert one.digest == other.digest
    assert one.source_digest != other.source_digest


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


def test_metadata_changes_nothing_that_travels_on() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Erika Mustermann")
    plain = read_scan(grey_png())
    marked = read_scan(grey_png(pnginfo=info, dpi=(300, 300), icc_profile=b"\0" * 200))
    assert plain.digest == marked.digest
    assert b"Mustermann" not in encode_png(marked)
    with Image.open(io.BytesIO(encode_png(marked))) as image:
        assert image.info == {}


def test_sixteen_bits_are_refused_and_not_clipped() -> None:
    deep = (picture().astype(np.uint16) * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    data = png(header(64, 48, depth=16), chunk(b"IDAT", zlib.compress(rows)))
    with pytest.raises(UnsupportedFormat, match=r"16 bits.*8 bits"):
        read_scan(data)


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
    with pytest.raises(UnsupportedFormat, match="transparent"):
        read_scan(png(header(48, 40, depth), chunk(b"tRNS", struct.pack(">H", present)), image))


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


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB"])
def test_transparency_is_dropped_only_where_there_is_none(mode: str) -> None:
    base = Image.fromarray(picture(6)).convert("RGB")
    if mode in ("LA", "RGBA"):
        image = base.convert(mode)
        assert read_scan(saved(image, "PNG")).pixels.shape == (48, 64)
        image.putpixel((5, 5), (*image.getpixel((5, 5))[:-1], 254))
        data = saved(image, "PNG")
    elif mode == "P":
        data = saved(base.quantize(8), "PNG", transparency=bytes([255, 0]))
    else:
        corner = base.convert(mode).getpixel((0, 0))
        data = saved(base.convert(mode), "PNG", transparency=corner)
    with pytest.raises(UnsupportedFormat, match="transparent"):
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


def test_print_colours_are_refused_and_not_guessed() -> None:
    data = saved(Image.fromarray(picture(7, (48, 64, 3))).convert("CMYK"), "JPEG")
    with pytest.raises(UnsupportedFormat, match="CMYK"):
        read_scan(data)


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


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive", "palette"])
def test_random_damage_ends_in_a_scan_or_a_scan_error(kind: str) -> None:
    phantom = make_phantom(PhantomSpec(width=96, height=80), seed=1).scan.pixels
    image = Image.fromarray(phantom)
    data = {
        "png": lambda: saved(image, "PNG"),
        "jpeg": lambda: saved(image, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
        "progressive": lambda: saved(image.convert("RGB"), "JPEG", progressive=True),
        "palette": lambda: saved(image.quantize(16), "PNG"),
    }[kind]()
    rng = np.random.default_rng(20)
    few = replace(SETTINGS, max_pixels=1_000_000)
    survived = 0
    for _attempt in range(400):
        broken = bytearray(data)
        for _flip in range(int(rng.integers(1, 6))):
            broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
        if rng.random() < 0.3:
            del broken[int(rng.integers(0, len(broken))) :]
        if rng.random() < 0.2:
            position = int(rng.integers(0, len(broken) + 1))
            broken[position:position] = rng.bytes(int(rng.integers(1, 50)))
        if kind in ("png", "palette"):
            broken = bytearray(_with_right_checksums(bytes(broken)))
        try:
            scan = read_scan(bytes(broken), settings=few)
        except ScanError:
            continue
        survived += 1
        assert scan.pixels.dtype == np.uint8
        assert not scan.pixels.flags.writeable
    assert survived < 400


def _with_right_checksums(data: bytes) -> bytes:
    """Let damage through the checksums, so that it reaches the decoder behind them."""
    out, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        out.append(chunk(data[position + 4 : position + 8], data[position + 8 : end]))
        position = end + 4
    return b"".join(out) + data[position:]


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

"""TIFF: pages are frames or are refused, and damage is found."""

from __future__ import annotations

import contextlib
import struct
import threading
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin
from raster_build import deep_picture, picture, saved, tiff
from raster_samples import samples

from core.errors import CorruptFile, ScanError, UnsupportedFormat
from core.scan import read_scan
from core.scan._tiff import TIFF
from core.settings import load_settings

SETTINGS = load_settings({})
RGB = (48, 64, 3)
DEEP = deep_picture(1)


def test_pages_of_one_size_are_frames() -> None:
    pages = [deep_picture(seed) for seed in range(5)]
    whole = tiff(*pages, rows_per_strip=10, compression=8)
    scan = read_scan(whole)
    assert (scan.frames, scan.frame, scan.loop.count) == (5, 0, 5)
    assert scan.loop.starts is None
    assert scan.loop.held_bytes < len(whole)
    for index, page in enumerate(pages):
        frame = scan.loop.frame(index)
        np.testing.assert_array_equal(frame.depth.values, page)
        assert (frame.frame, frame.series) == (index, scan.digest)
        assert frame.digest == read_scan(tiff(page)).digest
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: scan.loop.frame(i).digest}))
        for i in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: scan.loop.frame(i).digest for i in range(5)}


def test_a_multipage_tiff_of_another_writer_is_a_loop() -> None:
    pages = [Image.fromarray(picture(seed, RGB)) for seed in range(3)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    scan = read_scan(data)
    for index, page in enumerate(pages):
        np.testing.assert_array_equal(scan.loop.frame(index).pixels, np.asarray(page))


def test_a_marked_preview_or_mask_is_not_taken_for_the_scan() -> None:
    for kind in (1, 4):
        marked = {254: (4, [kind])}
        for pages, each in (
            ((DEEP, DEEP[:40, :40]), [{}, marked]),
            ((DEEP[:40, :40], DEEP), [marked, {}]),
        ):
            scan = read_scan(tiff(*pages, each=each))
            np.testing.assert_array_equal(scan.depth.values, DEEP)
            assert (scan.frames, scan.loop) == (1, None)


@pytest.mark.parametrize(
    ("pages", "each"),
    [
        ((DEEP, DEEP[:40]), ()),
        ((DEEP, DEEP), ({}, {262: (3, [0])})),
        ((DEEP, DEEP), ({}, {274: (3, [3])})),
        ((DEEP, picture()), ()),
    ],
)
def test_pages_that_differ_are_refused_and_none_is_dropped_in_silence(
    pages: tuple[np.ndarray, ...], each: tuple[dict, ...]
) -> None:
    with pytest.raises(UnsupportedFormat, match="pages of different kinds"):
        read_scan(tiff(*pages, each=each))


def test_metadata_neither_travels_nor_stays_in_memory() -> None:
    words = {315: (2, b"Erika Mustermann\0"), 270: (2, b"born 1961\0")}
    data = tiff(DEEP, DEEP, tags=words)
    assert b"Mustermann" in data
    assert read_scan(tiff(DEEP, DEEP)).digest == read_scan(data).digest
    pages = TIFF.open(data).decode().more.args[0]
    held = b"".join(part + page.tables for page in pages for part in page.parts)
    assert len(held) == 2 * DEEP.nbytes
    assert b"Mustermann" not in held


def _circle() -> bytes:
    data = bytearray(tiff(DEEP, DEEP))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    return bytes(data)


def _long_chain(pages: int) -> bytes:
    directory = struct.pack("<HHHII", 1, 254, 4, 1, 1)
    step = len(directory) + 4
    body = b"".join(directory + struct.pack("<I", 8 + step * (i + 1)) for i in range(pages))
    return struct.pack("<4sI", b"II*\0", 8) + body


def _shared_strips(pages: int) -> bytes:
    """Pages that all point at the same bytes: a small file, a large loop."""
    one = tiff(DEEP)
    first = struct.unpack_from("<I", one, 4)[0]
    (count,) = struct.unpack_from("<H", one, first)
    size = 2 + 12 * count + 4
    directory, out = one[first : first + size - 4], bytearray(one)
    struct.pack_into("<I", out, first + size - 4, len(out))
    for _page in range(pages):
        out += directory + struct.pack("<I", len(out) + size)
    struct.pack_into("<I", out, len(out) - 4, 0)
    return bytes(out)


@pytest.mark.parametrize(
    "data",
    [
        _circle(),
        _long_chain(200_000),
        _shared_strips(3),
        struct.pack("<4sIH", b"II*\0", 8, 65535),
        struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**63),
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**63),
        struct.pack("<2sHHHQ", b"II", 43, 4, 0, 16),
        b"II*\0" + b"\xff" * 100,
        b"II*\0" + b"\0" * 100,
        tiff(DEEP, tags={273: (4, [0] * 3)}),
        tiff(DEEP, tags={273: (4, [2**31])}),
        tiff(DEEP, tags={279: (4, [10])}),
        tiff(DEEP, tags={278: (3, [0])}),
        tiff(DEEP, tags={257: (3, [0])}),
        tiff(DEEP, tile=(16, 16), tags={322: (3, [60_000])}),
        tiff(DEEP, tile=(1, 1)),
        tiff(DEEP, compression=8, parts=[zlib.compress(b"\0" * 48 * 128)[:-4]]),
        tiff(DEEP, compression=8, parts=[zlib.compress(b"\0" * 47 * 128)]),
        tiff(picture(), photometric=3, tags={320: (3, [0] * 30)}),
    ],
    ids=range(19),
)
def test_a_tiff_that_breaks_the_rules_is_damage(data: bytes) -> None:
    with pytest.raises(ScanError) as caught:
        read_scan(data, settings=SETTINGS)
    assert "damaged" in str(caught.value) or "frames" in str(caught.value)


def test_pages_that_share_their_strips_cost_no_memory() -> None:
    data = _shared_strips(4000)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFile):
            read_scan(data)
        # Copied page by page they would be 25 MB.
        assert tracemalloc.get_traced_memory()[1] < 15 * 2**20
    finally:
        tracemalloc.stop()


def test_pages_in_a_circle_are_damage_and_not_a_long_loop() -> None:
    with pytest.raises(CorruptFile):
        read_scan(_circle())


def test_a_strip_that_inflates_without_end_costs_no_memory() -> None:
    bomb = zlib.compress(b"\0" * 200_000_000, 9)
    data = tiff(DEEP, compression=8, parts=[bomb])
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFile):
            read_scan(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20


def test_a_dicom_file_behind_a_tiff_header_is_no_tiff() -> None:
    # PS3.10 section 7.1 allows any preamble, and some writers put a TIFF header there.
    plain = tiff(DEEP)
    assert TIFF.matches(plain)
    assert not TIFF.matches(plain[:128] + b"DICM" + plain[132:])


def test_pillow_is_left_as_it_was() -> None:
    def globals_of_pillow() -> tuple[object, ...]:
        return (
            Image.MAX_IMAGE_PIXELS,
            ImageFile.LOAD_TRUNCATED_IMAGES,
            TiffImagePlugin.READ_LIBTIFF,
            PngImagePlugin.MAX_TEXT_CHUNK,
        )

    before = globals_of_pillow()
    for sample in samples():
        with contextlib.suppress(ScanError):
            read_scan(sample.data)
    assert globals_of_pillow() == before

"""Loops: the right frame, decoded when asked for, and no more held than it takes."""

from __future__ import annotations

import gc
import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dicom_factory import SYNTAXES, jpeg_frame, loop_pixels, make_dicom, read
from dicom_samples import colour_pixels
from pydicom.encaps import encapsulate

from core.errors import CorruptFile
from core.scan import _dicom_frames as frames_module
from core.scan import read_scan
from core.settings import load_settings

SETTINGS = load_settings({})
STORED = loop_pixels(7)


def nearest(pixels: np.ndarray) -> int:
    """Tell which stored frame these pixels are, lossy or not."""
    return int(np.argmin([np.abs(pixels.astype(int) - frame).mean() for frame in STORED]))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_frame_is_the_one_that_was_asked_for(syntax: str) -> None:
    scan = read(STORED, syntax=syntax, frame_time=40)
    assert (scan.frames, scan.frame, scan.series) == (7, 0, scan.digest)
    for index in (6, 2, 0, 5):
        frame = scan.loop.frame(index)
        assert nearest(frame.pixels) == index
        assert (frame.frame, frame.frames, frame.series) == (index, 7, scan.digest)
        if syntax not in ("jpeg", "jpeg2000-lossy"):
            np.testing.assert_array_equal(frame.pixels, STORED[index])
    for index in (-1, 7):
        with pytest.raises(IndexError):
            scan.loop.frame(index)


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg2000"])
@pytest.mark.parametrize("fragments", [1, 2, 3])
@pytest.mark.parametrize("offsets", ["none", "basic", "extended"])
def test_frames_are_found_in_any_number_of_fragments(
    syntax: str, fragments: int, offsets: str
) -> None:
    scan = read(STORED, syntax=syntax, fragments=fragments, offsets=offsets)
    assert [nearest(scan.loop.frame(index).pixels) for index in range(7)] == list(range(7))


def test_a_single_frame_in_fragments_is_put_together() -> None:
    for syntax in ("jpeg", "jpeg2000"):
        assert nearest(read(STORED[3], syntax=syntax, fragments=4).pixels) == 3


def test_a_table_that_points_nowhere_is_not_believed() -> None:
    data = make_dicom(STORED, syntax="jpeg", fragments=2, offsets="basic")
    at = data.index(b"\xe0\x7f\x10\x00OB\0\0") + 12
    assert data[at : at + 8] == b"\xfe\xff\x00\xe0" + (28).to_bytes(4, "little")
    wrong = data[: at + 8] + bytes(range(28)) + data[at + 36 :]
    scan = read_scan(wrong, settings=SETTINGS)
    assert [nearest(scan.loop.frame(index).pixels) for index in range(7)] == list(range(7))


def test_a_fragment_that_looks_like_a_beginning_is_told_by_the_table() -> None:
    def pieces(frame: np.ndarray) -> tuple[bytes, bytes]:
        # A preview inside, right where the second fragment begins.
        whole = jpeg_frame(frame)
        return b"\xff\xd8\xff\xe5\x00\x0e", b"\xff\xd8\xff\xd9" * 3 + whole[2:]

    items, offsets, at = [], [], 0
    for frame in STORED[:2]:
        offsets.append(at)
        for piece in pieces(frame):
            padded = piece + b"\0" * (len(piece) % 2)
            items.append(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(padded)) + padded)
            at += len(items[-1])
    table = b"\xfe\xff\x00\xe0" + struct.pack("<3I", 8, *offsets)
    scan = read(STORED[:2], syntax="jpeg", tags={"PixelData": table + b"".join(items)})
    assert [nearest(scan.loop.frame(index).pixels) for index in range(2)] == [0, 1]


@pytest.mark.parametrize("frames", [1, 5, 9])
@pytest.mark.parametrize("fragments", [1, 2])
def test_frames_that_do_not_add_up_are_damage(frames: int, fragments: int) -> None:
    with pytest.raises(CorruptFile):
        read(STORED, syntax="jpeg", fragments=fragments, tags={"NumberOfFrames": frames})


def test_a_frame_that_lost_its_middle_is_not_made_up() -> None:
    whole = jpeg_frame(STORED[0])
    middle = len(whole) // 2
    for frame in (whole[:middle] + b"\xff\xd9", whole[:-40], whole[:middle] + whole[-10:]):
        data = encapsulate([frame], has_bot=False)
        with pytest.raises(CorruptFile):
            read(STORED[0], syntax="jpeg", tags={"PixelData": data})


def test_native_frames_that_are_missing_are_damage() -> None:
    with pytest.raises(CorruptFile):
        read(STORED, tags={"NumberOfFrames": 8})


def test_bits_of_frames_that_share_a_byte_are_told_apart() -> None:
    bits = np.random.default_rng(5).integers(0, 2, (5, 33, 35), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    tags = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed + b"\0"}
    scan = read(bits, tags=tags)
    for index in range(5):
        np.testing.assert_array_equal(scan.loop.frame(index).pixels, bits[index] * 255)


@pytest.mark.parametrize("syntax", ["explicit", "big", "rle", "jpeg2000"])
def test_frames_of_an_odd_size_are_told_apart(syntax: str) -> None:
    odd = np.ascontiguousarray(STORED[:, :33, :35])
    scan = read(odd, syntax=syntax)
    for index in range(7):
        np.testing.assert_array_equal(scan.loop.frame(index).pixels, odd[index])


def test_opening_a_loop_decodes_the_first_frame_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    samples = frames_module.Frames.samples

    def counted(self: frames_module.Frames, index: int) -> np.ndarray:
        decoded.append(index)
        return samples(self, index)

    monkeypatch.setattr(frames_module.Frames, "samples", counted)
    scan = read(STORED, syntax="jpeg")
    assert decoded == [0]
    scan.loop.frame(5)
    assert decoded == [0, 5]


@pytest.mark.parametrize("syntax", ["explicit", "jpeg", "rle", "jpeg2000"])
def test_threads_do_not_mix_frames_up(syntax: str) -> None:
    loop = read(STORED, syntax=syntax).loop
    order = np.random.default_rng(0).integers(0, 7, 60)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda index: nearest(loop.frame(int(index)).pixels), order))
    assert found == order.tolist()


@pytest.mark.parametrize("syntax", ["explicit", "jpeg", "deflated"])
def test_a_loop_holds_its_pixel_data_and_not_the_file(syntax: str) -> None:
    ballast = "MUSTERMANN " * 400_000
    data = make_dicom(loop_pixels(40), syntax=syntax, tags={"ImageComments": ballast})
    tracemalloc.start()
    scan = read_scan(data, settings=SETTINGS)
    scan.loop.frame(3)
    gc.collect()
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pixel_data = 40 * 96 * 128 if syntax != "jpeg" else scan.loop.held_bytes
    assert scan.loop.held_bytes in range(pixel_data, pixel_data + 2)
    assert held < pixel_data + 2_000_000
    assert len(ballast) > 4_000_000


def test_one_bad_frame_leaves_the_others() -> None:
    data = bytearray(make_dicom(STORED, syntax="jpeg"))
    begins = [at for at in range(len(data)) if data[at : at + 4] == b"\xff\xd8\xff\xe0"]
    data[begins[3] + 20 : begins[3] + 120] = bytes(100)
    loop = read_scan(bytes(data), settings=SETTINGS).loop
    with pytest.raises(CorruptFile):
        loop.frame(3)
    assert nearest(loop.frame(2).pixels) == 2
    assert nearest(loop.frame(4).pixels) == 4


def test_colour_loops_keep_their_colours() -> None:
    stack = np.stack([np.roll(colour_pixels(), 4 * index, axis=1) for index in range(3)])
    loop = read(stack, syntax="rle").loop
    for index in range(3):
        np.testing.assert_array_equal(loop.frame(index).pixels, stack[index])

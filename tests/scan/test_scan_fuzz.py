"""Damage of any kind ends in a scan or a scan error: no trace, no warning, no long wait."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from format_sample import FormatSample
from raster_build import SIGNATURE, chunk, insert
from raster_samples import samples

from core.errors import ScanError
from core.scan import Scan, read_scan
from core.settings import load_settings

#: Damage to a header asks for a gigantic image now and then; the limit is held before decoding.
FEW = replace(load_settings({}), max_pixels=1_000_000)
SAMPLES = [sample for sample in samples() if sample.data]
NAMES = [f"{sample.group}: {sample.name}" for sample in SAMPLES]
RNG_SEED = 20


def read(data: bytes) -> Scan | None:
    """Read; None where it is refused. What comes out is held to the contract."""
    try:
        scan = read_scan(data, settings=FEW)
    except ScanError as error:
        line = str(error)
    else:
        hold(scan)
        return scan
    assert line
    assert "\n" not in line
    return None


def hold(scan: Scan) -> None:
    assert scan.pixels.dtype == np.uint8
    assert not scan.pixels.flags.writeable
    if scan.depth is not None:
        window = scan.depth.window
        assert window is not None
        np.testing.assert_array_equal(scan.depth.apply(window), scan.pixels)
    if scan.loop is not None:
        for index in range(1, min(scan.loop.count, 4)):
            try:
                assert scan.loop.frame(index).frame == index
            except ScanError:
                continue


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite, cut off and put in between; more of it near the start, where headers are."""
    broken = bytearray(data)
    for _flip in range(int(rng.integers(1, 6))):
        reach = len(broken) if rng.random() < 0.5 else min(200, len(broken))
        value = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(0, 256)])
        broken[int(rng.integers(0, reach))] = int(value)
    if rng.random() < 0.3:
        del broken[int(rng.integers(1, len(broken))) :]
    if rng.random() < 0.2:
        position = int(rng.integers(0, len(broken) + 1))
        broken[position:position] = rng.bytes(int(rng.integers(1, 50)))
    return bytes(broken)


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_random_damage_ends_in_a_scan_or_a_scan_error(sample: FormatSample) -> None:
    rng = np.random.default_rng(RNG_SEED)
    refused = 0
    for _attempt in range(60):
        broken = damaged(sample.data, rng)
        if sample.group == "PNG":
            broken = _with_right_checksums(broken)
        refused += read(broken) is None
    assert refused


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_file_cut_off_anywhere_is_never_half_a_scan(sample: FormatSample) -> None:
    whole = read(sample.data)
    rng = np.random.default_rng(RNG_SEED)
    ends = {len(sample.data) - 1, *rng.integers(0, len(sample.data), 25).tolist()}
    for end in ends:
        part = read(sample.data[:end])
        if part is not None and whole is not None:
            # What was cut lay behind the image: padding, or a directory that is not looked at.
            assert part.digest == whole.digest


def _with_right_checksums(data: bytes) -> bytes:
    """Let damage through the checksums of a PNG, so that it reaches the decoder behind them."""
    out, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        out.append(chunk(data[position + 4 : position + 8], data[position + 8 : end]))
        position = end + 4
    return b"".join(out) + data[position:]


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.group == "PNG" and "cut" not in s.name], ids=lambda s: s.name
)
def test_a_flipped_bit_in_a_png_is_found(sample: FormatSample) -> None:
    end = sample.data.index(b"IEND") + 8
    for position in range(8, end, max(1, end // 40)):
        broken = bytearray(sample.data)
        broken[position] ^= 1 << (position % 8)
        with pytest.raises(ScanError):
            read_scan(bytes(broken), settings=FEW)


def test_a_bad_filter_behind_good_checksums_is_damage() -> None:
    # The compressed rows are sound and whole: only the decoder can tell.
    for colour, size in ((0, 2), (2, 6), (4, 4), (6, 8)):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, colour, 0, 0, 0))
        rows = b"".join(bytes((9 if row == 30 else 0,)) + b"\x55" * 64 * size for row in range(64))
        body = SIGNATURE + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        with pytest.raises(ScanError):
            read_scan(body)
    assert read(insert(SAMPLES[3].data, chunk(b"teSt", b"x"))) is not None

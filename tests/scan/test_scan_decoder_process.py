"""A decoder that ends its process takes one file with it, and nobody's session."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from dicom_factory import loop_pixels, make_dicom

from core.errors import CorruptFile
from core.scan import _decoder_process, read_scan
from core.scan._decoder_process import DecoderPool

SYNTAX = {"rle": "1.2.840.10008.1.2.5"}


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    made = DecoderPool(1)
    yield made
    made.close()


def options() -> dict[str, object]:
    return {
        "number_of_frames": 1,
        "rows": 8,
        "columns": 8,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
        "pixel_keyword": "PixelData",
    }


def frame() -> bytes:
    """Return 8 x 8 pixels in RLE (PS3.5 annex G): one segment of four runs of sixteen."""
    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    runs = b"".join(bytes([257 - 16, level]) for level in (1, 2, 3, 4))
    return header + runs


def decoded(pool: DecoderPool) -> np.ndarray:
    samples, photometric = pool.decode(
        frame(), syntax=SYNTAX["rle"], plugin="pylibjpeg", options=options()
    )
    assert photometric == "MONOCHROME2"
    return samples


def test_what_comes_back_is_what_was_stored(pool: DecoderPool) -> None:
    assert decoded(pool).ravel().tolist() == [1] * 16 + [2] * 16 + [3] * 16 + [4] * 16


def test_a_decoder_killed_while_it_waits_costs_nothing(pool: DecoderPool) -> None:
    decoded(pool)
    (worker,) = pool._idle
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.1)
    assert decoded(pool).shape == (8, 8)
    assert pool._idle[0].pid != worker.pid


def test_a_decoder_that_ends_over_a_frame_is_a_damaged_file_and_the_next_one_is_read(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded(pool)

    def dies(self: object, _header: object, _frame: object) -> None:
        os.kill(self.pid, signal.SIGSEGV)  # type: ignore[attr-defined]
        raise EOFError

    with monkeypatch.context() as broken:
        broken.setattr(_decoder_process._Worker, "ask", dies)
        with pytest.raises(CorruptFile):
            decoded(pool)
    assert decoded(pool).shape == (8, 8)


def test_a_decoder_that_never_ends_is_stopped(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded(pool)
    (worker,) = pool._idle
    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(_decoder_process, "PATIENCE", 0.5)
    start = time.monotonic()
    with pytest.raises(CorruptFile):
        decoded(pool)
    assert time.monotonic() - start < 20


def test_bytes_that_are_no_codestream_are_refused_and_the_process_stays(pool: DecoderPool) -> None:
    decoded(pool)
    (worker,) = pool._idle
    with pytest.raises(CorruptFile):
        pool.decode(b"nothing", syntax=SYNTAX["rle"], plugin="pylibjpeg", options=options())
    assert pool._idle == [worker]


def test_a_loop_is_decoded_the_same_from_another_process() -> None:
    pixels = loop_pixels(3)
    scan = read_scan(make_dicom(pixels, syntax="jpeg2000"))
    assert scan.loop is not None
    for index in range(3):
        assert np.array_equal(scan.loop.frame(index).pixels, pixels[index])

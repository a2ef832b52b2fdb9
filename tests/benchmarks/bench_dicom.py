"""How long a DICOM loop takes: to its first frame, for every frame, and what it holds.

    python tests/benchmarks/bench_dicom.py --json out.json

Loops of 512 frames of 640 × 480, as JPEG, RLE and uncompressed, grey and in colour. Decoding
every frame stands beside the bare decoder on the same bytes in the same run (Pillow for JPEG,
pylibjpeg for RLE, numpy for native pixels), both followed by the digest a scan gets. A grey image
of 4096 × 4096 in 16 bits stands beside copying its values, reading them through a table and the
same digests.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import io
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scan"))

from dicom_factory import jpeg_frame, loop_pixels, make_dicom

from core.scan import read_scan
from core.settings import load_settings

ALLOWED_FIRST_S, ALLOWED_DEEP_S = 1.5, 2.0
SETTINGS = load_settings({"OVERREAD_MAX_UPLOAD_MB": "1000"})


def coloured(stack: np.ndarray) -> np.ndarray:
    """Return RGB with a colour bar, as a scanner's screen has."""
    rgb = np.repeat(stack[..., None], 3, axis=-1)
    rgb[:, 100:300, 8:24] = (200, 60, 20)
    return rgb


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of a call."""
    taken = []
    for _repeat in range(repeats):
        gc.collect()
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def seal(pixels: np.ndarray) -> None:
    """Do what every scan costs, whatever it was read from: a copy and a digest."""
    hashlib.sha256(pixels.tobytes()).digest()


def bare_jpeg(stack: np.ndarray) -> Callable[[int], None]:
    coded = [jpeg_frame(frame) for frame in stack]
    return lambda index: seal(np.asarray(Image.open(io.BytesIO(coded[index]))))


def bare_native(stack: np.ndarray) -> Callable[[int], None]:
    stored = stack.tobytes()
    size = stack[0].nbytes

    def one(index: int) -> None:
        frame = np.frombuffer(stored, np.uint8, size, index * size)
        seal(frame.reshape(stack.shape[1:]).copy())

    return one


def bare_rle(stack: np.ndarray) -> Callable[[int], None]:
    import rle.rle
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import RLELossless

    layout = {
        "rows": stack.shape[1], "columns": stack.shape[2], "number_of_frames": 1,
        "samples_per_pixel": 1, "bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    encode = get_encoder(RLELossless).encode
    coded = [encode(frame, encoding_plugin="pylibjpeg", **layout) for frame in stack]
    pixels = stack.shape[1] * stack.shape[2]
    return lambda index: seal(
        np.frombuffer(rle.rle.decode_frame(coded[index], pixels, 8, "<"), "u1")
    )


def loop(
    stack: np.ndarray, syntax: str, bare: Callable[[np.ndarray], Callable[[int], None]]
) -> dict[str, Any]:
    """Measure one loop."""
    data = make_dicom(stack, syntax=syntax, frame_time=40)
    read_scan(data, settings=SETTINGS)  # decoders are loaded once per process
    first = seconds(lambda: read_scan(data, settings=SETTINGS))
    digest = seconds(lambda: hashlib.sha256(data).digest())
    scan = read_scan(data, settings=SETTINGS)
    alone = bare(stack)
    ours, theirs = [], []
    for index in range(1, len(stack)):  # in turn, so that both see the same machine
        begin = time.perf_counter()
        scan.loop.frame(index)
        middle = time.perf_counter()
        alone(index)
        theirs.append(time.perf_counter() - middle)
        ours.append(middle - begin)
    tracemalloc.start()
    held = read_scan(data, settings=SETTINGS)
    gc.collect()
    resident, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "frames": len(stack),
        "file_mb": round(len(data) / 2**20, 1),
        "first_frame_s": round(first, 3),
        "of_that_digest_of_the_file_s": round(digest, 3),
        "frame_ms": round(statistics.median(ours) * 1e3, 2),
        "bare_frame_ms": round(statistics.median(theirs) * 1e3, 2),
        "over_bare": round(statistics.median(ours) / statistics.median(theirs), 2),
        "held_mb": round(resident / 2**20, 1),
        "peak_mb": round(peak / 2**20, 1),
        "held_over_file": round(held.loop.held_bytes / len(data), 3),
        "met": first <= ALLOWED_FIRST_S,
    }


def deep(side: int) -> dict[str, Any]:
    """Measure one large image of 16 bits."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (side, side), dtype=np.uint16)
    data = make_dicom(values, windows=[(30_000, 40_000)], modality="MG")
    table = rng.integers(0, 256, 65536, dtype=np.uint8)

    def alone() -> None:
        hashlib.sha256(data).digest()
        stored = np.frombuffer(values.tobytes(), np.uint16)
        seal(table[stored])

    read_scan(data, settings=SETTINGS)
    ours, theirs = seconds(lambda: read_scan(data, settings=SETTINGS)), seconds(alone)
    return {
        "open_s": round(ours, 3),
        "bare_s": round(theirs, 3),
        "over_bare": round(ours / theirs, 2),
        "met": ours <= ALLOWED_DEEP_S,
    }


def main() -> int:
    """Run everything, print it, write the JSON; exit 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=512)
    options = parser.parse_args()
    begin = time.perf_counter()
    read_scan(make_dicom(), settings=SETTINGS)
    found: dict[str, Any] = {
        "first_dicom_of_a_process_s": {"s": round(time.perf_counter() - begin, 3), "met": True}
    }
    grey = loop_pixels(options.frames, 480, 640)
    found["jpeg"] = loop(grey, "jpeg", bare_jpeg)
    found["native"] = loop(grey, "explicit", bare_native)
    found["rle"] = loop(grey, "rle", bare_rle)
    colour = coloured(grey[: options.frames // 2])
    found["jpeg in colour"] = loop(colour, "jpeg", bare_jpeg)
    found["native in colour"] = loop(colour, "explicit", bare_native)
    del grey, colour
    found["4096 x 4096, 16 bits"] = deep(4096)
    for name, result in found.items():
        print(f"{name:26} {result}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(result["met"] for result in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

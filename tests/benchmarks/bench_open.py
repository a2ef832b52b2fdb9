"""How long a large deep image takes to open, beside the bare decoder.

    python tests/benchmarks/bench_open.py --json out.json

A 4096 x 4096 image of 16 bits is opened by ``read_scan`` (limits, checks, decoding, window, both
digests) and decoded by Pillow alone, in turns in the same run; every figure also stands as a ratio
of the two. Memory is the highest a process of its own ever held, above what it held before.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.scan import read_scan
from core.settings import load_settings

SIDE = 4096
ALLOWED_MS = 1000
SETTINGS = load_settings({})
FORMATS = {
    "PNG": ("PNG", {}),
    "TIFF": ("TIFF", {}),
    "TIFF, Deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, LZW with predictor": ("TIFF", {"compression": "tiff_lzw", "tiffinfo": {317: 2}}),
}


def image(side: int) -> np.ndarray:
    """Return uint16 tissue-like texture with noise in the low bits."""
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), 8)
    level = (smooth - smooth.min()) / np.ptp(smooth) * 60_000
    return (level + rng.integers(0, 200, (side, side))).astype(np.uint16)


def file_of(name: str, side: int) -> bytes:
    format_, options = FORMATS[name]
    out = io.BytesIO()
    Image.fromarray(image(side)).save(out, format_, **options)
    return out.getvalue()


def bare(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened)


def ours(data: bytes) -> np.ndarray:
    scan = read_scan(data, settings=SETTINGS)
    assert scan.depth is not None
    return scan.depth.values


def took_ms(work: Callable[[bytes], np.ndarray], data: bytes) -> tuple[float, float]:
    """Return wall and processor time."""
    start, busy = time.perf_counter(), time.process_time()
    work(data)
    return (time.perf_counter() - start) * 1e3, (time.process_time() - busy) * 1e3


def measure(name: str, side: int, repeats: int) -> dict[str, float]:
    data = file_of(name, side)
    # What is measured is also right.
    np.testing.assert_array_equal(ours(data), bare(data))
    runs = [(took_ms(ours, data), took_ms(bare, data)) for _ in range(repeats)]
    opened, plain = ([run[i] for run in runs] for i in (0, 1))
    wall, plain_wall = (statistics.median(w for w, _busy in side_) for side_ in (opened, plain))
    busy, plain_busy = (statistics.median(b for _wall, b in side_) for side_ in (opened, plain))
    memory = {way: peak_mb(name, side, way) for way in ("ours", "bare")}
    return {
        "file_mb": round(len(data) / 2**20, 1),
        "median_ms": round(wall, 1),
        "processor_ms": round(busy, 1),
        "bare_ms": round(plain_wall, 1),
        "bare_processor_ms": round(plain_busy, 1),
        "ratio": round(busy / plain_busy, 2),
        "peak_mb": memory["ours"],
        "bare_peak_mb": memory["bare"],
    }


def peak_mb(name: str, side: int, way: str) -> float:
    command = [sys.executable, __file__, "--peak", name, way, "--side", str(side)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def peak(name: str, way: str, side: int) -> None:
    """Print how far one opening raised the memory of this process."""
    with open(f"/proc/{os.getpid()}/clear_refs", "w") as clear:
        data = file_of(name, side)
        # Making the image took more than opening it: forget that high-water mark.
        clear.write("5")
    before = resident_kb("VmRSS")
    {"ours": ours, "bare": bare}[way](data)
    print(round((resident_kb("VmHWM") - before) / 1024, 1))


def resident_kb(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs behind each median")
    parser.add_argument("--side", type=int, default=SIDE, help="rows and columns of the image")
    parser.add_argument("--peak", nargs=2, metavar=("FORMAT", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    if options.peak:
        peak(*options.peak, options.side)
        return
    figures = {name: measure(name, options.side, options.repeats) for name in FORMATS}
    report = {
        "allowed_ms": ALLOWED_MS,
        "slowest": max(figures, key=lambda name: figures[name]["median_ms"]),
        "formats": figures,
        "machine": {"pillow": Image.__version__, "load": os.getloadavg()},
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

"""How long a quality check takes, and what it sees.

    python tests/benchmarks/bench_quality.py --json out.json
    python tests/benchmarks/bench_quality.py --data DIR DIR --split val --json out.json

Times also stand as a ratio to a bare ``cv2.Laplacian`` with its variance, the usual measure of
sharpness, on the same image in the same run. With ``--data``, the rates at which every check warns
and fails on the images of a split, and at which graded degradations of them are seen: by the
checks that should see them, after JPEG at quality 95 where the picture is grey.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "scan"))

from degradations import DEGRADATIONS, Degradation

from core.scan import CheckName, Outcome, PhantomSpec, Scan, check_quality, make_phantom, read_scan

ALLOWED_MS = 30


def median_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def images() -> dict[str, np.ndarray]:
    usual = make_phantom(PhantomSpec(1024, 1024)).scan.pixels
    large = np.tile(usual, (4, 4))
    return {
        "1024 x 1024, grey": usual,
        "1024 x 1024, colour": np.dstack([usual, usual, usual // 2]),
        "4096 x 4096, grey": large,
        "4096 x 4096, colour": np.dstack([large, large, large // 2]),
    }


def times(repeats: int) -> dict[str, dict[str, float]]:
    report = {}
    for name, pixels in images().items():
        scan = Scan.from_pixels(pixels)
        ours = median_ms(lambda scan=scan: check_quality(scan), repeats)
        bare = median_ms(lambda scan=scan: cv2.Laplacian(scan.grey, cv2.CV_64F).var(), repeats)
        report[name] = {
            "median_ms": round(ours, 1),
            "laplacian_ms": round(bare, 1),
            "ratio": round(ours / bare, 2),
        }
    return report


def rows(folders: list[Path], split: str) -> list[np.ndarray]:
    found = []
    for folder in folders:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if row["split"] == split:
                    path = folder / "images" / row["label"] / row["file"]
                    found.append(read_scan(path.read_bytes()).grey)
    return found


def as_uploaded(pixels: np.ndarray) -> Scan:
    if pixels.ndim == 2:
        done, png = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert done
        pixels = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)
    return Scan.from_pixels(pixels)


def clean_rates(greys: list[np.ndarray]) -> dict[str, object]:
    reports = [check_quality(Scan.from_pixels(grey)) for grey in greys]
    each = {
        name.value: {
            outcome.value: sum(report[name].outcome is outcome for report in reports)
            for outcome in (Outcome.WARN, Outcome.FAIL)
        }
        for name in CheckName
    }
    return {
        "n": len(reports),
        "any warns": sum(report.outcome is Outcome.WARN for report in reports),
        "any fails": sum(report.outcome is Outcome.FAIL for report in reports),
        "checks": each,
    }


def seen(greys: list[np.ndarray], how: Degradation) -> dict[str, dict[str, float]]:
    """Return for every grade the shares that at least warn and that fail."""
    shares = {}
    for grade in how.grades:
        outcomes = []
        for grey in greys:
            report = check_quality(as_uploaded(how.make(grey, grade)))
            outcomes.append({report[name].outcome for name in how.checks})
        shares[f"{grade:g}"] = {
            "warns or fails": round(statistics.mean(o != {Outcome.PASS} for o in outcomes), 3),
            "fails": round(statistics.mean(Outcome.FAIL in o for o in outcomes), 3),
        }
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--repeats", type=int, default=21, help="timed runs behind each median")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="dataset folders")
    parser.add_argument("--split", default="val", help="rows to use of them")
    parser.add_argument("--every", type=int, default=1, help="degrade every n-th image only")
    options = parser.parse_args()
    report: dict[str, object] = {"allowed_ms": ALLOWED_MS, "times": times(options.repeats)}
    if options.data:
        greys = rows(options.data, options.split)
        report["as they are"] = clean_rates(greys)
        report["degraded"] = {
            name: seen(greys[:: options.every], how) for name, how in DEGRADATIONS.items()
        }
    report["machine"] = {
        "opencv": cv2.__version__,
        "threads": cv2.getNumThreads(),
        "load": os.getloadavg(),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

"""How long the lesion controls take on a 1024 × 1024 map, threshold to measures.

    python tests/benchmarks/bench_lesion.py --json out.json

Every figure also stands as a ratio to a bare ``cv2.threshold`` + ``cv2.connectedComponents`` on
the same map in the same run, which says what the machine was worth at that moment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.lesion import LesionControls, find_lesions

SIDE = 1024
ALLOWED_USUAL_MS, ALLOWED_ANY_MS = 20, 100


def blobs(count: int, radius: float, seed: int = 0) -> np.ndarray:
    """Return a map of soft ellipses with an uneven margin, as a model gives."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    uneven = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 6)
    uneven *= 0.15 / uneven.std()
    best = np.full((SIDE, SIDE), -9, np.float32)
    for i in range(count):
        turn = 2 * np.pi * i / max(count, 1)
        cx, cy = (
            SIDE / 2 + (count > 1) * 300 * np.cos(turn),
            SIDE / 2 + (count > 1) * 300 * np.sin(turn),
        )
        best = np.maximum(best, 1 - np.hypot((x - cx) / radius, (y - cy) / radius / 0.7) + uneven)
    return (1 / (1 + np.exp(-12 * best))).astype(np.float32)


def noise(seed: int = 0, sigma: float = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((SIDE, SIDE), dtype=np.float32)
    if sigma:
        values = cv2.GaussianBlur(values, (0, 0), sigma)
        values = (values - values.min()) / (values.max() - values.min())
    return np.clip(values, 0, 1)


def stripes(period: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((x + y) % period < period // 2).astype(np.float32)


def rings(period: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (np.hypot(x - 512, y - 512) % period < period / 2).astype(np.float32)


def comb() -> np.ndarray:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[::2] = 1
    values[:, 0] = 1
    return values


def spiral() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - 512.0
    return ((np.hypot(x, y) - 8 * np.arctan2(y, x) / (2 * np.pi)) % 8 < 4).astype(np.float32)


def maps() -> dict[str, np.ndarray]:
    full = np.ones((SIDE, SIDE), np.float32)
    full[0, 0] = 0
    huge = blobs(1, 700)
    return {
        "speckle": noise(),
        "fine speckle": noise(1, 1.0),
        "coarse speckle": noise(2, 5.0),
        "full": full,
        "huge": huge,
        "comb": comb(),
        "spiral": spiral(),
        "stripes": stripes(20),
        "rings": rings(10),
        "wide rings": rings(20),
        "chequers": (np.indices((SIDE, SIDE)).sum(0) % 2).astype(np.float32),
        "grid of discs": ((np.indices((SIDE, SIDE)) % 140 - 70) ** 2)
        .sum(0)
        .__le__(66**2)
        .astype(np.float32),
    }


def settings() -> Iterator[tuple[str, LesionControls]]:
    base = LesionControls(keep_largest=20)
    for filled in (True, False):
        for threshold in (0.1, 0.3, 0.41, 0.5, 0.59, 0.62, 0.9):
            yield (
                f"fixed {threshold} filled={filled}",
                replace(base, threshold=threshold, fill_holes=filled),
            )
        yield f"otsu filled={filled}", replace(base, method="otsu", fill_holes=filled)
        for low, high in ((0.1, 0.9), (0.3, 0.999), (0.5, 0.95), (0.59, 0.6), (0.6, 0.9)):
            yield (
                f"hysteresis {low} {high} filled={filled}",
                replace(base, method="hysteresis", low=low, threshold=high, fill_holes=filled),
            )
        for kernel in ("ellipse", "rectangle", "cross"):
            for operation in ("open", "close", "erode", "dilate"):
                for size, iterations in ((31, 10), (3, 1)):
                    for method in ("fixed", "otsu", "hysteresis"):
                        yield (
                            f"{method} {operation} {kernel} {size} x{iterations} filled={filled}",
                            replace(
                                base,
                                method=method,
                                threshold=0.6,
                                low=0.59,
                                fill_holes=filled,
                                operation=operation,
                                kernel=kernel,
                                size=size,
                                iterations=iterations,
                            ),
                        )


def median_ms(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median wall and processor time of a call, in ms."""
    work()
    wall, busy = [], []
    for _ in range(repeats):
        start, start_busy = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - start) * 1e3)
        busy.append((time.process_time() - start_busy) * 1e3)
    return statistics.median(wall), statistics.median(busy)


def bare(values: np.ndarray, threshold: float) -> None:
    cv2.connectedComponents(
        cv2.threshold(values, threshold, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)
    )


def measure(values: np.ndarray, controls: LesionControls, repeats: int) -> dict[str, float]:
    grey = (values * 200).astype(np.uint8)
    ours, busy = median_ms(
        lambda: find_lesions(values, grey, controls, spacing=(0.1, 0.08)), repeats
    )
    plain, _ = median_ms(lambda: bare(values, controls.threshold), repeats)
    return {
        "median_ms": round(ours, 2),
        "processor_ms": round(busy, 2),
        "bare_ms": round(plain, 2),
        "ratio": round(ours / plain, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--repeats", type=int, default=41, help="timed runs behind each median")
    options = parser.parse_args()

    usual = {}
    for operation in ("none", "open", "close"):
        for count, radius in ((1, 120), (5, 60), (5, 150)):
            for method in ("fixed", "otsu", "hysteresis"):
                controls = LesionControls(method=method, operation=operation, size=9)
                usual[f"{count} of radius {radius}, {method}, {operation} 9"] = measure(
                    blobs(count, radius), controls, options.repeats
                )
    search = []
    for name, values in maps().items():
        grey = (values * 200).astype(np.uint8)
        for label, controls in settings():
            start = time.process_time()
            find_lesions(values, grey, controls)
            took = time.process_time() - start
            search.append((took, name, label, controls, values))
    search.sort(key=lambda found: -found[0])
    worst = {
        f"{name}: {label}": measure(values, controls, options.repeats)
        for _, name, label, controls, values in search[:8]
    }
    slowest_usual = max(usual, key=lambda k: usual[k]["median_ms"])
    slowest = max(worst, key=lambda k: worst[k]["median_ms"])
    report = {
        "usual": {"allowed_ms": ALLOWED_USUAL_MS, "slowest": slowest_usual, **usual[slowest_usual]},
        "any setting": {
            "allowed_ms": ALLOWED_ANY_MS,
            "settings_tried": len(search),
            "slowest": slowest,
            **worst[slowest],
        },
        "usual cases": usual,
        "slowest settings": worst,
        "machine": {
            "opencv": cv2.__version__,
            "threads": cv2.getNumThreads(),
            "load": os.getloadavg(),
        },
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

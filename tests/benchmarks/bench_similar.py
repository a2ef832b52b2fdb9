"""How long the nearest of many settled cases take to find, and what keeping them takes.

    python tests/benchmarks/bench_similar.py [--cases 100000] [--json]

makes vectors of the dimension in which the shipped model's embeddings are compared. ``ratio`` is
the median against NumPy's bare product of all vectors with one, ``cpu_ms`` the processor time of a
query, which says more than ``ms`` on a machine that does other things too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.model import EmbeddingSpace, resolve
from core.review._vector_index import VectorIndex
from core.settings import load_settings

#: Nearest asked for: what the panel asks for at first.
COUNT = 18


def resident() -> float:
    """Return the memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def timed(run: Any, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return wall and processor time of each query, in ms."""
    wall, cpu = [], []
    for vector in asked:
        begun = time.perf_counter(), time.process_time()
        run(vector)
        wall.append(1e3 * (time.perf_counter() - begun[0]))
        cpu.append(1e3 * (time.process_time() - begun[1]))
    return np.array(wall), np.array(cpu)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--model", default="breast-ultrasound", metavar="TASK[@VERSION]")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    task, _at, version = args.model.partition("@")
    bundle = resolve(task, version or None, settings=load_settings())
    space = EmbeddingSpace.of(bundle.reference.extra)
    size = 336 if space.statistics is None else space.statistics.size
    rng = np.random.default_rng(0)
    asked = space.place(np.abs(rng.normal(size=(args.queries, size))))
    warm, index = VectorIndex(), VectorIndex()
    warm.add(["warm"], asked[:1])
    # So that no library is loaded while memory and time are taken.
    warm.nearest(asked[0], 1)
    before, begun = resident(), time.perf_counter()
    for at in range(0, args.cases, 2000):
        # As they come out of the database, in steps.
        n = min(2000, args.cases - at)
        embeddings = np.abs(rng.normal(size=(n, size))).astype(np.float32)
        index.add([f"{each:064x}" for each in range(at, at + n)], space.place(embeddings))
    index.nearest(asked[0], COUNT)
    built, held = time.perf_counter() - begun, resident() - before
    wall, cpu = timed(lambda vector: index.nearest(vector, COUNT), asked)
    whole = index._vectors[: len(index)]
    bare, _cpu = timed(lambda vector: np.argpartition(-(whole @ vector), COUNT), asked)
    report = {
        "cases": len(index),
        "dimensions": int(whole.shape[1]),
        "ms": {"median": float(np.median(wall)), "p95": float(np.percentile(wall, 95))},
        "cpu_ms": float(np.median(cpu)),
        "ratio": float(np.median(wall) / np.median(bare)),
        "build_s": built,
        "memory_mb": held,
    }
    if args.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
        return
    for name, value in report.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()

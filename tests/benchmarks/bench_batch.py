"""Reading many against the bare compiled model: a loop of 512 frames, a folder of 500 scans.

    python tests/benchmarks/bench_batch.py [--frames 512] [--files 500] [--rounds 3] [--json file]

The bare rate is that of the same compiled call, in the same batches, on inputs that were
preprocessed before: the forward pass alone, as loops and folders are read without Grad-CAM.
``of_whole`` holds the same work against the call of a page, Grad-CAM and all. Everything else
counts for the product: opening or decoding, preprocessing, building the answers, and for ``score``
the quality check, the lesions, the table and its syncs. Bare runs stand before and after each of
ours, so that whatever else the machine does hits both; the ratio of a round is ours over the mean
of the two, and the figure is the median of the rounds. ``cpu`` is the same ratio of processor time,
which other programs move less: 1 would be a product that costs nothing. ``load`` is the machine's
load average before and after, this program's own threads included.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "model")]

from bench_model import shipped_or_alike  # noqa: E402
from loop_factory import as_jpeg, loop_of  # noqa: E402

from core.model import Predictor, preprocess, read_frames  # noqa: E402
from core.scan import LesionSpec, PhantomSpec, Scan, make_phantom, read_scan  # noqa: E402
from core.score import Options, score  # noqa: E402
from core.score._run import Progress  # noqa: E402
from core.score.commands import showing  # noqa: E402
from core.settings import Settings  # noqa: E402

LIMITS = {"ratio": 0.8, "progress_seconds": 1.0, "growth_mb": 300.0}
BATCH = 16
#: Different phantoms; the rest repeats them, which no step of the product notices.
DIFFERENT = 64
#: The size of most scans of a clinic, and one lesion in each.
SPEC = PhantomSpec(600, 500, lesion=LesionSpec())


class Memory:
    """The highest resident memory inside a ``with`` block over that at its begin, in MB."""

    def __enter__(self) -> Memory:
        self.start = self.peak = self._now()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._watcher.join()
        self.growth = round((self.peak - self.start) / 2**20, 1)

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._now())

    @staticmethod
    def _now() -> int:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Lines(io.StringIO):
    """What stands for a log: notes when each line came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = [time.monotonic()]

    def write(self, text: str) -> int:
        self.times.append(time.monotonic())
        return super().write(text)

    @property
    def longest(self) -> float:
        """The longest pause between two lines, in seconds."""
        return max(b - a for a, b in zip(self.times, self.times[1:], strict=False))


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Return scans per second, and per second of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - start), count / (time.process_time() - cpu)


def against_bare(
    bare: Callable[[], int], whole: Callable[[], int], ours: Callable[[], int], rounds: int
) -> dict[str, Any]:
    """Compare in turns; see the module."""
    ratios, cpus, rates, bares, of_whole = [], [], [], [], []
    before = timed(bare)
    for _round in range(rounds):
        mine = timed(ours)
        after = timed(bare)
        ratios.append(2 * mine[0] / (before[0] + after[0]))
        cpus.append(2 * mine[1] / (before[1] + after[1]))
        rates.append(mine[0])
        bares.append(after[0])
        page = timed(whole)
        of_whole.append((mine[0] / page[0], mine[1] / page[1]))
        before = timed(bare)
    return {
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "cpu": round(statistics.median(cpus), 3),
        "cpus": [round(ratio, 3) for ratio in cpus],
        "of_whole": {
            "ratio": round(statistics.median(wall for wall, _cpu in of_whole), 3),
            "cpu": round(statistics.median(cpu for _wall, cpu in of_whole), 3),
        },
        "per_second": round(statistics.median(rates), 1),
        "bare_per_second": round(statistics.median(bares), 1),
    }


def write_folder(folder: Path, scans: list[np.ndarray], count: int) -> None:
    """Write PNG and JPEG files in turn."""
    for index in range(count):
        image = scans[index % len(scans)]
        if index % 2:
            Image.fromarray(image).save(folder / f"{index:05}.png")
        else:
            (folder / f"{index:05}.jpg").write_bytes(as_jpeg(image))


def open_file(path: Path, settings: Settings) -> Scan:
    """Read and decode one file."""
    return read_scan(path.read_bytes(), settings=settings)


def measure(frames: int, files: int, rounds: int) -> dict[str, Any]:
    """Measure everything once."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        settings = Settings(var=work / "var", database_url="sqlite://", max_files=100_000)
        bundle, which = shipped_or_alike(settings)
        predictor = Predictor.load(bundle.card.task, bundle.card.version, settings=settings)
        images = [make_phantom(SPEC, seed).scan.pixels for seed in range(DIFFERENT)]
        inputs = [preprocess(image, bundle.card.input)[0] for image in images]
        network = predictor._network

        def bare(count: int, *, heat: bool = False) -> int:
            for start in range(0, count, BATCH):
                chosen = [inputs[i % DIFFERENT] for i in range(start, min(start + BATCH, count))]
                network(np.stack(chosen), np.full(len(chosen), -1, np.int32) if heat else None)
            return count

        jpegs = [as_jpeg(image) for image in images]
        loop = loop_of([jpegs[index % DIFFERENT] for index in range(frames)])
        folder = work / "scans"
        folder.mkdir()
        write_folder(folder, images, files)
        paths = sorted(folder.iterdir())

        def all_frames() -> int:
            curve = read_frames(predictor, loop, batch_size=BATCH)
            assert curve.complete
            assert curve.failed == curve.held_back == 0
            return frames

        def all_files() -> int:
            sources = (partial(open_file, path, settings) for path in paths)
            for read in predictor.read_many(sources, batch_size=BATCH, heat=False):
                assert read.prediction is not None
            return files

        pauses: list[float] = []

        def scored() -> int:
            progress, lines = Progress(), Lines()
            options = Options(overwrite=True, batch_size=BATCH)
            with showing(progress, lines):
                done = score([folder], work / "out.csv", predictor, settings, options, progress)
            assert (done.rows, done.problems, done.not_read) == (files, 0, 0)
            pauses.append(lines.longest)
            return files

        for warm in (partial(bare, 4 * BATCH), partial(bare, 4 * BATCH, heat=True), all_frames):
            warm()
        found: dict[str, Any] = {"model": which, "cores": len(os.sched_getaffinity(0))}
        load = os.getloadavg()[0]
        for title, ours, count in (
            ("frames", all_frames, frames),
            ("files", all_files, files),
            ("score", scored, files),
        ):
            with Memory() as memory:
                found[title] = against_bare(
                    partial(bare, count), partial(bare, count, heat=True), ours, rounds
                )
            found[title]["growth_mb"] = memory.growth
            found[title]["count"] = count
        found["load"] = [round(load, 1), round(os.getloadavg()[0], 1)]
        found["score"]["progress_seconds"] = round(max(pauses), 2)
        return found


def main() -> int:
    """Measure, print, and say whether the aims were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.frames, options.files, options.rounds)
    found["limits"] = LIMITS
    parts = [found[title] for title in ("frames", "files", "score")]
    found["ok"] = (
        all(part["ratio"] >= LIMITS["ratio"] for part in parts)
        and all(part["growth_mb"] <= LIMITS["growth_mb"] for part in parts)
        and found["score"]["progress_seconds"] <= LIMITS["progress_seconds"]
    )
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

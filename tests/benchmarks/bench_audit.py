"""How long ``audit-data`` takes, what memory it needs, and what it finds of what was planted.

    python tests/benchmarks/bench_audit.py --images 20000 --json out.json
    python tests/benchmarks/bench_audit.py --thresholds --data DIR DIR --json out.json

The images are made of layers, lesions and speckle, each of a seed of its own; one in twenty is a
copy of another one, changed as people change scans, and lies in the other split. Time and peak
memory are those of the command in a process of its own, as processor time too, because other work
may run beside it; the same images are then only decoded, in the same way. With ``--thresholds``
instead: the correlation of changed copies with what they were made of, by kind of change, and of
unrelated scans with those most like them, for phantoms and for the scans of dataset folders.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "scan"))

from degradations import lettered

from core.learning.audit._align import SAME, correlation
from core.learning.audit._candidates import find_candidates
from core.learning.audit._facts import measure_rows
from core.learning.audit._thumbs import SIDE, Thumbs
from core.learning.audit._views import VIEWS
from core.learning.forms import read_dataset
from core.learning.rows import load_scan
from core.scan import LesionSpec, PhantomSpec, bare_picture, make_phantom

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("normal", "benign", "malignant")
LESIONS = (
    None,
    LesionSpec(width_mm=14, height_mm=9, echo_db=-25, posterior_db=4),
    LesionSpec(shape="irregular", width_mm=11, height_mm=14, posterior_db=-12),
)
PLANTED_SHARE = 0.05
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def cropped(grey: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """``share`` less of each side, from anywhere."""
    height, width = grey.shape
    h, w = round(height * (1 - share)), round(width * (1 - share))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return np.ascontiguousarray(grey[top : top + h, left : left + w])


def compressed(grey: np.ndarray, quality: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def brightened(grey: np.ndarray, exponent: float) -> np.ndarray:
    return np.rint(255 * (grey / 255.0) ** exponent).astype(np.uint8)


def resized(grey: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


CHANGES: dict[str, Change] = {
    "none": lambda grey, _rng: grey,
    "JPEG 50": lambda grey, _rng: compressed(grey, 50),
    "JPEG 20": lambda grey, _rng: compressed(grey, 20),
    "half size": lambda grey, _rng: resized(grey, 0.5),
    "gamma 0.6": lambda grey, _rng: brightened(grey, 0.6),
    "gamma 1.6": lambda grey, _rng: brightened(grey, 1.6),
    "mirrored": lambda grey, _rng: np.ascontiguousarray(grey[:, ::-1]),
    "upside down": lambda grey, _rng: np.ascontiguousarray(grey[::-1]),
    "framed": lambda grey, _rng: cv2.copyMakeBorder(grey, 20, 30, 16, 40, 0, value=0),
    "4 lines of text": lambda grey, _rng: lettered(grey, 4),
    "10 lines of text": lambda grey, _rng: lettered(grey, 10),
    "cropped by 5 %": lambda grey, rng: cropped(grey, rng, 0.05),
    "cropped by 10 %": lambda grey, rng: cropped(grey, rng, 0.10),
    "cropped by 15 %": lambda grey, rng: cropped(grey, rng, 0.15),
    "cropped by 20 %": lambda grey, rng: cropped(grey, rng, 0.20),
    "cropped by 10 %, JPEG 50, gamma 0.8, text": lambda grey, rng: lettered(
        brightened(compressed(cropped(grey, rng, 0.10), 50), 0.8), 4
    ),
}
#: What no picture at this size survives is not planted: the text covers most of a small phantom.
PLANTED = [name for name in CHANGES if "lines" not in name and "text" not in name]


def phantom(seed: int, side: int) -> np.ndarray:
    spec = PhantomSpec(side, side, lesion=LESIONS[seed % 3])
    return np.array(make_phantom(spec, seed=seed).scan.grey)


def quick_scene(seed: int, side: int) -> np.ndarray:
    """A picture of layers, a lesion and speckle: twenty times as quick as a phantom."""
    rng = np.random.default_rng(seed)
    size = (side, side)

    def smooth(rows: int, columns: int) -> np.ndarray:
        return cv2.resize(rng.normal(0, 1, (rows, columns)), size, interpolation=cv2.INTER_CUBIC)

    level = 14 * smooth(14, 3) + 12 * smooth(8, 6) + np.linspace(30, -30, side)[:, None]
    if seed % 3:
        mask = np.zeros(size, np.float64)
        x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * side)
        axes = tuple(int(v) for v in rng.uniform(0.08, 0.2, 2) * side)
        cv2.ellipse(mask, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        level -= 45 * cv2.GaussianBlur(mask, (0, 0), 1.0 if seed % 3 == 1 else 3.0)
    real, imaginary = (
        cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), 1.2, sigmaY=0.7) for _ in "ri"
    )
    speckle = 22 * np.log(np.hypot(real, imaginary) + 1e-3)
    return np.clip(np.rint(135 + level + speckle), 0, 255).astype(np.uint8)


def make_dataset(folder: Path, images: int, side: int) -> dict[tuple[int, int], str]:
    """Write pictures with changed copies in the other split; return the pairs by entry."""
    rng = np.random.default_rng(0)
    copies = round(images * PLANTED_SHARE)
    originals = images - copies
    rows, planted = [], {}
    for number in range(images):
        source = number if number < originals else int((number - originals) * 17 % originals)
        grey = quick_scene(source, side)
        label = LABELS[source % 3]
        split = "val" if source % 7 == 0 else "train"
        if number >= originals:
            change = PLANTED[number % len(PLANTED)]
            grey = CHANGES[change](grey, rng)
            split = "train" if split == "val" else "val"
            # Line 1 of the manifest names its columns.
            planted[source + 2, number + 2] = change
        path = folder / "images" / label / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert done
        path.write_bytes(data.tobytes())
        rows.append({"file": path.name, "label": label, "split": split})
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["file", "label", "split"])
        table.writeheader()
        table.writerows(rows)
    return planted


_AUDIT = """
import json, sys
from pathlib import Path
from core.learning.audit import audit_datasets
audit = audit_datasets([Path(sys.argv[1])])
rows, pairs = audit.listing.rows, audit.pairs
json.dump([[rows[a].entry, rows[b].entry] for a, b in zip(pairs.first, pairs.second)], sys.stdout)
"""
_DECODE = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from core.learning.forms import read_dataset
from core.learning.rows import load_mask, load_scan
def one(row):
    load_scan(row)
rows = read_dataset(Path(sys.argv[1]))
with ThreadPoolExecutor(os.cpu_count()) as pool:
    for start in range(0, len(rows), 256):
        list(pool.map(one, rows[start:start + 256]))
"""


def measured(code: str, folder: Path) -> tuple[dict[str, float], str]:
    """Run code in a process of its own: seconds, processor seconds, and peak memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    # /proc knows the peak of this one child; the maximum over children would be another's.
    wrapped = code + (
        "\nprint('\\n' + [l for l in open('/proc/self/status') if 'VmHWM' in l][0].split()[1],"
        " file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapped, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(cpu, 1),
        "peak_mb": round(int(done.stderr.split()[-1]) / 1024),
    }
    return figures, done.stdout


def scale(images: int, side: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "phantoms"
        planted = make_dataset(folder, images, side)
        decode, _nothing = measured(_DECODE, folder)
        audit, out = measured(_AUDIT, folder)
    found = {tuple(sorted(pair)) for pair in json.loads(out)}
    # Two copies of one phantom are a true pair, too.
    origin = {copy: source for source, copy in planted}
    related = sum(origin.get(a, a) == origin.get(b, b) for a, b in found)
    by_change: dict[str, list[bool]] = defaultdict(list)
    for pair, change in planted.items():
        by_change[change].append(pair in found)
    return {
        "images": images,
        "side": side,
        "decode": decode,
        "audit": audit,
        "ratio_seconds": round(audit["seconds"] / decode["seconds"], 2),
        "ratio_processor_seconds": round(
            audit["processor_seconds"] / decode["processor_seconds"], 2
        ),
        "planted": len(planted),
        "recall": round(sum(pair in found for pair in planted) / max(len(planted), 1), 4),
        "recall_by_change": {name: round(float(np.mean(v)), 3) for name, v in by_change.items()},
        "pairs": len(found),
        "false_pairs": len(found) - related,
    }


def separation(greys: list[np.ndarray], groups: list[str], changed: int) -> dict[str, object]:
    """Return correlations of changed copies, and of unrelated pictures that look alike."""
    rng = np.random.default_rng(1)
    thumbs = Thumbs()
    for grey in greys:
        thumbs.append(bare_picture(grey, SIDE).pixels)
    chosen = rng.choice(len(greys), min(changed, len(greys)), replace=False)
    copies: list[tuple[str, int]] = []
    for name, change in CHANGES.items():
        for index in chosen.tolist():
            thumbs.append(bare_picture(change(greys[index], rng), SIDE).pixels)
            copies.append((name, index))
    thumbs.flush()
    n = len(greys)
    recall: dict[str, list[float]] = defaultdict(list)
    for name in CHANGES:
        members = [n + i for i, (of, _index) in enumerate(copies) if of == name]
        every = np.concatenate([np.arange(n), members])
        # The copies are another split: a copy competes with all pictures for its place.
        found = find_candidates(thumbs, every, (every >= n).astype(np.int64))
        values = {
            tuple(sorted((int(a), int(b)))): correlation(
                thumbs.at(int(a)), thumbs.at(int(b)), VIEWS[int(v)]
            )
            for a, b, v in zip(found.first, found.second, found.view, strict=True)
            if (int(a) >= n) != (int(b) >= n)
            and copies[max(int(a), int(b)) - n][1] == min(int(a), int(b))
        }
        recall[name] = [values.get((copies[m - n][1], m), 0.0) for m in members]
    found = find_candidates(thumbs, np.arange(n), np.zeros(n, np.int64))
    unrelated = np.array(
        [
            correlation(thumbs.at(int(a)), thumbs.at(int(b)), VIEWS[int(v)])
            for a, b, v in zip(found.first, found.second, found.view, strict=True)
            if groups[int(a)] != groups[int(b)]
        ]
    )
    thumbs.close()
    highest = np.sort(unrelated)[::-1][:20]
    return {
        "pictures": n,
        "changed_each": len(chosen),
        "recall": {
            name: {
                "found": round(float(np.mean(np.array(v) >= SAME)), 3),
                "percentile_5": round(float(np.percentile(v, 5)), 3),
                "median": round(float(np.median(v)), 3),
            }
            for name, v in recall.items()
        },
        "unrelated_candidates": len(unrelated),
        "unrelated_99": round(float(np.percentile(unrelated, 99)), 3),
        "unrelated_highest": [round(float(v), 3) for v in highest],
    }


def thresholds(folders: list[Path], changed: int, most: int) -> dict[str, object]:
    report: dict[str, object] = {
        "same_from": SAME,
        "phantoms": separation(
            [phantom(seed, 256) for seed in range(most)],
            [str(seed) for seed in range(most)],
            changed,
        ),
    }
    for folder in folders:
        rows = read_dataset(folder)
        picked = np.random.default_rng(2).permutation(len(rows))[:most]
        rows = [rows[i] for i in sorted(picked.tolist())]
        greys = [np.array(load_scan(row).grey) for row in rows]
        report[folder.name] = separation(greys, [row.group for row in rows], changed)
        report[f"{folder.name} written on"] = round(float(measure_rows(rows).written.mean()), 3)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=128, help="side of the pictures, pixels")
    parser.add_argument("--thresholds", action="store_true", help="measure what separates pairs")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="dataset folders")
    parser.add_argument("--changed", type=int, default=150, help="pictures changed in each way")
    parser.add_argument("--most", type=int, default=600, help="pictures of each kind at the most")
    options = parser.parse_args()
    report = (
        thresholds(options.data, options.changed, options.most)
        if options.thresholds
        else scale(options.images, options.side)
    )
    report["machine"] = {
        "cores": os.cpu_count(),
        "opencv": cv2.__version__,
        "load": os.getloadavg(),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

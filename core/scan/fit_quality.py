"""Set the limits of the quality gate from training images, and write them.

    python -m core.scan.fit_quality DIR [DIR ...]

Each ``DIR`` is a dataset folder: ``images/<label>/<file>`` and ``manifest.csv`` with the columns
``file``, ``label`` and ``split``. Only rows of the split ``train`` are used. What is written holds
limits and quantiles: no image, no name of a file.

The rule
--------
``warn``
    The 1st percentile of a figure that can be too low, the 99th of one that can be too high, taken
    for every folder by itself, and of these the one farthest out: no kind of scanner the model was
    trained on warns more than once in a hundred for any reason.
``fail``
    Beyond the most extreme value of all. For a figure that is a ratio or a level (detail,
    contrast, brightness) beyond it by half its distance from the median, on a log scale; on the
    side of too bright that is the room left below white. For resolution by the whole distance, as
    pixels beyond those that a network is given matter less, and for contrast by a quarter, as the
    lowest seen already are poor. For a share it is a third of the way
    from the extreme to 1, on a log scale. The factors were chosen on graded degradations (blur,
    enlargement, darkening, over-exposure, lettering, frames) of images that were not trained on,
    which ``tests/benchmarks/bench_quality.py`` repeats: mild ones warn, gross ones fail.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import OverreadError, ScanError
from core.scan._measures import measure
from core.scan._quality import THRESHOLDS, CheckName, Limits, figures
from core.scan._read import read_scan

_WARN_PERCENT = 1
_QUANTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
_WHITE = 255.0
#: How far beyond the extreme a level fails, as a power of extreme by median.
_LEVELS = {
    CheckName.RESOLUTION: 1.0,
    CheckName.BLUR: 0.5,
    CheckName.CONTRAST: 0.25,
    CheckName.EXPOSURE: 0.5,
}
#: How far a share fails on the way from the extreme to all of it, on a log scale.
_SHARE_STEP = 1 / 3

Figures = dict[CheckName, NDArray[np.float64]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 where a folder cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m core.scan.fit_quality", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="dataset folder")
    parser.add_argument("--out", type=Path, default=THRESHOLDS, help="where the limits go")
    options = parser.parse_args(arguments)
    try:
        by_source = {
            folder.resolve().name: measure_files(training_files(folder))
            for folder in options.folders
        }
    except (OSError, KeyError, UnicodeDecodeError, csv.Error, OverreadError) as error:
        reason = str(error) if isinstance(error, OverreadError) else "it cannot be read as one"
        sys.stderr.write(f"A dataset folder cannot be used: {reason}\n")
        return 1
    options.out.write_text(json.dumps(fit(by_source), indent=2) + "\n", encoding="utf-8")
    return 0


def training_files(folder: Path) -> list[Path]:
    """Return the images of the rows of the split ``train``."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    if not rows:
        raise ScanError("no row of its manifest has the split train")
    return [folder / "images" / row["label"] / row["file"] for row in rows]


def measure_files(files: Iterable[Path]) -> Figures:
    """Measure images: float64 ``(N,)`` for every check whose limits are set from data."""
    rows = [figures(measure(read_scan(file.read_bytes()))) for file in files]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def fit(by_source: dict[str, Figures]) -> dict[str, Any]:
    """Return limits and quantiles, ready for JSON.

    Parameters
    ----------
    by_source
        Figures of the training images of every folder, as :func:`measure_files` gives them.
    """
    checks = {}
    for name in next(iter(by_source.values())):
        values = {source: found[name] for source, found in by_source.items()}
        limits = set_limits(name, list(values.values()))
        checks[name.value] = {
            "limits": {
                side: None if limit is None else float(f"{limit:.4g}")
                for side, limit in limits.items()
            },
            "n": sum(len(found) for found in values.values()),
            "quantiles": {
                source: {
                    str(percent): float(f"{np.percentile(found, percent):.4g}")
                    for percent in _QUANTILES
                }
                for source, found in values.items()
            },
        }
    return {
        "about": "Limits of the quality gate. Make them again: python -m core.scan.fit_quality",
        "rule": f"warn: percentile {_WARN_PERCENT} or {100 - _WARN_PERCENT} of the folder farthest "
        "out; fail: beyond the extreme of all, see core/scan/fit_quality.py",
        "split": "train",
        "images": {source: len(next(iter(found.values()))) for source, found in by_source.items()},
        "checks": checks,
    }


def set_limits(name: CheckName, values: Sequence[NDArray[np.float64]]) -> dict[str, float | None]:
    """Return the fields of :class:`~core.scan._quality.Limits` by the rule above.

    Parameters
    ----------
    name
        The check.
    values
        Its figures, one array for every folder.
    """
    limits: dict[str, float | None] = dict.fromkeys(Limits.__dataclass_fields__)
    every = np.concatenate(values)
    middle = float(np.median(every))
    if name not in _LEVELS:
        limits["high_warn"] = max(float(np.percentile(v, 100 - _WARN_PERCENT)) for v in values)
        # At least one pixel in a hundred: figures that are nearly always 0 say little.
        limits["high_fail"] = max(float(every.max()), 0.01) ** (1 - _SHARE_STEP)
        return limits
    step, least = _LEVELS[name], float(every.min())
    limits["low_warn"] = min(float(np.percentile(v, _WARN_PERCENT)) for v in values)
    limits["low_fail"] = least * (least / middle) ** step
    if name is CheckName.EXPOSURE:
        room = _WHITE - float(every.max())
        limits["high_warn"] = max(float(np.percentile(v, 100 - _WARN_PERCENT)) for v in values)
        limits["high_fail"] = _WHITE - room * (room / (_WHITE - middle)) ** step
    return limits


if __name__ == "__main__":
    sys.exit(main())

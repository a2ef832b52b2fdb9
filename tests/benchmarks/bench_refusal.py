"""How often a model refuses a scan it should know, and passes a picture that is none.

    python tests/benchmarks/bench_refusal.py --known SCANS --foreign PICTURES [--json]

takes files, folders and archives of each kind and prints both error rates with their 95 % Wilson
intervals. Known scans should be of scanners the model has not seen. Without ``--foreign`` pictures
are made up: other ones than any fit was taught with, but of the same kinds, so real ones tell more.
With ``--datasets DATASETS`` the statistics are fitted anew without each scanner of their training
rows, and its scans are read, training or not: its own network has seen them, the fit has not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.learning.commands.common import read_datasets
from core.learning.foreign import foreign_pictures
from core.learning.refusal import with_familiarity
from core.learning.rows import load_scan
from core.model import Bundle, Predictor, Source, wilson_interval
from core.scan import Scan, files_of, read_scan
from core.settings import Settings, load_settings

#: Far from the seeds of fits and tests.
SEED = 990_001


def opened(paths: list[Path], settings: Settings) -> Iterator[Source]:
    """Give every file below some paths, opened when its turn comes."""
    for _name, load in files_of(paths, settings):
        yield partial(_open, load, settings)


def _open(load: Any, settings: Settings) -> Scan:
    return read_scan(load(), settings=settings)


def measured(predictor: Predictor, sources: Iterator[Source], *, should_be_known: bool) -> Any:
    """Return the error rate, why pictures were refused, and how many could not be read."""
    wrong = n = unreadable = 0
    reasons: Counter[str] = Counter()
    for read in predictor.read_many(sources, heat=False):
        if read.prediction is None:
            unreadable += 1
            continue
        familiarity = read.prediction.familiarity
        if familiarity is None:
            sys.exit("This model's bundle cannot say whether it knows a scan.")
        n += 1
        wrong += familiarity.known is not should_be_known
        reasons[familiarity.reason or "known"] += 1
    low, high = wilson_interval(wrong, n)
    rate = {"value": wrong / n if n else None, "low": low, "high": high, "n": n, "wrong": wrong}
    return rate | {"judged": dict(reasons), "unreadable": unreadable}


def left_out(
    bundle: Bundle,
    datasets: list[Path],
    foreign: Callable[[], Iterator[Source]],
    settings: Settings,
) -> dict[str, Any]:
    """Return both rates for each scanner, with statistics that have not seen it."""
    rows = read_datasets(datasets, bundle.card.labels, None, 0.15)
    found = {}
    for source, device in sorted({(row.source, row.device) for row in rows}):
        others = [
            row
            for row in rows
            if row.split == "train" and (row.source, row.device) != (source, device)
        ]
        mine = [row for row in rows if (row.source, row.device) == (source, device)]
        with tempfile.TemporaryDirectory() as folder:
            task, version = bundle.card.task, bundle.card.version
            # A site's own bundle goes before the one of the same version that ships.
            own = replace(settings, var=Path(folder))
            with_familiarity(bundle, others, own.var / "models" / task / version)
            predictor = Predictor.load(task, version, settings=own)
            scans: Iterator[Source] = (partial(load_scan, row) for row in mine)
            found[f"{source} {device}".strip()] = {
                "known_refused": measured(predictor, scans, should_be_known=True),
                "foreign_passed": measured(predictor, foreign(), should_be_known=False),
            }
    return found


def main() -> None:
    """Print both rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", nargs="+", type=Path, default=[], help="scans it should know")
    parser.add_argument("--foreign", nargs="+", type=Path, default=[], help="what is no scan")
    parser.add_argument("--pictures", type=int, default=240, help="made up without --foreign")
    parser.add_argument("--datasets", nargs="+", type=Path, default=[], help="leave a scanner out")
    parser.add_argument("--model", default=None, metavar="TASK[@VERSION]")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    settings = load_settings()
    task, _at, version = (args.model or settings.task).partition("@")
    predictor = Predictor.load(task, version or None, settings=settings)
    report: dict[str, Any] = {"model": f"{task} {predictor.card.version}"}
    if args.known:
        sources = opened(args.known, settings)
        report["known_refused"] = measured(predictor, sources, should_be_known=True)

    def foreign() -> Iterator[Source]:
        if args.foreign:
            return opened(args.foreign, settings)
        made = foreign_pictures(args.pictures, SEED)
        return iter([Scan.from_pixels(grey) for _kind, grey in made])

    report["foreign_passed"] = measured(predictor, foreign(), should_be_known=False)
    if args.datasets:
        report["without"] = left_out(predictor.bundle, args.datasets, foreign, settings)
    if args.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
        return
    sys.stdout.write(report.pop("model") + "\n")
    for without, rates in report.pop("without", {}).items():
        report |= {f"without {without}: {name}": rate for name, rate in rates.items()}
    for name, rate in report.items():
        if rate["value"] is None:
            sys.stdout.write(f"{name}: no picture could be read\n")
            continue
        sys.stdout.write(
            f"{name}: {rate['value']:.2%} [{rate['low']:.2%}, {rate['high']:.2%}] of {rate['n']}"
            f" ({rate['unreadable']} unreadable; {rate['judged']})\n"
        )


if __name__ == "__main__":
    main()

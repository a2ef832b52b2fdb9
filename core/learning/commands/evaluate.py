"""What ``python -m core evaluate`` does."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.errors import LearningError
from core.learning.commands.common import add_label_names, note, table_of, write
from core.learning.evaluation import score
from core.learning.forms import read_dataset, rows_of_split
from core.learning.report import full_report
from core.learning.robustness import robustness
from core.learning.rows import fingerprint
from core.model import Predictor
from core.settings import load_settings
from core.text import _


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``evaluate`` takes."""
    parser.add_argument("--model", default="breast-ultrasound", help=_("task of the bundle"))
    parser.add_argument("--version", help=_("version; the active one if left out"))
    parser.add_argument("--data", type=Path, required=True, help=_("dataset: folder or .npz"))
    add_label_names(parser)
    parser.add_argument("--split", help=_("only rows of this split"))
    parser.add_argument("--out", type=Path, help=_("folder for report.json"))
    parser.add_argument(
        "--robustness",
        action="store_true",
        help=_("evaluate again under graded changes of the scans; takes some twenty times as long"),
    )
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a table"))


def run_evaluate(args: argparse.Namespace) -> int:
    """Measure a bundle on a dataset folder.

    Raises
    ------
    OverreadError
        The bundle or the data cannot be used.
    """
    predictor = Predictor.load(args.model, args.version, settings=load_settings())
    card = predictor.bundle.card
    rows = rows_of_split(read_dataset(args.data, card.labels, names=args.label_names), args.split)
    scored = score(rows, predictor, card.labels, card.positive)
    report = full_report(scored, card.operating_points, card.approved_operating_point) | {
        "model": {
            "task": card.task,
            "version": card.version,
            "bundle_digest": predictor.bundle.digest,
        },
        "data": {
            "name": rows[0].source,
            "split": args.split or "all",
            "fingerprint": fingerprint(rows),
        },
    }
    if args.robustness:
        report["robustness"] = list(
            robustness(
                rows,
                predictor,
                card.labels,
                card.positive,
                lambda name, grade: note(f"{name} {grade:g}"),
            )
        )
    if args.out:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        except OSError as error:
            raise LearningError(_("The report cannot be written into this folder.")) from error
    write(json.dumps(report, indent=1) if args.json else table_of(rows[0].source, report))
    return 0

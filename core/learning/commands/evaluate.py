"""What ``python -m core evaluate`` does."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import __version__
from core.errors import LearningError
from core.learning.commands.common import (
    Steps,
    add_model_and_data,
    note,
    read_datasets,
    table_of,
    write,
)
from core.learning.evaluation import Scored, scans_csv, score
from core.learning.forms import rows_of_split
from core.learning.page import report_html
from core.learning.report import full_report
from core.learning.robustness import GRADES, robustness
from core.learning.rows import Row, as_known, fingerprint, known_labels
from core.learning.whole_file import check_writable, write_whole
from core.model import (
    Bundle,
    Card,
    Predictor,
    attach_evaluation,
    evaluation_name,
    resolve,
)
from core.settings import load_settings
from core.text import _

_REPORT, _PAGE, _SCANS = "report.json", "report.html", "scans.csv"


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``evaluate`` takes."""
    add_model_and_data(parser)
    parser.add_argument(
        "--out", type=Path, help=_("folder for report.json, report.html and scans.csv")
    )
    parser.add_argument(
        "--attach",
        action="store_true",
        help=_("put the report beside the model, where the app shows it"),
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help=_("evaluate again under graded changes of the scans; takes some twenty times as long"),
    )
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a table"))


def run_evaluate(args: argparse.Namespace) -> int:
    """Measure a bundle on datasets.

    Raises
    ------
    OverreadError
        The bundle or the data cannot be used, or the report cannot be written.
    """
    settings = load_settings()
    # What is wrong with the command is said before anything that takes time.
    rows = rows_of(args, resolve(args.model, args.version, settings=settings).card)
    if args.out:
        check_writable(args.out)
    predictor = Predictor.load(args.model, args.version, settings=settings)
    if args.attach:
        check_writable(predictor.bundle.folder)
    card = predictor.card
    # A file that is not there any more is found now, and not when all is read.
    made_of = origin(predictor.bundle, rows, args.split)
    title = _("Evaluating")
    scored = score(rows, predictor, card.labels, card.positive, Steps(title, len(rows)))
    _check_read(scored)
    report = full_report(scored, card.operating_points, card.approved_operating_point)
    report |= made_of
    if args.robustness:
        report["robustness"] = _robustness(rows, predictor)
    text = json.dumps(report, indent=1, allow_nan=False)
    page = report_html(report, card)
    name = evaluation_name(report["data"]["name"], report["data"]["split"])
    if args.out:
        scans = scans_csv(scored, predictor.bundle)
        for file, content in ((_REPORT, text.encode()), (_SCANS, scans), (_PAGE, page)):
            write_whole(args.out / file, content, replace=True)
    if args.attach:
        # Without the table of scans: what travels with a model names no file of a patient.
        attach_evaluation(predictor.bundle, name, {_REPORT: text.encode(), _PAGE: page})
    if args.json:
        write(text)
        return 0
    write(table_of(report["data"]["name"], report))
    for line in _counts(report):
        write(line)
    if args.attach:
        write(_("Attached to the model as “{name}”.").format(name=name))
    write(_("Decision support, not a medical device."))
    return 0


def rows_of(args: argparse.Namespace, card: Card) -> list[Row]:
    """Return the rows that a command asks for, with labels of the model."""
    labels = known_labels(card.labels, card.positive)
    found = read_datasets(args.data, labels, args.label_names)
    chosen = rows_of_split(found, args.split)
    return [as_known(row, card.labels, card.positive) for row in chosen]


def origin(bundle: Bundle, rows: Sequence[Row], split: str | None) -> dict[str, Any]:
    """Return what was evaluated on what, and when."""
    sources = list(dict.fromkeys(row.source for row in rows))
    return {
        "model": {
            "task": bundle.card.task,
            "version": bundle.card.version,
            "bundle_digest": bundle.digest,
        },
        "data": {
            "name": "+".join(sources),
            "split": split or "all",
            "fingerprint": fingerprint(rows),
        },
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": __version__,
    }


def _robustness(rows: Sequence[Row], predictor: Predictor) -> list[dict[str, Any]]:
    card = predictor.card
    total = sum(map(len, GRADES.values()))
    shown: dict[tuple[str, float], Steps] = {}

    def progress(name: str, grade: float, done: int) -> None:
        if (name, grade) not in shown:
            title = f"{len(shown) + 1}/{total} {name} {grade:g}"
            note(title)
            shown[name, grade] = Steps(title, len(rows))
        shown[name, grade](done)

    return list(robustness(rows, predictor, card.labels, card.positive, progress))


def _check_read(scored: Scored) -> None:
    if scored.unread.all():
        raise LearningError(
            _("None of the {n} scans could be read. The first: {reason}").format(
                n=len(scored.truth), reason=scored.reason[0]
            )
        )


def _counts(report: Mapping[str, Any]) -> list[str]:
    """Say which scans the app would not answer."""
    found = []
    if report["refused"]:
        found.append(
            _("{n} refused by the app, {unread} of them unreadable; all count.").format(
                n=report["refused"], unread=report["unread"]
            )
        )
    if report["abstained"]:
        found.append(_("{n} answered “not sure”; they count.").format(n=report["abstained"]))
    return found

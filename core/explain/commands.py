"""What ``python -m core explain`` does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import OverreadError, QualityFailed, SettingsError
from core.explain._compare import heat_inside
from core.explain._evidence import evidence
from core.explain._export import explanation_npz
from core.explain._figures import evidence_figures
from core.explain._methods import CAMS, METHODS, asks_for, by_method, made_again
from core.explain._outline import outline_of_answer
from core.explain._picture import Drawing, explanation_png
from core.explain._table import Row, figures, figures_csv
from core.model import unknown_scan
from core.scan import Outcome, Scan, check_quality, read_scan
from core.settings import Settings, load_settings
from core.store import write_whole
from core.text import _

if TYPE_CHECKING:
    from core.model import Prediction, Predictor

#: Seconds between two lines about how far it is.
_LINE_SECONDS = 0.75
_TABLE = "explanations.csv"


def add_explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``explain`` takes."""
    parser.add_argument("files", nargs="+", type=_file, metavar="FILE", help=_("image files"))
    parser.add_argument(
        "--out", type=Path, required=True, help=_("folder for pictures, values and the table")
    )
    parser.add_argument(
        "--method", choices=METHODS, default="grad-cam", help=_("method (default grad-cam)")
    )
    parser.add_argument(
        "--target", default="", help=_("class to explain; that of the answer if left out")
    )
    parser.add_argument(
        "--evidence", action="store_true", help=_("measure how faithful each map is; slower")
    )
    parser.add_argument(
        "--opacity", type=_share, default=0.6, help=_("opacity of the map, 0 to 1 (default 0.6)")
    )
    parser.add_argument(
        "--cut-off",
        type=_share,
        default=0.0,
        help=_("share of the strongest below which nothing is drawn, 0 to 1 (default 0)"),
    )
    parser.add_argument("--overwrite", action="store_true", help=_("replace files that are there"))
    parser.add_argument("--json", action="store_true", help=_("print the figures as JSON"))


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(_("there is no such file"))
    return path


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(_("must be a number from 0 to 1"))
    return share


def run_explain(options: argparse.Namespace) -> int:
    """Explain files and write what comes of it; 1 where some of them could not be explained.

    Raises
    ------
    OverreadError
        The model cannot be used, or the folder cannot be written.
    """
    from core.model import Predictor

    settings = load_settings()
    _make_folder(options.out, overwrite=options.overwrite)
    sys.stderr.write(_("Loading the model…") + "\n")
    predictor = Predictor.load(settings.task, settings=settings)
    rows = []
    for row, name in _explained(options, predictor, settings):
        rows.append(row)
        if row.problem:
            # Its place on the command line and not its name, which may be a patient's.
            sys.stderr.write(f"{row.case_number or name}: {row.problem}\n")
    _write(options.out / _TABLE, figures_csv(rows).encode("utf-8-sig"))
    failed = sum(bool(row.problem) for row in rows)
    if options.json:
        told = [figures(row) for row in rows]
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write(
            _("{done} of {n} scans explained by {method}; {table} has the figures.").format(
                done=len(rows) - failed, n=len(rows), method=options.method, table=_TABLE
            )
            + "\n"
            + _("Decision support, not a medical device.")
            + "\n"
        )
    return 1 if failed else 0


def _explained(
    options: argparse.Namespace, predictor: Predictor, settings: Settings
) -> Iterator[tuple[Row, str]]:
    card = predictor.card
    model = (card.task, card.version, predictor.bundle.digest)
    total = len(options.files)
    for number, path in enumerate(options.files, 1):
        name = _("File {n}").format(n=number)
        target, scan = options.target, None
        try:
            scan = read_scan(_bytes(path, settings), settings=settings)
            _may_be_read(scan)
            prediction = predictor.read(scan)
            if prediction.refused:
                raise QualityFailed(unknown_scan() + ".")
            target = asks_for(options.method, target or prediction.answer)
            row = _row(options, predictor, scan, prediction, target, _Told(name, total))
            yield row, name
        except OverreadError as error:
            case, digest = ("", "") if scan is None else (scan.case_number, scan.digest)
            yield Row(case, digest, *model, options.method, target, problem=str(error)), name


def _row(
    options: argparse.Namespace,
    predictor: Predictor,
    scan: Scan,
    prediction: Prediction,
    target: str,
    told: _Told,
) -> Row:
    made = by_method(predictor, scan, options.method, target, watch=told)
    mask = outline_of_answer(scan, prediction)
    measured = None
    if options.evidence:
        again, copies = made_again(predictor, options.method, target)
        same = options.method in CAMS
        measured = evidence_figures(
            evidence(
                predictor,
                scan,
                made,
                outline=mask,
                explain=again,
                same=same,
                copies=copies,
                watch=told,
            )
        )
    card = predictor.card
    row = Row(
        scan.case_number,
        scan.digest,
        card.task,
        card.version,
        predictor.bundle.digest,
        options.method,
        target,
        explanation=made,
        inside=None if mask is None else heat_inside(made, mask),
        evidence=measured,
    )
    drawing = Drawing(options.opacity, options.cut_off)
    _write(
        options.out / f"{row.stem}.png",
        explanation_png(scan, made, card.task, card.version, drawing),
    )
    _write(
        options.out / f"{row.stem}.npz",
        explanation_npz(made, scan.case_number, card.task, card.version, measured),
    )
    return row


def _may_be_read(scan: Scan) -> None:
    if check_quality(scan).outcome is Outcome.FAIL:
        raise QualityFailed(
            _("It fails the quality check and was not read. Correct it on the read page.")
        )


def _bytes(path: Path, settings: Settings) -> bytes:
    try:
        # No more than what is read anyway; the room says that it is too large.
        with path.open("rb") as file:
            return file.read(settings.max_upload_bytes + 1)
    except OSError:
        raise QualityFailed(_("This file cannot be opened.")) from None


class _Told:
    """Says how far a long explanation is, on stderr, at most every :data:`_LINE_SECONDS`."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._due = name, total, 0.0

    def __call__(self, done: int, total: int) -> None:
        """Take what a :data:`core.explain.Watch` is told."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LINE_SECONDS
        line = _("{file} of {n}: {percent} %").format(
            file=self._name, n=self._total, percent=round(100 * done / max(total, 1))
        )
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _make_folder(folder: Path, *, overwrite: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError:
        raise SettingsError(_("The folder cannot be made. Choose another one.")) from None
    if taken and not overwrite:
        raise SettingsError(
            _("The folder is not empty. Choose another one, or replace files with --overwrite.")
        )


def _write(path: Path, data: bytes) -> None:
    try:
        # A table or picture that is there stays until the new one is whole.
        write_whole(path, data, replace=True)
    except OSError:
        raise SettingsError(_("The folder cannot be written: the disk may be full.")) from None

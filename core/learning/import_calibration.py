"""Calibrating and measuring a model that was trained elsewhere, on data of one's own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DatasetError
from core.learning import calibration as fitting
from core.learning.evaluation import figures, score
from core.learning.forms import read_dataset, rows_of_split
from core.learning.report import measured_point
from core.learning.rows import Row, fingerprint, hold_out
from core.model import (
    Bundle,
    Card,
    OperatingPoint,
    Prevalence,
    Reference,
    check_bundle,
    write_bundle,
)
from core.text import _

#: Half of the groups calibrate and choose thresholds, the other half measures.
_MEASURED_SHARE, _SPLIT_SEED = 0.5, 7
#: On the card of what comes without data; a card's own words are not translated.
UNMEASURED = "It was imported without data: it is neither calibrated nor measured."


def write_file(root: Path, path: Path, card: Card, reference: Reference | None = None) -> Bundle:
    """Write a Keras file as a bundle under a folder of models; without a reference it has none.

    Raises
    ------
    BundleInvalid, BundleNotSaved
        As of :func:`core.model.write_bundle`.
    """
    nothing = Reference(np.zeros(0, np.float32), np.zeros(0, np.bool_))
    return write_bundle(root / card.task / card.version, path, card, reference or nothing)


def calibration_rows(
    data: Path,
    labels: Sequence[str],
    positive: str,
    split: str | None,
    names: Sequence[str] | None,
) -> tuple[list[Row], list[Row]]:
    """List what a file is calibrated on and what it is measured on: other patients each.

    Parameters
    ----------
    split
        Rows of this split; of a dataset that does not say what belongs where, all of them, else
        ``val``.

    Raises
    ------
    DatasetError
        The dataset cannot be used, or one half lacks the positive label or all others.
    """
    # Share 1: of a folder that says nothing of splits, every image is taken.
    rows = read_dataset(data, labels, names=names, val_share=1.0)
    chosen = rows_of_split(rows, split or "val")
    fit, measured = hold_out(chosen, _MEASURED_SHARE, _SPLIT_SEED)
    for half in (fit, measured):
        if len({row.label == positive for row in half}) < 2:
            raise DatasetError(
                _(
                    "The data has too few cases: half of it calibrates and half measures, and each "
                    "needs scans with the positive label and others."
                )
            )
    return fit, measured


def calibrate(
    path: Path,
    card: Card,
    fit: Sequence[Row],
    measured: Sequence[Row],
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[Card, Reference]:
    """Fit the calibration and the operating points on some rows and measure on others.

    Returns
    -------
    The card with both and its figures, and the scores of those measured rows that could be read.

    Raises
    ------
    DatasetError
        Too few of the rows can be read.
    BundleInvalid
        The model cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = check_bundle(write_file(Path(folder) / "plain", path, card), 1)
        first = score(fit, plain, card.labels, card.positive, progress)
        first = first[~first.unread]
        truth = first.truth
        if len({int(t) == card.positive_index for t in truth}) < 2:
            raise DatasetError(_("Too few scans of the data could be read to calibrate on."))
        # Scores but for a constant of each scan, which the softmax takes no notice of.
        scores = np.log(np.maximum(first.probabilities, 1e-300)).astype(np.float32)
        calibration = fitting.fit_calibration(scores, truth)
        sure = fitting.calibrated(scores, calibration)[:, card.positive_index]
        thresholds = fitting.operating_points(sure, truth == card.positive_index)
        done = replace(
            card,
            calibration=calibration,
            limits=tuple(line for line in card.limits if line != UNMEASURED),
            operating_points=tuple(OperatingPoint(*point) for point in thresholds.items()),
            prevalence=Prevalence(
                float((truth == card.positive_index).mean()), len(truth), "calibration scans"
            ),
            training=dict(card.training)
            | {"calibrated_on": _about(fit), "measured_on": _about(measured)},
        )
        reader = check_bundle(write_file(Path(folder) / "calibrated", path, done), 1)
        second = score(
            measured, reader, card.labels, card.positive, lambda n: progress(len(fit) + n)
        )
    read = second[~second.unread]
    if not len(read.truth):
        raise DatasetError(_("No scan of the data could be read to measure on."))
    # As in every figure, a scan that could not be read is answered wrongly at every threshold.
    points = tuple(
        measured_point(point.name, point.threshold, second) for point in done.operating_points
    )
    return (
        replace(done, operating_points=points, metrics={"val": figures(second)}),
        Reference(read.score.astype(np.float32), read.is_positive),
    )


def _about(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "name": rows[0].source,
        "split": rows[0].split,
        "n": len(rows),
        "fingerprint": fingerprint(rows),
    }

"""What ``python -m core train`` does."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DatasetError, LearningError
from core.learning import calibration as fitting
from core.learning.architectures import CAM_FEATURES, CLASS_LOGITS, LESION
from core.learning.commands.common import add_label_names, note, table_of, write
from core.learning.dataset import load_arrays
from core.learning.evaluation import figures, score
from core.learning.forms import VAL_SHARE, check_classes, read_dataset
from core.learning.rows import Row, fingerprint, held_out, hold_out, load_grey
from core.learning.training import TrainingConfig, train
from core.model import (
    Card,
    DataSource,
    InputSpec,
    OperatingPoint,
    Outputs,
    Predictor,
    Prevalence,
    Reference,
    preprocess,
    write_bundle,
)
from core.settings import load_settings
from core.text import _

#: Share of the training rows, by case, that only calibrates and chooses thresholds.
_CALIBRATION_SHARE = 0.15
_POSITIVE = "malignant"
_APPROVED = "balanced"


def _decoding(done: int, total: int) -> None:
    # Every 500th: a small set is decoded before anybody has read a line about it.
    if done % 500 == 0:
        note(_("{done} of {total} images decoded").format(done=done, total=total))


def _rows(args: argparse.Namespace, labels: Sequence[str]) -> list[Row]:
    """Read all datasets; what has no rows to watch keeps some of its training rows for that."""
    rows = [
        row
        for path in args.data
        for row in read_dataset(path, labels, names=args.label_names, val_share=args.val_share)
    ]
    if any(row.split == "val" for row in rows):
        return rows
    training = [row for row in rows if row.split == "train"]
    others = [row for row in rows if row.split != "train"]
    # Another seed than that of the rows kept aside for calibration, which would be the same ones.
    return held_out(training, args.val_share, args.seed + 1, "val") + others


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``train`` takes."""
    defaults = TrainingConfig()
    parser.add_argument("data", nargs="+", type=Path, help=_("datasets: folders or .npz files"))
    add_label_names(parser)
    parser.add_argument(
        "--val-share",
        type=_share,
        default=VAL_SHARE,
        help=_(
            "how much becomes val where the data does not say what does; {share:g} by default"
        ).format(share=VAL_SHARE),
    )
    parser.add_argument("--out", type=Path, required=True, help=_("folder of the run"))
    parser.add_argument("--task", default="breast-ultrasound", help=_("task of the bundle"))
    parser.add_argument("--version", default="1.0", help=_("version of the bundle"))
    parser.add_argument("--epochs", type=_positive, default=defaults.epochs)
    parser.add_argument(
        "--size", type=_side, default=defaults.size, help=_("input side, pixels; a multiple of 16")
    )
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--resume", action="store_true", help=_("go on from the checkpoint"))
    parser.add_argument("--about", type=Path, help=_("JSON file with the card's texts"))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(_("must be 1 or more"))
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 0.5:
        raise argparse.ArgumentTypeError(_("must be more than 0 and at most 0.5"))
    return value


def _side(text: str) -> int:
    value = int(text)
    if not 32 <= value <= 1024 or value % 16:
        raise argparse.ArgumentTypeError(_("must be a multiple of 16 from 32 to 1024"))
    return value


def run_train(args: argparse.Namespace) -> int:
    """Train, calibrate, measure, and write the bundle under ``--out``/models.

    Raises
    ------
    OverreadError
        The data or the run cannot be used.
    """
    about = _about(args.about)
    config = TrainingConfig(epochs=args.epochs, size=args.size, seed=args.seed)
    # What the card would refuse is said now, and not after hours of training.
    _card(args, config, about, (OperatingPoint(_APPROVED, 0.5),))
    rows = _rows(args, config.labels)
    training = [row for row in rows if row.split == "train"]
    watched = [row for row in rows if row.split == "val"]
    fit, held = hold_out(training, _CALIBRATION_SHARE, config.seed)
    if not fit or not held or not watched:
        raise DatasetError(_("Training needs rows with split train, and rows with split val."))
    if len({row.label == _POSITIVE for row in held}) < 2:
        raise DatasetError(
            _(
                "Too few training rows: those kept aside for calibration need a malignant one "
                "and another one. Add cases."
            )
        )
    check_classes(fit, config.labels)
    cache = args.out / "cache"
    started = time.monotonic()
    model = train(
        load_arrays(fit, config.labels, config.size, cache, _decoding),
        config,
        args.out,
        resume=args.resume,
        watch=load_arrays(watched, config.labels, config.size, cache, _decoding),
        progress=lambda f: write(" ".join(f"{k}={v:.4g}" for k, v in f.items())),
    )
    write_bundle_of(model, config, rows, args, about, time.monotonic() - started)
    return 0


def logits_of(model: Any, rows: Sequence[Row], config: TrainingConfig) -> Any:
    """Return the raw class scores of every row, (N, labels) float32."""
    spec = InputSpec(config.size)
    inputs = np.stack([preprocess(load_grey(row)[0], spec)[0] for row in rows])
    return model.predict(inputs, batch_size=32, verbose=0)[CLASS_LOGITS]


def write_bundle_of(
    model: Any,
    config: TrainingConfig,
    rows: Sequence[Row],
    args: argparse.Namespace,
    about: dict[str, Any],
    seconds: float,
) -> None:
    """Calibrate on held-out training rows, measure on ``val``, and write the bundle."""
    fit, held = hold_out([r for r in rows if r.split == "train"], _CALIBRATION_SHARE, config.seed)
    watched = [row for row in rows if row.split == "val"]
    target = config.labels.index(_POSITIVE)
    truth = np.array([config.labels.index(row.label) for row in held])
    held_logits = logits_of(model, held, config)
    calibration = fitting.fit_calibration(held_logits, truth)
    held_p = fitting.calibrated(held_logits, calibration)[:, target]
    val_p = fitting.calibrated(logits_of(model, watched, config), calibration)[:, target]
    val_positive = np.array([row.label == _POSITIVE for row in watched])
    thresholds = fitting.operating_points(held_p, truth == target)
    points = tuple(
        fitting.measured_point(name, threshold, val_p, val_positive)
        for name, threshold in thresholds.items()
    )
    card = replace(
        _card(args, config, about, points),
        calibration=calibration,
        prevalence=Prevalence(
            float((truth == target).mean()), len(held), "held-out training scans"
        ),
        data=tuple(
            DataSource(
                source,
                fingerprint([row for row in rows if row.source == source]),
                about.get("data", {}).get(source, {}).get("licence", "unknown"),
                about.get("data", {}).get(source, {}).get("citation", "unknown"),
            )
            for source in sorted({row.source for row in rows})
        ),
        training={
            "architecture": "lesion-net",
            "config": asdict(config),
            "rows": {"fitted": len(fit), "calibrated": len(held), "validated": len(watched)},
            "seconds_this_run": round(seconds),
        },
    )
    reference = Reference(val_p.astype(np.float32), val_positive)
    folder = args.out / "models" / args.task / args.version
    write_bundle(folder, model, card, reference, replace=True)
    # Measured through the predictor itself, so that the figures are those of what ships.
    settings = replace(load_settings({}), var=args.out.resolve())
    reader = Predictor.load(args.task, args.version, settings=settings)
    metrics = {}
    metrics["val"] = figures(score(watched, reader, config.labels, _POSITIVE))
    sources = sorted({row.source for row in watched})
    for source in sources if len(sources) > 1 else []:
        part = [row for row in watched if row.source == source]
        metrics[f"{source} val"] = figures(score(part, reader, config.labels, _POSITIVE))
    write_bundle(
        folder, folder / "model.keras", replace(card, metrics=metrics), reference, replace=True
    )
    for name, report in metrics.items():
        write(table_of(name, report))


def _about(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LearningError(_("The file with the card's texts is not readable JSON.")) from error
    if not isinstance(about, dict):
        raise LearningError(_("The file with the card's texts is not readable JSON."))
    return about


def _card(
    args: argparse.Namespace,
    config: TrainingConfig,
    about: dict[str, Any],
    points: tuple[OperatingPoint, ...],
) -> Card:
    return Card(
        task=args.task,
        version=args.version,
        title=about.get("title", args.task),
        labels=config.labels,
        positive=_POSITIVE,
        input=InputSpec(config.size),
        outputs=Outputs(logits=CLASS_LOGITS, lesion=LESION, cam_features=CAM_FEATURES),
        operating_points=points,
        approved_operating_point=_APPROVED,
        intended_use=about.get("intended_use", ""),
        limits=tuple(about.get("limits", ())),
        created=datetime.now(UTC).date().isoformat(),
    )

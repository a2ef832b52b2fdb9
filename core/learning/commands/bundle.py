"""From what training gave to a bundle: calibrated, measured through the predictor, written."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BundleInvalid, LearningError
from core.learning import calibration as fitting
from core.learning.commands.common import note, table_of, write
from core.learning.conformal import fit_abstention, measured_abstention
from core.learning.crossfit import Fitted
from core.learning.evaluation import figures, score
from core.learning.refusal import with_familiarity
from core.learning.report import measured_point
from core.learning.rows import Row, fingerprint, place
from core.learning.training import TrainingConfig
from core.model import (
    Card,
    DataSource,
    InputSpec,
    OperatingPoint,
    Outputs,
    Predictor,
    Prevalence,
    Reference,
    write_bundle,
)
from core.settings import load_settings
from core.text import _

#: The label that is looked for, and the operating point that the app answers at.
POSITIVE, APPROVED = "malignant", "balanced"


def write_bundle_of(
    fitted: Fitted,
    config: TrainingConfig,
    rows: Sequence[Row],
    args: argparse.Namespace,
    about: dict[str, Any],
) -> None:
    """Calibrate on rows the networks were not trained on, measure on ``val``, write the bundle."""
    target = config.labels.index(POSITIVE)
    watched = sorted((row for row in rows if row.split == "val"), key=place)
    truth = np.array([config.labels.index(row.label) for row in fitted.held])
    calibration = fitting.fit_calibration(fitted.logits, truth)
    held_p = fitting.calibrated(fitted.logits, calibration)[:, target]
    thresholds = fitting.operating_points(held_p, truth == target)
    points = tuple(OperatingPoint(*point) for point in thresholds.items())
    abstention = fit_abstention(held_p, truth == target, args.coverage)
    card = replace(
        card_of_run(args, config, about, points, fitted.network.outputs, fitted.network.spec),
        calibration=calibration,
        prevalence=Prevalence(
            float((truth == target).mean()), len(truth), "held-out training scans"
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
            "architecture": config.architecture,
            "config": asdict(config) | {"weights": Path(config.weights).name},
            "folds": args.folds,
            "runs": args.runs,
            "start_share": args.start_share,
            "rows": {
                "trained": sum(row.split == "train" for row in rows),
                "calibrated": len(fitted.held),
                "validated": len(watched),
            },
            "seconds": round(fitted.seconds),
        }
        | ({"tried": about["tried"]} if "tried" in about else {}),
        abstention=abstention,
    )
    reference = Reference(np.zeros(0, np.float32), np.zeros(0, np.bool_))
    folder = args.out / "models" / args.task / args.version
    bundle = write_bundle(folder, fitted.network.model, card, reference, replace=True)
    try:
        known = [row for row in rows if row.split == "train"]
        bundle = with_familiarity(bundle, known, folder, seed=args.seed)
    except (LearningError, BundleInvalid) as error:
        # A model without it is whole, and says of every picture that nothing was checked.
        note(
            _("The model will not say whether a picture is a scan it knows. {reason}").format(
                reason=error
            )
        )
    # Measured through the predictor itself, so that the figures are those of what ships.
    settings = replace(load_settings({}), var=args.out.resolve())
    reader = Predictor.load(args.task, args.version, settings=settings)
    metrics = {}
    scored = score(watched, reader, config.labels, POSITIVE)
    metrics["val"] = figures(scored)
    sources = sorted({row.source for row in watched})
    for source in sources if len(sources) > 1 else []:
        metrics[f"{source} val"] = figures(scored[scored.attributes["source"] == source])
    read = scored[~scored.unread]
    measured = replace(
        card,
        metrics=metrics,
        operating_points=tuple(measured_point(*point, scored) for point in thresholds.items()),
        abstention=measured_abstention(
            abstention, read.score, read.is_positive, thresholds[APPROVED]
        ),
    )
    reference = replace(
        bundle.reference,
        validation_scores=read.score.astype(np.float32),
        validation_positive=read.is_positive,
    )
    write_bundle(folder, bundle.model_path, measured, reference, replace=True)
    for name, report in metrics.items():
        write(table_of(name, report))


def card_of_run(
    args: argparse.Namespace,
    config: TrainingConfig,
    about: dict[str, Any],
    points: tuple[OperatingPoint, ...],
    outputs: Outputs,
    spec: InputSpec,
) -> Card:
    """Return the card of a run as far as it is known before anything was trained.

    Raises
    ------
    BundleInvalid
        The names, texts or points cannot stand on a card.
    """
    return Card(
        task=args.task,
        version=args.version,
        title=about.get("title", args.task),
        labels=config.labels,
        positive=POSITIVE,
        input=spec,
        outputs=outputs,
        operating_points=points,
        approved_operating_point=APPROVED,
        intended_use=about.get("intended_use", ""),
        limits=tuple(about.get("limits", ())),
        created=datetime.now(UTC).date().isoformat(),
    )

"""Answers of a model that never ran, so that every shown number is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.lesion import LesionControls, LesionResult, find_lesions
from core.model import Geometry, Interval, OperatingPoint, Prediction
from core.scan import Check as QualityCheck
from core.scan import (
    CheckName,
    LesionSpec,
    Outcome,
    PhantomSpec,
    QualityReport,
    Scan,
    make_phantom,
)

#: 30 % of the study's scans were malignant; this answer is 40 %, and 9 of the 24 alike were.
INTERVAL = Interval(0.21, 0.57, 24, 9, 0.35, 0.45)


def phantom(seed: int = 1, width: int = 160, height: int = 120) -> Scan:
    """Return a small synthetic scan."""
    return make_phantom(PhantomSpec(width, height, lesion=LesionSpec()), seed).scan


def quality(*failed: CheckName) -> QualityReport:
    """Return a report in which exactly these checks fail."""
    return QualityReport(
        tuple(
            QualityCheck(name, Outcome.FAIL if name in failed else Outcome.PASS, 1.0, 2.0, "share")
            for name in CheckName
        )
    )


def prediction(scan: Scan, heat: NDArray[np.float32] | None = None, **changes: Any) -> Prediction:
    """Make an answer about ``scan``; maps are as large as the scan, and ``changes`` win."""
    side = max(scan.width, scan.height)
    field = np.zeros((side, side), np.float32)
    if heat is not None:
        field[: scan.height, : scan.width] = heat
    made = Prediction(
        task="breast-ultrasound",
        version="7.0",
        bundle_digest="d" * 64,
        image_digest=scan.digest,
        labels=("normal", "benign", "malignant"),
        positive="malignant",
        probabilities={"normal": 0.15, "benign": 0.45, "malignant": 0.4},
        probability=0.4,
        operating_point=OperatingPoint("balanced", 0.35, 0.81, 0.74, (0.7, 0.88), (0.66, 0.8), 292),
        flagged=True,
        answer="malignant",
        interval=INTERVAL,
        calibrated=True,
        prevalence=0.3,
        heat_class="malignant",
        has_lesion_map=True,
        heat_available=True,
        network_heat=field,
        network_lesion=np.zeros((side, side), np.float32),
        geometry=Geometry(scan.height, scan.width, side, 0, 0, scan.height, scan.width),
    )
    return replace(made, **changes)


def lesions(scan: Scan, rows: slice, columns: slice) -> LesionResult:
    """Outline one rectangle."""
    surface = np.zeros((scan.height, scan.width), np.float32)
    surface[rows, columns] = 1
    return find_lesions(surface, scan.grey, LesionControls(), spacing=scan.spacing)

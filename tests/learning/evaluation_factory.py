"""Scored scans and a stand-in for the model, for the tests of evaluation and its report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from learning_factory import LABELS

from core.errors import ModelError, OverreadError
from core.learning.evaluation import Scored
from core.model import BatchRead, Familiarity
from core.scan import Scan

#: Every headline figure.
KEYS = {
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "roc_auc",
    "pr_auc",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "dice_mean",
    "dice_median",
    "iou_mean",
    "mask_peak",
    "cam_pointing",
    "false_outlines",
}


def scored(p: Any, positive: Any, group: Any = None, **others: Any) -> Scored:
    """Scans with these probabilities, NaN for one that could not be read."""
    p, truth = np.asarray(p, np.float64), np.where(positive, 2, 1).astype(np.int64)
    nothing, words = np.full(len(p), np.nan), np.full(len(p), "")
    maps = dict.fromkeys(("dice", "iou", "mask_peak", "cam_pointing", "false_outline"), nothing)
    refused = np.asarray(others.pop("refused", np.isnan(p)), np.bool_)
    return Scored(
        labels=LABELS,
        positive="malignant",
        truth=truth,
        probabilities=np.stack([0.2 * (1 - p), 0.8 * (1 - p), p], axis=1),
        group=np.array([str(i) for i in range(len(p))] if group is None else group, np.str_),
        refused=refused,
        sure=np.asarray(others.pop("sure", ~refused), np.bool_),
        reason=np.where(refused, "refused", words),
        entry=np.arange(1, len(p) + 1),
        file=words,
        digest=words,
        **(maps | {name: np.asarray(value, np.float64) for name, value in others.items()}),
    )


@dataclass
class FakeReader:
    """Stands where the model does: an outside edge that says what a test needs."""

    lesion: Callable[[Scan], np.ndarray | None]
    heat: Callable[[Scan, str], np.ndarray]
    probabilities: dict[str, float]
    answer: str = "malignant"
    heat_available: bool = True
    known: bool | None = None
    sure: bool | None = None
    #: For each call: the class that was asked for, and how many scans were read.
    asked: list[tuple[str | None, int]] = field(default_factory=list)

    def read_many(
        self,
        scans: Iterable[Any],
        *,
        batch_size: int = 16,
        target: str | None = None,
        heat: bool = True,
    ) -> Generator[BatchRead]:
        call = len(self.asked)
        self.asked.append((target, 0))
        for source in scans:
            try:
                scan = source() if callable(source) else source
            except OverreadError as error:
                yield BatchRead(None, None, error)
                continue
            self.asked[call] = (target, self.asked[call][1] + 1)
            try:
                yield BatchRead(scan, self._prediction(scan, target, heat), None)
            except ModelError as error:
                yield BatchRead(scan, None, error)

    def _prediction(self, scan: Scan, target: str | None, heat: bool) -> Any:
        shown = target or self.answer
        lesion = self.lesion(scan)
        return SimpleNamespace(
            probabilities=self.probabilities,
            heat_class=shown,
            familiarity=None if self.known is None else Familiarity(self.known, 2.0, 1.0, "unlike"),
            refused=self.known is False,
            sure=self.sure,
            heat_available=self.heat_available and heat,
            heat=lambda: self.heat(scan, shown),
            lesion_map=lambda: lesion,
        )

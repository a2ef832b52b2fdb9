"""Evaluation: figures worked out by hand, intervals by patient, nothing left out in silence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from learning_factory import LABELS, write_png

from core.errors import DatasetError, ModelError, OverreadError, PredictionFailed
from core.learning.evaluation import (
    Scored,
    calibration_line,
    expected_calibration_error,
    figures,
    ranking_figures,
    score,
)
from core.learning.rows import Row
from core.model import BatchRead, Familiarity
from core.scan import LesionSpec, PhantomSpec, Scan, make_phantom

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
}


def scored(p: Any, positive: Any, group: Any = None, **others: Any) -> Scored:
    """Scans with these probabilities, NaN for one that could not be read."""
    p, truth = np.asarray(p, np.float64), np.where(positive, 2, 1).astype(np.int64)
    nothing, words = np.full(len(p), np.nan), np.full(len(p), "")
    maps = dict.fromkeys(("dice", "iou", "mask_peak", "cam_pointing"), nothing)
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


def _at(row: int, column: int) -> np.ndarray:
    values = np.zeros((40, 60), np.float32)
    values[row, column] = 1
    return values


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    values = np.zeros((40, 60), np.float32)
    values[top:bottom, left:right] = 0.5
    return values


@pytest.fixture
def row(tmp_path: Path) -> Row:
    image = write_png(tmp_path / "images/malignant/a.png", np.full((40, 60), 90, np.uint8))
    truth = (_box(10, 20, 10, 30) > 0).astype(np.uint8) * 255
    mask = write_png(tmp_path / "masks/malignant/a.png", truth)
    return Row(image, mask, "malignant", "val", "ward", "case1", "scanner")


def _reader(p: float = 0.7, **changes: Any) -> FakeReader:
    given: dict[str, Any] = {
        "lesion": lambda _scan: _box(10, 20, 20, 40),
        "heat": lambda _scan, _target: _at(15, 15),
        "probabilities": {"normal": (1 - p) / 4, "benign": 3 * (1 - p) / 4, "malignant": p},
    }
    return FakeReader(**(given | changes))


def test_overlap_is_counted_at_native_size_from_one_half(row: Row) -> None:
    found = score([row], _reader(), LABELS, "malignant")
    # Two boxes of 200 pixels that share 100.
    assert found.dice[0] == pytest.approx(0.5)
    assert found.iou[0] == pytest.approx(1 / 3)
    assert found.truth.tolist() == [2]
    assert found.group.tolist() == ["ward/case1"]
    np.testing.assert_allclose(found.probabilities, [[0.075, 0.225, 0.7]])


def test_peaks_are_looked_for_where_the_lesion_is(row: Row) -> None:
    inside = _reader(lesion=lambda _scan: _at(12, 12), heat=lambda *_: _at(19, 29))
    outside = _reader(lesion=lambda _scan: _at(20, 12), heat=lambda *_: _at(19, 30))
    both = [score([row], reader, LABELS, "malignant") for reader in (inside, outside)]
    assert [found.mask_peak[0] for found in both] == [1, 0]
    assert [found.cam_pointing[0] for found in both] == [1, 0]


def test_heat_that_is_nowhere_is_a_miss(row: Row) -> None:
    everywhere = write_png(row.mask or Path(), np.full((40, 60), 255, np.uint8))
    assert everywhere.is_file()
    found = score([row], _reader(heat=lambda *_: np.zeros((40, 60))), LABELS, "malignant")
    assert found.cam_pointing[0] == 0


@pytest.mark.parametrize(
    ("p", "answer", "wanted"),
    [
        (0.5, "malignant", [(None, 1)]),
        (0.5, "benign", [(None, 1), ("malignant", 1)]),
        # Flagged at a low operating point, and yet benign is likelier than not.
        (0.49, "malignant", [(None, 1), ("benign", 1)]),
    ],
)
def test_the_heat_judged_is_that_of_the_predicted_class(
    row: Row, p: float, answer: str, wanted: list[tuple[str | None, int]]
) -> None:
    said = wanted[-1][0] or answer
    reader = _reader(
        p, answer=answer, heat=lambda _scan, shown: _at(15, 15) if shown == said else _at(0, 0)
    )
    found = score([row], reader, LABELS, "malignant")
    assert reader.asked == wanted
    assert found.cam_pointing[0] == 1


def test_a_scan_without_lesion_has_no_overlap(row: Row) -> None:
    assert row.mask is not None
    row.mask.unlink()
    plain = Row(row.image, None, "normal", "val", "ward", "case2", "scanner")
    found = score([plain], _reader(), LABELS, "malignant")
    for values in (found.dice, found.iou, found.mask_peak, found.cam_pointing):
        assert np.isnan(values).all()
    assert found.truth.tolist() == [0]


def test_a_model_without_map_is_judged_by_its_classes_only(row: Row) -> None:
    report = figures(score([row], _reader(lesion=lambda _scan: None), LABELS, "malignant"))
    assert "dice_mean" not in report
    assert "mask_peak" not in report
    assert report["cam_pointing"]["value"] == 1


def test_scans_that_need_another_heat_are_read_again_in_batches(row: Row) -> None:
    reader = _reader(0.4)
    found = score([row] * 40, reader, LABELS, "malignant", batch_size=16)
    assert reader.asked == [(None, 40), ("benign", 16), ("benign", 16), ("benign", 8)]
    assert (found.cam_pointing == 1).all()


def test_without_heat_the_rest_is_measured_all_the_same(row: Row) -> None:
    reader = _reader(0.4)
    found = score([row], reader, LABELS, "malignant", heat=False)
    assert reader.asked == [(None, 1)]
    assert np.isnan(found.cam_pointing[0])
    assert found.dice[0] == pytest.approx(0.5)


def test_a_model_that_has_no_heat_is_not_said_to_point_elsewhere(row: Row) -> None:
    found = score([row], _reader(heat_available=False), LABELS, "malignant")
    assert np.isnan(found.cam_pointing[0])


def test_a_scan_that_cannot_be_opened_counts_as_wrong_and_says_why(
    row: Row, tmp_path: Path
) -> None:
    broken = tmp_path / "images/malignant/b.png"
    broken.write_bytes(row.image.read_bytes()[:60])
    unreadable = Row(broken, row.mask, "malignant", "val", "ward", "case2", "", entry=7)
    done: list[int] = []
    found = score([unreadable, row], _reader(), LABELS, "malignant", done.append)
    assert done == [1, 2]
    assert found.unread.tolist() == [True, False]
    assert found.refused[0]
    assert found.reason[0]
    assert found.entry[0] == 7
    # The lesion that its mask shows was neither outlined nor pointed at.
    for values in (found.dice, found.iou, found.mask_peak, found.cam_pointing):
        assert values[0] == 0
    report = figures(found)
    assert (report["n"], report["refused"], report["unread"]) == (2, 2, 1)
    assert report["accuracy"]["value"] == report["recall"]["value"] == 0.5
    assert report["dice_mean"]["value"] == pytest.approx(0.25)


def test_a_scan_the_model_fails_on_counts_as_wrong(row: Row) -> None:
    def fails(_scan: Scan) -> np.ndarray:
        raise PredictionFailed("no answer")

    found = score([row, row], _reader(lesion=fails), LABELS, "malignant")
    assert found.unread.all()
    assert found.reason.tolist() == ["no answer"] * 2
    report = figures(found)
    assert (report["n"], report["accuracy"]["value"], report["brier"]["value"]) == (2, 0, 1)


def test_a_scan_that_fails_the_quality_check_is_scored_and_counted(row: Row) -> None:
    # A grey card: blank.
    found = score([row], _reader(0.9), LABELS, "malignant")
    assert (bool(found.refused[0]), bool(found.sure[0]), bool(found.unread[0])) == (
        True,
        False,
        False,
    )
    assert "quality" in found.reason[0]
    assert found.score[0] == 0.9
    assert figures(found)["recall"]["value"] == 1


@pytest.mark.parametrize(
    ("known", "sure", "refused", "abstained"),
    [
        (None, None, 0, 0),
        (True, True, 0, 0),
        (False, True, 1, 0),
        (False, False, 1, 0),
        (True, False, 0, 1),
    ],
)
def test_what_the_model_refuses_or_is_unsure_of_is_counted_and_scored(
    tmp_path: Path, known: bool | None, sure: bool | None, refused: int, abstained: int
) -> None:
    made = make_phantom(PhantomSpec(320, 240, lesion=LesionSpec()), seed=4)
    image = write_png(tmp_path / "images/malignant/a.png", np.array(made.scan.grey))
    row = Row(image, None, "malignant", "val", "ward", "case1", "")
    found = score([row], _reader(0.9, known=known, sure=sure), LABELS, "malignant")
    report = figures(found)
    assert (report["n"], report["refused"], report["abstained"]) == (1, refused, abstained)
    assert ("Not a scan this model knows" in found.reason[0]) == bool(refused)
    assert report["accuracy"]["value"] == 1


def test_an_outline_that_cannot_be_used_is_no_refusal(row: Row) -> None:
    assert row.mask is not None
    write_png(row.mask, np.zeros((40, 61), np.uint8))
    with pytest.raises(DatasetError, match="another size"):
        score([row], _reader(), LABELS, "malignant")


def test_the_headline_figures_are_those_worked_out_by_hand() -> None:
    # Flagged from .5: two cancers found, one missed, one false alarm, one passed.
    report = figures(
        scored(
            [0.9, 0.5, 0.2, 0.6, 0.1],
            [True, True, True, False, False],
            dice=[0.9, 0.6, 0.3, np.nan, np.nan],
            iou=[0.8, 0.4, 0.3, np.nan, np.nan],
            mask_peak=[1, 1, 0, np.nan, np.nan],
            cam_pointing=[1, 0, 0, np.nan, np.nan],
        )
    )
    wanted = {
        "accuracy": 3 / 5,
        "balanced_accuracy": (2 / 3 + 1 / 2) / 2,
        "precision": 2 / 3,
        "recall": 2 / 3,
        "specificity": 1 / 2,
        "f1": 2 / 3,
        # Of the six pairs the cancer scores higher in (.9, both), (.5, .1), (.2, .1).
        "roc_auc": 4 / 6,
        # A third of recall each at precision 1, 2/3 and 3/4.
        "pr_auc": (1 + 2 / 3 + 3 / 4) / 3,
        "brier": (0.01 + 0.25 + 0.64 + 0.36 + 0.01) / 5,
        "ece": (0.1 + 0.5 + 0.8 + 0.6 + 0.1) / 5,
        "dice_mean": 0.6,
        "dice_median": 0.6,
        "iou_mean": 0.5,
        "mask_peak": 2 / 3,
        "cam_pointing": 1 / 3,
    }
    slope, intercept = calibration_line(
        np.array([0.9, 0.5, 0.2, 0.6, 0.1]), np.array([True, True, True, False, False])
    )
    wanted |= {"calibration_slope": slope, "calibration_intercept": intercept}
    assert set(wanted) == KEYS
    assert {name: report[name]["value"] for name in KEYS} == pytest.approx(wanted)
    assert (report["n"], report["refused"], report["labels"], report["positive"]) == (
        5,
        0,
        list(LABELS),
        "malignant",
    )


def test_calibration_error_is_the_gap_per_bin() -> None:
    # [.1, .2): mean .15, none positive; [.9, 1]: mean .95, half positive.
    p, positive = np.array([0.12, 0.18, 0.9, 1.0]), np.array([False, False, True, False])
    assert expected_calibration_error(p, positive) == pytest.approx(0.5 * 0.15 + 0.5 * 0.45)
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_ranking_figures_are_those_of_scikit_learn(digits: int) -> None:
    from sklearn import metrics

    for seed in range(20):
        rng = np.random.default_rng(seed)
        positive = np.arange(40) % 4 == 0
        # Rounded, so that scores tie within and across the two kinds.
        p = np.round(np.clip(rng.normal(np.where(positive, 0.6, 0.4), 0.2), 0, 1), digits)
        wanted = metrics.roc_auc_score(positive, p), metrics.average_precision_score(positive, p)
        assert ranking_figures(p, positive) == pytest.approx(wanted)


def test_the_line_of_a_calibration_is_the_likeliest_one() -> None:
    from scipy.optimize import minimize

    for seed in range(12):
        rng = np.random.default_rng(seed)
        p = np.round(rng.beta(0.6, 0.8, 80), 3)
        positive = rng.random(80) < p ** rng.uniform(0.4, 2.5)
        said = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))

        def cost(line: Any, said: Any = said, positive: Any = positive) -> float:
            z = line[1] + line[0] * said
            return float(np.logaddexp(0, np.where(positive, -z, z)).sum())

        slope, intercept = calibration_line(p, positive)
        best = minimize(cost, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8}).x
        assert (slope, intercept) == pytest.approx(tuple(best), abs=1e-4)


def test_a_model_too_sure_of_itself_has_a_slope_below_one() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(0, 1.5, 20_000)
    positive = rng.random(20_000) < 1 / (1 + np.exp(-z))
    assert calibration_line(1 / (1 + np.exp(-z)), positive) == pytest.approx((1, 0), abs=0.05)
    assert calibration_line(1 / (1 + np.exp(-2 * z - 1)), positive) == pytest.approx(
        (0.5, -0.5), abs=0.05
    )


@pytest.mark.parametrize(
    ("p", "positive"),
    [
        ([0.1, 0.2, 0.8], [False, False, True]),  # parted without an error: any steep line fits
        ([0.1, 0.2, 0.8], [True, True, False]),
        ([0.1, 0.2, 0.8], [True, True, True]),
        ([0.4, 0.4, 0.4], [True, False, True]),
        ([0.0, 1.0, 1.0, 0.0], [False, True, True, False]),
    ],
)
def test_where_no_line_is_the_best_none_is_given(p: list[float], positive: list[bool]) -> None:
    assert np.isnan(calibration_line(np.array(p), np.array(positive))).all()


def test_every_interval_holds_its_value() -> None:
    rng = np.random.default_rng(11)
    p = rng.random(120)
    # Perfectly calibrated, where resampling overstates the calibration error most.
    positive = rng.random(120) < p
    report = figures(scored(p, positive, dice=rng.random(120)))
    for name in set(report) & KEYS:
        assert report[name]["low"] <= report[name]["value"] <= report[name]["high"], name
        assert np.isfinite(list(report[name].values())).all()
    accuracy = report["accuracy"]
    deviation = np.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 120)
    assert accuracy["high"] - accuracy["low"] == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_pictures_of_one_patient_are_no_independent_evidence() -> None:
    rng = np.random.default_rng(2)
    # 12 patients, half read right and half wrong, as one picture each or as 25 copies of it.
    right = np.arange(12) % 2 == 0
    positive = rng.permutation(12) < 6
    p = np.where(right == positive, 0.8, 0.2)
    single = figures(scored(p, positive))["accuracy"]
    names = [f"patient{i}" for i in range(12) for _ in range(25)]
    copies = figures(scored(np.repeat(p, 25), np.repeat(positive, 25), names))["accuracy"]
    rows = figures(scored(np.repeat(p, 25), np.repeat(positive, 25)))["accuracy"]
    assert copies == pytest.approx(single)
    assert rows["high"] - rows["low"] < 0.4 * (copies["high"] - copies["low"])


def test_intervals_are_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    data = scored(rng.random(25), np.arange(25) % 3 == 0)
    first = figures(data)
    assert figures(data) == first
    assert figures(data, seed=1) != first


@pytest.mark.parametrize("positive", [True, False])
def test_one_class_alone_gives_what_it_can(positive: bool) -> None:
    report = figures(scored([0.7, 0.2, 0.6], [positive] * 3))
    assert "roc_auc" not in report
    assert "balanced_accuracy" not in report
    assert ("recall" in report, "pr_auc" in report) == (positive, positive)
    assert ("specificity" in report) == (not positive)
    assert report["accuracy"]["value"] == pytest.approx(2 / 3 if positive else 1 / 3)


def test_a_model_that_never_flags_has_no_precision() -> None:
    report = figures(scored([0.1, 0.2], [True, False]))
    assert "precision" not in report
    assert report["recall"]["value"] == report["f1"]["value"] == 0

"""Headline figures: those worked out by hand, with intervals by patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluation_factory import KEYS, scored
from learning_factory import LABELS

from core.learning.evaluation import (
    calibration_line,
    expected_calibration_error,
    figures,
    ranking_figures,
)


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
            false_outline=[np.nan, np.nan, np.nan, 1, 0],
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
        "false_outlines": 1 / 2,
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

"""Calibration and operating points: what a percentage and a threshold promise is kept."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_factory import scored

from core.learning.calibration import (
    calibrated,
    fit_calibration,
    operating_points,
)
from core.learning.report import full_report, measured_point
from core.model import Calibration

ORDER = ("sensitivity-95", "balanced", "specificity-95")


def _scores(n: int, overlap: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    centre = np.where(positive, 1.0, -1.0)
    return 1 / (1 + np.exp(-centre - overlap * rng.normal(size=n))), positive


def _rates(p: np.ndarray, positive: np.ndarray, threshold: float) -> tuple[float, float]:
    return float((p >= threshold)[positive].mean()), float((p < threshold)[~positive].mean())


def test_a_known_overconfidence_is_found() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(0, 1.5, (12000, 3))
    shares = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    truth = (rng.random((12000, 1)) > shares.cumsum(1)).sum(1)
    bias = np.array([0.7, -0.4, 0.0])
    found = fit_calibration(((true - bias) * 2.5).astype(np.float32), truth)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(found.bias, bias, atol=0.08)
    assert found.method == "vector-temperature"


def test_probabilities_are_the_softmax_and_sum_to_one() -> None:
    logits = np.array([[2, 0, -2], [900, -900, 0], [0, 0, 0]], np.float32)
    found = calibrated(logits, Calibration("vector-temperature", 2.0, (0.5, 0.0, 0.0)))
    np.testing.assert_allclose(found.sum(1), 1)
    by_hand = np.exp([1.5, 0, -1])
    np.testing.assert_allclose(found[0], by_hand / by_hand.sum())
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_scores_without_an_error_leave_room_for_doubt(scale: float) -> None:
    truth = np.arange(30) % 3
    logits = (np.eye(3)[truth] * scale).astype(np.float32)
    found = fit_calibration(logits, truth)
    assert found.temperature >= 0.049
    assert np.isfinite([found.temperature, *found.bias]).all()
    assert np.isfinite(calibrated(logits, found)).all()


def test_useless_scores_give_the_prevalence() -> None:
    truth = np.array([0] * 10 + [1] * 60 + [2] * 30)
    found = calibrated(
        np.zeros((100, 3), np.float32), fit_calibration(np.zeros((100, 3), np.float32), truth)
    )
    np.testing.assert_allclose(found[0], [0.1, 0.6, 0.3], atol=0.03)


def test_a_class_that_is_missing_does_not_break_the_fit() -> None:
    rng = np.random.default_rng(0)
    found = fit_calibration(
        rng.normal(size=(40, 3)).astype(np.float32), rng.integers(1, 3, 40).astype(np.int64)
    )
    assert np.isfinite([found.temperature, *found.bias]).all()


@pytest.mark.parametrize("overlap", [0.1, 0.6, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_thresholds_keep_their_promise_and_their_order(overlap: float, seed: int) -> None:
    p, positive = _scores(300, overlap, seed)
    found = operating_points(p, positive)
    assert tuple(found) == ORDER
    assert _rates(p, positive, found["sensitivity-95"])[0] >= 0.95
    assert _rates(p, positive, found["specificity-95"])[1] >= 0.95
    values = [found[name] for name in ORDER]
    assert values == sorted(values)
    assert 0 < values[0] <= values[-1] < 1


def test_thresholds_are_those_worked_out_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
    positive = np.array([False, False, True, False, True, True])
    found = operating_points(p, positive)
    # All three cancers from .25; without a false alarm from .5; both give 5/3, the first counts.
    assert found == pytest.approx({"sensitivity-95": 0.25, "balanced": 0.25, "specificity-95": 0.5})


def test_no_better_threshold_than_the_balanced_one() -> None:
    p, positive = _scores(200, 1.5)
    found = sum(_rates(p, positive, operating_points(p, positive)["balanced"]))
    assert found == pytest.approx(max(sum(_rates(p, positive, t)) for t in np.linspace(0, 1, 4001)))


def test_the_loudest_false_alarms_are_not_flagged_at_high_specificity() -> None:
    # The two highest scores are healthy: only a threshold above them all keeps 95 %.
    p = np.array([0.9, 0.9, 0.5, 0.1, 0.2, 0.3])
    positive = np.array([False, False, True, True, False, False])
    found = operating_points(p, positive)
    assert _rates(p, positive, found["specificity-95"])[1] == 1


@pytest.mark.parametrize(
    ("p", "positive"),
    [
        ([0.4] * 5, [True, False, False, True, False]),
        ([0.0] * 3, [True, False, False]),
        ([1.0] * 3, [True, False, False]),
        ([0.0, 1.0], [False, True]),
        ([0.0, 1.0], [True, False]),
        ([0.2, 0.3, 0.9], [False, False, True]),
        ([0.2, 0.3], [False, False]),
        ([0.2, 0.3], [True, True]),
        ([0.7], [True]),
        ([1e-12, 1 - 1e-12, 0.5], [False, True, True]),
    ],
)
def test_few_or_equal_scores_still_give_usable_thresholds(
    p: list[float], positive: list[bool]
) -> None:
    values = [operating_points(np.array(p), np.array(positive))[name] for name in ORDER]
    assert values == sorted(values)
    assert all(0 < value < 1 for value in values)


def test_a_measured_point_counts_right_and_has_the_intervals_of_the_evaluation() -> None:
    p = [0.9, 0.5, 0.2, 0.6, 0.1, 0.1, 0.1]
    positive = [True, True, True, False, False, False, False]
    # Two pictures of one patient are one piece of evidence.
    of_patients = scored(p, positive, group=list("aabbccd"))
    found = measured_point("balanced", 0.5, of_patients)
    assert (found.sensitivity, found.specificity) == (pytest.approx(2 / 3), 0.75)
    assert (found.name, found.threshold, found.n) == ("balanced", 0.5, 7)
    told = full_report(of_patients, [found], "balanced")["operating_points"][0]
    for figure, interval in (
        ("sensitivity", found.sensitivity_interval),
        ("specificity", found.specificity_interval),
    ):
        assert interval == (told[figure]["low"], told[figure]["high"])


def test_a_point_without_positives_claims_nothing_about_them() -> None:
    found = measured_point("balanced", 0.5, scored([0.1, 0.9], [False, False]))
    assert found.sensitivity is None
    assert found.sensitivity_interval is None
    assert found.specificity == 0.5

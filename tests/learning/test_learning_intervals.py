"""An interval holds the truth as often as it says, is never a point, and keeps groups whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluation_factory import scored

from core.learning.evaluation import _bootstrap as bootstrap
from core.learning.evaluation import _measures as measures
from core.learning.evaluation import figures, intervals, resample
from core.model import wilson_interval


def ranked(n: int, rng: np.random.Generator, sure: float = 1.0) -> tuple[Any, Any]:
    """Probabilities and outcomes; above 1 the model is too sure of itself."""
    z = rng.normal(-1, 2, n)
    positive = rng.random(n) < 1 / (1 + np.exp(-z))
    return 1 / (1 + np.exp(-sure * z)), positive


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("sure", "truth"), [(1.0, 0.0), (1.8, 0.077)])
def test_the_calibration_error_of_a_model_lies_in_its_interval(sure: float, truth: float) -> None:
    # Percentiles of resamples held 0 in none of such runs, and 0.077 in six of ten.
    held = 0
    rng = np.random.default_rng(1)
    for _run in range(40):
        told = figures(scored(*ranked(150, rng, sure)), only=("ece",))["ece"]
        held += told["low"] <= truth <= told["high"]
    assert held >= 35


def test_a_calibration_error_that_is_no_accident_is_told_apart_from_none() -> None:
    p, positive = ranked(400, np.random.default_rng(3), sure=4.0)
    told = figures(scored(p, positive), only=("ece",))["ece"]
    assert told["low"] > 0.02


@pytest.mark.usefixtures("quick")
def test_the_area_under_the_curve_of_few_scans_lies_in_its_interval() -> None:
    p, positive = ranked(400_000, np.random.default_rng(0))
    truth = measures.ranking(np.ones((1, len(p))), p, positive)[0][0]
    held, runs = 0, 60
    rng = np.random.default_rng(2)
    for _run in range(runs):
        told = figures(scored(*ranked(50, rng)), only=("roc_auc",))["roc_auc"]
        held += told["low"] <= truth <= told["high"]
    assert held >= 0.87 * runs


def test_intervals_are_those_of_scipy() -> None:
    from scipy.stats import bootstrap as of_scipy

    rng = np.random.default_rng(5)
    values = rng.gamma(1.5, 1, 60)
    data = scored(np.full(60, 0.4), np.arange(60) % 2 == 0, dice=values)
    found = intervals(resample(data, lambda w: {"mean": measures.mean(w, data.dice)}))["mean"]
    wanted = of_scipy(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    spread = wanted.high - wanted.low
    assert found["low"] == pytest.approx(wanted.low, abs=0.04 * spread)
    assert found["high"] == pytest.approx(wanted.high, abs=0.04 * spread)
    # Where percentiles would be symmetric about the value, these are not.
    assert found["high"] - found["value"] > 1.1 * (found["value"] - found["low"])


@pytest.mark.parametrize(
    ("p", "positive", "figure", "n"),
    [
        ([0.9] * 30 + [0.1] * 12, [True] * 30 + [False] * 12, "recall", 30),
        ([0.9] * 30 + [0.1] * 12, [True] * 30 + [False] * 12, "specificity", 12),
        ([0.9] * 30 + [0.1] * 12, [True] * 30 + [False] * 12, "roc_auc", 12),
        ([0.1] * 30 + [0.2] * 12, [True] * 30 + [False] * 12, "recall", 30),
    ],
)
def test_a_figure_without_a_single_error_is_not_said_to_be_certain(
    p: list[float], positive: list[bool], figure: str, n: int
) -> None:
    told = figures(scored(p, positive))[figure]
    low, high = wilson_interval(round(n * told["value"]), n)
    assert (told["low"], told["high"]) == pytest.approx((low, high))
    assert told["high"] - told["low"] > 0.05


def test_what_every_resample_says_alike_is_not_said_to_be_certain() -> None:
    # Two patients with a cancer, each found in one of two pictures: every resample says one half.
    p = [0.9, 0.1, 0.9, 0.1, *[0.2] * 20]
    groups = ["a", "a", "b", "b", *map(str, range(20))]
    told = figures(scored(p, [True] * 4 + [False] * 20, groups))["recall"]
    assert told["value"] == 0.5
    assert told["high"] - told["low"] > 0.5


def test_one_patient_alone_says_nothing_about_others() -> None:
    told = figures(scored([0.9, 0.8, 0.1], [True, True, False], ["a"] * 3))
    for name in ("accuracy", "recall", "specificity", "roc_auc", "brier", "ece"):
        assert (told[name]["low"], told[name]["high"]) == (0, 1), name
    assert "calibration_slope" not in told


def test_the_size_of_a_block_changes_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    p, positive = ranked(90, rng)
    data = scored(p, positive, [f"case{i // 2}" for i in range(90)], dice=rng.random(90))
    whole = figures(data)
    # Blocks of 41 resamples, as where there are very many scans.
    monkeypatch.setattr(bootstrap, "_BLOCK", 41 * 90)
    apart = figures(data)
    for name in whole:
        if isinstance(whole[name], dict):
            assert apart[name] == pytest.approx(whole[name], rel=1e-9), name


def test_more_groups_than_parts_are_left_out_several_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    p, positive = ranked(300, np.random.default_rng(8))
    data = scored(p, positive)
    whole = figures(data)["pr_auc"]
    monkeypatch.setattr(bootstrap, "_PARTS", 60)
    fewer = figures(data)["pr_auc"]
    spread = whole["high"] - whole["low"]
    assert fewer["low"] == pytest.approx(whole["low"], abs=0.1 * spread)
    assert fewer["high"] == pytest.approx(whole["high"], abs=0.1 * spread)


def test_a_resample_is_measured_as_its_scans_would_be() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(6)
    p, positive = ranked(70, rng)
    p = np.round(p, 2)
    dice = np.where(rng.random(70) < 0.3, np.nan, rng.random(70))
    weights = rng.multinomial(70, np.ones(70) / 70, size=25).astype(float)
    area, precision = measures.ranking(weights, p, positive)
    for i, row in enumerate(weights):
        drawn = np.repeat(np.arange(70), row.astype(int))
        y, q = positive[drawn], p[drawn]
        assert area[i] == pytest.approx(metrics.roc_auc_score(y, q))
        assert precision[i] == pytest.approx(metrics.average_precision_score(y, q))
        assert measures.brier(weights, p, positive)[i] == pytest.approx(
            metrics.brier_score_loss(y, q)
        )
        assert measures.median(weights, dice)[i] == pytest.approx(np.nanmedian(dice[drawn]))
        assert measures.mean(weights, dice)[i] == pytest.approx(np.nanmean(dice[drawn]))
        gap = sum(
            abs((q[bin_] - y[bin_]).sum())
            for b in range(10)
            for bin_ in [np.minimum((q * 10).astype(int), 9) == b]
        )
        assert measures.calibration_error(weights, p, positive)[i] == pytest.approx(gap / 70)

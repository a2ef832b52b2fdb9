"""What an evaluation says beside its headline figures is what an independent count says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from evaluation_factory import scored
from learning_factory import LABELS
from sklearn import metrics

from core.learning.evaluation import Scored, figures
from core.learning.report import SCHEMA, confusion, curves, full_report, reliability_bins
from core.model import OperatingPoint

POINTS = (OperatingPoint("sensitive", 0.2), OperatingPoint("balanced", 0.45))


def made(n: int = 240, seed: int = 1, digits: int = 3) -> tuple[Scored, Any, Any]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.35
    p = np.round(np.clip(rng.normal(np.where(positive, 0.6, 0.35), 0.2), 0, 1), digits)
    found = scored(p, positive, group=[str(i // 2) for i in range(n)], dice=rng.random(n))
    found.attributes["source"] = np.array(["a", "b"] * (n // 2))  # type: ignore[index]
    found.attributes["device"] = np.array(["one"] * n)  # type: ignore[index]
    birads = np.array(["4"] * (n - 8) + ["2"] * 5 + [""] * 3)
    found.attributes["birads"] = birads  # type: ignore[index]
    return found, p, positive


@pytest.mark.parametrize("digits", [1, 3])
def test_the_curves_hold_the_areas_that_are_told(digits: int) -> None:
    found, p, positive = made(n=150, digits=digits)
    drawn = curves(found)
    roc = np.array(drawn["roc"])
    assert np.trapezoid(roc[:, 1], roc[:, 0]) == pytest.approx(metrics.roc_auc_score(positive, p))
    assert (np.diff(roc[:, :2], axis=0) >= 0).all()
    for recall, precision, threshold in drawn["pr"][:: len(drawn["pr"]) // 5]:
        said = p >= threshold
        assert metrics.recall_score(positive, said) == pytest.approx(recall)
        assert metrics.precision_score(positive, said) == pytest.approx(precision)


def test_a_curve_of_many_scans_is_thinned_and_keeps_its_ends() -> None:
    found, _p, _positive = made(n=3000, digits=6)
    drawn = curves(found)
    assert len(drawn["roc"]) == len(drawn["pr"]) == 200
    assert drawn["roc"][0][:2] == [0.0, 0.0]
    assert drawn["roc"][-1][:2] == [1.0, 1.0]


def test_every_scan_stands_once_in_the_confusion_matrix() -> None:
    found, p, positive = made()
    counted = confusion(found, 0.45)
    counts = np.array(counted["counts"])
    # The factory's other scans are benign, and benign is always likelier than normal there.
    wanted = metrics.confusion_matrix(positive, p >= 0.45)
    np.testing.assert_array_equal(counts[1:, 1:], wanted)
    assert counts.sum() == 240
    assert counted["labels"] == list(LABELS)


def test_what_a_threshold_gives_is_what_counting_gives() -> None:
    found, p, positive = made()
    report = full_report(found, POINTS, "balanced")
    for point, told in zip(POINTS, report["operating_points"], strict=True):
        said = p >= point.threshold
        (tn, fp), (fn, tp) = metrics.confusion_matrix(positive, said)
        wanted = {
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
        }
        assert {name: told[name]["value"] for name in wanted} == pytest.approx(wanted)
        assert all(
            told[name]["low"] <= told[name]["value"] <= told[name]["high"] for name in wanted
        )
        assert (told["name"], told["n"], told["flagged"]) == (point.name, 240, said.sum())


def test_the_bins_of_the_reliability_plot_make_the_calibration_error() -> None:
    found, _p, _positive = made()
    bins = reliability_bins(found)
    assert sum(entry["n"] for entry in bins) == 240
    gap = sum(e["n"] / 240 * abs(e["mean"] - e["rate"]) for e in bins if e["n"])
    assert gap == pytest.approx(figures(found)["ece"]["value"])
    assert all(e["rate_low"] <= e["rate"] <= e["rate_high"] for e in bins if e["n"])


def test_a_subgroup_has_the_figures_of_its_own_scans_and_none_is_too_small() -> None:
    found, p, positive = made()
    groups = full_report(found, POINTS, "balanced")["subgroups"]
    # All of one device part nothing; five scans of BI-RADS 2 say nothing.
    assert [(g["by"], g["value"], g["n"]) for g in groups] == [
        ("source", "a", 120),
        ("source", "b", 120),
        ("birads", "4", 232),
    ]
    assert groups[0]["positives"] == positive[::2].sum()
    wanted = metrics.roc_auc_score(positive[::2], p[::2])
    assert groups[0]["roc_auc"]["value"] == pytest.approx(wanted)
    assert groups[0]["dice_mean"]["value"] == pytest.approx(found.dice[::2].mean())


def test_keeping_silent_where_it_is_unsure_makes_the_model_no_worse() -> None:
    found, p, positive = made(n=600)
    told = full_report(found, POINTS, "balanced")["selective"]
    assert [entry["coverage"] for entry in told] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert told[0]["accuracy"]["value"] == pytest.approx(((p >= 0.5) == positive).mean())
    half = np.argsort(-np.abs(p - 0.5), kind="stable")[:300]
    assert told[-1]["n"] == 300
    right = ((p >= 0.5) == positive)[half].mean()
    assert told[-1]["accuracy"]["value"] == pytest.approx(right)
    assert told[-1]["accuracy"]["value"] > told[0]["accuracy"]["value"]


def test_a_report_is_json_whatever_the_data_lack() -> None:
    for n, positive in ((0, []), (1, [True]), (12, [False] * 12)):
        found = scored(np.linspace(0.1, 0.9, n), np.array(positive, np.bool_))
        report = full_report(found, POINTS, "balanced")
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert report["schema"] == SCHEMA
        assert report["n"] == n
    assert "roc" not in report["curves"]
    assert "sensitivity" not in report["operating_points"][0]
    assert report["operating_points"][0]["specificity"]["value"] <= 1

"""What a page says of a model's performance is what was measured, of this very model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from sklearn import metrics
from test_learning_report import POINTS, made

from core.learning.evaluated import Evaluation, Figure, read_evaluation
from core.learning.performance import OF_SCORES, of_scores, performance
from core.learning.report import full_report
from core.model import Bundle, Reference, write_bundle

ANY_MODEL = b"not read by any of these tests"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    found, _p, _positive = made()
    return full_report(found, POINTS, "balanced")


def bundle(folder: Path, reference: Reference | None = None, **card: Any) -> Bundle:
    folder.mkdir(exist_ok=True)
    weights = folder / "weights.keras"
    weights.write_bytes(ANY_MODEL)
    made_card = bundle_factory.lesion_card(**card)
    place = folder / made_card.task / made_card.version
    known = bundle_factory.reference() if reference is None else reference
    return write_bundle(place, weights, made_card, known)


def attach(to: Bundle, report: dict[str, Any] | str, name: str = "ward") -> None:
    folder = to.folder / "evaluation" / name
    folder.mkdir(parents=True)
    text = report if isinstance(report, str) else json.dumps(report)
    (folder / "report.json").write_text(text)


def of(to: Bundle, report: dict[str, Any]) -> dict[str, Any]:
    return report | {"model": {"bundle_digest": to.digest}, "data": {"name": "ward"}}


def test_a_report_is_read_back_whole(report: dict[str, Any]) -> None:
    found = read_evaluation("ward", "report", json.loads(json.dumps(report)))
    assert found.damaged == ()
    assert found.n == 240
    assert found.positives == sum(report["confusion"]["counts"][2])
    assert found.figures["roc_auc"] == Figure(**report["roc_auc"])
    assert [point.name for point in found.points] == ["sensitive", "balanced"]
    assert found.points[1].figures["ppv"].value == report["operating_points"][1]["ppv"]["value"]
    assert len(found.groups) == len(report["subgroups"])
    assert [level.coverage for level in found.coverage] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert [each.n for each in found.bins] == [each["n"] for each in report["calibration"]["bins"]]
    assert found.roc is not None
    assert found.roc.y == tuple(point[1] for point in report["curves"]["roc"])


def test_a_report_of_another_model_is_not_shown_as_this_ones(
    tmp_path: Path, report: dict[str, Any]
) -> None:
    here = bundle(tmp_path)
    attach(here, report | {"model": {"bundle_digest": "0" * 64}}, "foreign")
    attach(here, report, "nameless")
    attach(here, of(here, report), "own")
    found = performance(here)
    assert found.left_out == ("foreign", "nameless")
    assert [each.name for each in found.evaluations if each.source == "report"] == ["own"]


def test_a_report_that_is_no_json_leaves_the_rest(tmp_path: Path, report: dict[str, Any]) -> None:
    here = bundle(tmp_path)
    attach(here, "{cut off", "damaged")
    attach(here, "[1, 2]", "list")
    attach(here, of(here, report), "own")
    found = performance(here)
    assert found.evaluations[0].name == "own"
    assert found.left_out == ("damaged", "list")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("curves", {"roc": [[0, 0, 1], [0.5, "x", 0.5]]}),
        ("curves", {"roc": [[0, 0, 1]]}),
        ("curves", {"roc": [[0, 0, 1], [1, 1.2, 0]]}),
        ("calibration", {"bins": [{"n": 3, "low": 0, "high": 0.1}]}),
        ("calibration", {"bins": 7}),
        ("calibration", 7),
        ("curves", "gone"),
        ("confusion", {"labels": ["a", "b"], "threshold": 0.5, "counts": [[1, 2]]}),
        ("confusion", {"labels": ["a"], "threshold": 0.5, "counts": [[-1]]}),
        ("operating_points", [{"threshold": 0.5}]),
        ("subgroups", {"by": "device"}),
        ("subgroups", [{"by": "d", "value": "a", "n": 5, "positives": "many"}]),
        ("selective", [{"coverage": 1.0, "n": 5}]),
        ("robustness", [None]),
        ("roc_auc", {"value": float("nan"), "low": 0.1, "high": 0.9}),
        ("roc_auc", {"value": 0.5, "low": 0.6, "high": 0.9}),
        ("n", -1),
        ("data", 5),
    ],
)
def test_a_damaged_part_is_named_and_the_others_stay(
    report: dict[str, Any], part: str, value: Any
) -> None:
    found = read_evaluation("ward", "report", report | {part: value})
    assert found.damaged == (part,)
    assert found.figures["accuracy"] == Figure(**report["accuracy"])


@pytest.mark.parametrize("nothing", [{}, {"n": 0, "refused": 3}])
def test_an_empty_report_is_no_damage(nothing: dict[str, Any]) -> None:
    found = read_evaluation("ward", "report", nothing)
    assert found.damaged == ()
    assert (found.figures, found.points, found.roc) == ({}, (), None)


def test_scans_without_an_answer_are_told_as_the_report_counts_them(report: dict[str, Any]) -> None:
    drawn = report["confusion"] | {"unread": [0, 1, 2]}
    more = {"confusion": drawn, "refused": 9, "unread": 3, "abstained": 4}
    more["answered"] = {"n": 200, "coverage": 0.8, "accuracy": report["accuracy"]}
    found = read_evaluation("ward", "report", report | more)
    assert (found.refused, found.unread, found.abstained) == (9, 3, 4)
    assert found.positives == sum(report["confusion"]["counts"][2]) + 2
    assert found.answered is not None
    assert found.answered.figures["accuracy"] == Figure(**report["accuracy"])
    earlier = {name: value for name, value in report.items() if name != "unread"}
    assert read_evaluation("ward", "report", earlier).unread is None


def test_the_validation_scores_say_what_an_independent_count_says(tmp_path: Path) -> None:
    here = bundle(tmp_path)
    scores = here.reference.validation_scores.astype(float)
    sick = here.reference.validation_positive
    found = of_scores(here)
    assert found is not None
    assert found.figures["roc_auc"].value == pytest.approx(metrics.roc_auc_score(sick, scores))
    assert found.figures["pr_auc"].value == pytest.approx(
        metrics.average_precision_score(sick, scores)
    )
    assert found.figures["roc_auc"].low is None
    assert found.confusion is not None
    wanted = metrics.confusion_matrix(sick, scores >= here.card.approved.threshold)
    np.testing.assert_array_equal(found.confusion.counts, wanted)
    (point,) = [p for p in found.points if p.name == "balanced"]
    (tn, fp), (fn, tp) = wanted
    assert point.figures["sensitivity"].value == pytest.approx(tp / (tp + fn))
    assert point.figures["specificity"].value == pytest.approx(tn / (tn + fp))
    assert point.figures["ppv"].value == pytest.approx(tp / (tp + fp))
    assert sum(each.n for each in found.bins) == len(scores)


def test_curves_go_to_the_figures_of_the_same_scans_and_to_no_others(tmp_path: Path) -> None:
    drawn = of_scores(bundle(tmp_path / "a"))
    assert drawn is not None
    area = drawn.figures["roc_auc"].value
    entry = {"n": 200, "roc_auc": {"value": area, "low": area - 0.1, "high": area + 0.05}}
    other = {"n": 200, "roc_auc": {"value": area - 0.05, "low": 0.2, "high": 0.99}}
    here = bundle(tmp_path / "b", metrics={"val": entry, "elsewhere": other})
    by_name = {each.name: each for each in performance(here).evaluations}
    assert list(by_name) == ["val", "elsewhere"]
    assert by_name["val"].roc == drawn.roc
    assert by_name["val"].figures["roc_auc"].low == area - 0.1
    assert by_name["elsewhere"].roc is None


def test_scores_of_other_scans_stand_by_themselves(tmp_path: Path) -> None:
    here = bundle(tmp_path)
    names = [each.name for each in performance(here).evaluations]
    # The factory's card has one flat figure, of nothing the scores could belong to.
    assert names == ["card", OF_SCORES]


def test_a_bundle_without_scores_or_figures_claims_nothing(tmp_path: Path) -> None:
    nothing = Reference(np.zeros(0, np.float32), np.zeros(0, bool))
    here = bundle(tmp_path, nothing, metrics={})
    assert performance(here).evaluations == ()


def test_scores_of_one_kind_only_make_no_curve(tmp_path: Path) -> None:
    one_kind = Reference(np.linspace(0, 1, 50, dtype=np.float32), np.ones(50, bool))
    found = of_scores(bundle(tmp_path, one_kind, metrics={}))
    assert isinstance(found, Evaluation)
    assert found.roc is None
    assert "roc_auc" not in found.figures
    assert all("ppv" not in point.figures for point in found.points)

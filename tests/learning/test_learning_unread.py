"""A scan that nobody could read is an answer that nobody got: wrong in every figure."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evaluation_factory import scored
from learning_factory import LABELS
from sklearn import metrics
from test_learning_report import POINTS

from core.learning.evaluation import figures, scans_csv
from core.learning.report import confusion, curves, full_report
from core.model import OperatingPoint

NAN = float("nan")
#: Three read and one not, of each kind.
P = [0.9, 0.6, 0.3, NAN, 0.7, 0.2, 0.1, NAN]
SICK = np.array([True] * 4 + [False] * 4)


def test_figures_with_unread_scans_are_those_worked_out_by_hand() -> None:
    told = figures(scored(P, SICK))
    assert (told["n"], told["refused"], told["unread"], told["abstained"]) == (8, 2, 2, 0)
    value = {name: told[name]["value"] for name in told if isinstance(told[name], dict)}
    assert value["accuracy"] == 4 / 8
    assert value["recall"] == 2 / 4
    assert value["specificity"] == 2 / 4
    # Two found, .7 and the one not read are false alarms.
    assert value["precision"] == 2 / 4
    # As if the cancer were ranked below and the other above all that were read.
    placed = np.where(np.isnan(P), np.where(SICK, -1, 2), P)
    assert value["roc_auc"] == pytest.approx(metrics.roc_auc_score(SICK, placed))
    assert value["pr_auc"] == pytest.approx(metrics.average_precision_score(SICK, placed))
    errors = [0.1, 0.4, 0.7, 1, 0.7, 0.2, 0.1, 1]
    assert value["brier"] == pytest.approx(np.mean(np.square(errors)))
    assert value["ece"] == pytest.approx((0.1 + 0.4 + 0.7 + 0.7 + 0.2 + 0.1 + 2) / 8)


def test_leaving_a_scan_unread_never_makes_a_model_look_better() -> None:
    rng = np.random.default_rng(3)
    worse_if_larger = ("brier", "ece")
    for _run in range(30):
        sick = np.arange(24) % 3 == 0
        p = rng.random(24)
        before = figures(scored(p, sick))
        missing = p.copy()
        # The answers it gives up were right, so nothing is gained by giving them up.
        right = np.flatnonzero((p >= 0.5) == sick)
        missing[rng.choice(right, 2, replace=False)] = NAN
        after = figures(scored(missing, sick))
        for name in ("accuracy", "balanced_accuracy", "f1", "roc_auc", "pr_auc", *worse_if_larger):
            gained = after[name]["value"] - before[name]["value"]
            assert (-gained if name in worse_if_larger else gained) <= 1e-9, name


def test_the_report_keeps_count_of_what_was_not_read() -> None:
    data = scored(P, SICK)
    report = full_report(data, POINTS, "balanced")
    matrix = report["confusion"]
    assert np.array(matrix["counts"]).sum() + sum(matrix["unread"]) == 8
    assert matrix["unread"] == [0, 1, 1]
    for point in report["operating_points"]:
        said = np.array([bool(p >= point["threshold"]) for p in P])
        assert point["n"] == 8
        assert point["flagged"] == said.sum()
        assert point["sensitivity"]["value"] == (said & SICK).sum() / 4
        missed_specificity = (~said & ~SICK & ~np.isnan(P)).sum() / 4
        assert point["specificity"]["value"] == missed_specificity
    roc = np.array(curves(data)["roc"])
    assert np.trapezoid(roc[:, 1], roc[:, 0]) == pytest.approx(report["roc_auc"]["value"])
    assert ((roc[:, 2] >= 0) & (roc[:, 2] <= 1)).all()
    assert sum(entry["n"] for entry in report["calibration"]["bins"]) == 6
    # The curve of coverage gives up first what was not read.
    covering = {entry["n"]: entry["accuracy"]["value"] for entry in report["selective"]}
    assert covering[8] == 4 / 8
    assert covering[6] == 4 / 6
    assert (report["answered"]["n"], report["answered"]["accuracy"]["value"]) == (6, 4 / 6)
    told = [(entry["entry"], entry["unread"]) for entry in report["problems"]]
    assert told == [(4, True), (8, True)]
    assert report["worst"]["missed"][0]["entry"] == 3
    assert [entry["entry"] for entry in report["worst"]["false_alarms"]] == [5]


def test_the_matrix_is_the_one_scikit_learn_counts() -> None:
    data = scored(P, SICK)
    read = ~np.isnan(P)
    wanted = metrics.confusion_matrix(SICK[read], np.array(P)[read] >= 0.45)
    np.testing.assert_array_equal(np.array(confusion(data, 0.45)["counts"])[1:, 1:], wanted)


def test_not_sure_is_counted_apart_from_refused() -> None:
    data = scored([0.9, 0.6, 0.2, 0.4], [True, True, False, True], sure=[1, 0, 1, 0])
    report = full_report(data, POINTS, "balanced")
    assert (report["refused"], report["abstained"], report["n"]) == (0, 2, 4)
    assert report["accuracy"]["value"] == 3 / 4
    assert report["answered"]["n"] == 2
    assert report["answered"]["coverage"] == 0.5
    assert report["answered"]["accuracy"]["value"] == 1


def table(data: Any) -> list[dict[str, str]]:
    card = SimpleNamespace(
        approved=OperatingPoint("balanced", 0.25), task="breast-ultrasound", version="1.0"
    )
    text = scans_csv(data, SimpleNamespace(card=card, digest="abc")).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_every_scan_has_its_row() -> None:
    data = scored(P, SICK, dice=[0.25, *[NAN] * 7])
    data.attributes["source"] = np.array(["ward"] * 8)  # type: ignore[index]
    rows = table(data)
    assert [row["entry"] for row in rows] == [str(i) for i in range(1, 9)]
    first, unread = rows[0], rows[3]
    wanted = {"source": "ward", "label": "malignant", "read": "yes", "answer": "malignant"}
    wanted |= {"probability": "0.9", "flagged": "yes", "refused": "no", "sure": "yes"}
    wanted |= {"probability_benign": "0.08", "dice": "0.25", "iou": "", "version": "1.0"}
    wanted |= {"operating_point": "balanced", "threshold": "0.25", "bundle_digest": "abc"}
    assert wanted.items() <= first.items()
    wanted = {"read": "no", "answer": "", "probability": "", "flagged": "", "refused": "yes"}
    assert (wanted | {"reason": "refused", "sure": "no"}).items() <= unread.items()
    # Flagged at the approved point, though less likely than not.
    assert (rows[2]["answer"], rows[2]["flagged"]) == ("malignant", "yes")
    assert rows[5]["answer"] == LABELS[1]
    assert all("not a medical device" in row["notice"] for row in rows)


def test_no_spreadsheet_runs_a_name_from_the_data() -> None:
    data = scored([0.9], [True], ["=cmd|' /C calc'!A0"])
    data.attributes["device"] = np.array(["+1\n=2"])  # type: ignore[index]
    object.__setattr__(data, "file", np.array(["@SUM(1)"]))
    (row,) = table(data)
    assert row["group"].startswith("'=")
    assert row["file"].startswith("'@")
    assert row["device"].startswith("'+")
    assert "\n" not in row["device"]

"""A model's figure beside the reader's is of the same scans, and says when it is no better."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evaluation_factory import scored
from sklearn.metrics import roc_auc_score
from test_learning_page import CARD, ORIGIN
from test_learning_report import POINTS

from core.learning.evaluated import BesideReader, read_evaluation
from core.learning.page import report_html
from core.learning.page._words import plain
from core.learning.readers import beside_reader
from core.learning.report import full_report

ORDER = ("1", "2", "3", "4A", "4B", "4C", "5")


def rated(n: int = 120, seed: int = 5) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Scans in pairs of one patient, their truth, the model's scores and the readers' ranks."""
    rng = np.random.default_rng(seed)
    sick = np.repeat(rng.random(n // 2) < 0.4, 2)
    p = np.clip(0.35 + 0.25 * sick + rng.normal(0, 0.15, n), 0.01, 0.99)
    rank = np.clip(np.round(2 + 2.5 * sick + rng.normal(0, 1.2, n)), 0, 6).astype(int)
    group = np.repeat(np.arange(n // 2), 2).astype(str)
    words = np.array([ORDER[r] for r in rank])
    return replace(scored(p, sick, group), attributes={"birads": words}), sick, p, rank


def test_both_areas_are_those_of_an_independent_count_on_the_same_scans() -> None:
    data, sick, p, rank = rated()
    told = beside_reader(data)
    assert (told["n"], told["positives"]) == (120, int(sick.sum()))
    reader, model = roc_auc_score(sick, rank), roc_auc_score(sick, p)
    assert told["reader"]["value"] == pytest.approx(reader)
    assert told["model"]["value"] == pytest.approx(model)
    assert told["difference"]["value"] == pytest.approx(model - reader)
    for figure in ("reader", "model", "difference"):
        assert told[figure]["low"] < told[figure]["value"] < told[figure]["high"], figure


def test_a_model_that_only_repeats_the_reader_is_not_told_to_be_better() -> None:
    data, sick, _p, rank = rated()
    same = replace(scored((rank + 1) / 10, sick, data.group), attributes=data.attributes)
    told = beside_reader(same)["difference"]
    # One figure for each would have an interval of .1 and more; on the same scans they agree.
    assert (told["value"], told["low"], told["high"]) == pytest.approx((0, 0, 0))


def test_scans_without_a_category_or_with_a_known_biopsy_flatter_neither() -> None:
    data, sick, p, rank = rated()
    words = data.attributes["birads"].astype("<U10").copy()
    # What the reader knew from the biopsy, and what says nothing.
    words[np.flatnonzero(sick)[:10]] = "6"
    words[np.flatnonzero(~sick)[:3]] = ("", "0", "unknown")
    told = beside_reader(replace(data, attributes={"birads": words}))
    kept = ~np.isin(words, ("6", "", "0", "unknown"))
    assert (told["n"], told["positives"]) == (107, int(sick.sum()) - 10)
    # "0" is a category that says nothing; "unknown" is none, and that is told.
    assert told["not_understood"] == 1
    assert told["reader"]["value"] == pytest.approx(roc_auc_score(sick[kept], rank[kept]))
    assert told["model"]["value"] == pytest.approx(roc_auc_score(sick[kept], p[kept]))


def test_a_scan_the_model_could_not_read_counts_against_the_model_alone() -> None:
    data, sick, p, _rank = rated()
    blind = p.copy()
    blind[np.flatnonzero(sick)[:5]] = np.nan
    told = beside_reader(replace(scored(blind, sick, data.group), attributes=data.attributes))
    whole = beside_reader(data)
    assert told["reader"] == whole["reader"]
    assert told["model"]["value"] < whole["model"]["value"]


@pytest.mark.parametrize("words", [None, "", "0", "6"])
def test_without_categories_nothing_is_said_of_readers(words: str | None) -> None:
    data = rated()[0]
    attributes = {} if words is None else {"birads": np.full(120, words)}
    bare = replace(data, attributes=attributes)
    assert beside_reader(bare) == {}
    assert "beside_reader" not in full_report(bare, POINTS, "balanced")


def test_too_few_cancers_with_a_category_say_nothing() -> None:
    data, sick, _p, _rank = rated()
    few = ~sick
    few[np.flatnonzero(sick)[:9]] = True
    assert beside_reader(data[few]) == {}


def test_scans_of_one_patient_alone_say_nothing_and_break_no_evaluation() -> None:
    data = replace(rated()[0], group=np.full(120, "one"))
    assert beside_reader(data) == {}
    report = full_report(data, POINTS, "balanced") | ORIGIN
    assert "Beside the reader" not in report_html(report, CARD).decode()


def test_what_the_report_says_of_readers_reaches_the_page_unchanged() -> None:
    data = rated()[0]
    report = full_report(data, POINTS, "balanced")
    found = read_evaluation("ward", "report", report)
    assert found.damaged == ()
    assert isinstance(found.beside_reader, BesideReader)
    for name in ("reader", "model", "difference"):
        assert found.beside_reader.figures[name].value == report["beside_reader"][name]["value"]
    broken = report | {"beside_reader": report["beside_reader"] | {"model": {"value": "high"}}}
    assert read_evaluation("ward", "report", broken).damaged == ("beside_reader",)


def test_the_printed_page_sets_the_reader_beside_the_model() -> None:
    data = rated()[0]
    report = full_report(data, POINTS, "balanced") | ORIGIN
    text = html.unescape(report_html(report, CARD).decode())
    assert "Beside the reader's own category" in text
    for name in ("reader", "model", "difference"):
        assert plain(report["beside_reader"][name]) in text
    bare = {name: entry for name, entry in report.items() if name != "beside_reader"}
    assert "Beside the reader's own category" not in html.unescape(report_html(bare, CARD).decode())

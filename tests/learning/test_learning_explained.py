"""``python -m core evaluate-explanations``: what each method is worth, on scans with outlines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from learning_factory import LABELS, phantom_folder

from core.__main__ import main
from core.learning.commands import explanations as command
from core.learning.evaluation import _measures as measures
from core.learning.explained import (
    FAST,
    SLOW,
    Measured,
    Plan,
    explained,
    explained_report,
    stratified,
)
from core.learning.forms import read_dataset
from core.model import evaluations, resolve
from core.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return bundle_factory.ready(tmp_path_factory.mktemp("explained"))


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OVERREAD_VAR", str(settings.var))
    # Few questions, so that the tests are quick.
    quick = Plan(steps=3, orders=2, copies=1, samples=4, evaluations=20)
    monkeypatch.setattr(command, "Plan", lambda: quick)
    monkeypatch.setattr(command, "RANDOMISED", 0)
    return settings


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(site: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    def start(*options: str | Path) -> tuple[int, str, str]:
        code = main(["evaluate-explanations", *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return start


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_folder(tmp_path_factory.mktemp("data") / "ward", train=1, val=3)


def test_every_method_is_measured_and_the_card_shows_it(
    run: Run, site: Settings, ward: Path, tmp_path: Path
) -> None:
    options = ("--data", ward, "--split", "val", "--out", tmp_path, "--limit", "3")
    code, out, err = run(*options, "--attach", "--json", "--randomise", "2")
    assert code == 0, err
    report = json.loads(out)
    assert json.loads((tmp_path / "explanations.json").read_text()) == report
    bundle = resolve(site.task, settings=site)
    assert report["model"]["bundle_digest"] == bundle.digest
    assert (report["n"], report["lesions"], report["unread"]) == (9, 6, 0)
    by_name = {entry["method"]: entry for entry in report["methods"]}
    assert set(by_name) == {*FAST, *SLOW}
    assert [by_name[name]["n"] for name in (*FAST, *SLOW)] == [9] * 5 + [3] * 2
    for name, entry in by_name.items():
        for figure in ("pointing", "inside", "faithfulness", "beats_random", "stability"):
            found = entry[figure]
            assert found["low"] <= found["value"] <= found["high"], (name, figure)
        assert 0 <= entry["pointing"]["value"] <= 1
        assert entry["deletion"]["value"] + entry["faithfulness"]["value"] == pytest.approx(
            entry["insertion"]["value"]
        )
        assert ("gap_median" in entry) == (name in SLOW)
    # A partition adds up to the last digit; four gradients do not, and the table says so.
    assert by_name["partition-shap"]["gap_high"]["value"] < 0.01
    assert by_name["expected-gradients"]["gap_high"]["value"] > 0
    assert len(report["agreement"]) == len(FAST) * len(SLOW) + 1
    assert all(0 <= pair["agree"]["value"] <= 1 for pair in report["agreement"])
    # Beside the model, in a place of its own: neither its digest nor its evaluations change.
    assert resolve(site.task, settings=site).digest == bundle.digest
    assert evaluations(bundle) == {}
    (shown,) = explained(bundle)
    assert [each.method for each in shown.methods] == [*FAST, *SLOW]
    assert shown.methods[0].figures["pointing"].value == by_name["grad-cam"]["pointing"]["value"]
    assert not shown.damaged
    # What the card says of a method: whether its maps come from what was learnt at all.
    shuffled = report["randomised"]
    assert (shuffled["scans"], shuffled["target"]) == (2, "malignant")
    assert shuffled["shuffled"][-1] == shuffled["layers"]
    assert [each.method for each in shown.forgotten] == [*FAST, *SLOW]
    for each, entry in zip(shown.forgotten, shuffled["methods"], strict=True):
        assert len(each.correlation) == len(shown.shuffled) == len(shuffled["shuffled"])
        assert each.correlation[-1] < 0.9, each.method
        assert (each.depends, each.unchanged) == (entry["depends"], entry["unchanged"])
    table = (tmp_path / "explanations.md").read_text()
    assert table.count("\n| ") == 6 + 2 * 7 + len(report["agreement"])
    # A run that is all done asks the model nothing more, and says the same.
    code, again, err = run(*options, "--json")
    assert (code, json.loads(again)["methods"]) == (0, report["methods"])
    assert "Measured before: 9 of 9" in err


def test_a_run_that_was_stopped_goes_on_where_it_was(
    run: Run, ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--data", ward, "--split", "val", "--methods", "grad-cam", "hires-cam")
    code, whole, err = run(*options, "--out", tmp_path / "whole", "--json")
    assert code == 0, err
    asked = []
    real = command.measure

    def stopped(*given: Any) -> Measured:
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.append(given)
        return real(*given)

    monkeypatch.setattr(command, "measure", stopped)
    code, out, err = run(*options, "--out", tmp_path / "part")
    assert (code, out) == (130, "")
    assert "Stopped after 4 of 9 scans" in err
    kept = tmp_path / "part/measured.jsonl"
    # The process may end in the middle of a line.
    kept.write_text(kept.read_text() + '{"place": 3, "meas')
    asked.clear()
    monkeypatch.setattr(command, "measure", lambda *given: asked.append(given) or real(*given))
    code, out, err = run(*options, "--out", tmp_path / "part", "--json")
    assert (code, len(asked)) == (0, 5)
    assert json.loads(out)["methods"] == json.loads(whole)["methods"]
    # Nothing that tells a patient lies in what is kept.
    assert "malignant0" not in kept.read_text()
    # Asked for less, what is there is enough, and no more is said; asked for more, it is not.
    asked.clear()
    less = (*options[:4], "--methods", "grad-cam", "--scans", "6", "--out", tmp_path / "part")
    code, out, _err = run(*less, "--json")
    assert (code, asked) == (0, [])
    assert [entry["method"] for entry in json.loads(out)["methods"]] == ["grad-cam"]
    assert json.loads(out)["n"] == 6
    code, _out, _err = run(*options, "layer-cam", "--out", tmp_path / "part")
    assert (code, len(asked)) == (0, 9)
    # Of other scans, nothing of it counts.
    asked.clear()
    code, _out, _err = run(*options[:2], *options[4:], "--out", tmp_path / "part")
    assert (code, len(asked)) == (0, 12)


def test_a_scan_that_cannot_be_read_is_counted_and_bad_usage_said_in_one_line(
    run: Run, tmp_path: Path
) -> None:
    folder = phantom_folder(tmp_path / "bad", train=0, val=2, labels=LABELS[1:])
    image = folder / "images/malignant/malignant01.png"
    image.write_bytes(image.read_bytes()[:200])
    out = tmp_path / "out"
    code, said, err = run("--data", folder, "--out", out, "--methods", "grad-cam")
    assert code == 0, err
    assert "left out: 1" in said
    assert json.loads((out / "explanations.json").read_text())["unread"] == 1
    for path in (folder / "images").rglob("*.png"):
        path.write_bytes(b"x")
    code, said, err = run("--data", folder, "--out", tmp_path / "none", "--methods", "grad-cam")
    assert (code, said) == (1, "")
    assert "None of the 4 scans" in err
    (tmp_path / "file").write_text("in the way")
    code, said, err = run("--data", folder, "--out", tmp_path / "file")
    assert (code, said, err.count("\n")) == (1, "", 1)
    with pytest.raises(SystemExit) as caught:
        run("--data", folder, "--out", out, "--methods", "crystal-ball")
    assert caught.value.code == 2


def test_a_sample_has_each_label_of_each_source_in_its_share(ward: Path) -> None:
    rows = read_dataset(ward, LABELS)
    many = [row for row in rows if row.label == "benign"] * 5 + rows
    chosen = stratified(many, 8, seed=1)
    assert len(set(chosen)) == 8
    labels = [many[place].label for place in chosen]
    share = 8 * sum(row.label == "benign" for row in many) / len(many)
    assert abs(labels.count("benign") - share) <= 1
    assert {"normal", "malignant"} <= set(labels)
    assert chosen == stratified(many, 8, seed=1)
    assert sorted(stratified(rows, None)) == sorted(stratified(rows, 999)) == list(range(len(rows)))


def measured(pointing: float, gap: float = 0.1, score: float = 0.0) -> Measured:
    figures = {"empty": 0.0, "pointing": pointing, "gap": gap, "stability": 1.0}
    return Measured("malignant", 0.1, (0.0, 0.0, score), {"expected-gradients": figures}, {})


def test_intervals_draw_whole_cases_and_gaps_are_shares_of_the_range(ward: Path) -> None:
    from dataclasses import replace

    (row, *_rest) = read_dataset(ward, LABELS)
    one_case = [replace(row, group="a")] * 40
    many_cases = [replace(row, group=str(n)) for n in range(40)]
    found = {n: measured(float(n % 2), gap=n / 40, score=n / 10) for n in range(40)}
    wide, narrow = (
        explained_report(rows, found, LABELS, "malignant")["methods"][0]["pointing"]
        for rows in (one_case, many_cases)
    )
    # Forty pictures of one lesion say nothing about another lesion.
    assert (wide["low"], wide["value"], wide["high"]) == (0, 0.5, 1)
    assert narrow["value"] == 0.5
    assert 0.3 < narrow["low"] < 0.4
    report = explained_report(many_cases, found, LABELS, "malignant")
    (entry,) = report["methods"]
    # Scores span 3.9; the gaps' median is 19.5 / 40.
    assert entry["gap_median"]["value"] == pytest.approx(19.5 / 40 / 3.9)
    assert entry["gap_high"]["value"] == pytest.approx(35 / 40 / 3.9)
    nothing = measured(0.0)
    empty = Measured("malignant", 0.1, (0.0,) * 3, {"grad-cam": {"empty": 1.0, "pointing": 0.0}})
    (first, second) = explained_report(
        many_cases, {0: nothing, 1: empty, 2: None}, LABELS, "malignant"
    )["methods"]
    assert (first["n"], second["n"]) == (1, 1)
    assert "faithfulness" not in second


def test_a_quantile_of_weighted_scans_is_that_of_the_scans_drawn() -> None:
    values = np.array([3.0, 1.0, np.nan, 2.0, 4.0])
    weights = np.array([[1.0, 1, 1, 1, 1], [0, 3, 5, 1, 0], [0, 0, 9, 0, 0]])
    assert measures.quantile(weights, values, 0.9)[:2].tolist() == [4.0, 2.0]
    assert measures.quantile(weights, values, 0.5)[:2].tolist() == [2.0, 1.0]
    assert np.isnan(measures.quantile(weights, values, 0.5)[2])


@pytest.mark.parametrize(
    "break_it",
    [
        lambda report: report | {"methods": "odd"},
        lambda report: report | {"methods": [{"method": "grad-cam", "n": -1}]},
        lambda report: report | {"agreement": [{"one": "a"}]},
        lambda report: report | {"methods": [report["methods"][0] | {"pointing": {"value": "x"}}]},
        lambda report: report | {"randomised": {"shuffled": [3]}},
        lambda report: (
            report
            | {
                "randomised": {
                    "scans": 1,
                    "layers": 3,
                    "shuffled": [1, 3],
                    "methods": [
                        {
                            "method": "grad-cam",
                            "correlation": [0.5, 2.0],
                            "unchanged": 0.0,
                            "depends": True,
                        }
                    ],
                }
            }
        ),
    ],
)
def test_a_damaged_measurement_is_named_and_never_breaks_a_page(break_it: Any) -> None:
    from core.learning.explained._read import read_explained

    entry = {"method": "grad-cam", "class_specific": True, "n": 1, "cases": 1}
    report = {"n": 1, "cases": 1, "lesions": 1, "methods": [entry], "agreement": []}
    assert not read_explained("ward", report).damaged
    assert read_explained("ward", break_it(report)).damaged

"""``python -m core evaluate`` on odd data: one line says what is wrong, and all scans count."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from learning_factory import LABELS, largest_file, phantom_folder, write_manifest, write_png

from core.__main__ import main
from core.learning.evaluation import score
from core.learning.forms import read_dataset
from core.model import Predictor, evaluations, resolve
from core.settings import ROOT, Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = bundle_factory.ready(tmp_path_factory.mktemp("site"))
    card = bundle_factory.classifier_card()
    model = bundle_factory.lesion_net(classes=2)
    import keras

    plain = keras.Model(model.input, keras.ops.softmax(model.output["class_logits"]))
    bundle_factory.write(made.model_roots[0], plain, card)
    return made


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OVERREAD_VAR", str(settings.var))
    return settings


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    return phantom_folder(tmp_path / "ward", train=1, val=3)


Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evaluate(site: Settings, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    def run(*options: str | Path) -> tuple[int, str, str]:
        code = main(["evaluate", *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def told(evaluate: Evaluate, *options: str | Path) -> dict[str, Any]:
    code, out, err = evaluate(*options, "--json")
    assert code == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def test_a_damaged_scan_counts_as_wrong_and_is_named_by_its_entry(
    evaluate: Evaluate, ward: Path, tmp_path: Path
) -> None:
    whole = told(evaluate, "--data", ward, "--split", "val")
    image = ward / "images/malignant/malignant02.png"
    image.write_bytes(image.read_bytes()[:200])
    out = tmp_path / "out"
    report = told(evaluate, "--data", ward, "--split", "val", "--out", out)
    assert report["n"] == whole["n"] == 9
    assert (report["unread"], whole["unread"]) == (1, 0)
    (problem,) = [entry for entry in report["problems"] if entry["unread"]]
    rows = list(csv.DictReader(io.StringIO((out / "scans.csv").read_text())))
    (row,) = [row for row in rows if row["read"] == "no"]
    assert row["file"] == "malignant/malignant02.png"
    assert problem["entry"] == int(row["entry"])
    assert row["image_digest"] == ""
    # All that could be read are right or wrong as before.
    right = round(whole["accuracy"]["value"] * 9)
    assert round(report["accuracy"]["value"] * 9) in (right, right - 1)
    assert json.loads((out / "report.json").read_text()) == report
    page = (out / "report.html").read_text()
    assert "malignant02" not in page
    assert "could not be read at all" in page
    assert {row["read"] for row in rows} == {"yes", "no"}


def test_probabilities_are_those_of_a_single_read(site: Settings, ward: Path) -> None:
    predictor = Predictor.load("breast-ultrasound", "900.0", settings=site)
    rows = read_dataset(ward, LABELS)
    seen: list[int] = []
    found = score(rows, predictor, LABELS, "malignant", seen.append, batch_size=5)
    assert seen == list(range(1, 13))
    from core.learning.rows import load_mask, load_scan

    for i, row in enumerate(rows):
        scan = load_scan(row)
        read = predictor.read(scan)
        assert found.probabilities[i] == pytest.approx(list(read.probabilities.values()), abs=1e-6)
        lesion = load_mask(row, scan.height, scan.width) > 127
        if not lesion.any():
            assert np.isnan(found.dice[i])
            continue
        others = {k: v for k, v in read.probabilities.items() if k != "malignant"}
        likeliest = "malignant" if read.probability >= 0.5 else max(others, key=others.__getitem__)
        heat = predictor.read(scan, target=likeliest).heat()
        assert found.cam_pointing[i] == lesion.flat[int(heat.argmax())]
        marked = read.lesion_map()
        assert marked is not None
        both = ((marked >= 0.5) & lesion).sum()
        assert found.dice[i] == pytest.approx(2 * both / ((marked >= 0.5).sum() + lesion.sum()))


def _another_size(folder: Path) -> None:
    write_png(next((folder / "masks").rglob("*.png")), np.zeros((40, 40), np.uint8))


def _no_mask(folder: Path) -> None:
    next((folder / "masks").rglob("*.png")).write_bytes(b"no")


def _unknown_label(folder: Path) -> None:
    write_manifest(folder, [{"file": "a.png", "label": "odd"}])


def _no_rows(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\n")


def _nothing_readable(folder: Path) -> None:
    for image in (folder / "images").rglob("*.png"):
        image.write_bytes(b"x")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_another_size, "another size"),
        (_no_mask, "mask"),
        (_unknown_label, "label"),
        (_no_rows, "no rows"),
        (_nothing_readable, "None of the 12"),
    ],
)
def test_data_that_cannot_be_used_are_refused_in_one_line(
    evaluate: Evaluate, ward: Path, break_it: Callable[[Path], None], words: str
) -> None:
    break_it(ward)
    code, out, err = evaluate("--data", ward)
    assert (code, out) == (1, "")
    assert words in err
    assert err.count("\n") == 1
    assert ".png" not in err
    assert str(ward) not in err


def test_a_split_without_rows_is_said_before_the_model_is_loaded(
    evaluate: Evaluate, ward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "load", lambda *_a, **_k: pytest.fail("loaded"))
    code, out, err = evaluate("--data", ward, "--split", "test")
    assert (code, out, err.count("\n")) == (1, "", 1)
    (ward / "report").write_text("a file in the way")
    code, out, err = evaluate("--data", ward, "--out", ward / "report")
    assert (code, out, err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("labels", [("benign",), ("malignant",), ("normal",)])
def test_data_of_one_label_give_what_they_can(
    evaluate: Evaluate, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    folder = phantom_folder(tmp_path / "one", train=0, val=3, labels=labels)
    report = told(evaluate, "--data", folder, "--out", tmp_path / "out")
    sick = labels == ("malignant",)
    assert ("recall" in report, "specificity" in report) == (sick, not sick)
    assert "roc_auc" not in report
    assert ("dice_mean" in report) == (labels != ("normal",))
    assert report["positives"] == (3 if sick else 0)
    assert (tmp_path / "out/report.html").stat().st_size > 5000


def test_a_classifier_without_a_lesion_map_is_measured_without_overlap(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    folder = phantom_folder(tmp_path / "two", train=0, val=3, labels=LABELS[1:])
    report = told(evaluate, "--model", "classifier", "--data", folder, "--out", tmp_path / "out")
    assert report["labels"] == ["benign", "malignant"]
    assert "dice_mean" not in report
    assert "mask_peak" not in report
    assert "roc_auc" in report
    assert "not calibrated" in (tmp_path / "out/report.html").read_text()


def test_two_datasets_are_one_evaluation_with_a_subgroup_each(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    one = phantom_folder(tmp_path / "one", train=0, val=4)
    other = phantom_folder(tmp_path / "other", train=0, val=4)
    report = told(evaluate, "--data", one, "--data", other, "--split", "val")
    assert (report["n"], report["data"]["name"]) == (24, "one+other")
    # The same numbers of cases in two hospitals are other people.
    assert report["cases"] == 12
    by_source = [group["value"] for group in report["subgroups"] if group["by"] == "source"]
    assert by_source == ["one", "other"]
    again = phantom_folder(tmp_path / "else/one", train=0, val=2)
    code, _out, err = evaluate("--data", one, again)
    assert code == 1
    assert "same name" in err


def test_an_attached_evaluation_is_the_one_that_was_written(
    evaluate: Evaluate, site: Settings, ward: Path, tmp_path: Path
) -> None:
    bundle = resolve("breast-ultrasound", settings=site)
    out = tmp_path / "out"
    code, said, err = evaluate("--data", ward, "--split", "val", "--attach", "--out", out)
    assert code == 0, err
    assert "ward-val" in said
    report = json.loads((out / "report.json").read_text())
    assert evaluations(bundle) == {"ward-val": report}
    attached = bundle.folder / "evaluation/ward-val"
    # What travels with a model names no file of a patient.
    assert sorted(os.listdir(attached)) == ["report.html", "report.json"]
    assert resolve("breast-ultrasound", settings=site).digest == bundle.digest


def test_a_disk_that_fills_leaves_the_report_that_was_there(
    evaluate: Evaluate, ward: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told(evaluate, "--data", ward, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with largest_file(2000):
        code, _said, err = evaluate("--data", ward, "--split", "val", "--out", out)
    assert (code, err.count("\n")) == (1, 1)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_half_report(site: Settings, tmp_path: Path) -> None:
    folder, out = phantom_folder(tmp_path / "ward", train=0, val=30), tmp_path / "out"
    run = subprocess.Popen(
        [sys.executable, "-m", "core", "evaluate", "--data", folder, "--out", out, "--robustness"],
        cwd=ROOT,
        env=os.environ | {"OVERREAD_VAR": str(site.var)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert run.stderr is not None
    # It tells its first change while it is reading.
    while b"brightness" not in run.stderr.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stderr.close()
    assert list(out.iterdir()) == []


def test_how_far_it_is_is_told_where_it_takes_longer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.learning.commands.common import Steps

    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    steps = Steps("Evaluating", 40)
    for done in range(1, 41):
        now[0] += 0.25
        steps(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Evaluating: 6 of 40 scans · 4.0 scans/s · 8 s left"
    assert lines[-1] == "Evaluating: 40 of 40 scans · 4.0 scans/s · 0 s left"
    assert len(lines) == 6
    quick = Steps("Evaluating", 3)
    for done in (1, 2, 3):
        quick(done)
    assert capsys.readouterr().err == ""

"""``python -m core train`` and ``evaluate``: from a folder to a bundle that reads, and a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluation_factory import KEYS
from learning_factory import LABELS, phantom_folder, write_manifest

from core.__main__ import main, make_parser
from core.learning.commands import train as commands
from core.learning.evaluation import figures, score
from core.learning.forms import read_dataset
from core.learning.robustness import GRADES
from core.learning.rows import fingerprint, hold_out, load_grey
from core.model import Predictor, list_bundles
from core.scan import read_scan
from core.settings import ROOT, Settings

ABOUT = {
    "title": "Phantoms",
    "intended_use": "Tests.",
    "limits": ["Phantoms only."],
    "data": {"phantoms": {"licence": "none", "citation": "made here"}},
}


def _core(*arguments: str | Path, var: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        env=os.environ | {"OVERREAD_VAR": str(var), "OVERREAD_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_folder(tmp_path_factory.mktemp("data") / "phantoms", train=16, val=4)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    (out / "about.json").write_text(json.dumps(ABOUT))
    # The first seed that sets both kinds aside for calibration: cases are few here.
    rows = [row for row in read_dataset(data, LABELS) if row.split == "train"]
    seed = next(
        seed
        for seed in range(1000)
        if {"malignant", "benign"} <= {row.label for row in hold_out(rows, 0.15, seed)[1]}
    )
    options = ["--size", "32", "--epochs", "2", "--version", "901.0", "--seed", str(seed)]
    done = _core("train", data, "--out", out, "--about", out / "about.json", *options, var=out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch=") == 2
    assert "val: n=12" in done.stdout
    return out


def _settings(out: Path) -> Settings:
    return Settings(var=out, database_url="")


@pytest.fixture(scope="module")
def reader(trained: Path) -> Predictor:
    return Predictor.load("breast-ultrasound", "901.0", settings=_settings(trained))


@pytest.mark.slow
def test_training_ends_in_a_bundle_that_reads(data: Path, trained: Path, reader: Predictor) -> None:
    (entry,) = (e for e in list_bundles(_settings(trained)) if e.version == "901.0")
    assert (entry.task, entry.reason) == ("breast-ultrasound", None)
    scan = read_scan(next((data / "images/malignant").iterdir()).read_bytes())
    read = reader.read(scan)
    lesion = read.lesion_map()
    assert read.labels == LABELS
    assert sum(read.probabilities.values()) == pytest.approx(1)
    assert lesion is not None
    assert lesion.shape == read.heat().shape == (48, 64)
    assert read.interval is not None


@pytest.mark.slow
def test_the_card_says_what_the_model_was_made_of(data: Path, reader: Predictor) -> None:
    card = reader.card
    assert (card.title, card.intended_use, card.limits) == (
        "Phantoms",
        "Tests.",
        ("Phantoms only.",),
    )
    (source,) = card.data
    assert source.digest == fingerprint(read_dataset(data, LABELS))
    assert (source.name, source.licence, source.citation) == ("phantoms", "none", "made here")
    rows = card.training["rows"]
    assert rows["trained"] == 48
    assert 0 < rows["calibrated"] < 48
    assert rows["validated"] == 12
    assert [point.name for point in card.operating_points] == [
        "sensitivity-95",
        "balanced",
        "specificity-95",
    ]
    assert all(point.n == 12 for point in card.operating_points)
    assert set(card.metrics) == {"val"}
    assert card.metrics["val"]["n"] == 12


@pytest.mark.slow
def test_calibration_never_believes_networks_that_saw_its_rows(
    data: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = trained / "models/breast-ultrasound/901.0/model.keras"
    config = json.loads((start.parent / "card.json").read_text())["training"]["config"]

    def trains(folder: Path, seed: int) -> str | None:
        monkeypatch.setattr(commands, "fit_folds", _stopped_here)
        options = ["train", folder, "--out", tmp_path / "run", "--size", "32", "--seed", seed]
        try:
            assert main([str(each) for each in [*options, "--weights", start]]) == 1
        except _StoppedHereError:
            return None
        return capsys.readouterr().err

    # With the seed it was dealt with, the same rows are kept from the same networks.
    assert trains(data, config["seed"]) is None
    said = trains(data, config["seed"] + 1)
    assert said is not None
    assert f"--seed {config['seed']}" in said
    assert said.count("\n") == 1
    # Other data were never seen.
    assert trains(phantom_folder(tmp_path / "ward", train=7, val=3), 5) is None


class _StoppedHereError(Exception):
    pass


def _stopped_here(*_: object, **__: object) -> None:
    raise _StoppedHereError


@pytest.mark.slow
def test_evaluate_writes_every_figure_with_its_interval(
    data: Path,
    trained: Path,
    reader: Predictor,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(trained))
    report_folder = trained / "report"
    options = ["--version", "901.0", "--data", data, "--split", "val", "--out", report_folder]
    assert main(["evaluate", *map(str, options), "--json"]) == 0
    report = json.loads((report_folder / "report.json").read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert (report["n"], report["unread"]) == (12, 0)
    assert (report["labels"], report["positive"]) == (list(LABELS), "malignant")
    # A model of two epochs may flag nothing, and then has no precision, or part the few scans
    # without an error, and then has no line of its calibration.
    line = {"calibration_slope", "calibration_intercept"}
    others = {"n", "refused", "labels", "positive", "schema", "model", "data", "calibration"}
    others |= {"confusion", "curves", "operating_points", "subgroups", "selective", "cases"}
    others |= {"unread", "abstained", "positives", "resamples", "confusion_at_half", "answered"}
    others |= {"approved_operating_point", "worst", "problems", "made", "software"}
    uncertain = {"precision", *line}
    assert set(report) - uncertain == (KEYS | others) - uncertain
    for name in KEYS & set(report):
        low, value, high = (report[name][part] for part in ("low", "value", "high"))
        assert low <= value <= high, name
        assert name in line or 0 <= low <= high <= 1, name
    assert sum(map(sum, report["confusion"]["counts"])) == 12
    assert report["model"]["bundle_digest"] == reader.bundle.digest
    rows = [row for row in read_dataset(data, LABELS) if row.split == "val"]
    assert report["data"] == {"name": "phantoms", "split": "val", "fingerprint": fingerprint(rows)}
    # The figures on the card are those of what ships.
    on_card = reader.card.metrics["val"]
    assert on_card["accuracy"] == pytest.approx(report["accuracy"])
    assert on_card["roc_auc"] == pytest.approx(report["roc_auc"])
    assert on_card["dice_mean"] == pytest.approx(report["dice_mean"])


@pytest.mark.slow
def test_evaluate_copes_with_a_label_that_is_missing(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(trained))
    two = phantom_folder(trained / "two", train=0, val=3, labels=("benign", "normal"))
    assert main(["evaluate", "--version", "901.0", "--data", str(two), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 6
    assert "roc_auc" not in report
    assert np.isfinite(report["specificity"]["value"])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["no split", "no folder", "no bundle", "report in the way"])
def test_evaluate_says_in_one_line_what_is_wrong(
    data: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(trained))
    options = {
        "no split": ["--data", str(data), "--split", "secret"],
        "no folder": ["--data", str(data / "secret")],
        "no bundle": ["--data", str(data), "--model", "secret"],
        "report in the way": [
            *("--data", str(data), "--split", "val"),
            *("--out", str(trained / "about.json")),
        ],
    }[case]
    version = [] if case == "no bundle" else ["--version", "901.0"]
    assert main(["evaluate", *version, *options]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "secret" not in said.err
    assert str(trained) not in said.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--size", "100"], 2),
        (["--size", "16"], 2),
        (["--epochs", "0"], 2),
        (["--epochs", "many"], 2),
        (["--seed", "-1"], 2),
        (["--seed", "4294967296"], 2),
        (["--val-share", "0"], 2),
        (["--val-share", "0.6"], 2),
        (["--val-share", "nan"], 2),
        (["--task", "Not A Task"], 1),
        (["--version", "first"], 1),
        (["--about", "nowhere.json"], 1),
    ],
)
def test_a_wrong_option_is_said_before_any_training(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
) -> None:
    monkeypatch.setattr("core.learning.crossfit.train", lambda *_, **__: pytest.fail("trained"))
    arguments = ["train", str(data), "--out", str(tmp_path / "run"), *options]
    if code == 2:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    else:
        assert main(arguments) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("labels", "splits", "words"),
    [
        (LABELS, ("val",), "split train"),
        (("normal", "benign"), ("train", "val"), "malignant"),
        (("benign", "malignant"), ("train", "val"), "no training image"),
    ],
)
def test_data_that_cannot_be_trained_on_is_said_before_any_training(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    labels: tuple[str, ...],
    splits: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr("core.learning.crossfit.train", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.setattr("core.learning.dataset.load_grey", lambda _row: pytest.fail("decoded"))
    folder = tmp_path / "part"
    every = read_dataset(data, LABELS)
    rows = [row for row in every if row.label in labels and row.split in splits]
    for row in rows:
        target = folder / "images" / row.label / row.image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(row.image.read_bytes())
    write_manifest(
        folder, [{"file": r.image.name, "label": r.label, "split": r.split} for r in rows]
    )
    assert main(["train", str(folder), "--out", str(tmp_path / "run")]) == 1
    assert words in capsys.readouterr().err


def test_data_without_rows_to_watch_keeps_some_aside_and_some_to_calibrate(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=40, val=0)
    args = make_parser().parse_args(["train", str(folder), "--out", str(tmp_path / "run")])
    rows = commands._rows(args, LABELS)
    sides = {side: {r.group for r in rows if r.split == side} for side in ("train", "val")}
    assert len(rows) == 120
    assert not sides["train"] & sides["val"]
    assert 0.05 < len(sides["val"]) / 60 < 0.3
    args.val_share = 0.5
    assert sum(row.split == "val" for row in commands._rows(args, LABELS)) > 30
    # By another hash than the rows that calibrate: by the same one none would be left for that.
    fit, held = hold_out([row for row in rows if row.split == "train"], 0.15, args.seed)
    assert len(fit) > len(held) > 0


@pytest.mark.slow
def test_an_archive_of_arrays_is_evaluated_by_the_names_of_its_numbers(
    data: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(trained))
    rows = [row for row in read_dataset(data, LABELS) if row.split == "val"]
    pictures = [load_grey(row)[0] for row in rows]
    numbers = np.array([LABELS.index(row.label) for row in rows])
    archive = tmp_path / "set.npz"
    np.savez(archive, val_images=np.stack(pictures), val_labels=numbers)
    command = ["evaluate", "--model", "breast-ultrasound", "--version", "901.0", "--data"]
    assert main([*command, str(archive), "--json", "--label-names", *LABELS]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*command, str(data), "--split", "val", "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    assert found["n"] == len(rows)
    # The very same pixels under the very same labels; the archive has no masks and no cases.
    for name in ("accuracy", "roc_auc", "brier"):
        assert found[name]["value"] == pytest.approx(wanted[name]["value"], abs=1e-6)
    assert main([*command, str(archive)]) == 1
    assert "--label-names" in capsys.readouterr().err


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    if not (ROOT / "assets" / "models" / "breast-ultrasound").is_dir():
        pytest.skip("no bundle ships in this checkout")
    return Predictor.load("breast-ultrasound", settings=_settings(tmp_path_factory.mktemp("var")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["busi", "busbra"])
def test_the_shipped_model_holds_up_on_real_scans(
    name: str, request: pytest.FixtureRequest
) -> None:
    folder = ROOT.parent / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip("the real scans are not on this machine")
    shipped: Predictor = request.getfixturevalue("shipped")
    rows = [row for row in read_dataset(folder, LABELS) if row.split == "val"][::5]
    report = figures(score(rows, shipped, LABELS, "malignant"))
    # None of these is a picture the model does not know, and it is sure of most.
    assert (report["unread"], report["refused"]) == (0, 0)
    assert report["abstained"] < 0.3 * len(rows)
    # Far below its card: this asks whether the right pixels reach the right weights.
    assert report["roc_auc"]["value"] > 0.7
    assert report["dice_mean"]["value"] > 0.55


@pytest.mark.slow
def test_evaluate_says_what_becomes_of_the_figures_when_scans_get_worse(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(trained))
    few = phantom_folder(tmp_path / "few", train=0, val=1)
    options = ["--version", "901.0", "--data", str(few), "--robustness", "--json"]
    assert main(["evaluate", *options]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)["robustness"]
    assert [(entry["change"], entry["grade"]) for entry in told] == [
        (name, grade) for name, grades in GRADES.items() for grade in grades
    ]
    assert all(entry["n"] == 3 and 0 <= entry["accuracy"]["value"] <= 1 for entry in told)
    # Each step is told, and not in what a program reads.
    steps = [line for line in said.err.splitlines() if "scans/s" not in line]
    assert len(steps) == len(told)
    assert steps[0] == f"1/{len(told)} brightness -60"

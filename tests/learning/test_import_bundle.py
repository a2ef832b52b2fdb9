"""A Keras file becomes a bundle: whole or not at all, active only when that is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
from import_factory import network_files
from learning_factory import phantom_folder

from core.__main__ import main
from core.model import Predictor, list_bundles, read_switches, versions
from core.settings import Settings

TWO = ["--labels", "benign", "malignant", "--positive", "malignant", "--intensity", "unit"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file that can be brought and one that cannot."""
    return network_files(tmp_path_factory.mktemp("files"), "vgg", "lambda")


@pytest.mark.parametrize("side", ["-5", "100000", "wide"])
def test_a_side_no_input_has_is_said_at_once(
    files: dict[str, Path], side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["import-model", str(files["lambda"]), "--input-size", side])
    assert end.value.code == 2
    assert "--input-size" in capsys.readouterr().err


def test_checking_writes_nothing(
    files: dict[str, Path], own_site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--check"]
    assert main(command) == 0
    assert "Nothing was written" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["labels"] == ["benign", "malignant"]
    assert not own_site.var.exists()


def test_a_list_of_problems_ends_in_failure_and_writes_nothing(
    files: dict[str, Path], own_site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import-model", str(files["lambda"])]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "5 things are missing or wrong:"
    assert len(lines) == 6
    assert main(["import-model", str(files["lambda"]), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 5
    assert not own_site.var.exists()


def test_a_file_that_is_brought_answers_nobody_before_it_is_promoted(
    files: dict[str, Path], own_site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO]
    assert main(command) == 0
    assert "It is active" in capsys.readouterr().out
    assert main(command) == 0
    assert "python -m core promote own 2.0" in capsys.readouterr().out
    states = {each.version: str(each.state) for each in versions(own_site, "own")}
    assert states == {"2.0": "usable", "1.0": "active"}
    assert [switch.action for switch in read_switches(own_site, "own")] == ["keep"]
    assert main(["promote", "own", "2.0", "--reason", "try"]) == 0
    assert Predictor.load("own", settings=own_site).card.version == "2.0"
    # The same version is never written over.
    assert main([*command, "--version", "2.0"]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_of_what_is_brought(
    files: dict[str, Path],
    own_site: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["import-model", str(files["vgg"]), "--task", "own", *TWO]) == 0
    copy = shutil.copyfile

    def full(source: Any, target: Path) -> None:
        if "var" in target.parts:
            target.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    assert main(["import-model", str(files["vgg"]), "--task", "own", *TWO]) == 1
    assert "could not be saved" in capsys.readouterr().err
    (entry,) = list_bundles(own_site, "own")
    assert (entry.version, entry.reason) == ("1.0", None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_folder(
        tmp_path_factory.mktemp("phantoms"), train=4, val=24, labels=("benign", "malignant")
    )


def test_with_data_it_is_calibrated_on_some_patients_and_measured_on_others(
    files: dict[str, Path], own_site: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(data)]
    assert main(command) == 0
    assert "roc_auc" in capsys.readouterr().out
    bundle = Predictor.load("own", settings=own_site).bundle
    card = bundle.card
    assert card.calibration.method == "vector-temperature"
    assert not any("neither calibrated" in line for line in card.limits)
    fit, measured = card.training["calibrated_on"], card.training["measured_on"]
    # 48 images are val, two of each patient.
    assert fit["n"] + measured["n"] == 48
    assert fit["n"] % 2 == measured["n"] % 2 == 0
    assert fit["fingerprint"] != measured["fingerprint"]
    assert card.metrics["val"]["n"] == measured["n"] == len(bundle.reference.validation_scores)
    assert card.prevalence is not None
    assert card.prevalence.n == fit["n"]
    assert {point.name for point in card.operating_points} == {
        "sensitivity-95", "balanced", "specificity-95",
    }  # fmt: skip
    assert all(point.n == measured["n"] for point in card.operating_points)
    read = Predictor.load("own", settings=own_site).read(bundle_factory.scan())
    assert read.calibrated
    assert read.interval is not None


def test_scans_that_cannot_be_read_are_not_calibrated_on_and_count_as_wrong(
    files: dict[str, Path], own_site: Settings, data: Path
) -> None:
    folder = own_site.var.parent / "torn"
    shutil.copytree(data, folder)
    # Both pictures of three patients of each kind, so that some fall into either half.
    torn = [
        folder / "images" / label / f"{label}{number:02d}.png"
        for label in ("benign", "malignant")
        for number in range(4, 10)
    ]
    for path in torn:
        path.write_bytes(path.read_bytes()[:60])
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(folder)]
    assert main(command) == 0
    bundle = Predictor.load("own", settings=own_site).bundle
    card = bundle.card
    fit, measured = card.training["calibrated_on"]["n"], card.training["measured_on"]["n"]
    figures = card.metrics["val"]
    assert 0 < figures["unread"] < len(torn)
    assert figures["n"] == measured
    # What nobody read has no probability to learn from or to draw.
    assert card.prevalence is not None
    assert card.prevalence.n == fit - (len(torn) - figures["unread"])
    assert len(bundle.reference.validation_scores) == measured - figures["unread"]
    # It is an answer that nobody got, at the operating points too.
    assert all(point.n == measured for point in card.operating_points)


def test_a_folder_that_says_nothing_of_splits_is_used_whole(
    files: dict[str, Path], own_site: Settings, data: Path
) -> None:
    folder = own_site.var.parent / "plain"
    shutil.copytree(data / "images", folder / "images")
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(folder)]
    assert main(command) == 0
    training = Predictor.load("own", settings=own_site).card.training
    assert training["calibrated_on"]["n"] + training["measured_on"]["n"] == 56


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda d: shutil.rmtree(d / "images" / "malignant"), "too few cases"),
        (lambda d: (d / "images" / "benign").rename(d / "images" / "normal"), "does not know"),
        (shutil.rmtree, "no dataset at this path"),
    ],
    ids=["one class", "unknown label", "gone"],
)
def test_data_that_cannot_be_used_is_said_before_anything_is_written(
    files: dict[str, Path],
    own_site: Settings,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    make: Any,
    part: str,
) -> None:
    folder = own_site.var.parent / "plain"
    shutil.copytree(data / "images", folder / "images")
    make(folder)
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(folder)]
    assert main(command) == 1
    said = capsys.readouterr()
    assert part in said.err
    assert said.err.count("\n") == 1
    assert str(folder) not in said.err
    assert not (own_site.var / "models" / "own").exists()
    # With everything else that is wrong.
    assert main([*command, "--version", "first"]) == 1
    assert capsys.readouterr().err.startswith("2 things are missing or wrong")

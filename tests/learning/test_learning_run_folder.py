"""The folder of a run: nothing in it is lost to a forgotten option or to a second training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from learning_factory import LABELS, phantom_folder

from core.__main__ import main
from core.errors import DatasetError, LearningError
from core.learning.crossfit import fit_folds
from core.learning.forms import read_dataset
from core.learning.runs import alone_in
from core.learning.training import TrainingConfig


def fit(ward: Path, run: Path, folds: int = 1, *, resume: bool = False) -> Any:
    rows = read_dataset(ward, LABELS)
    training, watched = ([row for row in rows if row.split == side] for side in ("train", "val"))
    return fit_folds(
        training,
        watched,
        TrainingConfig(size=32, epochs=1),
        run,
        folds=folds,
        positive="malignant",
        resume=resume,
    )


def says(error: pytest.ExceptionInfo[LearningError], words: str, run: Path) -> None:
    text = str(error.value)
    assert words in text
    assert "\n" not in text
    assert str(run) not in text


@pytest.mark.parametrize("record", ["run.json", "fold-1/run.json"])
@pytest.mark.parametrize("folds", [1, 2])
def test_hours_of_training_are_not_lost_to_a_forgotten_resume(
    tmp_path: Path, record: str, folds: int
) -> None:
    ward, run = phantom_folder(tmp_path / "ward", train=24), tmp_path / "run"
    kept = run / record
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    (kept.parent / "epoch-009.weights.npz").write_bytes(b"hours")
    before = sorted(run.rglob("*"))
    with pytest.raises(LearningError) as error:
        fit(ward, run, folds)
    says(error, "--resume", run)
    assert sorted(run.rglob("*")) == before
    assert kept.read_text() == "{}"


@pytest.mark.parametrize(("record", "folds"), [("run.json", 2), ("fold-1/run.json", 1)])
def test_a_run_is_not_gone_on_with_in_another_number_of_folds(
    tmp_path: Path, record: str, folds: int
) -> None:
    ward, run = phantom_folder(tmp_path / "ward", train=24), tmp_path / "run"
    (run / record).parent.mkdir(parents=True)
    (run / record).write_text("{}")
    with pytest.raises(LearningError) as error:
        fit(ward, run, folds, resume=True)
    says(error, "other options", run)


@pytest.mark.parametrize("resume", [False, True])
def test_two_trainings_do_not_write_over_each_other(tmp_path: Path, resume: bool) -> None:
    ward, run = phantom_folder(tmp_path / "ward", train=24), tmp_path / "run"
    with alone_in(run, 1, resume=False):
        with pytest.raises(LearningError) as error:
            fit(ward, run, resume=resume)
        says(error, "Another training", run)
        assert list(run.iterdir()) == []
    # The first is over: its folder may be used.
    with alone_in(run, 1, resume=resume):
        pass


def test_more_folds_than_cases_are_refused_before_a_run_is_made(tmp_path: Path) -> None:
    ward, run = phantom_folder(tmp_path / "ward", train=8), tmp_path / "run"
    with pytest.raises(DatasetError, match="fewer cases than folds"):
        fit(ward, run, folds=13)
    assert not run.exists()


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path: Path) -> None:
    ward, run = phantom_folder(tmp_path / "ward", train=24), tmp_path / "run"
    run.write_text("mine")
    with pytest.raises(LearningError) as error:
        fit(ward, run)
    says(error, "cannot be kept", run)
    assert run.read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_dataset_given_twice_does_not_count_twice(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ward, run = phantom_folder(tmp_path / "ward"), tmp_path / "run"
    data = [str(ward), str(ward)]
    words = data if command == "train" else ["--data", *data]
    assert main([command, *words, "--out", str(run)]) == 1
    said = capsys.readouterr().err
    assert "same name" in said
    assert len(said.splitlines()) == 1
    assert not run.exists()

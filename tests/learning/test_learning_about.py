"""The card's texts: what the card would refuse is found before training, and not after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from learning_factory import phantom_folder

from core.__main__ import main
from core.errors import LearningError
from core.learning.commands.about import read_about

WHOLE = {
    "title": "Ward model",
    "intended_use": "Teaching.",
    "limits": ["One hospital only."],
    "data": {"ward": {"licence": "CC BY 4.0", "citation": "Somebody, 2024."}},
    "tried": [{"what": "a larger input", "auc": 0.9}],
}


def written(path: Path, about: Any) -> Path:
    path.write_text(about if isinstance(about, str) else json.dumps(about), encoding="utf-8")
    return path


def test_the_texts_are_read_as_they_are_also_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_about(written(tmp_path / "a.json", WHOLE)) == WHOLE
    assert read_about(written(tmp_path / "b.json", "\ufeff" + json.dumps(WHOLE))) == WHOLE
    assert read_about(written(tmp_path / "c.json", {})) == {}
    assert read_about(None) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 5},
        {"intended_use": None},
        {"limits": "a text, which would become a limit for each letter"},
        {"limits": ["one", 2]},
        {"data": ["ward"]},
        {"data": {"ward": "CC BY 4.0"}},
        {"data": {"ward": {"licence": 4.0}}},
    ],
)
def test_a_text_of_the_wrong_kind_costs_no_training(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(LearningError, match=next(iter(wrong))) as error:
        read_about(written(tmp_path / "about.json", WHOLE | wrong))
    assert "\n" not in str(error.value)
    assert "about.json" not in str(error.value)


@pytest.mark.parametrize(
    "mistyped",
    [
        {"titel": "Ward model"},
        {"intended use": "Teaching."},
        {"data": {"ward": {"license": "CC BY 4.0"}}},
    ],
)
def test_a_mistyped_name_is_said_and_no_text_is_missing_from_the_card_after_hours(
    tmp_path: Path, mistyped: dict[str, Any]
) -> None:
    with pytest.raises(LearningError, match=r"titel|intended use|license") as error:
        read_about(written(tmp_path / "about.json", mistyped))
    assert "\n" not in str(error.value)
    assert "citation" in str(error.value) or "intended_use" in str(error.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"tried": NaN}', '{"tried": -Infinity}'])
def test_what_no_card_can_hold_costs_no_training(tmp_path: Path, text: str) -> None:
    with pytest.raises(LearningError, match="not readable JSON"):
        read_about(written(tmp_path / "about.json", text))


def test_train_says_it_before_it_makes_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward, run = phantom_folder(tmp_path / "ward"), tmp_path / "run"
    about = written(tmp_path / "about.json", {"title": 5})
    assert main(["train", str(ward), "--out", str(run), "--about", str(about)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not run.exists()


def test_texts_of_a_dataset_that_is_not_read_are_refused_before_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward, run = phantom_folder(tmp_path / "ward"), tmp_path / "run"
    about = written(tmp_path / "about.json", {"data": {"warb": {"licence": "CC0"}}})
    assert main(["train", str(ward), "--out", str(run), "--about", str(about)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert '"warb"' in line
    assert line.endswith("Known are: ward.")
    assert not run.exists()


def test_a_file_of_texts_that_is_not_there_is_not_called_bad_json(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match="cannot be read from disk"):
        read_about(tmp_path / "none.json")

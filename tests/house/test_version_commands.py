"""``models``, ``promote`` and ``rollback`` at a command line, and the page that tells of them."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "model"))

import bundle_factory  # noqa: E402

from core.__main__ import main, make_parser  # noqa: E402
from core.model import Intensity, Resize, VersionState, read_switches  # noqa: E402
from core.settings import Settings  # noqa: E402
from core.text import columns  # noqa: E402

DOCUMENT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two") / "models"
    auc = {"val": {"roc_auc": {"value": 0.91, "low": 0.85, "high": 0.96, "n": 90}}}
    for seed, version in enumerate(("1.0", "2.0")):
        card = bundle_factory.lesion_card("tiny", version, metrics=auc if seed else {})
        bundle_factory.write(root, bundle_factory.lesion_net(seed=seed), card)
    return root


@pytest.fixture
def site(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path))
    monkeypatch.delenv("OVERREAD_LANGUAGE", raising=False)
    shutil.copytree(two, tmp_path / "models")
    return bundle_factory.settings_for(tmp_path, task="tiny")


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["models", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    return {line.split()[1]: line for line in lines}


def test_the_list_marks_what_is_active_and_gives_its_figures(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(capsys)
    assert "*" in found["2.0"]
    assert "0.910 [0.850–0.960]" in found["2.0"]
    assert "*" not in found["1.0"]
    assert main(["models", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    active = {entry["version"] for entry in entries if entry["task"] == "tiny" and entry["active"]}
    assert active == {"2.0"}
    assert {entry["task"] for entry in entries} > {"tiny"}


def test_the_list_stands_in_straight_columns_in_chinese(
    site: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_LANGUAGE", "zh_CN")
    assert main(["models", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(columns(line) > len(line) for line in lines)
    cells = [[m.start() for m in re.finditer(r"(?<=  )\S", line)] for line in lines]
    places = {
        tuple(columns(line[:at]) for at in row)[-3:] for line, row in zip(lines, cells, strict=True)
    }
    assert len(places) == 1


def test_promote_and_rollback_say_what_changed(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "tiny", "1.0", "--reason", "simpler"]) == 0
    assert "tiny 1.0" in (said := capsys.readouterr().out)
    assert "2.0 was before" in said
    assert "*" in listed(capsys)["1.0"]
    assert main(["promote", "tiny", "1.0"]) == 0
    assert "active already" in capsys.readouterr().out
    assert main(["rollback", "tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["before"]["version"], told["changed"]) == ("2.0", "1.0", True)
    assert "taken back" in listed(capsys)["1.0"]
    first, second = read_switches(site, "tiny")
    assert (first.reason, second.action) == ("simpler", "rollback")
    assert first.by.startswith("shell:")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["promote", "tiny", "9.0"], "not here"),
        (["promote", "../tiny", "1.0"], "not here"),
        (["promote", "tiny", "1.0", "--reason", "two\nlines"], "one line"),
        (["rollback", "tiny"], "No version was active before"),
        (["rollback", "nothing"], "No version was active before"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_nothing_is_switched(
    site: Settings, capsys: pytest.CaptureFixture[str], words: list[str], part: str
) -> None:
    assert main(words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert part in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    assert "*" in listed(capsys)["2.0"]
    assert not read_switches(site, "tiny")


def test_a_promoted_version_that_broke_stands_in_the_list_with_its_reason(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "tiny", "1.0"]) == 0
    shutil.rmtree(site.model_roots[0] / "tiny" / "1.0")
    found = listed(capsys)
    assert "made active, but cannot be used: " in found["1.0"]
    assert "*" in found["2.0"]


def test_why_a_damaged_version_cannot_be_active_is_told_once(
    site: Settings, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    weights = site.model_roots[0] / "tiny" / "1.0" / "model.keras"
    weights.write_bytes(weights.read_bytes()[:2000])
    assert main(["promote", "tiny", "1.0"]) == 1
    assert (
        len([line for line in capsys.readouterr().err.splitlines() if "Loading" not in line]) == 1
    )
    # At a shell the log is on stderr as well.
    assert not [entry for entry in caplog.records if "is not used" in entry.getMessage()]


def test_the_document_names_every_state_option_and_intensity() -> None:
    from typing import get_args

    for state in VersionState:
        assert f"| `{state}` |" in DOCUMENT
    for intensity in get_args(Intensity):
        assert f"| `{intensity}` |" in DOCUMENT
    assert all(f"`{way}`" in DOCUMENT or f" {way}`" in DOCUMENT for way in get_args(Resize))
    (commands,) = (a for a in make_parser()._actions if hasattr(a, "choices") and a.choices)
    options = {
        option
        for name in ("promote", "rollback", "models", "import-model")
        for action in commands.choices[name]._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    told = set(re.findall(r"--[a-z][a-z-]+", DOCUMENT))
    assert told <= options
    assert options - told <= {"--help", "--out", "--channels", "--label-names"}


def test_the_commands_of_the_document_are_understood() -> None:
    blocks = re.findall(r"```\n(.*?)```", DOCUMENT, re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [line for line in lines if line.startswith("python -m core")]
    assert len(found) == 4
    import shlex

    for line in found:
        assert make_parser().parse_args(shlex.split(line)[3:]).run

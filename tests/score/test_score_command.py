"""``python -m core score`` as a person in a shell meets it."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest
from score_tools import folder_of, rows_of, with_failing

from core.__main__ import main
from core.score._run import Progress
from core.score.commands import progress_line, showing
from core.settings import Settings


@pytest.fixture(autouse=True)
def site(model_site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(model_site.var))
    for name in ("DATABASE_URL", "LANGUAGE", "TASK", "MAX_UPLOAD_MB", "MAX_FILES"):
        monkeypatch.delenv(f"OVERREAD_{name}", raising=False)


def test_a_folder_becomes_a_table_and_a_bad_file_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = folder_of(tmp_path / "in", 5, bad=1), tmp_path / "out.csv"
    assert main(["score", str(folder), "--out", str(out), "--model", "breast-ultrasound"]) == 0
    said = capsys.readouterr()
    assert "6 rows from 6 files" in said.out
    assert "1 with a problem" in said.out
    assert "not a medical device" in said.out
    assert said.err.splitlines()[-1].startswith("6 of 6 files")
    assert len(rows_of(out)) == 6


def test_a_program_gets_json_and_nothing_else_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = folder_of(tmp_path / "in", 3), tmp_path / "out.csv"
    assert main(["score", str(folder), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["files"], summary["rows"], summary["problems"]) == (3, 3, 0)
    assert summary["run"] == rows_of(out)[0]["run"]
    assert main(["score", str(folder), "--out", str(out), "--json", "--resume"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["files_before"], again["rows"]) == (3, 0)


def test_results_that_are_there_are_safe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = folder_of(tmp_path / "in", 1), tmp_path / "out.csv"
    out.write_text("mine")
    assert main(["score", str(folder), "--out", str(out)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "--overwrite" in error
    assert out.read_text() == "mine"
    assert main(["score", str(folder), "--out", str(out), "--overwrite"]) == 1
    assert "no table of results" in capsys.readouterr().err.splitlines()[-1]
    assert out.read_text() == "mine"
    out.unlink()
    for more in ([], ["--overwrite"]):
        assert main(["score", str(folder), "--out", str(out), *more]) == 0
        assert len(rows_of(out)) == 1


def test_what_was_not_read_for_its_quality_is_said_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = with_failing(folder_of(tmp_path / "in", 2))
    words = ["score", str(folder), "--out", str(tmp_path / "out.csv")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "1 rows fail the quality check and were not read" in said.out
    assert "--read-failing" in said.out
    assert "1 not read for their quality" in said.err.splitlines()[-1]
    assert main([*words, "--overwrite", "--json", "--read-failing", " for teaching "]) == 0
    assert json.loads(capsys.readouterr().out)["not_read"] == 0
    assert {row["override_reason"] for row in rows_of(tmp_path / "out.csv")} == {"", "for teaching"}


def test_a_model_that_is_not_there_fails_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = folder_of(tmp_path / "in", 1), tmp_path / "out.csv"
    assert main(["score", str(folder), "--out", str(out), "--model", "breast-ultrasound@7.7"]) == 1
    assert "version" in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-folder", "--out", "o.csv"],
        ["."],
        [".", "--out", "o.csv", "--frames", "0"],
        [".", "--out", "o.csv", "--frames", "some"],
        [".", "--out", "o.csv", "--model", "Bad Name"],
        [".", "--out", "o.csv", "--batch", "0"],
        [".", "--out", "o.csv", "--resume", "--overwrite"],
        [".", "--out", "o.csv", "--preset", "mine"],
        [".", "--out", "o.csv", "--read-failing", " "],
        [".", "--out", "o.csv", "--read-failing", "r" * 501],
        [".", "--out", "o.csv", "--read-failing", "one\nother"],
        [".", "--out", "o.csv", "--read-failing", "half \udcff"],
    ],
)
def test_bad_usage_exits_with_2_and_writes_nothing(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["score", *words])
    assert left.value.code == 2
    assert list(tmp_path.iterdir()) == []


class Screen(io.StringIO):
    """Notes when each line came."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal, self.times = terminal, []

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.times.append(time.monotonic())
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_how_far_it_is_is_said_while_one_file_takes_long(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.score import commands

    monkeypatch.setattr(commands, "_LINE_SECONDS", commands._LINE_SECONDS / 20)
    monkeypatch.setattr(commands, "_TERMINAL_SECONDS", 0.05)
    screen, progress = Screen(terminal), Progress(files=10)
    with showing(progress, screen):
        time.sleep(0.5)
        progress.files_done, progress.read = 4, 4
    said = screen.getvalue()
    assert len(screen.times) >= 4
    assert said.count("0 of 10 files") >= 3
    assert said.count("\n") == (1 if terminal else len(screen.times))
    assert "4 of 10 files" in said.splitlines()[-1]


def test_a_line_is_due_every_second() -> None:
    from core.score import commands

    # Less, as a thread on a busy machine wakes late.
    assert commands._LINE_SECONDS <= 0.8
    assert commands._TERMINAL_SECONDS <= 0.8


def test_the_time_left_counts_only_what_this_run_did() -> None:
    progress = Progress(files=110, files_done=60, files_before=50, read=9, problems=1)
    progress.began = time.monotonic() - 5
    assert progress.per_second == pytest.approx(2, rel=0.05)
    assert progress.seconds_left == pytest.approx(25, rel=0.05)
    line = progress_line(progress)
    assert re.fullmatch(r"60 of 110 files · 2\.0 scans/s · 1 with a problem · 2[45] s left", line)
    assert Progress(files=4, files_done=4, files_before=4).seconds_left is None

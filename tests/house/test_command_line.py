"""``python -m core``: help, exit codes and one-line errors, for people and for scripts."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main, make_parser
from core.errors import StoreUnavailable

ROOT = Path(__file__).resolve().parents[2]


def commands() -> dict[str, argparse.ArgumentParser]:
    parser = make_parser()
    subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(subparsers[0].choices)


COMMANDS = sorted(commands())


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    """A site of its own, whatever the machine's environment says."""
    for name in list(os.environ):
        if name.startswith("OVERREAD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


def test_the_commands_are_the_promised_ones():
    assert set(COMMANDS) >= {
        "models", "promote", "rollback", "import-model", "train", "evaluate", "migrate",
    }  # fmt: skip


@pytest.mark.parametrize("command", [None, *COMMANDS])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_command_has_help(command, language, capsys, monkeypatch):
    monkeypatch.setenv("OVERREAD_LANGUAGE", language)
    with pytest.raises(SystemExit) as exit_:
        main([*([command] if command else []), "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: python -m core" in shown
    if command is None:
        assert all(name in shown for name in COMMANDS)
    assert len(shown.splitlines()) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_bad_usage_exits_with_2_and_shows_the_usage(command, capsys):
    for words in ([command, "--no-such-option"], [], ["no-such-command"]):
        with pytest.raises(SystemExit) as exit_:
            main(words)
        assert exit_.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("usage: python -m core")


def test_a_failed_job_exits_with_1_and_one_line(capsys, monkeypatch):
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "mysql://host/name")
    assert main(["migrate"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err


def test_a_bad_setting_is_named_but_help_is_still_there(capsys, monkeypatch):
    monkeypatch.setenv("OVERREAD_LANGUAGE", "fr")
    assert main(["models"]) == 1
    assert capsys.readouterr().err == "OVERREAD_LANGUAGE must be en or zh_CN.\n"
    with pytest.raises(SystemExit) as exit_:
        main(["models", "--help"])
    assert exit_.value.code == 0


def test_interrupting_is_neither_success_nor_a_trace(capsys, monkeypatch):
    from core.store import Store

    def interrupted(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "open", interrupted)
    assert main(["migrate"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_migrate_makes_the_tables_and_can_be_repeated(site, capsys):
    assert main(["migrate"]) == 0
    first = hashlib.sha256((site / "overread.db").read_bytes()).hexdigest()
    assert main(["migrate"]) == 0
    assert hashlib.sha256((site / "overread.db").read_bytes()).hexdigest() == first
    assert capsys.readouterr().out == "The database is up to date.\n" * 2


def test_a_database_that_cannot_be_made_is_said_in_one_line(site, capsys):
    site.write_text("a file where the folder should be")
    assert main(["migrate"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert issubclass(StoreUnavailable, Exception)
    assert str(site) not in error


def test_a_broken_model_is_listed_with_what_is_wrong(site, capsys):
    folder = site / "models" / "chest-xray" / "2.1"
    folder.mkdir(parents=True)
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    (broken,) = [row for row in rows if row["task"] == "chest-xray"]
    assert broken["version"] == "2.1"
    assert broken["where"] == "site"
    assert broken["digest"] is None
    assert broken["problem"]
    assert main(["models"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("chest-xray 2.1"))
    assert broken["problem"] in line


def test_a_shipped_model_is_listed_with_its_digest(capsys):
    if not list((ROOT / "assets" / "models").glob("*/*/card.json")):
        pytest.skip("no bundle ships in this checkout")
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    shipped = [row for row in rows if row["where"] == "shipped"]
    assert shipped
    for row in shipped:
        assert row["problem"] is None
        assert len(row["digest"]) == 64


def test_help_needs_neither_streamlit_nor_tensorflow(site):
    code = (
        "import sys, core.__main__ as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'streamlit', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_seen_enough_causes_no_trace(site):
    done = subprocess.run(
        [sys.executable, "-m", "core", "models"],
        cwd=ROOT,
        stdout=closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def closed_pipe() -> int:
    read, written = os.pipe()
    os.close(read)
    return written


@pytest.mark.parametrize("words", [["models"], ["--help"], ["promote", "none", "1.0"]])
def test_a_terminal_without_the_letters_still_gets_its_lines(words, site):
    environment = os.environ | {"OVERREAD_LANGUAGE": "zh_CN", "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        [sys.executable, "-m", "core", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if words[0] == "promote" else 0)
    assert done.stdout if done.returncode == 0 else len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr

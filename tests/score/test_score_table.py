"""The table on disk: nothing of an earlier run is lost, mixed up or left torn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from score_tools import rows_of

from core.errors import ScoreError
from core.score._table import Table

COLUMNS = ("file", "value", "run")


def write(path: Path, *values: str, run: str = "r1", **how: bool) -> None:
    with Table(path, COLUMNS, run, **how) as table:
        for value in values:
            table.add((f"{value}.png", value, run))


def values(path: Path) -> list[str]:
    return [row["value"] for row in rows_of(path)]


def test_a_file_that_is_there_is_not_written_over_unless_told_to(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.csv"
    write(out, "a", "b")
    before = out.read_bytes()
    with pytest.raises(ScoreError, match="--resume"):
        write(out, "c")
    assert out.read_bytes() == before
    write(out, "c", overwrite=True)
    assert values(out) == ["c"]


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" * 9, b"mine", b"f", b"file,value,run2", b"file,value\nx,y\n"]
)
def test_only_a_table_is_written_over(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(content)
    whole = b"file,value,run"
    if whole.startswith(content) or content.startswith(whole):
        write(out, "a", overwrite=True)
        assert values(out) == ["a"]
        return
    with pytest.raises(ScoreError, match="no table of results"):
        write(out, "a", overwrite=True)
    assert out.read_bytes() == content


def test_going_on_keeps_every_row_and_shows_them_first(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write(out, "a", "b")
    with Table(out, COLUMNS, "r1", resume=True) as table:
        assert [row["value"] for row in table.rows()] == ["a", "b"]
        table.add(("c.png", "c", "r1"))
    assert values(out) == ["a", "b", "c"]


def test_a_row_torn_anywhere_is_taken_out_and_the_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write(out, "a", 'größe, "b"')
    whole = out.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        out.write_bytes(whole[:cut])
        write(out, "c", resume=True)
        kept = sum(end <= cut for end in ends[1:])
        assert values(out) == [*["a", 'größe, "b"'][:kept], "c"], cut


def test_a_tail_that_a_power_cut_left_empty_is_taken_out(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write(out, "a")
    with out.open("ab") as file:
        file.write(b"\0" * 500)
    write(out, "b", resume=True)
    assert values(out) == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [
        b"file,value,other\nx,y,z\n",
        b"a letter, not a table\n",
        b"a letter without an end",
        b"file,value,run\na.png,a,r1\nb.png,b,r2\n",
        b"file,value,run\na.png,a\nb.png,b,r1\n",
    ],
)
def test_another_table_is_neither_gone_on_with_nor_touched(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(content)
    with pytest.raises(ScoreError, match="another"):
        write(out, "c", resume=True)
    assert out.read_bytes() == content


def test_two_runs_never_write_into_one_table(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Table(out, COLUMNS, "r1") as table:
        table.add(("a.png", "a", "r1"))
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(ScoreError, match="Another run"):
                write(out, "b", **how)
    assert values(out) == ["a"]


def test_rows_are_on_the_disk_before_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file))[1])
    out = tmp_path / "out.csv"
    with Table(out, COLUMNS, "r1") as table:
        for index in range(200):
            table.add((f"{index}.png", str(index), "r1"))
        assert len(values(out)) >= 128
        assert len(synced) >= 3
        monkeypatch.setattr("core.score._table._GROUP_SECONDS", 0.0)
        table.add(("x.png", "x", "r1"))
        assert len(values(out)) == 201


def test_what_was_read_is_written_when_the_run_is_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def interrupted() -> None:
        with Table(out, COLUMNS, "r1") as table:
            table.add(("a.png", "a", "r1"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert values(out) == ["a"]


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file" / "out.csv", tmp_path):
        with pytest.raises(ScoreError) as caught:
            write(out, "a", overwrite=True)
        assert str(tmp_path) not in str(caught.value)
        assert "\n" not in str(caught.value)

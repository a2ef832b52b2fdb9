"""``audit-data --make-split``, and the files an audit leaves behind."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from audit_factory import clean, compressed, cropped, phantom

from core.__main__ import main
from core.errors import LearningError
from core.learning.forms import read_dataset
from core.learning.whole_file import write_whole


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A patient and copies on both sides, an image that cannot be read, and columns of its own."""
    builder = clean(tmp_path / "ward", 15)
    for number, row in enumerate(builder.rows):
        row["age"] = str(40 + number)
    builder.add(cropped(phantom(1)), "benign", "val", case="copy-1")
    builder.add(compressed(phantom(102, "malignant")), "malignant", "val", case="copy-2")
    builder.add(phantom(80), "benign", "val", case="patient-benign-4")
    builder.add(b"broken", "benign", "train", case="broken")
    return builder.write()


def test_the_new_split_passes_its_own_audit(
    leaky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit-data", str(leaky)]) == 1
    assert main(["audit-data", str(leaky), "--make-split", "--val-share", "0.3"]) == 0
    made = leaky / "manifest.split.csv"
    assert str(made) in capsys.readouterr().out
    before = lines(leaky / "manifest.csv")
    os.replace(made, leaky / "manifest.csv")
    assert main(["audit-data", str(leaky)]) == 0
    after = lines(leaky / "manifest.csv")
    assert {row["file"] for row in before} - {row["file"] for row in after} == {before[-1]["file"]}
    assert [row["age"] for row in after[:30]] == [row["age"] for row in before[:30]]
    assert [row["case"] for row in after] == [row["case"] for row in before[:-1]]
    # What belongs together is told to whoever splits again.
    group = {row["case"]: row["group"] for row in after}
    assert group["copy-1"] == group["patient-benign-1"]
    assert group["copy-2"] == group["patient-malignant-2"]
    for label in ("benign", "malignant"):
        sides = [row["split"] for row in after if row["label"] == label]
        assert abs(sides.count("val") - 0.3 * len(sides)) <= 1


def test_the_same_seed_gives_the_same_split_and_another_one_another(
    leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        arguments = ["--make-split", "--test-share", "0.2", "--seed", seed]
        assert main(["audit-data", str(leaky), "--out", str(tmp_path / out), *arguments]) == 0
        made.append((tmp_path / out / "ward.manifest.csv").read_bytes())
    assert made[0] == made[1] != made[2]
    assert {row["split"] for row in lines(tmp_path / "a" / "ward.manifest.csv")} == {
        "train", "val", "test",
    }  # fmt: skip


def test_no_manifest_is_ever_overwritten(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = leaky / "manifest.split.csv"
    there.write_text("mine")
    before = (leaky / "manifest.csv").read_bytes()
    assert main(["audit-data", str(leaky), "--make-split"]) == 1
    assert "--out" in capsys.readouterr().err
    assert there.read_text() == "mine"
    assert (leaky / "manifest.csv").read_bytes() == before
    assert not list(leaky.glob(".*"))


def test_what_cannot_be_balanced_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = clean(tmp_path / "ward", 6)
    for row in builder.rows:
        if row["label"] == "malignant":
            row["case"] = "one patient"
    folder = builder.write()
    arguments = ["--make-split", "--json", "--out", str(tmp_path / "out")]
    assert main(["audit-data", str(folder), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)["new_split"]
    assert any("malignant of ward" in line for line in found["uneven"])
    sides = {
        r["split"] for r in lines(tmp_path / "out" / "ward.manifest.csv") if "mal" in r["label"]
    }
    assert len(sides) == 1


def test_two_datasets_with_one_picture_put_it_on_one_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = clean(tmp_path / "north", 8), clean(tmp_path / "south", 8, first_seed=300)
    for number in range(6):
        two.add(cropped(phantom(number)), "benign", "train", case=f"from-north-{number}")
    out = tmp_path / "out"
    folders = [str(one.write()), str(two.write())]
    assert main(["audit-data", *folders, "--make-split", "--out", str(out)]) == 0
    north = lines(out / "north.manifest.csv")
    south = lines(out / "south.manifest.csv")[-6:]
    assert [row["split"] for row in north[:6]] == [row["split"] for row in south]
    assert len({row["split"] for row in north}) == 2


def test_a_tree_is_not_given_a_manifest_it_could_not_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = clean(tmp_path / "ward").write()
    (tmp_path / "tree").mkdir()
    shutil.move(folder / "images", tmp_path / "tree" / "train")
    assert main(["audit-data", str(tmp_path / "tree"), "--make-split"]) == 1
    assert "images/<label>/" in capsys.readouterr().err


def test_the_html_stands_alone_shows_the_pair_and_names_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = clean(tmp_path / "ward<script>alert(1)<")
    builder.add(cropped(phantom(1)), "benign", "val", case="copy")
    folder, out = builder.write(), tmp_path / "out"
    assert main(["audit-data", str(folder), "--out", str(out)]) == 1
    html = (out / "audit.html").read_text(encoding="utf-8")
    assert html.count('src="data:image/png;base64,') == 2
    assert "patients' scans in small" in html.replace("&#39;", "'")
    assert not re.search(r"<script|https?://|url\(", html)
    assert "default-src 'none'" in html
    found = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    assert f"{found['pairs'][0]['correlation']:.3f}" in html
    for text in (html, json.dumps(found), capsys.readouterr().out):
        assert "secret-name" not in text
    assert main(["audit-data", str(folder), "--out", str(out), "--files"]) == 1
    assert "secret-name" in (out / "audit.html").read_text(encoding="utf-8")
    assert "secret-name" in (out / "audit.json").read_text(encoding="utf-8")


def test_a_name_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = clean(tmp_path / "ward\x1b[2J").write()
    assert main(["audit-data", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_names_that_are_no_text_stop_neither_table_nor_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(b"ward-\xff")
    try:
        builder = clean(tmp_path / odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    builder.add(cropped(phantom(1)), "benign", "val", case="copy")
    folder, out = builder.write(), tmp_path / "out"
    assert main(["audit-data", str(folder), "--out", str(out)]) == 1
    assert "ward-?" in capsys.readouterr().out
    assert "ward-?" in (out / "audit.html").read_text(encoding="utf-8")
    assert odd in json.loads((out / "audit.json").read_text(encoding="utf-8"))["counts"]


def test_a_full_disk_leaves_the_report_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.json"
    write_whole(path, b"old", replace=True)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LearningError, match="full"):
        write_whole(path, b"new", replace=True)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["audit.json"]


def test_a_folder_without_a_manifest_gets_one_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = clean(tmp_path / "ward", 8).write()
    (folder / "manifest.csv").unlink()
    main(["audit-data", str(folder), "--make-split"])
    os.replace(folder / "manifest.split.csv", folder / "manifest.csv")
    rows = read_dataset(folder)
    assert len(rows) == 16
    assert all(row.grouped for row in rows)
    assert np.isclose(sum(row.split == "val" for row in rows), 2, atol=2)

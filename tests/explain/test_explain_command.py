"""``python -m core explain`` as a person in a shell meets it."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import bundle_factory
import pytest

from core.__main__ import main
from core.explain import read_explanation
from core.scan import PhantomSpec, Scan, encode_png, make_phantom
from core.settings import Settings


@pytest.fixture(scope="module")
def model_site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return bundle_factory.ready(tmp_path_factory.mktemp("explain-site"))


@pytest.fixture(autouse=True)
def site(model_site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_VAR", str(model_site.var))
    for name in ("DATABASE_URL", "LANGUAGE", "TASK", "MAX_UPLOAD_MB"):
        monkeypatch.delenv(f"OVERREAD_{name}", raising=False)


def scan_file(folder: Path, name: str, seed: int = 1) -> tuple[Path, Scan]:
    scan = make_phantom(PhantomSpec(260, 220), seed).scan
    path = folder / name
    path.write_bytes(encode_png(scan))
    return path, scan


def test_files_become_pictures_values_and_a_table_and_a_bad_one_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, scan = scan_file(tmp_path, "MUSTERMANN.png")
    bad, second = tmp_path / "ERIKA.png", scan_file(tmp_path, "b.png", 2)
    bad.write_bytes(b"no picture")
    out = tmp_path / "out"
    words = ["--method", "expected-gradients", "--target", "malignant", "--out", str(out)]
    assert main(["explain", str(first), str(bad), str(second[0]), *words]) == 1
    said = capsys.readouterr()
    assert "2 of 3 scans" in said.out
    assert "not a medical device" in said.out
    assert "100 %" not in said.err or "File 1 of 3" in said.err
    problems = [line for line in said.err.splitlines() if line.startswith("File 2: ")]
    assert len(problems) == 1
    assert "ERIKA" not in said.err + said.out
    with (out / "explanations.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["explained", "problem", "explained"]
    assert float(rows[0]["gap"]) >= 0
    names = {path.name for path in out.iterdir()}
    assert not any("MUSTERMANN" in name for name in names)
    assert {rows[0]["picture"], rows[0]["values"]} <= names
    back = read_explanation((out / rows[0]["values"]).read_bytes())
    assert back.case_number == rows[0]["case_number"]
    assert back.explanation.values.shape == scan.grey.shape


def test_evidence_from_a_shell_is_as_whole_as_that_on_the_page(tmp_path: Path) -> None:
    path, _scan = scan_file(tmp_path, "a.png")
    out = tmp_path / "out"
    assert main(["explain", str(path), "--evidence", "--out", str(out)]) == 0
    with (out / "explanations.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert row["faithfulness"]
    assert row["stability"]
    evidence = read_explanation((out / row["values"]).read_bytes()).evidence
    assert evidence is not None
    assert evidence["stability"]["correlation"] == pytest.approx(float(row["stability"]), abs=1e-3)
    assert (evidence["inside"] is None) == (row["heat_inside_outline"] == "")


def test_a_program_gets_json_and_what_is_there_is_safe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _scan = scan_file(tmp_path, "a.png")
    out = tmp_path / "out"
    assert main(["explain", str(path), "--out", str(out), "--evidence", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["method"]) == ("explained", "grad-cam")
    assert row["beats_random_orders"] in ("yes", "no")
    before = {each.name: each.read_bytes() for each in out.iterdir()}
    assert main(["explain", str(path), "--out", str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert {each.name: each.read_bytes() for each in out.iterdir()} == before
    assert main(["explain", str(path), "--out", str(out), "--overwrite", "--target", "cyst"]) == 1
    assert "class" in capsys.readouterr().err


def test_a_full_disk_leaves_the_files_of_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _scan = scan_file(tmp_path, "a.png")
    out = tmp_path / "out"
    assert main(["explain", str(path), "--out", str(out)]) == 0
    before = {each.name: each.read_bytes() for each in out.iterdir()}

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["explain", str(path), "--out", str(out), "--overwrite", "--opacity", "0.3"]) == 1
    assert "the disk may be full" in capsys.readouterr().err
    assert {each.name: each.read_bytes() for each in out.iterdir()} == before


@pytest.mark.parametrize("words", [["--opacity", "2"], ["--cut-off", "x"], ["--method", "magic"]])
def test_what_cannot_be_asked_is_bad_usage(tmp_path: Path, words: list[str]) -> None:
    path, _scan = scan_file(tmp_path, "a.png")
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(path), "--out", str(tmp_path / "out"), *words])
    assert ended.value.code == 2
    assert not (tmp_path / "out").exists()

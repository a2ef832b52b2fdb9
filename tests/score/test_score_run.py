"""Scoring folders: the answers of the page, a row for every file, and none lost to a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import bundle_factory
import numpy as np
import pytest
from loop_factory import phantom_loop
from score_tools import folder_of, rows_of

from core.errors import ScoreError
from core.lesion import PRESETS, LesionControls, find_lesions
from core.model import Predictor
from core.scan import (
    LesionSpec,
    PhantomSpec,
    Scan,
    check_quality,
    encode_png,
    make_phantom,
    read_scan,
)
from core.score import Options, _sources, columns, score
from core.score._run import Progress
from core.score._sources import Frames, planned
from core.settings import ROOT, Settings

HERE = Path(__file__).parent


def number(text: str) -> float:
    return float(text)


def test_every_file_has_the_answer_a_page_would_give_it(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    scans = folder_of(tmp_path / "in", 11, bad=1)
    progress = Progress()
    out = tmp_path / "out.csv"
    summary = score([scans], out, predictor, model_site, Options(batch_size=4), progress)
    rows = rows_of(out)
    assert tuple(rows[0]) == columns(predictor.bundle)
    files = sorted(str(path) for path in scans.rglob("*") if path.is_file())
    assert sorted(row["file"] for row in rows) == files
    assert (summary.files, summary.rows, summary.problems) == (12, 12, 1)
    assert (progress.files, progress.files_done, progress.read, progress.problems) == (
        12,
        12,
        11,
        1,
    )
    assert summary.flagged == sum(row["flagged"] == "yes" for row in rows)
    for row in rows:
        assert row["notice"] == "Decision support, not a medical device"
        assert row["bundle_digest"] == predictor.bundle.digest
        assert number(row["threshold"]) == pytest.approx(
            predictor.card.approved.threshold, abs=1e-6
        )
        if "bad" in row["file"]:
            assert row["status"] == "problem"
            assert row["problem"]
            assert not row["probability"]
            assert not row["case_number"]
            continue
        scan = read_scan(Path(row["file"]).read_bytes(), settings=model_site)
        alone = predictor.read(scan)
        assert row["status"] == "read"
        assert (row["case_number"], row["image_digest"]) == (scan.case_number, scan.digest)
        assert number(row["probability"]) == pytest.approx(alone.probability, abs=2e-6)
        for label, share in alone.probabilities.items():
            assert number(row[f"probability_{label}"]) == pytest.approx(share, abs=2e-6)
        assert row["answer"] == alone.answer
        assert row["flagged"] == ("yes" if alone.flagged else "no")
        assert row["quality"] == "pass"
        assert alone.interval is not None
        assert int(row["interval_n"]) == alone.interval.n
        lesion_map = alone.lesion_map()
        assert lesion_map is not None
        found = find_lesions(lesion_map, scan.grey, LesionControls())
        assert int(row["lesions"]) == found.total
        if found.lesions:
            measured = found.lesions[0].measurements
            assert int(row["largest_area_px"]) == measured.area_pixels
            assert number(row["largest_longest_chord_px"]) == pytest.approx(
                measured.longest_chord, abs=1e-6
            )
            assert row["largest_longest_chord_mm"] == row["largest_area_mm2"] == ""
            assert row["outline"] == "AI outline, unconfirmed"
    assert any(int(row["lesions"] or 0) for row in rows)


def test_a_scan_that_fails_its_check_says_so_and_has_no_interval(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    spec = PhantomSpec(420, 420, lesion=LesionSpec("oval", (0.5, 0.4), 14, 9, echo_db=-26))
    made = {
        "blank": Scan.from_pixels(np.full((300, 300), 7, np.uint8)),
        "good": Scan.from_pixels(make_phantom(spec, 3).scan.pixels),
    }
    (tmp_path / "in").mkdir()
    for name, scan in made.items():
        (tmp_path / "in" / f"{name}.png").write_bytes(encode_png(scan))
    out = tmp_path / "out.csv"
    score([tmp_path / "in"], out, predictor, model_site, Options(read_failing="To see it"))
    blank, good = rows_of(out)
    assert blank["quality"] == "fail"
    assert "Blank image (0 grey levels, below 6 grey levels)" in blank["quality_problems"]
    assert blank["probability"]
    alone = predictor.read(made["good"])
    assert alone.interval is not None
    assert good["quality"] == check_quality(made["good"]).outcome.value != "fail"
    assert int(good["interval_n"]) == alone.interval.n
    assert number(good["interval_low"]) == pytest.approx(alone.interval.low, abs=1e-5)
    for name in ("interval_low", "interval_high", "interval_n", "interval_positives"):
        assert blank[name] == ""
        assert good[name]


def test_millimetres_stand_in_their_own_columns_where_there_is_a_scale(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scaled(data: bytes, **limits: Settings) -> Scan:
        return Scan.from_pixels(read_scan(data, **limits).pixels, spacing=(0.1, 0.2))

    scans = folder_of(tmp_path / "in", 6)
    score([scans], tmp_path / "px.csv", predictor, model_site)
    monkeypatch.setattr(_sources, "read_scan", scaled)
    score([scans], tmp_path / "mm.csv", predictor, model_site)
    measured = 0
    for px, mm in zip(rows_of(tmp_path / "px.csv"), rows_of(tmp_path / "mm.csv"), strict=True):
        assert (mm["spacing_row_mm"], mm["spacing_column_mm"]) == ("0.1", "0.2")
        assert px["spacing_row_mm"] == ""
        assert mm["largest_width_px"] == px["largest_width_mm"] == ""
        if px["largest_area_px"]:
            measured += 1
            area = int(px["largest_area_px"])
            assert mm["largest_area_px"] == px["largest_area_px"]
            assert number(mm["largest_area_mm2"]) == pytest.approx(area * 0.02, abs=1e-5)
            width = number(px["largest_width_px"]) * 0.2
            assert number(mm["largest_width_mm"]) == pytest.approx(width, abs=1e-5)
    assert measured


def test_a_file_name_cannot_become_a_formula(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "in", 1)
    (tmp_path / "in" / "=1+1.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "in")
    score([Path("=1+1.png")], tmp_path / "out.csv", predictor, model_site)
    assert [row["file"] for row in rows_of(tmp_path / "out.csv")] == ["'=1+1.png"]
    again = score(
        [Path("=1+1.png")], tmp_path / "out.csv", predictor, model_site, Options(resume=True)
    )
    assert (again.files_before, again.rows) == (1, 0)


def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files named ``loopN`` be loops of N frames, frame 1 of which is damaged."""

    def read(data: bytes, **limits: Settings) -> Scan:
        if not data.startswith(b"loop"):
            return read_scan(data, **limits)
        loop = phantom_loop(int(data[4:]), side=300, broken=[1])
        return loop.frame(0).with_loop(loop)

    monkeypatch.setattr(_sources, "read_scan", read)


@pytest.mark.parametrize(
    ("frames", "expected"), [("first", [1]), ("all", [1, 2, 3, 4, 5]), (3, [1, 3, 5])]
)
def test_the_frames_that_were_asked_for_are_read(
    tmp_path: Path,
    predictor: Predictor,
    model_site: Settings,
    monkeypatch: pytest.MonkeyPatch,
    frames: Frames,
    expected: list[int],
) -> None:
    loops(monkeypatch)
    folder = folder_of(tmp_path / "in", 2, bad=1)
    (folder / "loop").write_bytes(b"loop5")
    out = tmp_path / "out.csv"
    options = Options(frames=frames, batch_size=2)
    summary = score([folder], out, predictor, model_site, options)
    rows = rows_of(out)
    of_loop = [row for row in rows if row["file"].endswith("loop")]
    assert [int(row["frame"]) for row in of_loop] == expected
    assert {row["frames"] for row in of_loop} == {"5"}
    assert [row["frame"] for row in of_loop if row["status"] == "problem"] == (
        ["2"] if frames == "all" else []
    )
    assert {row["frame"] for row in rows if "bad" not in row["file"]} >= {"1"}
    assert summary.rows == len(rows) == 3 + len(expected)
    again = score([folder], out, predictor, model_site, replace(options, resume=True))
    assert (again.files_before, again.rows) == (4, 0)


def test_a_loop_that_was_left_in_the_middle_is_gone_on_with_behind_its_last_frame(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops(monkeypatch)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(b"loop6")
    out = tmp_path / "out.csv"
    options = Options(frames="all", batch_size=2)
    score([folder], out, predictor, model_site, options)
    lines = out.read_bytes().splitlines(keepends=True)
    whole = [(row["file"], row["frame"], row["probability"]) for row in rows_of(out)]
    assert len(whole) == 18
    for rows in (2, 6, 7, 11, 17):
        out.write_bytes(b"".join(lines[: rows + 1]))
        again = score([folder], out, predictor, model_site, replace(options, resume=True))
        found = [(row["file"], row["frame"], row["probability"]) for row in rows_of(out)]
        assert [each[:2] for each in found] == [each[:2] for each in whole]
        assert again.rows == 18 - rows
        for (*_place, one), (*_same, other) in zip(found, whole, strict=True):
            assert one == other == "" or number(one) == pytest.approx(number(other), abs=2e-6)


def test_the_same_file_twice_is_two_rows_also_after_going_on(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder = folder_of(tmp_path / "in", 3)
    out = tmp_path / "out.csv"
    score([folder, folder], out, predictor, model_site)
    lines = out.read_bytes().splitlines(keepends=True)
    assert len(lines) == 7
    out.write_bytes(b"".join(lines[:5]))
    again = score([folder, folder], out, predictor, model_site, Options(resume=True))
    assert (again.files_before, again.rows) == (4, 2)
    assert sorted(row["file"] for row in rows_of(out)) == sorted(
        [str(path) for path in folder.rglob("*") if path.is_file()] * 2
    )


def test_a_run_with_another_model_or_other_controls_does_not_mix(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder = folder_of(tmp_path / "in", 2)
    out = tmp_path / "out.csv"
    score([folder], out, predictor, model_site)
    before = out.read_bytes()
    own = bundle_factory.settings_for(tmp_path / "var")
    card = replace(predictor.card, title="Another")
    bundle_factory.write(own.model_roots[0], predictor.bundle.model_path, card)
    another = Predictor.load("breast-ultrasound", settings=own)
    for reader, options in (
        (another, Options()),
        (predictor, Options(controls=PRESETS["strict"])),
        (predictor, Options(frames="all")),
    ):
        with pytest.raises(ScoreError, match="another model"):
            score([folder], out, reader, model_site, replace(options, resume=True))
        assert out.read_bytes() == before


def test_the_table_is_not_read_as_a_scan_where_it_lies_among_them(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder = folder_of(tmp_path / "in", 2)
    summary = score([folder], folder / "out.csv", predictor, model_site)
    assert (summary.files, summary.problems) == (2, 0)


def test_a_fault_in_one_file_takes_no_other_with_it(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(data: bytes, **limits: Settings) -> Scan:
        if data == b"no picture":
            raise ValueError("a secret")
        return read_scan(data, **limits)

    monkeypatch.setattr(_sources, "read_scan", faulty)
    for frames in ("first", "all"):
        out = tmp_path / f"{frames}.csv"
        folder = folder_of(tmp_path / "in", 3, bad=2)
        summary = score([folder], out, predictor, model_site, Options(frames=frames))
        assert (summary.rows, summary.problems) == (5, 2)
        assert "secret" not in out.read_text()


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert list(planned(1, "all")) == [0]
    assert list(planned(9, 1)) == [0]
    assert list(planned(9, 3)) == [0, 4, 8]
    assert list(planned(3, 9)) == [0, 1, 2]
    for frames in range(1, 40):
        for wanted in range(1, 45):
            chosen = list(planned(frames, wanted))
            assert len(set(chosen)) == len(chosen) == min(frames, wanted)
            assert chosen == sorted(chosen)
            assert chosen[0] == 0
            assert chosen[-1] == (frames - 1 if min(frames, wanted) > 1 else 0)


def start(site: Path, folder: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(HERE), str(HERE.parent / "model")])
    return subprocess.Popen(
        [sys.executable, str(HERE / "score_process.py"), str(site), str(folder), str(out), *more],
        env=os.environ | {"PYTHONPATH": paths}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
def test_killing_it_again_and_again_loses_and_doubles_no_row(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder = folder_of(tmp_path / "in", 400, bad=3)
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    score([folder], whole, predictor, model_site)
    killed = 0
    for turn, wanted in enumerate((70, 200)):
        process = start(model_site.var, folder, out, "first", *(["--resume"] if turn else []))
        deadline = time.monotonic() + 120
        while not out.exists() or out.read_bytes().count(b"\n") < wanted:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.communicate()
        killed += 1
        if turn == 0:
            # The worst a kill can leave: half a row.
            with out.open("ab") as file:
                file.write(b"Decision support, not a medi")
        assert out.read_bytes().count(b"\n") < 404
    assert killed == 2
    last = start(model_site.var, folder, out, "first", "--resume")
    assert last.communicate(timeout=240)[0] == "done\n"
    found, expected = rows_of(out), rows_of(whole)
    assert [row["file"] for row in found] == [row["file"] for row in expected]
    assert len({row["file"] for row in found}) == 403
    for one, other in zip(found, expected, strict=True):
        assert {k: one[k] for k in ("image_digest", "answer", "flagged", "problem", "run")} == {
            k: other[k] for k in ("image_digest", "answer", "flagged", "problem", "run")
        }

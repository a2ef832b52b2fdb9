"""What fails the quality check is read for a stated reason alone, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from score_tools import failing_scan, folder_of, good_scan, rows_of, with_failing

from core.errors import ScoreError
from core.model import Predictor
from core.scan import Loop, Outcome, QualityReport, Scan, check_quality
from core.score import Options, _sources, score
from core.settings import Settings

ANSWERS = ("answer", "probability", "flagged", "interval_low", "interval_n", "lesions", "outline")
REASON = "No better image can be had; for research only"


def rows_by_file(table: Path) -> dict[str, dict[str, str]]:
    return {Path(row["file"]).name: row for row in rows_of(table)}


def test_a_scan_that_fails_has_a_row_and_no_answer(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    network = predictor._network

    def counting(inputs, targets):
        asked.append(len(inputs))
        return network(inputs, targets)

    counting.has_lesion_map, counting.heat_available = True, True
    monkeypatch.setattr(predictor, "_network", counting)
    folder, out = with_failing(folder_of(tmp_path / "in", 3)), tmp_path / "out.csv"
    summary = score([folder], out, predictor, model_site)
    assert (summary.rows, summary.not_read, summary.problems) == (4, 1, 0)
    assert sum(asked) == 3
    rows = rows_by_file(out)
    row, scan = rows.pop("failing.png"), failing_scan()
    assert row["status"] == "not read"
    assert (row["case_number"], row["image_digest"]) == (scan.case_number, scan.digest)
    assert (row["frame"], row["frames"]) == ("1", "1")
    assert row["quality"] == "fail"
    assert "90" in row["quality_problems"]
    assert "--read-failing" in row["problem"]
    assert row["override_reason"] == ""
    assert all(row[name] == "" for name in ANSWERS)
    assert not any(value for name, value in row.items() if name.startswith("probability_"))
    assert {other["status"] for other in rows.values()} == {"read"}
    assert {other["quality"] for other in rows.values()} == {"pass"}
    again = score([folder], out, predictor, model_site, Options(resume=True))
    assert (again.files_before, again.rows) == (4, 0)


def test_for_a_reason_it_is_read_and_has_no_interval(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder, out = with_failing(folder_of(tmp_path / "in", 2)), tmp_path / "out.csv"
    summary = score([folder], out, predictor, model_site, Options(read_failing=REASON))
    assert (summary.rows, summary.not_read, summary.problems) == (3, 0, 0)
    rows = rows_by_file(out)
    row, alone = rows.pop("failing.png"), predictor.read(failing_scan())
    assert (row["status"], row["quality"], row["problem"]) == ("read", "fail", "")
    assert row["override_reason"] == REASON
    assert row["answer"] == alone.answer
    assert float(row["probability"]) == pytest.approx(alone.probability, abs=2e-6)
    assert alone.interval is not None
    assert all(row[f"interval_{name}"] == "" for name in ("low", "high", "n", "positives"))
    for other in rows.values():
        assert other["override_reason"] == ""
        assert other["interval_n"]


def test_each_frame_of_a_loop_is_held_against_the_check(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [good_scan(0), failing_scan(), good_scan(2)]

    def decode(index: int) -> Scan:
        return Scan.from_pixels(made[index].pixels, frames=3, frame=index)

    loop = Loop(3, None, 1, decode)
    monkeypatch.setattr(_sources, "read_scan", lambda data, **limits: decode(0).with_loop(loop))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "loop").write_bytes(b"loop")
    out = tmp_path / "out.csv"
    score([folder], out, predictor, model_site, Options(frames="all"))
    rows = rows_of(out)
    assert [row["status"] for row in rows] == ["read", "not read", "read"]
    assert [row["frame"] for row in rows] == ["1", "2", "3"]
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]))
    again = score([folder], out, predictor, model_site, Options(frames="all", resume=True))
    assert (again.rows, again.not_read) == (1, 0)
    assert [row["status"] for row in rows_of(out)] == ["read", "not read", "read"]


def test_rows_read_for_a_reason_do_not_mix_with_others(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder, out = with_failing(folder_of(tmp_path / "in", 1)), tmp_path / "out.csv"
    score([folder], out, predictor, model_site)
    before = out.read_bytes()
    with pytest.raises(ScoreError, match="another command"):
        score([folder], out, predictor, model_site, Options(resume=True, read_failing=REASON))
    assert out.read_bytes() == before


def test_every_scan_is_checked_once_beside_the_network(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def noting(scan: Scan) -> QualityReport:
        checked.append(threading.current_thread().name)
        return check_quality(scan)

    monkeypatch.setattr(_sources, "check_quality", noting)
    score([folder_of(tmp_path / "in", 6)], tmp_path / "out.csv", predictor, model_site)
    assert len(checked) == 6
    assert all(name.startswith("read-many-decode") for name in checked)


def test_what_warns_alone_is_read_and_keeps_its_interval(
    tmp_path: Path, predictor: Predictor, model_site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sources, "check_quality", unusual(check_quality))
    out = tmp_path / "out.csv"
    score([folder_of(tmp_path / "in", 2)], out, predictor, model_site)
    for row in rows_of(out):
        assert (row["status"], row["quality"]) == ("read", "warn")
        assert row["quality_problems"]
        assert row["interval_n"]


def unusual(check: Callable[[Scan], QualityReport]) -> Callable[[Scan], QualityReport]:
    """Let every scan be an unusual one."""

    def changed(scan: Scan) -> QualityReport:
        first, *rest = check(scan).checks
        return QualityReport((replace(first, outcome=Outcome.WARN), *rest))

    return changed


@pytest.mark.parametrize("reason", [" ", "r" * 501, "one\nother", "nul \0", "half \ud800"])
def test_a_reason_that_cannot_stand_in_a_row_is_refused(reason: str) -> None:
    with pytest.raises(ScoreError):
        Options(read_failing=reason)
    assert Options(read_failing="r" * 500).read_failing == "r" * 500

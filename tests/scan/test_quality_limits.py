"""The limits come from data: what ships was made by the rule, and training scans keep to it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.scan import CheckName, Outcome, PhantomSpec, check_quality, make_phantom, read_scan
from core.scan._quality import THRESHOLDS, Limits, figures, fitted_limits
from core.scan.fit_quality import fit, main, set_limits, training_files

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SETS = ("busi", "busbra")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real scans beside the repository")


def dataset(folder: Path, count: int = 6) -> Path:
    """Write a dataset of phantoms; the last row is not for training, and black."""
    lines = ["split,label,file"]
    (folder / "images" / "benign").mkdir(parents=True)
    for i in range(count):
        last = i == count - 1
        pixels = make_phantom(PhantomSpec(260 + 10 * i, 280), i).scan.pixels
        name = f"{i}.png"
        cv2.imwrite(str(folder / "images" / "benign" / name), pixels * (not last))
        lines.append(f"{'val' if last else 'train'},benign,{name}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_limits_are_set_from_the_training_rows_alone(tmp_path: Path) -> None:
    folder, out = dataset(tmp_path / "phantoms"), tmp_path / "quality.json"
    assert main([str(folder), "--out", str(out)]) == 0
    made = json.loads(out.read_text())
    assert made["images"] == {"phantoms": 5}
    assert set(made["checks"]) == {name.value for name in fitted_limits()}
    resolution = made["checks"]["resolution"]
    assert resolution["n"] == 5
    assert resolution["quantiles"]["phantoms"]["0"] == 260
    assert made["checks"]["exposure"]["quantiles"]["phantoms"]["0"] > 50
    assert [path.name for path in training_files(folder)] == [f"{i}.png" for i in range(5)]
    assert ".png" not in out.read_text()


@pytest.mark.parametrize("break_it", ["missing", "columns", "image", "rows"])
def test_a_folder_that_cannot_be_used_is_said_in_one_line(
    break_it: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = dataset(tmp_path / "phantoms", 3), tmp_path / "quality.json"
    manifest = folder / "manifest.csv"
    if break_it == "missing":
        manifest.unlink()
    elif break_it == "columns":
        manifest.write_text("file,label\n0.png,benign\n")
    elif break_it == "rows":
        manifest.write_text("split,label,file\nval,benign,0.png\n")
    else:
        (folder / "images" / "benign" / "0.png").write_bytes(b"no image")
    assert main([str(folder), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert str(folder) not in said
    assert not out.exists()


def test_the_rule_for_what_can_be_too_low() -> None:
    first, second = np.linspace(100, 300, 101), np.full(101, 200.0)
    limits = set_limits(CheckName.BLUR, [first, second])
    # The 1st percentile of the folder farthest out; half a log step beyond the least, 100 of 200.
    assert limits["low_warn"] == pytest.approx(102)
    assert limits["low_fail"] == pytest.approx(100 / 2**0.5)
    assert limits["high_warn"] is limits["high_fail"] is None
    assert set_limits(CheckName.RESOLUTION, [first, second])["low_fail"] == pytest.approx(50)


def test_the_rule_for_shares_and_for_too_bright() -> None:
    shares = np.linspace(0, 0.125, 101)
    limits = set_limits(CheckName.BORDERS, [shares, np.zeros(5)])
    assert limits["high_warn"] == pytest.approx(0.12375)
    assert limits["high_fail"] == pytest.approx(0.125 ** (2 / 3))
    assert limits["low_warn"] is limits["low_fail"] is None
    levels = np.linspace(55, 155, 101)
    # 100 levels of room are left above 155, 150 above the median of 105.
    high = set_limits(CheckName.EXPOSURE, [levels])["high_fail"]
    assert high == pytest.approx(255 - 100 * (100 / 150) ** 0.5)


def test_every_limit_warns_before_it_fails() -> None:
    for limits in fitted_limits().values():
        if limits.low_warn is not None and limits.low_fail is not None:
            assert 0 < limits.low_fail < limits.low_warn
        if limits.high_warn is not None and limits.high_fail is not None:
            assert limits.high_warn < limits.high_fail < 255


def test_a_figure_is_held_against_the_nearest_limit() -> None:
    limits = Limits(10, 5, 90, 95)
    expected = {
        4: (Outcome.FAIL, 5),
        5: (Outcome.WARN, 10),
        10: (Outcome.PASS, 10),
        60: (Outcome.PASS, 90),
        90: (Outcome.PASS, 90),
        91: (Outcome.WARN, 90),
        96: (Outcome.FAIL, 95),
    }
    assert {value: limits.judge(value) for value in expected} == expected


@needs_data
@pytest.mark.slow
def test_what_ships_is_what_the_training_images_give() -> None:
    from core.scan.fit_quality import measure_files

    shipped = json.loads(THRESHOLDS.read_text(encoding="utf-8"))
    files = {name: training_files(DATA / name)[::20] for name in SETS}
    for name, some in files.items():
        found = measure_files(some)
        for check, values in found.items():
            quantiles = shipped["checks"][check.value]["quantiles"][name]
            slack = 1e-3 * max(1.0, abs(quantiles["100"]))
            assert quantiles["0"] - slack <= values.min()
            assert values.max() <= quantiles["100"] + slack
    assert shipped["images"] == {name: len(training_files(DATA / name)) for name in SETS}


@needs_data
@pytest.mark.slow
def test_hardly_a_scan_that_was_not_trained_on_fails() -> None:
    import csv

    reports = []
    for name in SETS:
        with (DATA / name / "manifest.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row["split"] == "val":
                    path = DATA / name / "images" / row["label"] / row["file"]
                    reports.append(check_quality(read_scan(path.read_bytes())))
    failed = sum(report.outcome is Outcome.FAIL for report in reports)
    assert len(reports) > 200
    assert failed <= 0.02 * len(reports)
    # And the limits are no empty promise: some scans of a clinic are unusual.
    assert sum(report.outcome is Outcome.WARN for report in reports) >= 0.01 * len(reports)


def test_a_fit_counts_what_it_saw() -> None:
    from core.scan._measures import measure

    rows = [figures(measure(make_phantom(PhantomSpec(200, 200), i).scan)) for i in range(3)]
    found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    made = fit({"a": found, "b": {name: values[:1] for name, values in found.items()}})
    assert made["images"] == {"a": 3, "b": 1}
    assert all(entry["n"] == 4 for entry in made["checks"].values())

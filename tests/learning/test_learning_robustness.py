"""Graded changes do what their names say, the same every time, and the truth follows them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_factory import FakeReader
from learning_factory import LABELS, phantom_folder
from numpy.typing import NDArray

from core.learning.forms import read_dataset
from core.learning.robustness import GRADES, Change, robustness
from core.scan import LesionSpec, PhantomSpec, Scan, make_phantom

MADE = make_phantom(PhantomSpec(200, 160, lesion=LesionSpec()), seed=4)
LESION = MADE.mask > 127
EVERY = [(name, grade) for name, grades in GRADES.items() for grade in grades]


def changed(name: str, grade: float, seed: int = 0) -> NDArray[np.float64]:
    return Change(name, grade, seed)(MADE.scan, LESION)[0].grey.astype(np.float64)


@pytest.mark.parametrize(("name", "grade"), EVERY)
def test_a_change_is_the_same_every_time_and_leaves_the_scan_alone(name: str, grade: float) -> None:
    before = MADE.scan.pixels.copy()
    first, lesion = Change(name, grade)(MADE.scan, LESION)
    again, _lesion = Change(name, grade)(MADE.scan, LESION)
    assert first.digest == again.digest != MADE.scan.digest
    assert lesion.shape == first.pixels.shape[:2]
    np.testing.assert_array_equal(MADE.scan.pixels, before)


@pytest.mark.parametrize("name", ["speckle", "blur", "jpeg", "downsampling"])
def test_a_stronger_grade_changes_more(name: str) -> None:
    plain = MADE.scan.grey.astype(np.float64)
    apart = [np.abs(changed(name, grade) - plain).mean() for grade in GRADES[name]]
    assert all(one < other for one, other in pairwise(apart))


def test_brightness_and_contrast_move_mean_and_spread_as_told() -> None:
    middle = np.tile(np.linspace(100, 150, 64).round().astype(np.uint8), (64, 1))
    scan = Scan.from_pixels(middle)
    nowhere = np.zeros(middle.shape, np.bool_)
    for grade in GRADES["brightness"]:
        found = Change("brightness", grade)(scan, nowhere)[0].pixels
        np.testing.assert_array_equal(found, middle + np.int16(grade))
    for grade in GRADES["contrast"]:
        found = Change("contrast", grade)(scan, nowhere)[0].pixels
        assert found.std() == pytest.approx(grade * middle.std(), rel=0.03)
        assert found.mean() == pytest.approx(middle.mean(), abs=0.5)


def test_blur_spreads_an_edge_as_told() -> None:
    step = np.repeat(np.where(np.arange(101) < 50, np.uint8(0), np.uint8(250))[:, None], 101, 1)
    for grade in GRADES["blur"]:
        found = Change("blur", grade)(Scan.from_pixels(step), step > 0)[0].pixels.astype(float)
        slope = np.diff(found[:, 50])
        place = np.arange(100) - 49
        # The slope of a blurred edge is the Gaussian itself.
        assert (slope * place**2).sum() / slope.sum() == pytest.approx(grade**2, rel=0.1)


def test_the_truth_is_cut_as_the_picture_is() -> None:
    marked = np.where(LESION, np.uint8(200), np.uint8(50))
    scan, lesion = Change("cropping", 0.1)(Scan.from_pixels(marked), LESION)
    assert (scan.width, scan.height) == (160, 128)
    np.testing.assert_array_equal(lesion, scan.pixels == 200)


def test_speckle_of_one_scan_is_not_that_of_another() -> None:
    flat = [Scan.from_pixels(np.full((80, 80), level, np.uint8)) for level in (100, 101)]
    nowhere = np.zeros((80, 80), np.bool_)
    noise = [Change("speckle", 0.4)(scan, nowhere)[0].pixels.astype(float).ravel() for scan in flat]
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1
    assert noise[0].std() == pytest.approx(40, rel=0.1)
    assert not np.array_equal(changed("speckle", 0.4), changed("speckle", 0.4, seed=1))


def test_colours_are_changed_as_colours() -> None:
    grey = np.array(MADE.scan.grey)
    colours = np.stack([grey // 2 + 120, grey // 2 + 60, grey // 2], axis=-1)
    for name, grade in EVERY:
        found, _lesion = Change(name, grade)(Scan.from_pixels(colours), LESION)
        assert found.pixels.shape[2] == 3
        # What was red stays red: channels are not swapped on the way.
        red, green, blue = found.pixels.reshape(-1, 3).mean(axis=0)
        assert red > green + 15 > blue + 30


def test_figures_are_those_of_the_changed_scans(tmp_path: Path) -> None:
    rows = read_dataset(phantom_folder(tmp_path / "ward", train=3, val=3), LABELS)
    seen: list[Scan] = []

    def lesion(scan: Scan) -> Any:
        seen.append(scan)
        return (scan.grey > 60).astype(np.float32)

    reader = FakeReader(
        lesion=lesion,
        heat=lambda scan, _target: np.ones(scan.grey.shape, np.float32),
        probabilities={"normal": 0.1, "benign": 0.2, "malignant": 0.7},
    )
    told = list(robustness(rows, reader, LABELS, "malignant"))
    assert [(entry["change"], entry["grade"]) for entry in told] == EVERY
    assert all((entry["n"], entry["unread"]) == (18, 0) for entry in told)
    # Every scan was read once under each change, and none as it is.
    originals = {read.digest for read in (make_scan(row) for row in rows)}
    assert len(seen) >= 12 * len(EVERY)
    assert not originals & {scan.digest for scan in seen}
    overlap = {(e["change"], e["grade"]): e["dice_mean"]["value"] for e in told}
    assert overlap["brightness", 60] != overlap["brightness", -60]


def make_scan(row: Any) -> Scan:
    from core.learning.rows import load_scan

    return load_scan(row)

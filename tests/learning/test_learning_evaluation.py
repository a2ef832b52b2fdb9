"""Reading labelled scans: overlap, peaks and refusals, nothing left out in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_factory import FakeReader
from learning_factory import LABELS, write_png

from core.errors import DatasetError, PredictionFailed
from core.learning.evaluation import figures, score
from core.learning.rows import Row
from core.scan import LesionSpec, PhantomSpec, Scan, make_phantom


def _at(row: int, column: int) -> np.ndarray:
    values = np.zeros((40, 60), np.float32)
    values[row, column] = 1
    return values


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    values = np.zeros((40, 60), np.float32)
    values[top:bottom, left:right] = 0.5
    return values


@pytest.fixture
def row(tmp_path: Path) -> Row:
    image = write_png(tmp_path / "images/malignant/a.png", np.full((40, 60), 90, np.uint8))
    truth = (_box(10, 20, 10, 30) > 0).astype(np.uint8) * 255
    mask = write_png(tmp_path / "masks/malignant/a.png", truth)
    return Row(image, mask, "malignant", "val", "ward", "case1", "scanner")


def _reader(p: float = 0.7, **changes: Any) -> FakeReader:
    given: dict[str, Any] = {
        "lesion": lambda _scan: _box(10, 20, 20, 40),
        "heat": lambda _scan, _target: _at(15, 15),
        "probabilities": {"normal": (1 - p) / 4, "benign": 3 * (1 - p) / 4, "malignant": p},
    }
    return FakeReader(**(given | changes))


def test_overlap_is_counted_at_native_size_from_one_half(row: Row) -> None:
    found = score([row], _reader(), LABELS, "malignant")
    # Two boxes of 200 pixels that share 100.
    assert found.dice[0] == pytest.approx(0.5)
    assert found.iou[0] == pytest.approx(1 / 3)
    assert found.truth.tolist() == [2]
    assert found.group.tolist() == ["ward/case1"]
    np.testing.assert_allclose(found.probabilities, [[0.075, 0.225, 0.7]])


def test_peaks_are_looked_for_where_the_lesion_is(row: Row) -> None:
    inside = _reader(lesion=lambda _scan: _at(12, 12), heat=lambda *_: _at(19, 29))
    outside = _reader(lesion=lambda _scan: _at(20, 12), heat=lambda *_: _at(19, 30))
    both = [score([row], reader, LABELS, "malignant") for reader in (inside, outside)]
    assert [found.mask_peak[0] for found in both] == [1, 0]
    assert [found.cam_pointing[0] for found in both] == [1, 0]


def test_heat_that_is_nowhere_is_a_miss(row: Row) -> None:
    everywhere = write_png(row.mask or Path(), np.full((40, 60), 255, np.uint8))
    assert everywhere.is_file()
    found = score([row], _reader(heat=lambda *_: np.zeros((40, 60))), LABELS, "malignant")
    assert found.cam_pointing[0] == 0


@pytest.mark.parametrize(
    ("p", "answer", "wanted"),
    [
        (0.5, "malignant", [(None, 1)]),
        (0.5, "benign", [(None, 1), ("malignant", 1)]),
        # Flagged at a low operating point, and yet benign is likelier than not.
        (0.49, "malignant", [(None, 1), ("benign", 1)]),
    ],
)
def test_the_heat_judged_is_that_of_the_predicted_class(
    row: Row, p: float, answer: str, wanted: list[tuple[str | None, int]]
) -> None:
    said = wanted[-1][0] or answer
    reader = _reader(
        p, answer=answer, heat=lambda _scan, shown: _at(15, 15) if shown == said else _at(0, 0)
    )
    found = score([row], reader, LABELS, "malignant")
    assert reader.asked == wanted
    assert found.cam_pointing[0] == 1


def test_one_category_is_one_subgroup_however_readers_wrote_it(row: Row) -> None:
    written = ("4", "4.0", "BI-RADS 4", "4a", "BIRADS4A", "IV", "")
    rows = [replace(row, about={"birads": word}) for word in written]
    found = score(rows, _reader(), LABELS, "malignant").attributes["birads"]
    assert found.tolist() == ["4", "4", "4", "4A", "4A", "IV", ""]


def test_a_scan_without_lesion_has_no_overlap(row: Row) -> None:
    assert row.mask is not None
    row.mask.unlink()
    plain = Row(row.image, None, "normal", "val", "ward", "case2", "scanner")
    found = score([plain], _reader(), LABELS, "malignant")
    for values in (found.dice, found.iou, found.mask_peak, found.cam_pointing):
        assert np.isnan(values).all()
    assert found.truth.tolist() == [0]


def test_an_outline_where_there_is_no_lesion_is_counted_and_one_that_may_be_right_is_not(
    row: Row,
) -> None:
    plain = Row(row.image, None, "normal", "val", "ward", "case2", "scanner")
    unknown = Row(row.image, None, "benign", "val", "ward", "case3", "scanner")
    rows = [plain, unknown, row]
    found = score(rows, _reader(), LABELS, "malignant")
    np.testing.assert_array_equal(found.false_outline, [1, np.nan, np.nan])
    quiet = _reader(lesion=lambda _scan: 0.9 * _box(10, 20, 20, 40))
    np.testing.assert_array_equal(
        score(rows, quiet, LABELS, "malignant").false_outline, [0, np.nan, np.nan]
    )
    assert figures(found)["false_outlines"]["value"] == 1


def test_a_model_without_map_is_judged_by_its_classes_only(row: Row) -> None:
    report = figures(score([row], _reader(lesion=lambda _scan: None), LABELS, "malignant"))
    assert "dice_mean" not in report
    assert "mask_peak" not in report
    assert report["cam_pointing"]["value"] == 1


def test_scans_that_need_another_heat_are_read_again_in_batches(row: Row) -> None:
    reader = _reader(0.4)
    found = score([row] * 40, reader, LABELS, "malignant", batch_size=16)
    assert reader.asked == [(None, 40), ("benign", 16), ("benign", 16), ("benign", 8)]
    assert (found.cam_pointing == 1).all()


def test_without_heat_the_rest_is_measured_all_the_same(row: Row) -> None:
    reader = _reader(0.4)
    found = score([row], reader, LABELS, "malignant", heat=False)
    assert reader.asked == [(None, 1)]
    assert np.isnan(found.cam_pointing[0])
    assert found.dice[0] == pytest.approx(0.5)


def test_a_model_that_has_no_heat_is_not_said_to_point_elsewhere(row: Row) -> None:
    found = score([row], _reader(heat_available=False), LABELS, "malignant")
    assert np.isnan(found.cam_pointing[0])


def test_a_scan_that_cannot_be_opened_counts_as_wrong_and_says_why(
    row: Row, tmp_path: Path
) -> None:
    broken = tmp_path / "images/malignant/b.png"
    broken.write_bytes(row.image.read_bytes()[:60])
    unreadable = Row(broken, row.mask, "malignant", "val", "ward", "case2", "", entry=7)
    done: list[int] = []
    found = score([unreadable, row], _reader(), LABELS, "malignant", done.append)
    assert done == [1, 2]
    assert found.unread.tolist() == [True, False]
    assert found.refused[0]
    assert found.reason[0]
    assert found.entry[0] == 7
    # The lesion that its mask shows was neither outlined nor pointed at.
    for values in (found.dice, found.iou, found.mask_peak, found.cam_pointing):
        assert values[0] == 0
    report = figures(found)
    assert (report["n"], report["refused"], report["unread"]) == (2, 2, 1)
    assert report["accuracy"]["value"] == report["recall"]["value"] == 0.5
    assert report["dice_mean"]["value"] == pytest.approx(0.25)


def test_a_scan_the_model_fails_on_counts_as_wrong(row: Row) -> None:
    def fails(_scan: Scan) -> np.ndarray:
        raise PredictionFailed("no answer")

    found = score([row, row], _reader(lesion=fails), LABELS, "malignant")
    assert found.unread.all()
    assert found.reason.tolist() == ["no answer"] * 2
    report = figures(found)
    assert (report["n"], report["accuracy"]["value"], report["brier"]["value"]) == (2, 0, 1)


def test_a_scan_that_fails_the_quality_check_is_scored_and_counted(row: Row) -> None:
    # A grey card: blank.
    found = score([row], _reader(0.9), LABELS, "malignant")
    assert (bool(found.refused[0]), bool(found.sure[0]), bool(found.unread[0])) == (
        True,
        False,
        False,
    )
    assert "quality" in found.reason[0]
    assert found.score[0] == 0.9
    assert figures(found)["recall"]["value"] == 1


@pytest.mark.parametrize(
    ("known", "sure", "refused", "abstained"),
    [
        (None, None, 0, 0),
        (True, True, 0, 0),
        (False, True, 1, 0),
        (False, False, 1, 0),
        (True, False, 0, 1),
    ],
)
def test_what_the_model_refuses_or_is_unsure_of_is_counted_and_scored(
    tmp_path: Path, known: bool | None, sure: bool | None, refused: int, abstained: int
) -> None:
    made = make_phantom(PhantomSpec(320, 240, lesion=LesionSpec()), seed=4)
    image = write_png(tmp_path / "images/malignant/a.png", np.array(made.scan.grey))
    row = Row(image, None, "malignant", "val", "ward", "case1", "")
    found = score([row], _reader(0.9, known=known, sure=sure), LABELS, "malignant")
    report = figures(found)
    assert (report["n"], report["refused"], report["abstained"]) == (1, refused, abstained)
    assert ("Not a scan this model knows" in found.reason[0]) == bool(refused)
    assert report["accuracy"]["value"] == 1


def test_an_outline_that_cannot_be_used_is_no_refusal(row: Row) -> None:
    assert row.mask is not None
    write_png(row.mask, np.zeros((40, 61), np.uint8))
    with pytest.raises(DatasetError, match="another size"):
        score([row], _reader(), LABELS, "malignant")

"""What leaves the room: tables, contours for the browser, the doctor's drawing."""

from __future__ import annotations

import csv
import io
import json
import math

import cv2
import numpy as np
import pytest

from core.errors import LesionError
from core.lesion import (
    LesionControls,
    find_heat_regions,
    find_lesions,
    lesion_from_mask,
    mask_from_polygon,
    measurements_csv,
    measurements_frame,
    measurements_json,
)

PROVENANCE = {
    "case_number": "ABCDE-12345",
    "model_version": "breast-ultrasound/1.0",
    "bundle_digest": "aa" * 32,
    "image_digest": "bb" * 32,
}


def two(spacing=None, level: float = 1.0):
    values = np.zeros((80, 120), np.float32)
    values[10:40, 10:60] = level
    values[50:70, 70:100] = level
    grey = np.full(values.shape, 120, np.uint8)
    grey[values > 0] = 40
    return find_lesions(values, grey, LesionControls(threshold=0.4), spacing=spacing)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(("spacing", "unit"), [(None, "px"), ((0.1, 0.2), "mm")])
def test_every_number_says_its_unit(spacing, unit):
    result = two(spacing)
    frame = measurements_frame(result)
    assert list(frame["number"]) == [1, 2]
    assert set(frame["unit"]) == {unit}
    names = [f"area_{unit}2", *(f"{n}_{unit}" for n in ("longest_chord", "perimeter", "depth"))]
    assert set(names) <= set(frame.columns)
    assert not any(n.endswith("_mm") or n.endswith("_mm2") for n in frame.columns) or unit == "mm"
    assert frame["echogenicity_grey_levels"].tolist() == [-80, -80]
    assert frame[f"area_{unit}2"][0] == pytest.approx(1500 * (0.02 if spacing else 1))


def test_a_csv_row_says_what_made_it_and_what_it_is_not():
    row = rows(measurements_csv(two(), PROVENANCE))[0]
    for name, value in PROVENANCE.items():
        assert row[name] == value
    assert row["notice"] == "Decision support, not a medical device"
    assert row["outline"] == "AI outline, unconfirmed"
    assert float(row["threshold_used"]) == 0.4
    assert row["controls_method"] == "fixed"
    assert float(row["controls_threshold"]) == 0.4
    assert float(row["area_px2"]) == 1500
    assert row["lesions"] == "2"


def test_without_a_lesion_the_csv_still_says_what_was_read():
    empty = find_lesions(np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint8), LesionControls())
    (row,) = rows(measurements_csv(empty, PROVENANCE))
    assert (row["lesions"], row["case_number"]) == ("0", "ABCDE-12345")
    assert json.loads(measurements_json(empty, PROVENANCE))["lesions"] == []
    assert measurements_frame(empty).empty


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "＝1",
        "\ufeff=1",
        "＠x",
        "-2+cmd",
    ],
)
def test_no_text_in_the_csv_can_run_in_a_spreadsheet(text):
    clean = "".join(" " if c in "\t\r\n" else c for c in text)
    given = {**PROVENANCE, "case_number": text, "more": {"inside": text}, text: "plain"}
    out = measurements_csv(two(), given)
    header = next(csv.reader(io.StringIO(out)))
    row = rows(out)[0]
    for cell in (row["case_number"], row["more_inside"]):
        assert cell == f"'{clean}"
    assert f"'{clean}" in header


def test_numbers_stay_numbers_in_the_csv():
    result = two()
    row = rows(measurements_csv(result, {"offset": -3.5}))[0]
    assert row["offset"] == "-3.5"
    assert float(row["echogenicity_grey_levels"]) == -80


def test_the_result_itself_says_its_controls_and_nobody_can_drop_the_notice():
    told = {
        "controls": {"method": "other"},
        "threshold_used": 9,
        "notice": "",
        "outline": "Confirmed",
    }
    document = json.loads(measurements_json(two(), told))
    assert document["provenance"]["controls"] == two().controls.to_dict()
    assert document["provenance"]["threshold_used"] == 0.4
    assert document["provenance"]["notice"] == "Decision support, not a medical device"
    assert document["provenance"]["outline"] == "Confirmed"


def test_json_is_strict_and_holds_the_ends_of_the_chords():
    text = measurements_json(two((0.1, 0.2)), PROVENANCE)
    document = json.loads(text, parse_constant=pytest.fail)
    assert document["lesions_found"] == 2
    first = document["lesions"][0]
    (x0, y0), (x1, y1) = first["longest_chord_ends_px"]
    assert math.hypot((x1 - x0) * 0.2, (y1 - y0) * 0.1) == pytest.approx(first["longest_chord_mm"])


def test_a_heat_region_cannot_be_exported_as_a_lesion():
    heat = find_heat_regions(np.ones((9, 9), np.float32), LesionControls())
    for export in (
        lambda: measurements_frame(heat),
        lambda: measurements_csv(heat, PROVENANCE),
        lambda: measurements_json(heat, PROVENANCE),
    ):
        with pytest.raises(LesionError, match="heat region"):
            export()


def ragged(side: int = 300) -> np.ndarray:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:side, :side] - side / 2
    rough = cv2.GaussianBlur(rng.standard_normal((side, side)), (0, 0), 2)
    return (np.hypot(x, y) + 80 * rough < side * 0.35).astype(np.float32)


def test_an_outline_handed_back_as_drawn_is_the_same_region():
    values = ragged()
    result = find_lesions(values, np.zeros(values.shape, np.uint8), LesionControls(keep_largest=1))
    again = mask_from_polygon(result.lesions[0].contour, values.shape)
    np.testing.assert_array_equal(again, result.mask)


def test_a_polygon_holds_the_pixels_whose_centre_it_goes_round():
    mask = mask_from_polygon([(9.6, 9.6), (20.4, 9.6), (20.4, 30.4), (9.6, 30.4)], (50, 60))
    expected = np.zeros((50, 60), bool)
    expected[10:31, 10:21] = True
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[expected] == 255).all()
    # The line itself counts too, so at most one pixel more all round.
    assert (mask > 0).sum() <= 23 * 13


@pytest.mark.parametrize("backwards", [False, True])
def test_a_drawing_that_crosses_itself_keeps_every_part_it_encloses(backwards):
    turns = np.linspace(0, 4 * np.pi, 200)  # twice round, the second time wider
    radius = np.linspace(15, 20, 200)
    points = np.stack((40 + radius * np.cos(turns), 40 + radius * np.sin(turns)), axis=1)
    mask = mask_from_polygon(points[::-1] if backwards else points, (80, 80)) > 0
    y, x = np.mgrid[:80, :80] - 40
    assert mask[np.hypot(x, y) < 15].all()
    bow = mask_from_polygon([(10, 10), (50, 50), (50, 10), (10, 50)], (60, 60)) > 0
    assert bow[30, 13]
    assert bow[30, 47]
    assert not bow[12, 30]


def test_a_drawing_that_leaves_the_picture_is_cut_off_at_its_edge():
    mask = mask_from_polygon([(-50, -50), (20, -50), (20, 20), (-50, 20)], (40, 40)) > 0
    expected = np.zeros((40, 40), bool)
    expected[:21, :21] = True
    np.testing.assert_array_equal(mask, expected)
    whole = mask_from_polygon([(-99, -99), (999, -99), (999, 999), (-99, 999)], (40, 40))
    assert (whole == 255).all()


BAD_DRAWINGS = {
    "two points": [(1, 1), (5, 5)],
    "nothing": [],
    "not a number": [(1, 1), (5, 5), (np.nan, 3)],
    "infinite": [(1, 1), (5, 5), (np.inf, 3)],
    "far away": [(1, 1), (5, 5), (1e9, 3)],
    "outside": [(-9, -9), (-5, -9), (-5, -5)],
    "three numbers": [(1, 1, 1), (5, 5, 5), (5, 1, 1)],
    "text": [("a", "b")] * 3,
    "ragged": [(1, 1), (5,), (3, 3)],
    "none": None,
    "endless": np.zeros((20_001, 2)),
}


@pytest.mark.parametrize("name", BAD_DRAWINGS)
def test_a_drawing_that_encloses_nothing_is_refused_in_one_line(name):
    with pytest.raises(LesionError) as caught:
        mask_from_polygon(BAD_DRAWINGS[name], (30, 30))
    assert "\n" not in str(caught.value)


def test_a_drawn_region_can_be_measured():
    grey = np.full((60, 60), 100, np.uint8)
    grey[20:41, 10:51] = 60
    mask = mask_from_polygon([(10, 20), (50, 20), (50, 40), (10, 40)], (60, 60))
    m = lesion_from_mask(mask, grey, (0.1, 0.1)).measurements
    assert (m.area_pixels, m.echogenicity, m.unit) == (41 * 21, -40, "mm")

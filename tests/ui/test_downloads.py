"""What leaves as a file: the patient's own pixels, and only what was asked for over them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from made_results import lesions, phantom, prediction, quality
from numpy.typing import NDArray
from PIL import Image

from core.lesion import LesionControls, find_heat_regions
from core.scan import CheckName, Scan, flip
from core.ui.downloads import (
    blend_heat,
    colour_map,
    mask_png,
    overlay_png,
    provenance,
)
from core.ui.figure import Layers

NOTHING = Layers(heat=False, mask=False, contour=False)
ROWS, COLUMNS = slice(30, 70), slice(40, 90)


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


def pixels(png: bytes, scan: Scan) -> NDArray[np.uint8]:
    """Return the part of an overlay that is the scan."""
    return np.asarray(opened(png).convert("RGB"))[: scan.height, : scan.width]


def rgb(scan: Scan) -> NDArray[np.uint8]:
    return np.repeat(scan.grey[..., None], 3, axis=2)


def test_an_overlay_of_nothing_is_the_scan_itself_with_a_band_below_it() -> None:
    scan = phantom()
    png = overlay_png(scan, prediction(scan), lesions(scan, ROWS, COLUMNS), NOTHING)
    assert (pixels(png, scan) == rgb(scan)).all()
    whole = np.asarray(opened(png))
    assert whole.shape[0] > scan.height
    assert whole.shape[1] >= scan.width
    band = whole[scan.height :]
    assert (band > 200).any(), "nothing is written below the scan"


def test_only_the_mask_is_tinted_and_only_as_much_as_asked() -> None:
    scan = phantom()
    result = lesions(scan, ROWS, COLUMNS)
    layers = Layers(mask=True, mask_opacity=0.25, contour=False)
    seen = pixels(overlay_png(scan, prediction(scan), result, layers), scan).astype(int)
    inside = result.mask > 0
    assert inside[ROWS, COLUMNS].all()
    assert inside.sum() == 40 * 50
    assert (seen[~inside] == rgb(scan)[~inside]).all()
    expected = 0.75 * rgb(scan)[inside] + 0.25 * np.array([86, 180, 233])
    assert np.abs(seen[inside] - expected).max() <= 0.51


def test_an_outline_is_drawn_on_the_edge_and_nowhere_else() -> None:
    scan = phantom()
    result = lesions(scan, ROWS, COLUMNS)
    layers = Layers(mask=False, contour=True)
    changed = (pixels(overlay_png(scan, prediction(scan), result, layers), scan) != rgb(scan)).any(
        axis=2
    )
    edge = cv2.morphologyEx(result.mask, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    assert changed.any()
    assert not (changed & ~edge).any()


def test_heat_leaves_pixels_without_heat_alone_and_peaks_in_its_own_colour() -> None:
    scan = phantom()
    heat = np.zeros((scan.height, scan.width), np.float32)
    heat[10:20, 10:20] = 0.5
    heat[15, 15] = 1.0
    seen = blend_heat(rgb(scan), heat, 0.4)
    assert (seen[heat == 0] == rgb(scan)[heat == 0]).all()
    peak = colour_map(np.ones((1, 1), np.float32))[0, 0].astype(float)
    assert np.abs(seen[15, 15] - (0.6 * rgb(scan)[15, 15] + 0.4 * peak)).max() <= 0.51
    half = colour_map(np.full((1, 1), 0.5, np.float32))[0, 0].astype(float)
    assert np.abs(seen[12, 12] - (0.8 * rgb(scan)[12, 12] + 0.2 * half)).max() <= 0.51


def test_an_overlay_with_heat_carries_the_heat_of_this_very_answer() -> None:
    scan = phantom()
    heat = np.zeros((scan.height, scan.width), np.float32)
    heat[10:20, 10:20] = 1.0
    answer = prediction(scan, heat)
    layers = Layers(heat=True, heat_opacity=0.6, mask=False, contour=False)
    result = lesions(scan, ROWS, COLUMNS)
    seen = pixels(overlay_png(scan, answer, result, layers), scan)
    assert (seen == blend_heat(rgb(scan), heat, 0.6)).all()
    plain = overlay_png(scan, answer, result, NOTHING)
    assert opened(plain).height < opened(overlay_png(scan, answer, result, layers)).height, (
        "the band does not say what the heat is"
    )


def test_heat_gets_brighter_with_more_of_it() -> None:
    steps = np.linspace(0, 1, 256, dtype=np.float32)[None]
    weights = np.array([0.2126, 0.7152, 0.0722])
    light = ((colour_map(steps)[0] / 255.0) ** 2.2) @ weights
    assert (np.diff(light) > -0.004).all(), "a brighter place would mean less heat"
    assert light[0] < 0.01
    assert light[-1] > 0.8


def test_the_mask_file_is_the_mask() -> None:
    scan = phantom()
    result = lesions(scan, ROWS, COLUMNS)
    mask = opened(mask_png(scan, prediction(scan), result))
    assert mask.mode == "L"
    assert (np.asarray(mask) == result.mask).all()


@pytest.mark.parametrize("kind", ["lesion", "heat"])
def test_a_file_says_what_it_is_and_of_which_case_and_model(kind: str) -> None:
    scan = phantom()
    answer = prediction(scan)
    heat = np.zeros((scan.height, scan.width), np.float32)
    heat[ROWS, COLUMNS] = 1
    result = (
        lesions(scan, ROWS, COLUMNS)
        if kind == "lesion"
        else find_heat_regions(heat, LesionControls())
    )
    for png in (overlay_png(scan, answer, result, Layers()), mask_png(scan, answer, result)):
        told = str(opened(png).info["Description"])
        for words in (scan.case_number, scan.digest, "d" * 64, "7.0", "not a medical device"):
            assert words in told, words
        assert ("AI outline, unconfirmed" in told) is (kind == "lesion")
        assert ("heat region" in told) is (kind == "heat")


def test_measurements_travel_with_what_made_them() -> None:
    scan = phantom()
    told = provenance(scan, prediction(scan))
    assert told["image_digest"] == scan.digest
    assert told["case_number"] == scan.case_number
    assert (told["image_width_px"], told["image_height_px"]) == (scan.width, scan.height)
    assert (told["model_version"], told["bundle_digest"]) == ("7.0", "d" * 64)
    assert (told["probability_of"], told["probability"]) == ("malignant", 0.4)
    assert told["operating_threshold"] == 0.35
    assert told["interval_95"] == {"low": 0.21, "high": 0.57, "n": 24, "positives": 9}
    assert told["synthetic"] is True


def test_figures_of_an_image_that_fails_a_check_leave_without_an_interval_and_with_the_reason() -> (
    None
):
    scan = phantom()
    told = provenance(scan, prediction(scan), quality(CheckName.BLUR), "For teaching")
    assert told["interval_95"] is None
    assert told["quality_failed"] == "blur"
    assert told["override_reason"] == "For teaching"
    passing = provenance(scan, prediction(scan), quality())
    assert passing["interval_95"]["n"] == 24
    assert passing["quality_failed"] == ""


def test_figures_of_a_corrected_image_name_what_was_done_and_the_untouched_one() -> None:
    scan = flip(phantom(), "horizontal")
    told = provenance(scan, prediction(scan))
    assert told["untouched_image_digest"] == scan.origin
    assert '"kind": "flip"' in told["corrections"]

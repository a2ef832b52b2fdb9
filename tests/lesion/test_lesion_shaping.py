"""Threshold, morphology, holes and components against plain definitions."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage

from core.errors import InvalidControls, LesionError
from core.lesion import PRESETS, LesionControls, find_heat_regions, find_lesions, preset_name
from core.text import use_language

EIGHT = np.ones((3, 3))


def speckle(seed: int, shape=(97, 131), sigma: float = 1.5) -> np.ndarray:
    values = np.random.default_rng(seed).random(shape).astype(np.float32)
    values = cv2.GaussianBlur(values, (0, 0), sigma) if sigma else values
    low, high = values.min(), values.max()
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def find(values, **controls):
    values = np.asarray(values, np.float32)
    return find_lesions(values, np.zeros(values.shape, np.uint8), LesionControls(**controls))


def found(values, **controls) -> np.ndarray:
    return find(values, **{"fill_holes": False, "keep_largest": 20, **controls}).mask > 0


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.999, 1.0])
def test_a_pixel_on_the_threshold_belongs_to_the_lesion(threshold):
    values = np.array([[0.0, 0.25, 0.5], [0.999, 1.0, 0.4]], np.float32)
    np.testing.assert_array_equal(
        found(values, threshold=threshold), values >= np.float32(threshold)
    )


def test_hysteresis_keeps_weak_parts_only_where_they_hang_on_strong_ones():
    values = speckle(1, sigma=2)
    labels, _ = ndimage.label(values >= np.float32(0.55), structure=EIGHT)
    strong = np.unique(labels[values >= np.float32(0.8)])
    expected = np.isin(labels, strong[strong > 0])
    result = found(values, method="hysteresis", threshold=0.8, low=0.55)
    np.testing.assert_array_equal(result, expected)
    assert (values >= 0.55).sum() > result.sum() > (values >= 0.8).sum()


def test_hysteresis_with_more_than_a_byte_of_parts_loses_none():
    values = speckle(2, (300, 300), 0)
    labels, count = ndimage.label(values >= np.float32(0.8), structure=EIGHT)
    assert count > 256
    strong = np.unique(labels[values >= np.float32(0.95)])
    expected = np.isin(labels, strong[strong > 0])
    sizes = np.sort(np.bincount(labels[expected]))[::-1]
    result = find(
        values, method="hysteresis", threshold=0.95, low=0.8, keep_largest=20, fill_holes=False
    )
    assert result.total == len(strong[strong > 0])
    assert [n.measurements.area_pixels for n in result.lesions] == sizes[:20].tolist()


def test_otsu_finds_the_level_between_two_classes_and_says_which_it_used():
    values = np.full((40, 40), 0.2, np.float32)
    values[10:30, 10:30] = 0.7
    result = find(values, method="otsu", threshold=0.99)
    assert 0.2 < result.threshold < 0.7
    assert result.lesions[0].measurements.area_pixels == 400
    again = find(values, method="fixed", threshold=result.threshold)
    np.testing.assert_array_equal(again.mask, result.mask)


def test_otsu_separates_as_well_as_any_level():
    values = speckle(3)
    levels = np.rint(values * 255)

    def between(cut: float) -> float:
        high = levels[levels > cut]
        low = levels[levels <= cut]
        if not len(high) or not len(low):
            return 0.0
        return len(high) * len(low) * (high.mean() - low.mean()) ** 2

    used = find(values, method="otsu").threshold * 255
    assert between(used) == pytest.approx(max(between(c) for c in range(256)))


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_otsu_does_not_split_a_map_of_one_level(level):
    result = find(np.full((9, 9), level), method="otsu", threshold=0.5)
    assert result.threshold == 0.5
    assert len(result.lesions) == (level >= 0.5)


@pytest.mark.parametrize("kernel", ["ellipse", "rectangle", "cross"])
@pytest.mark.parametrize("operation", ["open", "close", "erode", "dilate"])
@pytest.mark.parametrize(("size", "iterations"), [(1, 3), (3, 1), (5, 2), (9, 1), (13, 3), (31, 2)])
def test_morphology_is_opencvs_and_scipys_to_the_pixel(kernel, operation, size, iterations):
    shape = {"ellipse": cv2.MORPH_ELLIPSE, "rectangle": cv2.MORPH_RECT, "cross": cv2.MORPH_CROSS}
    element = cv2.getStructuringElement(shape[kernel], (size, size)) > 0
    mask = speckle(4, (60, 150), 4) >= np.float32(0.5)

    def grow(m):
        return ndimage.binary_dilation(m, element, iterations=iterations)

    def shrink(m):
        return ndimage.binary_erosion(m, element, iterations=iterations, border_value=1)

    expected = {
        "dilate": lambda: grow(mask),
        "erode": lambda: shrink(mask),
        "open": lambda: grow(shrink(mask)),
        "close": lambda: shrink(grow(mask)),
    }[operation]()
    result = found(mask, operation=operation, kernel=kernel, size=size, iterations=iterations)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("width", [1, 63, 64, 65, 127, 128, 200])
@pytest.mark.parametrize("height", [1, 7, 40])
def test_an_ellipse_reaches_over_word_borders_and_never_round_the_edge(width, height):
    mask = np.random.default_rng(width).random((height, width)) > 0.97
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (31, 31))
    for operation, code in (("dilate", cv2.MORPH_DILATE), ("close", cv2.MORPH_CLOSE)):
        expected = cv2.morphologyEx(mask.astype(np.uint8), code, element, iterations=2) > 0
        result = found(mask, operation=operation, size=31, iterations=2)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("sigma", [0, 1.5])
def test_filling_holes_fills_what_no_four_neighbour_path_joins_to_the_edge(sigma):
    values = speckle(5, sigma=sigma)
    expected = ndimage.binary_fill_holes(values >= np.float32(0.45))
    labels, count = ndimage.label(expected, structure=EIGHT)
    sizes = np.bincount(labels.ravel())[1:]
    result = find(values, threshold=0.45, keep_largest=20)
    assert result.total == count
    assert result.mask.astype(bool).sum() == np.sort(sizes)[::-1][:20].sum()
    assert (expected | ~result.mask.astype(bool)).all()


def test_smallest_area_and_keep_the_largest_keep_the_right_ones():
    values = speckle(6)
    labels, _ = ndimage.label(values >= np.float32(0.6), structure=EIGHT)
    sizes = np.sort(np.bincount(labels.ravel())[1:])[::-1]
    smallest = int(sizes[4])
    result = find(values, threshold=0.6, minimum_area=smallest, keep_largest=3, fill_holes=False)
    assert result.total == (sizes >= smallest).sum()
    assert [n.measurements.area_pixels for n in result.lesions] == sizes[:3].tolist()
    assert [n.number for n in result.lesions] == [1, 2, 3]
    assert result.mask.astype(bool).sum() == sizes[:3].sum()


def test_of_equal_lesions_the_upper_left_ones_are_kept_every_time():
    values = np.zeros((40, 40), np.float32)
    corners = [(1, 30), (2, 4), (3, 20), (20, 2), (20, 9), (21, 13)]
    for top, left in corners:
        values[top : top + 2, left : left + 2] = 1
    result = find(values, keep_largest=4)
    assert [(n.box[1], n.box[0]) for n in result.lesions] == corners[:4]
    assert result.total == len(corners)


def test_speckle_in_a_hundred_thousand_parts_keeps_the_limit_and_counts_the_rest():
    values = np.random.default_rng(7).random((600, 600)).astype(np.float32)
    labels, count = ndimage.label(values >= np.float32(0.8), structure=EIGHT)
    result = find(values, threshold=0.8, keep_largest=20, fill_holes=False)
    assert (result.total, len(result.lesions)) == (count, 20)
    assert np.unique(labels[result.mask > 0]).size == 20


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_an_empty_and_a_full_map_give_no_lesion_and_one(level):
    result = find(np.full((20, 30), level))
    assert len(result.lesions) == result.total == int(level)
    assert (result.mask == 255 * level).all()


CHANGES = [
    {"threshold": 0.7},
    {"method": "otsu"},
    {"method": "hysteresis", "low": 0.2},
    {"operation": "open"},
    {"operation": "close"},
    {"operation": "erode"},
    {"operation": "dilate"},
    {"minimum_area": 60},
    {"keep_largest": 2},
    {"fill_holes": False},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_control_changes_the_mask(change):
    values = speckle(8, sigma=2)
    values[40:60, 40:60] = 1
    values[47:52, 47:52] = 0
    base = {"threshold": 0.55, "keep_largest": 20}
    assert (find(values, **{**base, **change}).mask != find(values, **base).mask).any()


@pytest.mark.parametrize(
    "change",
    [{"kernel": "rectangle"}, {"kernel": "cross"}, {"size": 7}, {"iterations": 2}],
    ids=str,
)
def test_every_part_of_the_kernel_changes_the_mask(change):
    base = {"threshold": 0.55, "operation": "dilate", "keep_largest": 20}
    values = speckle(9, sigma=2)
    assert (find(values, **{**base, **change}).mask != find(values, **base).mask).any()


@pytest.mark.parametrize("low", [0.1, 0.4])
def test_the_lower_threshold_counts_for_hysteresis_only(low):
    values = speckle(10)
    np.testing.assert_array_equal(find(values, low=low).mask, find(values, low=0.3).mask)


def test_heat_is_shaped_alike_but_nothing_of_it_is_measured():
    values = speckle(11)
    controls = LesionControls(threshold=0.6, fill_holes=False)
    heat = find_heat_regions(values, controls)
    lesions = find(values, threshold=0.6, fill_holes=False)
    np.testing.assert_array_equal(heat.mask, lesions.mask)
    assert (heat.total, heat.threshold) == (lesions.total, lesions.threshold)
    for region, lesion in zip(heat.regions, lesions.lesions, strict=True):
        np.testing.assert_array_equal(region.contour, lesion.contour)
        assert len(region.holes) == len(lesion.holes)
        assert not hasattr(region, "measurements")
    assert not hasattr(heat, "lesions")


BAD_MAPS = {
    "not a number": np.array([[0.1, np.nan]], np.float32),
    "infinite": np.array([[0.1, np.inf]], np.float32),
    "above one": np.array([[0.1, 1.01]], np.float32),
    "below nought": np.array([[0.1, -0.01]], np.float32),
    "double precision": np.zeros((4, 4)),
    "bytes": np.zeros((4, 4), np.uint8),
    "colour": np.zeros((4, 4, 3), np.float32),
    "no pixel": np.zeros((0, 4), np.float32),
    "too long": np.zeros((1, 40_000), np.float32),
    "a list": [[0.0]],
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_a_map_that_cannot_be_used_is_refused_in_one_line(name):
    values = BAD_MAPS[name]
    grey = np.zeros(np.shape(values), np.uint8)
    for work in (
        lambda: find_lesions(values, grey, LesionControls()),
        lambda: find_heat_regions(values, LesionControls()),
    ):
        with pytest.raises(LesionError) as caught:
            work()
        assert str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "grey", [np.zeros((5, 4), np.uint8), np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), None]
)
def test_a_picture_that_does_not_fit_the_map_is_refused(grey):
    with pytest.raises(LesionError, match="grey levels"):
        find_lesions(np.zeros((4, 4), np.float32), grey, LesionControls())


@pytest.mark.parametrize("spacing", [(0, 1), (-1, 1), (np.nan, 1), (1,), (1, 1, 1), (np.inf, 1)])
def test_a_spacing_that_cannot_be_true_is_refused(spacing):
    values = np.ones((4, 4), np.float32)
    with pytest.raises(LesionError, match="spacing"):
        find_lesions(values, np.zeros((4, 4), np.uint8), LesionControls(), spacing=spacing)


@pytest.mark.parametrize(
    ("control", "value", "said"),
    [
        ("threshold", 1.1, "Threshold .* 0 to 1"),
        ("threshold", -0.1, "Threshold .* 0 to 1"),
        ("threshold", float("nan"), "Threshold .* 0 to 1"),
        ("threshold", "0.5", "Threshold .* 0 to 1"),
        ("threshold", True, "Threshold .* 0 to 1"),
        ("low", 2, "Lower threshold .* 0 to 1"),
        ("size", 0, "Kernel size .* 1 to 31"),
        ("size", 4, "odd .* 1 to 31"),
        ("size", 33, "Kernel size .* 1 to 31"),
        ("size", 5.0, "Kernel size .* 1 to 31"),
        ("iterations", 0, "Iterations .* 1 to 10"),
        ("iterations", 11, "Iterations .* 1 to 10"),
        ("minimum_area", -1, "Smallest area .* 0 to 1000000"),
        ("keep_largest", 0, "Keep the largest .* 1 to 20"),
        ("keep_largest", 21, "Keep the largest .* 1 to 20"),
        ("keep_largest", True, "Keep the largest .* 1 to 20"),
        ("fill_holes", 1, "Fill holes .* on or off"),
        ("method", "magic", "Threshold method .* fixed, otsu, hysteresis"),
        ("operation", "blur", "Morphology .* open"),
        ("kernel", "star", "Kernel shape .* ellipse"),
        ("kernel", None, "Kernel shape .* ellipse"),
    ],
)
def test_a_control_out_of_range_is_named_with_its_range(control, value, said):
    with pytest.raises(InvalidControls, match=said) as caught:
        LesionControls.from_dict({control: value})
    assert "\n" not in str(caught.value)


def test_hysteresis_refuses_a_lower_threshold_above_the_upper():
    with pytest.raises(InvalidControls, match="Lower threshold"):
        LesionControls(method="hysteresis", threshold=0.2, low=0.3)
    assert LesionControls(threshold=0.2, low=0.3).low == 0.3


@pytest.mark.parametrize(
    "values", [{"treshold": 0.5}, {"threshold": 0.5, 1: 2}, [("size", 5)], None]
)
def test_controls_with_an_unknown_name_are_refused_not_ignored(values):
    with pytest.raises(InvalidControls, match="no control"):
        LesionControls.from_dict(values)


@pytest.mark.parametrize("key", PRESETS)
def test_presets_can_be_stored_and_made_again_and_have_a_name(key):
    assert LesionControls.from_dict(PRESETS[key].to_dict()) == PRESETS[key]
    assert preset_name(key)
    with use_language("zh_CN"):
        assert preset_name(key)


def test_sensitive_finds_at_least_what_balanced_and_strict_find():
    values = speckle(12, sigma=3)
    mask = {
        k: find_heat_regions(values, replace(c, keep_largest=20)).mask > 0
        for k, c in PRESETS.items()
    }
    assert mask["sensitive"].sum() > mask["balanced"].sum() > mask["strict"].sum()

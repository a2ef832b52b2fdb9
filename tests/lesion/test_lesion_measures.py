"""Measurements against known shapes and plain definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesion_shapes import SHAPES, blot, disc, ellipse, measured, rectangle, star

from core.errors import LesionError
from core.lesion import LesionControls, find_lesions, lesion_from_mask

SAME_WHEN_MOVED = (
    *("area", "longest_chord", "perpendicular_chord", "perimeter", "circularity", "solidity"),
    *("margin_irregularity", "width", "depth", "depth_to_width", "orientation"),
)


@pytest.mark.parametrize("radius", [5, 8, 12, 20, 50, 120])
def test_a_disc_measures_as_a_disc(radius):
    m = measured(disc(radius))
    assert m.unit == "px"
    assert m.area == pytest.approx(math.pi * radius**2, rel=0.03)
    assert m.longest_chord == pytest.approx(2 * radius, abs=1.2)
    assert m.perpendicular_chord == pytest.approx(2 * radius, abs=1.2)
    assert m.perimeter == pytest.approx(2 * math.pi * radius, rel=0.02)
    assert m.circularity > 0.95
    assert m.solidity > 0.93
    assert m.margin_irregularity < 0.02
    assert m.depth_to_width == pytest.approx(1, abs=0.1)
    assert not m.touches_border


@pytest.mark.parametrize("degrees", [0, 10, 22.5, 37, 45, 60, 90])
@pytest.mark.parametrize(("side", "within"), [(20, 0.04), (50, 0.025), (120, 0.015)])
def test_the_perimeter_of_a_turned_square_is_not_a_staircase(side, within, degrees):
    m = measured(rectangle(side, side, degrees))
    assert m.perimeter == pytest.approx(4 * side, rel=within)
    assert m.circularity == pytest.approx(math.pi / 4, rel=0.08)
    assert m.solidity > 0.93


@pytest.mark.parametrize("degrees", [-75, -30, 0, 12, 45, 80, 90])
def test_an_ellipse_has_its_axes_and_its_tilt(degrees):
    a, b = 60, 24
    m = measured(ellipse(a, b, degrees))
    assert m.longest_chord == pytest.approx(2 * a, abs=1.3)
    assert m.perpendicular_chord == pytest.approx(2 * b, abs=1.3)
    assert abs((m.orientation - degrees + 90) % 180 - 90) < 4
    h = ((a - b) / (a + b)) ** 2
    around = math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
    assert m.perimeter == pytest.approx(around, rel=0.015)
    assert m.margin_irregularity < 0.015


def test_a_turned_rectangles_second_chord_is_a_chord_and_not_the_width_of_a_box():
    length, breadth = 120.0, 40.0
    m = measured(rectangle(length, breadth, 30))
    diagonal = math.hypot(length, breadth)
    assert m.longest_chord == pytest.approx(diagonal, abs=1.3)
    # Across the diagonal the rectangle is at most breadth / cos(angle of the diagonal) wide.
    assert m.perpendicular_chord == pytest.approx(breadth * diagonal / length, abs=1.5)


def test_a_spiculated_margin_is_more_irregular_than_a_lobed_and_a_long_smooth_one():
    spiked, lobed = measured(star()), measured(disc(20, (24, 40), 80) | disc(20, (58, 40), 80))
    smooth = measured(ellipse(60, 15, 20))
    assert spiked.margin_irregularity > 0.3 > lobed.margin_irregularity > 0.03
    assert lobed.margin_irregularity > smooth.margin_irregularity
    assert spiked.circularity < 0.5
    assert spiked.solidity < 0.7


@pytest.mark.parametrize("name", SHAPES)
def test_a_lesion_measures_the_same_wherever_it_lies(name):
    mask = np.pad(SHAPES[name], 5)
    here = measured(mask)
    there = measured(np.roll(np.pad(mask, ((0, 40), (0, 60))), (37, 59), axis=(0, 1)))
    for field in SAME_WHEN_MOVED:
        assert getattr(there, field) == pytest.approx(getattr(here, field), abs=1e-9), field


TURNS = {
    "quarter": (np.rot90, lambda o: o + 90, True),
    "half": (lambda m: np.rot90(m, 2), lambda o: o, False),
    "mirrored": (lambda m: m[:, ::-1], lambda o: -o, False),
    "upside down": (lambda m: m[::-1], lambda o: -o, False),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["ellipse", "blot", "other blot"])
def test_turning_and_mirroring_turn_the_measures_along(name, turn):
    move, tilt, swaps = TURNS[turn]
    mask = SHAPES[name]
    here, there = measured(mask), measured(np.ascontiguousarray(move(mask)))
    for field in ("area", "longest_chord", "perimeter", "solidity", "circularity"):
        assert getattr(there, field) == pytest.approx(getattr(here, field), rel=1e-9), field
    assert there.perpendicular_chord == pytest.approx(here.perpendicular_chord)
    assert there.margin_irregularity == pytest.approx(here.margin_irregularity, abs=1e-9)
    assert abs((there.orientation - tilt(here.orientation) + 90) % 180 - 90) < 1e-6
    if swaps:
        assert (there.width, there.depth) == (here.depth, here.width)
        assert there.depth_to_width == pytest.approx(1 / here.depth_to_width)


def test_a_lesion_taller_than_wide_says_so():
    m = measured(np.pad(np.ones((30, 10)), 3))
    assert (m.width, m.depth, m.depth_to_width) == (10, 30, 3)
    assert m.orientation == pytest.approx(90, abs=20)


def test_pixels_that_are_not_square_are_measured_in_millimetres_both_ways():
    # A true disc of 3 mm, sampled at 0.1 mm down and 0.05 mm across.
    y, x = np.mgrid[:80, :150]
    mask = np.hypot((x - 74.6) * 0.05, (y - 40.2) * 0.1) <= 3
    m = measured(mask, (0.1, 0.05))
    assert m.unit == "mm"
    assert m.area == pytest.approx(math.pi * 9, rel=0.01)
    assert m.area == pytest.approx(m.area_pixels * 0.005)
    assert m.longest_chord == pytest.approx(6, abs=0.15)
    assert m.perpendicular_chord == pytest.approx(6, abs=0.15)
    assert m.perimeter == pytest.approx(6 * math.pi, rel=0.02)
    assert m.circularity > 0.96
    assert m.depth_to_width == pytest.approx(1, abs=0.03)
    assert measured(mask).depth_to_width == pytest.approx(0.5, abs=0.03)


def test_a_tilt_is_an_angle_in_the_body_and_not_on_the_screen():
    diagonal = np.pad(np.eye(60)[::-1], 4)  # rises to the right on screen at 45 degrees
    assert measured(diagonal).orientation == pytest.approx(45, abs=1.5)
    assert measured(diagonal, (0.1, 0.2)).orientation == pytest.approx(26.57, abs=1.5)
    assert measured(diagonal[::-1]).orientation == pytest.approx(-45, abs=1.5)


@pytest.mark.parametrize("spacing", [None, (0.5, 0.25)])
def test_a_lesion_of_one_pixel_is_one_pixel_long_and_wide(spacing):
    mask = np.zeros((7, 7), np.uint8)
    mask[3, 4] = 1
    m = measured(mask, spacing)
    row, column = spacing or (1, 1)
    assert m.area == row * column
    assert (m.width, m.depth) == (column, row)
    assert m.longest_chord == max(row, column)
    assert m.perpendicular_chord == min(row, column)
    assert m.circularity <= 1
    assert m.solidity == 1
    assert m.margin_irregularity == 0
    assert math.isfinite(m.perimeter)


def test_a_lesion_of_one_row_is_as_long_as_its_pixels_and_one_wide():
    for mask, tilt in ((np.ones((1, 10)), 0), (np.ones((10, 1)), 90)):
        m = measured(np.pad(mask, 4))
        assert m.longest_chord == 10
        assert m.perpendicular_chord == pytest.approx(1)
        assert m.orientation == tilt
        assert m.perimeter == pytest.approx(22, rel=0.15)
        assert m.margin_irregularity == 0


@pytest.mark.parametrize(("place", "touches"), [
    ((0, 20), True), ((20, 0), True), ((20, 50), True), ((50, 20), True), ((1, 1), False),
    ((49, 49), False),
])  # fmt: skip
def test_a_lesion_that_leaves_the_picture_is_flagged(place, touches):
    mask = np.zeros((60, 60), np.uint8)
    mask[place[0] : place[0] + 10, place[1] : place[1] + 10] = 1
    assert measured(mask).touches_border is touches


def test_a_drawn_outline_is_measured_like_a_found_one():
    mask = np.pad(blot(4), 3)
    grey = (np.indices(mask.shape).sum(axis=0) % 200).astype(np.uint8)
    found = find_lesions(
        mask.astype(np.float32), grey, LesionControls(fill_holes=False), spacing=(0.1, 0.2)
    ).lesions[0]
    drawn = lesion_from_mask(mask, grey, (0.1, 0.2))
    assert drawn.measurements == found.measurements


@pytest.mark.parametrize(
    "mask", [np.zeros((5, 5), np.uint8), np.ones((5, 5)), np.ones((5, 5, 3), np.uint8)]
)
def test_a_drawn_mask_that_cannot_be_measured_is_refused(mask):
    with pytest.raises(LesionError):
        lesion_from_mask(mask, np.zeros((5, 5), np.uint8))


def test_measuring_reads_only_and_gives_the_same_twice():
    values = blot(5).astype(np.float32)
    grey = (values * 50).astype(np.uint8)
    values.flags.writeable = grey.flags.writeable = False
    first, second = (find_lesions(values, grey, LesionControls()) for _ in range(2))
    assert first.lesions[0].measurements == second.lesions[0].measurements
    turned = find_lesions(np.asfortranarray(values), np.asfortranarray(grey), LesionControls())
    assert turned.lesions[0].measurements == first.lesions[0].measurements

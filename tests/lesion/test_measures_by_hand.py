"""Measurements by hand: true millimetres where one scale holds, and none anywhere else."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from core.errors import LesionError
from core.lesion import HandMeasure, measure_by_hand, measure_within
from core.scan import Region, Scan

AREAS = (
    Region(10, 10, 60, 90, (0.2, 0.1)),
    Region(60, 10, 120, 50, (0.5, 0.5)),
    Region(60, 50, 120, 90, None),
    Region(130, 10, 150, 90, (0.2, 0.1)),
)


def scan(spacing: tuple[float, float] | None = None, areas: tuple[Region, ...] = ()) -> Scan:
    return Scan.from_pixels(np.full((100, 160), 9, np.uint8), spacing=spacing, regions=areas)


def test_a_distance_takes_the_spacing_of_each_direction() -> None:
    measured = measure_by_hand("distance", [[10, 20], [40, 60]], scan((0.3, 0.1)))
    assert (measured.unit, measured.no_mm, measured.axes) == ("mm", None, ())
    assert measured.value == pytest.approx(math.hypot(30 * 0.1, 40 * 0.3))


def test_without_calibration_there_are_pixels_and_a_reason() -> None:
    measured = measure_by_hand("distance", [[10, 20], [40, 60]], scan())
    assert (measured.value, measured.unit, measured.no_mm) == (50.0, "px", "uncalibrated")


def test_an_ellipse_has_its_area_and_its_diameters() -> None:
    measured = measure_by_hand("ellipse", [[40, 50], [80, 50], [60, 60]], scan((0.5, 0.5)))
    assert measured.unit == "mm2"
    assert measured.value == pytest.approx(math.pi * 10 * 5)
    assert measured.axes == pytest.approx((20, 10))


def test_diameters_of_a_slanted_ellipse_are_those_of_the_stretched_one() -> None:
    # A circle of radius 20 px, its handles at 45 degrees: the axes in mm lie along the image.
    d = 20 / math.sqrt(2)
    points = [[60 - d, 50 - d], [60 + d, 50 + d], [60 + d, 50 - d]]
    measured = measure_by_hand("ellipse", points, scan((0.3, 0.1)))
    assert measured.axes == pytest.approx((12, 4), rel=1e-3)
    assert measured.value == pytest.approx(math.pi * 6 * 2, rel=1e-3)


def test_the_second_axis_is_measured_at_a_right_angle() -> None:
    measured = measure_by_hand("ellipse", [[40, 50], [80, 50], [75, 60]], scan())
    assert measured.points[2] == (60, 60)
    assert measured.axes == pytest.approx((40, 20))


@pytest.mark.parametrize(
    ("points", "unit", "why"),
    [
        ([[10, 10], [59, 89]], "mm", None),
        ([[9, 10], [59, 89]], "px", "crosses"),
        ([[10, 10], [60, 10]], "px", "crosses"),
        ([[20, 20], [70, 20]], "px", "crosses"),
        # Two areas with one scale, and a gap between them that has none.
        ([[30, 20], [140, 20]], "px", "crosses"),
        ([[70, 60], [100, 80]], "px", "no lengths"),
        ([[0, 0], [5, 8]], "px", "outside"),
    ],
)
def test_no_millimetres_across_areas(points: list[list[float]], unit: str, why: str | None) -> None:
    measured = measure_by_hand("distance", points, scan(areas=AREAS))
    assert (measured.unit, measured.no_mm) == (unit, why)


def test_an_ellipse_that_bulges_out_of_its_area_has_no_millimetres() -> None:
    inside = measure_by_hand("ellipse", [[20, 50], [40, 50], [30, 55]], scan(areas=AREAS))
    assert inside.unit == "mm2"
    # The handles lie inside; the curve between them does not.
    d = 22 / math.sqrt(2)
    points = [[34 - d, 50 - d], [34 + d, 50 + d], [34 + d, 50 - d]]
    assert all(10 <= x < 60 for x, _ in points)
    outside = measure_by_hand("ellipse", [[x + 6, y] for x, y in points], scan(areas=AREAS))
    assert (outside.unit, outside.no_mm) == ("px2", "crosses")


def test_the_rule_is_the_one_of_the_lesions() -> None:
    rng = np.random.default_rng(5)
    whole = scan(areas=AREAS)
    for _ in range(400):
        (x0, y0), (x1, y1) = a, b = rng.integers(0, (160, 100), (2, 2)).tolist()
        if math.hypot(x1 - x0, y1 - y0) < 1:
            continue
        box = (min(x0, x1), min(y0, y1), abs(x1 - x0) + 1, abs(y1 - y0) + 1)
        measured = measure_by_hand("distance", [a, b], whole)
        assert (measured.no_mm is None) == (whole.spacing_at(box) is not None)


def test_points_outside_the_image_end_at_its_edge() -> None:
    measured = measure_within("distance", [[-50, 10], [500, 10]], 160, 100, None)
    assert measured.points == ((0, 10), (159, 10))


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("angle", [[1, 1], [9, 9]]),
        ("distance", [[1, 1]]),
        ("distance", [[1, 1], [9, 9], [3, 3]]),
        ("ellipse", [[1, 1], [9, 9]]),
        ("distance", [[1, 1], [1.5, 1]]),
        ("distance", [[1, 1], [math.nan, 1]]),
        ("distance", [[1, 1], [9]]),
        ("ellipse", [[40, 50], [80, 50], [60, 50]]),
        ("distance", [[-5, -5], [-90, -90]]),
    ],
)
def test_what_is_no_measurement_is_refused(kind: str, points: list[list[float]]) -> None:
    with pytest.raises(LesionError):
        measure_within(kind, points, 160, 100, None)


def test_what_was_measured_once_measures_the_same_again() -> None:
    """Also where the second axis leaves the image, and whatever the rounding of its end."""
    rng = np.random.default_rng(8)
    left = 0
    for _ in range(500):
        drawn = rng.uniform((-30, -30), (190, 130), (3, 2)).tolist()
        try:
            first = measure_within("ellipse", drawn, 160, 100, (0.3, 0.1))
        except LesionError:
            continue
        assert measure_within("ellipse", first.points, 160, 100, (0.3, 0.1)) == first
        x, y = first.points[2]
        left += not (0 <= x <= 159 and 0 <= y <= 99)
    assert left > 50


def test_an_end_beyond_the_edge_stays_where_it_was_drawn() -> None:
    # What the viewer begins with a stroke along the upper edge.
    measured = measure_within("ellipse", [[40, 5], [80, 5], [60, -7]], 160, 100, None)
    assert measured.points[2] == (60, -7)
    assert measured.axes == pytest.approx((40, 24))
    # One that no drawing gives is brought back.
    far = measure_within("ellipse", [[40, 5], [80, 5], [60, -1e15]], 160, 100, None)
    assert far.points[2] == (60, 0)


@pytest.mark.parametrize(
    ("points", "box"),
    [
        ([[10, 20], [40.4, 60.6]], (10, 20, 31, 42)),
        ([[40, 50], [80, 50], [60, 60]], (40, 40, 41, 21)),
        # A circle with its handles at 45 degrees reaches farther than they do.
        ([[60, 40], [100, 80], [100, 40]], (52, 32, 57, 57)),
    ],
)
def test_it_knows_the_pixels_it_lies_on(
    points: list[list[float]], box: tuple[int, int, int, int]
) -> None:
    kind = "distance" if len(points) == 2 else "ellipse"
    assert measure_by_hand(kind, points, scan()).box == box


def test_it_is_stored_and_read_again() -> None:
    for points in ([[10, 20], [40, 60]], [[40, 50], [80, 50], [60, 60]]):
        kind = "distance" if len(points) == 2 else "ellipse"
        measured = measure_by_hand(kind, points, scan())
        stored = json.loads(json.dumps(measured.to_dict()))
        assert HandMeasure.from_dict(stored) == measured
        for broken in ({"axes": [1.0]}, {"points": [[1, 1]]}, {"value": "x"}, {"kind": "line"}):
            with pytest.raises(ValueError, match="no stored measurement"):
                HandMeasure.from_dict({**stored, **broken})


def test_it_is_ready_for_json() -> None:
    measured = measure_by_hand("ellipse", [[40, 50], [80, 50], [60, 60]], scan((0.5, 0.5)))
    stored = json.loads(json.dumps(measured.to_dict()))
    assert stored["points"] == [[40, 50], [80, 50], [60, 60]]
    assert (stored["kind"], stored["unit"], stored["no_mm"]) == ("ellipse", "mm2", None)

"""Which millimetres hold where: a wrong one is a wrong size of a lesion."""

from __future__ import annotations

import pytest

from core.scan import Region, one_spacing, spacing_within

FINE, COARSE = (0.1, 0.1), (0.5, 0.5)
LEFT = Region(0, 0, 100, 80, FINE)
RIGHT = Region(100, 0, 200, 80, COARSE)
TRACE = Region(0, 80, 200, 120, None)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 20, 20), FINE),
        ((0, 0, 100, 80), FINE),
        ((120, 10, 20, 20), COARSE),
        ((90, 10, 20, 20), None),
        ((10, 70, 20, 20), None),
        ((10, 90, 20, 20), None),
        ((10, 130, 5, 5), None),
        ((99, 79, 2, 2), None),
    ],
)
def test_a_measurement_that_leaves_its_region_has_no_millimetres(
    box: tuple[int, int, int, int], expected: tuple[float, float] | None
) -> None:
    assert spacing_within((LEFT, RIGHT, TRACE), None, box) == expected


def test_without_regions_one_scale_holds_all_over_the_image() -> None:
    assert spacing_within((), FINE, (0, 0, 500, 500)) == FINE
    assert spacing_within((), None, (0, 0, 500, 500)) is None


def test_a_picture_of_two_scales_has_no_scale_bar() -> None:
    assert one_spacing((LEFT, TRACE), None) == FINE
    assert one_spacing((LEFT, RIGHT), None) is None
    assert one_spacing((TRACE,), None) is None
    assert one_spacing((), COARSE) == COARSE

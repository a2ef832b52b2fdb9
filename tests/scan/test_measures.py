"""The figures of the quality check: quick ways to them that change nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.scan._measures import Levels, tile_means

SHAPES = [(1, 1), (2, 7), (33, 40), (1, 300), (257, 190)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [(0, 256), (0, 2), (254, 256), (7, 8)])
def test_counted_levels_give_the_figures_of_the_pixels(
    shape: tuple[int, int], levels: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(5).integers(*levels, shape, dtype=np.uint8)
    found = Levels.of(pixels)
    assert found.mean == pytest.approx(pixels.mean(), abs=1e-9)
    assert found.deviation == pytest.approx(pixels.std(), abs=1e-9)
    assert found.share(0, 1) == pytest.approx((pixels <= 1).mean(), abs=1e-12)
    assert found.share(254, 255) == pytest.approx((pixels >= 254).mean(), abs=1e-12)
    for percent in (0, 5, 50, 95, 100):
        expected = np.percentile(pixels, percent)
        assert found.percentile(percent) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "tiles"), [((384, 461), (14, 12)), ((32, 900), (28, 1)), ((33, 40), (1, 1))]
)
def test_means_of_tiles_are_those_of_an_area_average(
    shape: tuple[int, int], tiles: tuple[int, int]
) -> None:
    values = np.random.default_rng(6).random(shape, np.float32) * 500
    expected = cv2.resize(values, tiles, interpolation=cv2.INTER_AREA)
    found = tile_means(values, tiles)
    assert found.shape == expected.shape == tiles[::-1]
    assert np.allclose(found, expected, rtol=1e-5)


def test_a_tile_for_every_pixel_is_the_pixel() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.allclose(tile_means(values, (4, 3)), values)

"""Echogenicity: a lesion against the tissue around it, and never against another lesion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesion_shapes import disc, measured
from scipy import ndimage

from core.lesion import LesionControls, find_lesions


def test_a_lesion_that_fills_the_picture_has_no_surroundings():
    m = measured(np.ones((20, 30)), grey=np.full((20, 30), 90, np.uint8))
    assert m.echogenicity is None
    assert m.touches_border
    assert (m.width, m.depth, m.area) == (30, 20, 600)


def plain_echogenicity(masks, grey, index) -> float:
    """Ring by exact Euclidean distance, every background pixel to the nearest lesion."""
    away = np.stack([ndimage.distance_transform_edt(~m) for m in masks])
    width = max(1.0, (math.sqrt(2) - 1) * math.sqrt(masks[index].sum() / math.pi))
    ring = (away.argmin(axis=0) == index) & (away[index] <= width) & (away.min(axis=0) > 0)
    return float(grey[masks[index]].mean() - grey[ring].mean())


def in_order(masks):
    return sorted(masks, key=lambda m: -m.sum())


@pytest.mark.parametrize("gap", [3, 12, 90])
def test_each_of_two_lesions_is_left_out_of_the_others_ring(gap):
    side = 240
    masks = in_order([disc(30, (60, 60), side), disc(22, (60 + 52 + gap, 64), side)])
    grey = np.full((side, side), 100, np.uint8)
    grey[masks[0]], grey[masks[1]] = 20, 240
    result = find_lesions(sum(masks).astype(np.float32), grey, LesionControls())
    assert [n.measurements.echogenicity for n in result.lesions] == pytest.approx([-80, 140])


@pytest.mark.parametrize("gap", [4, 60])
def test_echogenicity_is_the_difference_from_the_nearest_tissue(gap):
    side = 240
    rng = np.random.default_rng(3)
    grey = np.clip(ndimage.gaussian_filter(rng.random((side, side)), 6) * 900 - 320, 0, 255)
    grey = grey.astype(np.uint8)
    masks = in_order([disc(30, (60, 60), side), disc(25, (60 + 55 + gap, 80), side)])
    result = find_lesions(sum(masks).astype(np.float32), grey, LesionControls())
    for index, lesion in enumerate(result.lesions):
        expected = plain_echogenicity(masks, grey.astype(float), index)
        assert lesion.measurements.echogenicity == pytest.approx(expected, abs=1.0)
        assert expected != 0


def test_many_lesions_at_once_have_the_echogenicity_they_have_one_by_one(monkeypatch):
    side = 200
    y, x = np.mgrid[:side, :side]
    stripes = ((x + y) % 24 < 9).astype(np.float32)  # long, side by side: worked on together
    grey = ((x * 3 + y * 7) % 251).astype(np.uint8)
    controls = LesionControls(keep_largest=20)
    together = find_lesions(stripes, grey, controls)
    monkeypatch.setattr("core.lesion._echogenicity._LABELLED_COST", 10**6)
    apart = find_lesions(stripes, grey, controls)
    assert len(together.lesions) > 10
    for one, other in zip(together.lesions, apart.lesions, strict=True):
        assert one.measurements.echogenicity == pytest.approx(
            other.measurements.echogenicity, abs=2.5
        )


def test_a_ring_is_the_same_however_the_nearest_lesion_is_found(monkeypatch):
    side = 260
    rng = np.random.default_rng(8)
    grey = rng.integers(0, 256, (side, side)).astype(np.uint8)
    big, small = disc(80, (110, 120), side), disc(4, (200, 120), side) | disc(3, (110, 208), side)
    result = find_lesions((big | small).astype(np.float32), grey, LesionControls())
    masks = in_order([big, disc(4, (200, 120), side), disc(3, (110, 208), side)])
    for index, lesion in enumerate(result.lesions):
        expected = plain_echogenicity(masks, grey.astype(float), index)
        # The rings of the small ones have few pixels, so one more or less shows.
        assert lesion.measurements.echogenicity == pytest.approx(expected, abs=(0.5, 12, 12)[index])
    monkeypatch.setattr("core.lesion._echogenicity._LABELLED_COST", 0)
    together = find_lesions((big | small).astype(np.float32), grey, LesionControls())
    assert [n.measurements.echogenicity for n in together.lesions] == pytest.approx(
        [n.measurements.echogenicity for n in result.lesions], abs=2
    )

"""What is drawn of an outline is the outline, within half a pixel."""

from __future__ import annotations

import cv2
import numpy as np

from core.lesion import LesionControls, find_heat_regions, find_lesions
from core.ui.picture import outlines


def test_a_drawn_outline_lies_within_half_a_pixel_of_the_true_one() -> None:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:300, :300] - 150
    rough = cv2.GaussianBlur(rng.standard_normal((300, 300)), (0, 0), 2)
    values = (np.hypot(x, y) + 80 * rough < 105).astype(np.float32)
    result = find_lesions(values, np.zeros(values.shape, np.uint8), LesionControls(keep_largest=3))
    drawn = outlines(result)
    assert [outline.number for outline in drawn] == [lesion.number for lesion in result.lesions]
    for outline, lesion in zip(drawn, result.lesions, strict=True):
        a = outline.rings[0].astype(float)
        run = np.roll(a, -1, axis=0) - a
        length = np.maximum((run**2).sum(axis=1), 1e-12)
        for point in lesion.contour:
            t = np.clip(((point - a) * run).sum(axis=1) / length, 0, 1)
            assert np.hypot(*(a + t[:, None] * run - point).T).min() <= 0.5 + 1e-6
    assert len(drawn[0].rings[0]) < len(result.lesions[0].contour)
    assert len(drawn[0].chords) == 2


def test_a_heat_region_is_drawn_without_chords() -> None:
    heat = np.zeros((60, 60), np.float32)
    heat[20:40, 20:40] = 1
    (region,) = outlines(find_heat_regions(heat, LesionControls()))
    assert region.chords == ()

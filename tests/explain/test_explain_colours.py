"""Colours of maps: what is equal looks equal, and what speaks for is told from what does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.explain import colour_table, colours


def lab(table):
    return cv2.cvtColor((table[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]


def test_equal_steps_of_a_signed_map_look_equal_and_both_directions_alike():
    places = lab(colour_table(True))
    against, middle, towards = places[:120:8], places[127:129], places[136::8]
    for half in (against, towards):
        steps = np.linalg.norm(np.diff(half, axis=0), axis=1)
        assert np.ptp(steps) < 0.2 * steps.mean()
    assert np.abs(places[::-1, 0] - places[:, 0]).max() < 0.6
    assert middle[:, 0].max() < 12
    # Blue and orange differ in b*, which every kind of colour blindness but the rarest keeps.
    assert towards[-1, 2] - against[0, 2] > 80


def test_a_map_without_a_sign_gets_lighter_all_the_way():
    light = lab(colour_table(False))[:, 0]
    assert (np.diff(light) > -0.5).all()
    assert light[-1] - light[0] > 90


def test_nothing_is_dark_and_the_limit_has_the_last_colour_on_either_side():
    values = np.array([[-9.0, -2.0, 0.0, 2.0, 9.0]], np.float32)
    signed = colours(values, True, 2.0)
    assert signed.shape == (1, 5, 4)
    assert (signed[..., 3] == 255).all()
    table = colour_table(True)
    assert (signed[0, :, :3] == table[[0, 0, 128, 255, 255]]).all()
    unsigned = colours(np.maximum(values, 0), False, 2.0)
    assert (unsigned[0, :, :3] == colour_table(False)[[0, 0, 0, 255, 255]]).all()


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_ends_nowhere_is_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        colours(np.zeros((2, 2), np.float32), False, limit)

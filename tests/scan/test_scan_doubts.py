"""A blank or coloured picture is doubted; a scan, a Doppler window and a phantom are not."""

import numpy as np
import pytest

from core.scan import Doubt, Scan, doubts, list_samples, open_sample


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_doubted(level: int) -> None:
    assert doubts(Scan.from_pixels(np.full((64, 64), level, np.uint8))) == (Doubt.FLAT,)


def test_a_colour_photograph_is_doubted() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert doubts(Scan.from_pixels(picture)) == (Doubt.COLOURED,)


def test_a_doppler_window_in_a_grey_scan_is_not_doubted() -> None:
    grey = open_sample("cyst").grey
    picture = np.repeat(grey[..., None], 3, axis=2)
    picture[100:250, 200:400, 0] = 250
    assert doubts(Scan.from_pixels(picture)) == ()


@pytest.mark.parametrize("key", [sample.key for sample in list_samples()])
def test_a_sample_is_not_doubted(key: str) -> None:
    assert doubts(open_sample(key)) == ()

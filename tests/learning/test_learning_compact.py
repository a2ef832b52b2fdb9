"""A trained network in half the room: what it says stays the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bundle_factory import seeded

from core.errors import LearningError
from core.learning.compact import rounded, saved_compact
from core.learning.lesion_net import lesion_net
from core.model import import_tensorflow


def test_weights_are_rounded_to_nearest_and_what_is_not_a_number_stays() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=4000) * 10.0 ** rng.integers(-20, 20, 4000)).astype(np.float32)
    near = rounded(values)
    assert np.abs(near / values - 1).max() <= 2.0**-12
    assert (near != values).mean() > 0.9
    np.testing.assert_array_equal(rounded(near), near)
    odd = np.float32([0, -0.0, np.inf, -np.inf, np.nan, 1, -2])
    np.testing.assert_array_equal(rounded(odd), odd)


def test_the_file_is_smaller_and_says_the_same(tmp_path: Path) -> None:
    import_tensorflow()
    import keras

    model = seeded(lesion_net(32, 3, widths=(16, 24, 32, 48, 64), name="member_1"), seed=1)
    model.save(tmp_path / "whole.keras")
    picture = np.random.default_rng(2).normal(size=(2, 32, 32, 1)).astype(np.float32)
    before = {name: np.asarray(value) for name, value in model(picture).items()}
    with saved_compact(model, tmp_path) as path:
        assert path.stat().st_size < 0.85 * (tmp_path / "whole.keras").stat().st_size
        again = keras.models.load_model(path, safe_mode=True)(picture)
    assert list(tmp_path.iterdir()) == [tmp_path / "whole.keras"]
    for name, value in before.items():
        scale = max(float(np.abs(value).max()), 1e-3)
        np.testing.assert_allclose(again[name], value, atol=0.005 * scale)


def test_a_disk_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with (
        pytest.raises(LearningError, match="cannot be kept") as error,
        saved_compact(None, missing),
    ):
        pytest.fail("nothing was saved")
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)

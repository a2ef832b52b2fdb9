"""What training brings down: losses that want the right thing, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.learning.losses import class_loss, lesion_loss, one_unit_loss, suspicion_loss
from core.learning.rows import Row, suspicion
from core.model import import_tensorflow


def test_the_class_loss_is_the_weighted_smoothed_entropy() -> None:
    import_tensorflow()
    loss = class_loss(np.array([1, 2], np.float32), 0.1)
    found = loss(np.array([0, 1]), np.array([[0, np.log(3)], [0, np.log(3)]], np.float32))
    # Shares 1/4 and 3/4; the truth holds .95 of the weight, the other .05.
    wanted = [
        -(0.95 * np.log(0.25) + 0.05 * np.log(0.75)),
        -2 * (0.95 * np.log(0.75) + 0.05 * np.log(0.25)),
    ]
    np.testing.assert_allclose(np.array(found), wanted, rtol=1e-5)


def test_the_outline_loss_prefers_the_right_outline() -> None:
    import_tensorflow()
    truth = np.zeros((1, 32, 32, 1), np.float32)
    truth[:, 8:24, 8:24] = 1
    right, shifted = np.clip(truth, 0.02, 0.98), np.clip(np.roll(truth, 6, 1), 0.02, 0.98)
    empty, full = np.full_like(truth, 0.02), np.full_like(truth, 0.98)
    values = [float(lesion_loss(truth, p)[0]) for p in (right, shifted, empty, full)]
    assert values[0] < 0.1
    assert values[0] < values[1] < min(values[2:])
    # Nothing to find: marking nothing is right, and that is finite too.
    nothing = [float(lesion_loss(0 * truth, p)[0]) for p in (0 * truth, empty, full)]
    assert np.isfinite(nothing).all()
    assert nothing == sorted(nothing)


def test_a_readers_category_is_learned_and_its_lack_teaches_nothing() -> None:
    import_tensorflow()
    truth = np.array([-1, 0.25, 1], np.float32)
    low, high = np.full((3, 1), -2, np.float32), np.full((3, 1), 2, np.float32)
    losses = np.array([suspicion_loss(truth, low), suspicion_loss(truth, high)])
    assert not losses[:, 0].any()
    assert losses[0, 1] < losses[1, 1]
    assert losses[0, 2] > losses[1, 2]
    np.testing.assert_allclose(losses[1, 2], np.log1p(np.exp(-2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("2", 0.25), ("4", 0.75), ("5", 1), ("BI-RADS 4c", 0.83), ("4A", 0.67), ("6", 1), ("1", 0)]
    + [("4.0", 0.75), ("BI-RADS: 4", 0.75), ("４", 0.75), ("category 2", 0.25), (" 4 b", 0.75)]
    + [(word, -1) for word in ("", "0", "7", "4d", "5a", "4-5", "4A/4B", "benign", "2.5")],
)
def test_a_category_is_read_as_it_is_written_and_never_guessed(written: str, wanted: float) -> None:
    row = Row(Path("a.png"), None, "benign", "train", "s", "g", "d", about={"birads": written})
    assert suspicion(row) == pytest.approx(wanted)
    assert suspicion(replace(row, about={})) == -1


def test_a_lesion_as_faint_as_none_is_outlined_rather_than_missed() -> None:
    import_tensorflow()
    # Two pictures that look alike, one with a lesion and one without: the loss of both together.
    truth = np.zeros((2, 32, 32, 1), np.float32)
    truth[0, 8:24, 8:24] = 1
    outlined = np.clip(np.stack([truth[0], truth[0]]), 0.02, 0.8)
    losses = [float(np.sum(lesion_loss(truth, p))) for p in (outlined, np.full_like(truth, 0.02))]
    assert losses[0] < losses[1]


def test_the_loss_of_one_unit_is_the_weighted_binary_entropy() -> None:
    import_tensorflow()
    loss = one_unit_loss(np.array([1, 2], np.float32), 0.0)
    found = loss(np.array([0, 1]), np.array([[0.25], [0.25]], np.float32))
    np.testing.assert_allclose(np.array(found), [-np.log(0.75), -2 * np.log(0.25)], rtol=1e-5)

"""The second, closer reading: cut out where the lesion is, and shown where it was cut out."""

from __future__ import annotations

import numpy as np
import pytest

from core.learning.closer import TIGHT, cut_out, laid_over, put_back, where


def _ellipse(size: int, row: float, column: float, high: float, wide: float) -> np.ndarray:
    place = (np.arange(size) + 0.5) / size
    inside = ((place - row) / high)[:, None] ** 2 + ((place - column) / wide)[None] ** 2 <= 1
    return inside.astype(np.float32)


def _squares(*each: tuple[float, float, float]) -> tuple[np.ndarray, ...]:
    return tuple(np.float32(values) for values in zip(*each, strict=True))


def test_the_square_lies_around_the_lesion_and_within_the_picture() -> None:
    lesions = np.stack(
        [
            _ellipse(128, 0.4, 0.55, 0.1, 0.2),
            _ellipse(128, 0.5, 0.5, 0.05, 0.05),
            _ellipse(128, 0.1, 0.9, 0.05, 0.05),
        ]
    )
    down, across, half = where(lesions)
    # Twice the longer half of the lesion, and never less than three tenths of the picture.
    np.testing.assert_allclose(half, [0.4, 0.3, 0.3], rtol=0.05)
    np.testing.assert_allclose(down, [0.4, 0.5, 0.3], atol=0.01)
    np.testing.assert_allclose(across, [0.55, 0.5, 0.7], atol=0.01)
    # A tight look takes in less of what lies around.
    np.testing.assert_allclose(where(lesions, look=TIGHT)[2], [0.28, 0.2, 0.2], rtol=0.05)
    assert (half <= down).all()
    assert (across <= 1 - half + 1e-6).all()


def test_without_a_lesion_the_whole_picture_is_read_again_and_a_speck_does_not_jump() -> None:
    empty = np.zeros((1, 128, 128), np.float32)
    for values in where(empty):
        np.testing.assert_allclose(values, 0.5)
    speck = empty.copy()
    speck[0, 10, 10] = 0.31
    for values in where(speck):
        np.testing.assert_allclose(values, 0.5, atol=0.01)


def test_what_is_cut_out_is_what_lies_there() -> None:
    rows, columns = np.mgrid[0:128, 0:128].astype(np.float32)
    picture = np.stack([rows, columns])
    found = cut_out(picture, *_squares((0.4, 0.6, 0.125), (0.4, 0.6, 0.125)), 32)
    # 32 pixels of the picture in 32 pixels, from the middle of the square on.
    np.testing.assert_allclose(found[0, :, 0], 0.4 * 128 - 0.5 + np.arange(32) - 15.5, atol=1e-3)
    np.testing.assert_allclose(found[1, 0], 0.6 * 128 - 0.5 + np.arange(32) - 15.5, atol=1e-3)


@pytest.mark.parametrize("half", [0.1, 0.23, 0.41, 0.5])
def test_an_even_picture_stays_even_at_any_size(half: float) -> None:
    even = np.ones((1, 128, 128), np.float32)
    found = cut_out(even, *_squares((0.5, 0.5, half)), 32)
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], 1, atol=1e-5)


def test_a_score_read_off_the_square_is_the_sum_of_its_places_in_the_picture() -> None:
    features = np.random.default_rng(1).normal(size=(3, 16, 16, 5)).astype(np.float32)
    squares = _squares((0.5, 0.4, 0.3), (0.3, 0.7, 0.3), (0.5, 0.5, 0.5))
    placed = put_back(features, *squares)
    np.testing.assert_allclose(placed.mean(axis=(1, 2)), features.mean(axis=(1, 2)), atol=1e-5)
    # The whole picture is put back as it is, and a corner of a square where that corner lies.
    np.testing.assert_allclose(placed[2], features[2], atol=1e-5)
    corner = np.zeros((1, 16, 16, 1), np.float32)
    corner[0, 0, 15] = 1
    shown = put_back(corner, *_squares((0.5, 0.4, 0.3)))[0, ..., 0]
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert row == int(0.2 * 16)
    assert column == int((0.7 - 0.6 / 16) * 16)
    assert shown.sum() == pytest.approx(1)


def test_an_outline_of_the_square_lies_where_the_lesion_is() -> None:
    lesion = _ellipse(128, 0.45, 0.6, 0.1, 0.08)[None]
    square = _squares((0.45, 0.6, 0.3))
    closer = cut_out(lesion, *square, 128)
    found = laid_over(lesion, closer, *square)
    assert np.abs(found - lesion).mean() < 0.005
    assert ((found >= 0.5) != (lesion >= 0.5)).mean() < 0.002
    # Outside the square the first reading is all there is; inside, the closer one counts more.
    ones, zeros = np.ones((1, 128, 128), np.float32), np.zeros((1, 128, 128), np.float32)
    share = laid_over(zeros, ones, *square)[0]
    assert share[57, 77] == pytest.approx(0.6)
    assert laid_over(zeros, ones, *square, look=TIGHT)[0, 57, 77] == pytest.approx(0.3)
    assert share[5, 5] == share[120, 77] == 0
    assert np.abs(np.diff(share, axis=0)).max() < 0.15


def test_tensors_and_arrays_give_the_same() -> None:
    from core.model import import_tensorflow

    import_tensorflow()
    from keras import ops

    lesion = _ellipse(64, 0.4, 0.6, 0.1, 0.15)[None]
    picture = np.random.default_rng(2).normal(size=(1, 128, 128)).astype(np.float32)
    square = where(lesion)
    tensors = where(ops.convert_to_tensor(lesion), ops)
    for one, other in zip(square, tensors, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), atol=1e-6)
    cut = cut_out(ops.convert_to_tensor(picture), *tensors, 64, ops)
    np.testing.assert_allclose(cut_out(picture, *square, 64), np.asarray(cut), atol=1e-3)
    features = np.random.default_rng(3).normal(size=(1, 8, 8, 4)).astype(np.float32)
    placed = put_back(ops.convert_to_tensor(features), *tensors, ops)
    np.testing.assert_allclose(put_back(features, *square), np.asarray(placed), atol=1e-5)
    over = laid_over(ops.convert_to_tensor(lesion), ops.convert_to_tensor(lesion), *tensors, ops)
    np.testing.assert_allclose(laid_over(lesion, lesion, *square), np.asarray(over), atol=1e-5)

"""The closer look: cut out where the lesion is, and shown where it was cut out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_factory import seeded
from learning_factory import LABELS, phantom_folder

from core.learning.architectures import CLOSER_LOOK, build_network
from core.learning.batches import as_read, batches
from core.learning.closer_look import closer_look, cut_out, put_back, where
from core.learning.dataset import load_arrays
from core.learning.forms import read_dataset
from core.learning.lesion_net import CAM_FEATURES, CLASS_LOGITS, LESION, average_of, lesion_net
from core.learning.training import TrainingConfig
from core.model import import_tensorflow


def _ellipse(size: int, row: float, column: float, high: float, wide: float) -> np.ndarray:
    place = (np.arange(size) + 0.5) / size
    inside = ((place - row) / high)[:, None] ** 2 + ((place - column) / wide)[None] ** 2 <= 1
    return inside.astype(np.float32)


def test_the_square_lies_around_the_lesion_with_its_margin_in_it() -> None:
    lesions = np.stack([_ellipse(128, 0.3, 0.6, 0.05, 0.1), _ellipse(128, 0.5, 0.5, 0.2, 0.1)])
    down, across, half = where(lesions)
    np.testing.assert_allclose(down, [0.3, 0.5], atol=0.01)
    np.testing.assert_allclose(across, [0.6, 0.5], atol=0.01)
    # Half as wide again as the lesion's longer half.
    np.testing.assert_allclose(half, [0.15, 0.3], rtol=0.05)


def test_without_a_lesion_the_whole_picture_is_looked_at_and_a_speck_does_not_jump() -> None:
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
    square = tuple(np.float32([each, each]) for each in (0.4, 0.6, 0.125))
    found = cut_out(picture, *square, side=32)
    # 32 pixels of the picture in 32 pixels, from the middle of the square on.
    np.testing.assert_allclose(found[0, :, 0], 0.4 * 128 - 0.5 + np.arange(32) - 15.5, atol=1e-3)
    np.testing.assert_allclose(found[1, 0], 0.6 * 128 - 0.5 + np.arange(32) - 15.5, atol=1e-3)


@pytest.mark.parametrize("half", [0.1, 0.23, 0.41])
def test_an_even_picture_stays_even_at_any_size(half: float) -> None:
    even = np.ones((1, 128, 128), np.float32)
    square = tuple(np.float32([each]) for each in (0.5, 0.5, half))
    np.testing.assert_allclose(cut_out(even, *square, side=32), 1, atol=1e-5)


def test_outside_the_picture_there_is_nothing() -> None:
    even = np.ones((1, 64, 64), np.float32)
    found = cut_out(even, *(np.float32([each]) for each in (0.0, 0.5, 0.25)), side=32)
    np.testing.assert_allclose(found[0, :15], 0, atol=1e-6)
    np.testing.assert_allclose(found[0, 17:, 4:-4], 1, atol=1e-5)


def test_a_score_read_off_the_square_is_the_sum_of_its_places_in_the_picture() -> None:
    import_tensorflow()
    from keras import ops

    features = np.random.default_rng(1).normal(size=(3, 6, 6, 5)).astype(np.float32)
    # In the middle, over an edge, and smaller than a place of the map.
    squares = [np.float32(each) for each in ((0.5, 0.1, 0.7), (0.4, 0.9, 0.7), (0.3, 0.3, 0.02))]
    placed = np.asarray(put_back(features, *squares, 16, ops))
    np.testing.assert_allclose(placed.mean(axis=(1, 2)), features.mean(axis=(1, 2)), atol=1e-5)
    # And what lies in a corner of the square is shown there.
    corner = np.zeros((1, 6, 6, 1), np.float32)
    corner[0, 0, 5] = 1
    shown = np.asarray(put_back(corner, *(s[:1] for s in squares), 16, ops))[0, ..., 0]
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    # The top right sixth of a square from 0.2 to 0.8, down, and from 0.1 to 0.7, across.
    assert 0.2 * 16 - 1 < row < 0.3 * 16
    assert 0.6 * 16 - 1 < column < 0.7 * 16


@pytest.fixture(scope="module")
def parts() -> tuple[list[Any], list[Any]]:
    import_tensorflow()
    widths = (4, 6, 8, 10, 12)
    return (
        [seeded(lesion_net(32, 3, widths=widths, name=f"member_{n}"), seed=4 + n) for n in (0, 1)],
        [seeded(closer_look(3, side=32, name=f"look_{n}"), seed=9 + n) for n in (0, 1)],
    )


def _pictures(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 64, 64, 1)).astype(np.float32)


def test_half_of_the_score_is_read_off_the_closer_look(parts: tuple[list[Any], list[Any]]) -> None:
    members, looks = parts
    pictures = _pictures(3)
    coarse = pictures.reshape(2, 32, 2, 32, 2, 1).mean(axis=(2, 4))
    without = average_of(members)(coarse)
    found = average_of(members, looks)(pictures)
    np.testing.assert_allclose(found[LESION], without[LESION], atol=1e-5)
    square = where(np.asarray(found[LESION])[..., 0])
    cut = cut_out(pictures[..., 0], *square, side=32)
    cut = (cut - cut.mean((1, 2), keepdims=True)) / np.sqrt(
        cut.var((1, 2), keepdims=True) + np.float32(1e-4)
    )
    both = [
        look(each[..., None])[CLASS_LOGITS] for look in looks for each in (cut, cut[:, :, ::-1])
    ]
    wanted = (np.asarray(without[CLASS_LOGITS]) + np.mean(both, axis=0)) / 2
    np.testing.assert_allclose(found[CLASS_LOGITS], wanted, atol=1e-3)


def test_a_mirrored_picture_gets_the_mirrored_answer(parts: tuple[list[Any], list[Any]]) -> None:
    network, pictures = average_of(*parts), _pictures(5)
    one, other = network(pictures), network(pictures[:, :, ::-1])
    np.testing.assert_allclose(one[CLASS_LOGITS], other[CLASS_LOGITS], atol=1e-4)
    np.testing.assert_allclose(one[LESION], np.asarray(other[LESION])[:, :, ::-1], atol=1e-5)


def test_the_heatmap_sees_all_that_the_closer_look_says(
    parts: tuple[list[Any], list[Any]],
) -> None:
    tf = import_tensorflow()
    members, looks = parts
    network = average_of(members, looks)
    channels = 2 * 2 * 3 * 10 + 2 * 2 * looks[0].get_layer("look_0_features").output.shape[-1]
    assert network.output[CAM_FEATURES].shape[1:] == (4, 4, channels)
    features = np.asarray(network(_pictures(6))[CAM_FEATURES])[..., -channels // 4 :]
    head = looks[1].get_layer("look_1_head")
    own = features[..., -looks[1].get_layer("look_1_features").output.shape[-1] :]
    score = np.asarray(head(tf.reduce_mean(own, axis=(1, 2)))[0])
    bias = np.asarray(head(np.zeros((1, own.shape[-1]), np.float32))[0])
    kernel = head.layers[-2].kernel.numpy()
    places = np.einsum("nhwc,cl->nhwl", own, kernel) / (own.shape[1] * own.shape[2])
    np.testing.assert_allclose(places.sum(axis=(1, 2)) + bias, score, atol=1e-4)


def test_a_saved_file_loads_in_safe_mode_and_says_the_same(
    parts: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    import keras

    network, pictures = average_of(*parts), _pictures(7)
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        again(pictures)[CLASS_LOGITS].numpy(), network(pictures)[CLASS_LOGITS].numpy()
    )


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = phantom_folder(tmp_path_factory.mktemp("looks") / "ward", train=4, val=1)
    return load_arrays(read_dataset(folder, LABELS), LABELS, 64)


def test_it_is_trained_on_what_it_will_read(arrays: Any) -> None:
    config = TrainingConfig(architecture=CLOSER_LOOK, size=64, batch=5, augmentation="none")
    network = build_network(CLOSER_LOOK, 3, 64, member="look_1")
    pictures, truth = batches(arrays, config, network)[0]
    assert pictures.shape == (5, 96, 96, 1)
    np.testing.assert_allclose(pictures.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    assert set(truth) == {"class_logits", "suspicion"}
    read = next(as_read(arrays, network.spec, network.whole))
    assert read.shape[1:] == (96, 96, 1)
    assert np.isfinite(read).all()


def test_a_scan_without_a_lesion_cannot_be_told_by_the_size_of_its_square(arrays: Any) -> None:
    from core.learning.batches import _off_by_a_little

    empty = np.zeros((200, 64, 64), np.float32)
    known = np.ones(200, np.bool_)
    down, _across, half = _off_by_a_little(empty, known, np.random.default_rng(0))
    whole = half == 0.5
    assert 0 < whole.mean() < 0.2
    assert half[~whole].std() > 0.08
    assert down[~whole].std() > 0.08
    # Of what has a lesion that nobody outlined, the place is not known: all of it is looked at.
    _down, _across, half = _off_by_a_little(empty, ~known, np.random.default_rng(0))
    assert (half == 0.5).all()

"""The network that ships: its outputs, its saved file, and what its class score hangs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_factory import lesion_card, reference, scan, seeded, settings_for

from core.learning import closer
from core.learning.calibration import calibrated
from core.learning.lesion_net import (
    CAM_FEATURES,
    CLASS_LOGITS,
    EMBEDDING,
    LESION,
    LESION_COARSE,
    SUSPICION,
    _outlined,
    average_of,
    lesion_net,
)
from core.model import InputSpec, Outputs, Predictor, import_tensorflow, preprocess, write_bundle

WIDTHS = (4, 6, 8, 10, 12)
OUTPUTS = Outputs(logits=CLASS_LOGITS, lesion=LESION, cam_features=CAM_FEATURES)


@pytest.fixture(scope="module")
def members() -> list[Any]:
    import_tensorflow()
    return [
        seeded(lesion_net(32, 3, widths=WIDTHS, name=f"member_{n}"), seed=4 + n) for n in range(4)
    ]


def _picture(seed: int = 0, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, size, size, 1)).astype(np.float32)


def test_outputs_are_those_the_card_names(members: list[Any]) -> None:
    found = members[0](_picture())
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        CLASS_LOGITS: (2, 3),
        LESION: (2, 32, 32, 1),
        LESION_COARSE: (2, 4, 4, 1),
        CAM_FEATURES: (2, 4, 4, 3 * 10),
        EMBEDDING: (2, 6 + 8 + 10 + 12),
        SUSPICION: (2, 1),
    }
    lesion = found[LESION].numpy()
    assert 0 <= lesion.min() < lesion.max() <= 1


def test_four_of_the_shipped_size_fit_into_a_bundle() -> None:
    import_tensorflow()
    parameters = lesion_net(128, 3).count_params()
    # Weights of finished runs fit only the very same network.
    assert parameters == 1_385_674
    assert 4 * 4 * parameters < 23e6


def test_a_side_that_does_not_halve_four_times_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        lesion_net(100, 3)


def _gradients(network: Any) -> dict[str, float]:
    tf = import_tensorflow()
    with tf.GradientTape() as tape:
        score = network(_picture(), training=False)[CLASS_LOGITS][:, 2]
    variables = network.trainable_variables
    found = tape.gradient(score, [variable.value for variable in variables])
    return {
        variable.path: 0.0 if g is None else float(tf.reduce_max(tf.abs(g)))
        for variable, g in zip(variables, found, strict=True)
    }


def test_the_class_loss_cannot_bend_the_outline(members: list[Any]) -> None:
    through = _gradients(members[0])
    outline = {path: size for path, size in through.items() if "lesion_" in path}
    assert len(outline) == 4
    assert set(outline.values()) == {0.0}
    # The convolutions between the deepest shared features and the outline hear nothing of it.
    silent = [path for path, size in through.items() if size == 0]
    assert 10 < len(silent) < len(through) / 2


def test_the_class_still_depends_on_where_the_lesion_is_drawn(members: list[Any]) -> None:
    network = members[0]
    before = network(_picture())[CLASS_LOGITS].numpy()
    kernel = network.get_layer("member_0_trunk").get_layer("lesion_half").weights[0]
    kept = kernel.numpy()
    kernel.assign(-3 * kept)
    try:
        after = network(_picture())[CLASS_LOGITS].numpy()
    finally:
        kernel.assign(kept)
    assert np.abs(after - before).max() > 1e-4


def _read_by_hand(members: list[Any], pictures: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return class scores, outline and maps of the last network's second reading."""
    size = pictures.shape[1] // 2
    whole = pictures.reshape(-1, size, 2, size, 2, 1).mean(axis=(2, 4))
    logits, shown = [], {}
    squares: list[tuple[np.ndarray, ...]] = []
    for read in ("whole", "near"):
        for at, member in enumerate(members):
            looked = whole
            if read == "near":
                # Two widely, then two tightly.
                cut = closer.cut_out(pictures[..., 0], *squares[at // 2], size)
                mean, variance = cut.mean((1, 2), keepdims=True), cut.var((1, 2), keepdims=True)
                looked = ((cut - mean) / np.sqrt(variance + 1e-4))[..., None]
            side = -1 if (at % 2 == 0) == (read == "near") else 1
            found = member(looked[:, :, ::side])
            logits.append(found[CLASS_LOGITS])
            maps = (np.asarray(found[name])[:, :, ::side] for name in (LESION, CAM_FEATURES))
            shown[read, at] = tuple(maps)
        if read == "whole":
            mean = np.mean([lesion[..., 0] for lesion, _maps in shown.values()], axis=0)
            squares = [closer.where(mean, look=look) for look in (closer.WIDE, closer.TIGHT)]

    def outlined(read: str, which: slice) -> np.ndarray:
        lesions = [shown[read, at][0][..., 0] for at in range(len(members))[which]]
        return np.cbrt(np.mean(np.power(lesions, 3), axis=0))

    outline = outlined("whole", slice(None))
    for number, square in enumerate(squares[: (len(members) + 1) // 2]):
        near = outlined("near", slice(2 * number, 2 * number + 2))
        look = (closer.WIDE, closer.TIGHT)[number]
        outline = closer.laid_over(outline, near, *square, look=look)
    last = len(members) - 1
    placed = closer.put_back(shown["near", last][1], *squares[last // 2])
    return np.mean(logits, axis=0), outline, placed


@pytest.mark.parametrize("several", [1, 2, 3, 4])
def test_the_average_is_that_of_each_network_and_both_its_readings(
    members: list[Any], several: int
) -> None:
    pictures = _picture(seed=2, size=64)
    found = average_of(members[:several])(pictures)
    logits, lesion, last = _read_by_hand(members[:several], pictures)
    np.testing.assert_allclose(found[CLASS_LOGITS], logits, atol=1e-4)
    np.testing.assert_allclose(found[LESION][..., 0], lesion, atol=1e-5)
    # Features of the mirror image, and of the square, lie where the picture has them.
    np.testing.assert_allclose(np.asarray(found[CAM_FEATURES])[..., -30:], last, atol=1e-3)


def test_a_lesion_that_one_network_of_four_sees_has_an_outline() -> None:
    tf = import_tensorflow()
    seen, faint, nothing = (np.full((1, 2, 2, 1), p, np.float32) for p in (0.8, 0.15, 0.0))
    together = [{LESION: tf.constant(each)} for each in (seen, faint, faint, faint)]
    assert np.all(np.asarray(_outlined(together)) >= 0.5)
    assert np.all(np.asarray(_outlined(together[1:])) == pytest.approx(0.15, abs=1e-6))
    # Where none sees anything, what a lesion map's pixels hang on is still a number.
    with tf.GradientTape() as tape:
        empty = tf.constant(nothing)
        tape.watch(empty)
        area = tf.reduce_mean(_outlined([{LESION: empty}] * 4))
    assert np.all(np.isfinite(tape.gradient(area, empty)))
    assert float(area) < 1e-3


def test_what_lies_right_is_found_right_and_mirrored_left(members: list[Any]) -> None:
    network, pictures = average_of(members), _picture(seed=5, size=64)
    swapped = average_of([members[at] for at in (1, 0, 3, 2)])
    one, other = network(pictures), swapped(pictures[:, :, ::-1])
    np.testing.assert_allclose(one[CLASS_LOGITS], other[CLASS_LOGITS], atol=1e-4)
    np.testing.assert_allclose(one[LESION], np.asarray(other[LESION])[:, :, ::-1], atol=1e-5)


def test_all_that_the_class_is_read_off_is_in_the_features_that_are_explained(
    members: list[Any],
) -> None:
    tf = import_tensorflow()
    network = average_of(members)
    maps = {name: network.output[name] for name in (CAM_FEATURES, CLASS_LOGITS)}
    # Four networks, two readings.
    assert maps[CAM_FEATURES].shape[-1] == 4 * 2 * 3 * 10
    with tf.GradientTape() as tape:
        features = tf.Variable(np.random.default_rng(0).normal(size=(1, 4, 4, 30)), dtype="float32")
        score = members[0].get_layer("member_0_head")([features, tf.zeros((1, 5))])[0][:, 2]
    assert float(tf.reduce_max(tf.abs(tape.gradient(score, features)))) > 0


def test_the_places_of_a_heatmap_add_up_to_the_score_it_explains(members: list[Any]) -> None:
    tf = import_tensorflow()
    found = members[0].get_layer("member_0_trunk")(_picture(seed=6))
    head, shape = members[0].get_layer("member_0_head"), found["shape"]
    with tf.GradientTape() as tape:
        features = tf.Variable(found[CAM_FEATURES])
        score = head([features, shape])[0][:, 2]
    weights = tape.gradient(score, features).numpy()
    # One weight for each feature, wherever it is found: so Grad-CAM's mean loses nothing.
    np.testing.assert_allclose(
        weights, np.broadcast_to(weights[:, :1, :1], weights.shape), rtol=1e-4
    )
    without = head([tf.zeros_like(features), shape])[0][:, 2]
    places = (weights * features.numpy()).sum(axis=3)
    np.testing.assert_allclose(places.sum(axis=(1, 2)), (score - without).numpy(), rtol=1e-3)


def test_the_class_is_read_off_the_means_inside_around_and_everywhere(members: list[Any]) -> None:
    found = members[0].get_layer("member_0_trunk")(_picture(seed=7))
    means = np.asarray(found[CAM_FEATURES]).mean(axis=(1, 2))
    before_weighing = next(
        layer for layer in members[0].get_layer("member_0_trunk").layers if layer.name == "gated"
    )
    import keras

    plain = keras.Model(members[0].get_layer("member_0_trunk").input, before_weighing.output)
    maps = np.asarray(plain(_picture(seed=7)))
    inside = np.asarray(found[LESION]).reshape(2, 4, 8, 4, 8, 1).mean(axis=(2, 4))
    padded = np.pad(inside, ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = np.max([padded[:, a : a + 4, b : b + 4] for a in range(3) for b in range(3)], axis=0)
    for weight, part in (
        (inside, slice(10)),
        (around - inside, slice(10, 20)),
        (np.ones_like(inside), slice(20, 30)),
    ):
        wanted = (maps * weight).sum(axis=(1, 2)) / (weight.sum(axis=(1, 2)) + 1e-3)
        np.testing.assert_allclose(means[:, part], wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_saved_loaded_safely_and_read_it_answers_the_same(
    members: list[Any], several: bool, tmp_path: Path
) -> None:
    network = average_of(members) if several else members[0]
    settings = settings_for(tmp_path)
    spec = InputSpec(64 if several else 32)
    card = lesion_card(outputs=OUTPUTS, input=spec)
    folder = settings.model_roots[0] / card.task / card.version
    write_bundle(folder, network, card, reference())
    read = Predictor.load(card.task, card.version, settings=settings).read(scan(48, 40))
    pixels, geometry = preprocess(scan(48, 40).grey, spec)
    found = network(pixels[None], training=False)
    wanted = calibrated(found[CLASS_LOGITS].numpy(), card.calibration)[0]
    np.testing.assert_allclose(list(read.probabilities.values()), wanted, atol=1e-5)
    lesion = read.lesion_map()
    assert lesion is not None
    np.testing.assert_allclose(
        lesion, geometry.to_image(found[LESION].numpy()[0, ..., 0]), atol=1e-4
    )
    assert read.heat_available
    assert read.heat().shape == lesion.shape == (48, 40)

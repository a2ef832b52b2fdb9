"""What explanations are made of: true gradients, of the map that lies on the scan, at any time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import probe_models
import pytest

from core.errors import ExplanationError, InvalidQuestion, NoFeatureMap, NotFinite
from core.model import Gate, NetworkOutput, Outputs, Predictor, Probe, preprocess

ANSWER = -1


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("var"))
    return Predictor.load("breast-ultrasound", settings=settings)


@pytest.fixture(scope="module")
def probe(predictor: Predictor) -> Probe:
    return predictor.probe()


def targets(*wanted: int) -> np.ndarray:
    return np.array(wanted, np.int32)


def slopes(function: Any, inputs: np.ndarray, ways: np.ndarray, step: float) -> np.ndarray:
    """Return how fast a function of the inputs changes along a way, without any derivative."""
    further = np.asarray(function(inputs + step * ways), np.float64)
    return (further - np.asarray(function(inputs - step * ways), np.float64)) / (2 * step)


def test_the_model_says_to_an_explanation_what_it_says_to_a_reader(
    predictor: Predictor, probe: Probe
) -> None:
    scan = bundle_factory.scan(seed=2)
    seen, _ = preprocess(scan.grey, predictor.card.input)
    read = predictor.read(scan, "benign")
    assert read.network_lesion is not None
    assert probe.labels == read.labels
    found = probe.probabilities(seen[None])[0]
    assert list(read.probabilities.values()) == pytest.approx(found, abs=1e-6)
    lesion = probe.lesion(seen[None])
    assert lesion is not None
    assert np.allclose(lesion[0], read.network_lesion, atol=1e-5)
    features = probe.features(seen[None], targets(ANSWER))
    assert features.layer == "cam_features"
    assert probe.labels[features.targets[0]] == read.answer
    assert features.probabilities[0] == pytest.approx(found, abs=1e-6)
    scores = probe.scores(seen[None])[0]
    assert features.scores[0] == pytest.approx(scores[features.targets[0]], abs=1e-5)
    # The card's calibration brings scores to probabilities.
    values = np.exp(scores.astype(np.float64) / 1.5 + np.array([-0.1, 0.0, 0.1]))
    assert found == pytest.approx(values / values.sum(), abs=1e-6)


def test_gradients_are_how_the_score_changes_with_the_scan(probe: Probe) -> None:
    inputs, ways = probe_models.noise(12, 1), probe_models.noise(12, 2)
    wanted = targets(*[0, 1, 2] * 4)
    scores, gradients = probe.input_gradients(inputs, wanted)
    assert scores == pytest.approx(probe.scores(inputs)[range(12), wanted], abs=1e-5)
    change = slopes(lambda x: probe.scores(x)[range(12), wanted], inputs, ways, 1e-3)
    missed = (gradients * ways).sum(axis=(1, 2, 3)) - change
    assert np.linalg.norm(missed) < 0.05 * np.linalg.norm(change)
    # Not so with the mask held: then the way through the lesion map is missing.
    held = probe.input_gradients(inputs, wanted, through_mask=False)[1]
    missed_held = (held * ways).sum(axis=(1, 2, 3)) - change
    assert np.linalg.norm(missed_held) > 3 * np.linalg.norm(missed)


def test_a_model_that_looks_closer_looks_where_it_did_while_its_gradients_are_added_up(
    tmp_path: Path,
) -> None:
    network = probe_models.predictor(tmp_path, probe_models.looks_closer()).probe()
    dark, bright = probe_models.noise(2, 7)
    bright = bright + 3 * np.linspace(0, 1, probe_models.SIZE, dtype=np.float32)[:, None]
    steps = np.linspace(0, 1, 9)[:, None, None, None].astype(np.float32)
    along, wanted = dark + steps * (bright - dark), np.ones(9, np.int32)

    def added_up(at: np.ndarray | None) -> tuple[float, float]:
        slopes = network.input_gradients(along, wanted, at=at)[1]
        ends = network.scores(along[[0, -1]], at=at)[:, 1]
        change = (slopes * (bright - dark)).sum(axis=(1, 2, 3), dtype=np.float64)
        return float(np.trapezoid(change, dx=1 / 8)), float(ends[1] - ends[0])

    found, whole = added_up(bright)
    assert found == pytest.approx(whole, rel=1e-3)
    # Where it looks jumps from one step to the next, and no gradient tells by how much.
    found, moved = added_up(None)
    assert abs(found - moved) > 0.05 * abs(moved)
    # Of the picture itself it says what it always says.
    assert network.scores(bright[None], at=bright) == pytest.approx(
        network.scores(bright[None]), abs=1e-5
    )
    other = network.scores(dark[None], at=bright)
    assert not np.allclose(other, network.scores(dark[None]), atol=1e-3)


def test_the_area_s_gradients_are_how_the_lesion_map_grows(probe: Probe) -> None:
    inputs, ways = probe_models.noise(2, 3), probe_models.noise(2, 4)
    area, gradients = probe.lesion_area_gradients(inputs)
    maps = probe.lesion(inputs)
    assert maps is not None
    assert area == pytest.approx(maps.sum(axis=(1, 2)), rel=1e-5)
    change = slopes(lambda x: probe.lesion_area_gradients(x)[0], inputs, ways, 1e-2)
    assert (gradients * ways).sum(axis=(1, 2, 3)) == pytest.approx(change, rel=0.15)


def test_many_inputs_get_what_each_gets_alone(probe: Probe) -> None:
    inputs = probe_models.noise(70, 5)
    wanted = (np.arange(70) % 3).astype(np.int32)
    together = probe.features(inputs, wanted)
    scores, gradients = probe.input_gradients(inputs, wanted)
    assert together.maps.shape == (70, 8, 8, 32)
    for at in (0, 31, 32, 69):
        alone = probe.features(inputs[at : at + 1], wanted[at : at + 1])
        assert np.allclose(alone.maps[0], together.maps[at], atol=1e-5)
        assert np.allclose(alone.gradients[0], together.gradients[at], atol=1e-6)
        one = probe.input_gradients(inputs[at : at + 1], wanted[at : at + 1])
        assert one[0][0] == pytest.approx(scores[at], abs=1e-5)
        assert np.allclose(one[1][0], gradients[at], atol=1e-6)


def test_eight_who_ask_at_once_get_what_one_would(tmp_path: Path) -> None:
    # A fresh predictor, so that the calls are compiled while others read and ask.
    fresh = probe_models.predictor(tmp_path, probe_models.vgg(), reads=8)
    probe = fresh.probe()
    scans = [bundle_factory.scan(seed=seed) for seed in range(16)]
    inputs = probe_models.noise(16, 6)

    def ask(at: int) -> list[np.ndarray]:
        one, wanted = inputs[at : at + 1], targets(at % 2)
        questions = [
            lambda: [probe.scores(one)],
            lambda: list(probe.input_gradients(one, wanted)),
            lambda: list(probe.features(one, wanted)[1:4]),
            lambda: list(probe.features(one, wanted, "block0_conv1")[1:4]),
            lambda: [np.array(list(fresh.read(scans[at]).probabilities.values()))],
        ]
        answers: dict[int, list[np.ndarray]] = {}
        for turn in range(len(questions)):
            # Each begins with another question.
            which = (turn + at) % len(questions)
            answers[which] = questions[which]()
        return [each for which in sorted(answers) for each in answers[which]]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(16)))
    for first, second in zip(map(ask, range(16)), together, strict=True):
        for alone, crowded in zip(first, second, strict=True):
            np.testing.assert_allclose(alone, crowded, rtol=1e-4, atol=1e-5)
    # None of them was compiled while another had taken the softmax away.
    for scan in scans[:2]:
        assert sum(fresh.read(scan).probabilities.values()) == pytest.approx(1)
    seen, _ = preprocess(scans[0].grey, fresh.card.input)
    expected = probe_models.vgg()(seen[None], training=False).numpy()[0]
    assert list(fresh.read(scans[0]).probabilities.values()) == pytest.approx(expected, abs=1e-5)
    assert probe.probabilities(seen[None])[0] == pytest.approx(expected, abs=1e-5)


def test_questions_leave_nothing_on_the_model(tmp_path: Path) -> None:
    asked = probe_models.predictor(tmp_path, probe_models.vgg())
    model: Any = asked._network._forward._model  # type: ignore[attr-defined]

    def state() -> list[dict[str, int]]:
        return [
            {name: id(value) for name, value in vars(part).items()}
            for part in (model, *model.layers)
        ]

    before, weights = state(), [weight.value.numpy() for weight in model.weights]
    probe, inputs = asked.probe(), probe_models.noise(2)
    probe.scores(inputs)
    probe.input_gradients(inputs, targets(0, 1))
    for layer in (None, *probe.layers()):
        probe.features(inputs, targets(0, 1), layer)
    assert state() == before
    for weight, kept in zip(model.weights, weights, strict=True):
        assert np.array_equal(weight.value.numpy(), kept)
    assert asked.probe() is probe


def test_only_layers_that_decide_the_class_can_be_asked_for(probe: Probe) -> None:
    # The layers after these draw the lesion map, which is held constant: no class depends on it.
    kinds = [name.rstrip("_0123456789") for name in probe.layers()]
    assert kinds == [*["conv2d", "max_pooling2d"] * 2, "cam_features", "multiply"]
    for layer in probe.layers():
        found = probe.features(probe_models.noise(1), targets(1), layer)
        assert found.layer == layer
        assert found.maps.shape == found.gradients.shape


@pytest.mark.parametrize("layer", ["no such layer", "scan"])
def test_a_layer_that_is_not_there_is_named_in_one_line(probe: Probe, layer: str) -> None:
    with pytest.raises(InvalidQuestion, match="choose one of those listed") as caught:
        probe.features(probe_models.noise(1), targets(1), layer)
    assert "\n" not in str(caught.value)
    assert layer not in str(caught.value)


def test_a_model_that_reads_the_mirrored_scan_is_never_explained_mirrored(tmp_path: Path) -> None:
    probe = probe_models.predictor(tmp_path, probe_models.mirroring()).probe()
    listed = probe.layers()
    assert {"straight", "both"} <= set(listed)
    assert probe.features(probe_models.noise(1), targets(1), "turned_back").layer in listed
    # The trunk's last call saw the mirror image; "wrong" holds it beside the picture.
    assert not {"inside", "trunk", "trunk/inside", "wrong"} & set(listed)
    for layer in ("inside", "trunk", "trunk/inside", "wrong"):
        with pytest.raises(InvalidQuestion, match="cannot explain"):
            probe.features(probe_models.noise(1), targets(1), layer)
    # Found by itself, too: the last map of the network is the wrong one.
    assert probe.features(probe_models.noise(1), targets(1)).layer in listed


def test_layers_inside_nested_models_are_found_and_told_apart(tmp_path: Path) -> None:
    import keras
    from keras import layers

    def block(name: str, channels: int) -> Any:
        inner = keras.Input((None, None, channels))
        tensor = layers.Conv2D(6, 3, strides=2, activation="relu", name="conv")(inner)
        return keras.Model(inner, tensor, name=name)

    image = keras.Input((32, 32, 1))
    tensor = block("second", 6)(block("first", 1)(image))
    pooled = layers.GlobalAveragePooling2D()(layers.Dropout(0.5, name="drop")(tensor))
    outputs = [layers.Dense(2, name="classes")(pooled), layers.Dense(5, name="other")(pooled)]
    model = bundle_factory.seeded(keras.Model(image, outputs))
    named = Outputs(logits="classes")
    probe = probe_models.predictor(tmp_path, model, outputs=named).probe()
    assert probe.layers() == ("first/conv", "second/conv")
    inputs = probe_models.noise(1)
    assert probe.features(inputs, targets(0)).layer == "second/conv"
    assert probe.features(inputs, targets(0), "first/conv").maps.shape == (1, 15, 15, 6)
    # A nested model goes by what its last layer gives, and so does a dropout that does nothing.
    assert probe.features(inputs, targets(0), "first").layer == "first/conv"
    assert probe.features(inputs, targets(0), "drop").layer == "second/conv"
    with pytest.raises(InvalidQuestion, match="of this name"):
        probe.features(inputs, targets(0), "conv")


def test_heads_that_read_a_map_by_parts_are_explained_by_what_each_reads(tmp_path: Path) -> None:
    import tensorflow as tf

    from core.model import load_keras

    probe = probe_models.predictor(tmp_path, probe_models.in_parts()).probe()
    inputs = probe_models.noise(3)
    found = probe.features(inputs, targets(0, 1, 0), "last")
    # Against Keras' own run of the same file, which slices where ours may split.
    model = load_keras(next(tmp_path.rglob("*.keras")))
    inner = probe_models.logits_of(model)
    convolution = model.get_layer("last")
    rest = tf.keras.Model(convolution.output, inner.output)
    maps = tf.constant(convolution(inputs))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        scores = tf.gather(rest(maps), targets(0, 1, 0), axis=1, batch_dims=1)
    wanted = tape.gradient(scores, maps).numpy()
    assert np.ptp(np.abs(wanted).mean(axis=(0, 1, 2))) > 0
    assert np.allclose(found.maps, maps, atol=1e-6)
    assert np.allclose(found.scores, scores, atol=1e-5)
    assert np.allclose(found.gradients, wanted, rtol=1e-4, atol=1e-6 * np.abs(wanted).max())


def test_a_model_without_a_convolution_says_so_and_still_answers(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((32, 32, 1))
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.Flatten()(image)))
    probe = probe_models.predictor(tmp_path, bundle_factory.seeded(model)).probe()
    inputs = probe_models.noise(2)
    assert probe.layers() == ()
    with pytest.raises(NoFeatureMap, match="no convolution"):
        probe.features(inputs, targets(0, 1))
    assert probe.input_gradients(inputs, targets(0, 1))[1].any()
    assert probe.probabilities(inputs).sum(axis=1) == pytest.approx(1)
    assert probe.lesion(inputs) is None
    with pytest.raises(InvalidQuestion, match="no lesion map"):
        probe.lesion_area_gradients(inputs)


@pytest.mark.parametrize("index", [-2, 3])
def test_a_class_that_does_not_exist_is_never_explained_as_another(
    probe: Probe, index: int
) -> None:
    inputs = probe_models.noise(1)
    for ask in (probe.input_gradients, probe.features):
        with pytest.raises(InvalidQuestion, match="class"):
            ask(inputs, targets(index))


def test_values_that_are_no_numbers_are_never_handed_on(tmp_path: Path) -> None:
    model = probe_models.vgg()
    hidden = model.get_layer("hidden")
    hidden.kernel.assign(np.full(hidden.kernel.shape, 1e36, np.float32))
    probe = probe_models.predictor(tmp_path, model).probe()
    bright = np.full((1, 32, 32, 1), 1e4, np.float32)
    for ask in (probe.input_gradients, probe.features):
        with pytest.raises(NotFinite, match="not numbers"):
            ask(bright, targets(1))
    with pytest.raises(NotFinite, match="not numbers"):
        probe.scores(bright)


def test_readers_go_first_while_a_long_question_is_computed(tmp_path: Path) -> None:
    asked = probe_models.predictor(tmp_path, probe_models.vgg(), reads=1)
    probe, inputs = asked.probe(), probe_models.noise(640)
    scan = bundle_factory.scan()
    asked.read(scan)
    probe.scores(inputs[:1])
    with ThreadPoolExecutor(1) as pool:
        question = pool.submit(probe.scores, inputs)
        between = 0
        while not question.done():
            asked.read(scan)
            between += not question.done()
            time.sleep(0.001)
        assert question.result().shape == (640, 2)
    assert between > 1


class AnswersOnly:
    """A network that somebody else made: it reads and no more."""

    has_lesion_map = False
    heat_available = False

    def __call__(self, inputs: np.ndarray, targets: np.ndarray | None) -> NetworkOutput:
        raise AssertionError("nobody reads")


def test_a_network_that_cannot_be_asked_says_so(predictor: Predictor) -> None:
    with pytest.raises(ExplanationError, match="cannot be explained"):
        Predictor(predictor.bundle, AnswersOnly(), Gate(1)).probe()

"""The CAM family: what the papers and the usual tool draw, for any network, from any thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import probe_models
import pytest

from core.errors import EmptyMap, InvalidQuestion, NoFeatureMap, NotFinite
from core.explain import (
    CAMS,
    Cam,
    eigen_cam,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    read_features,
)
from core.model import Features, Predictor, preprocess
from core.scan import Scan

NETWORKS = {"vgg": probe_models.vgg, "resnet": probe_models.resnet}
LABELS = ("benign", "malignant")


class Shelf:
    """The networks of these tests and their predictors, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, tuple[Any, Predictor]] = {}

    def get(self, name: str, build: Callable[[], Any]) -> tuple[Any, Predictor]:
        if name not in self._made:
            model = build()
            made = probe_models.predictor(self._folder / name, model)
            self._made[name] = model, made
        return self._made[name]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("networks"))


def square_scan(seed: int = 0) -> Scan:
    """Make a scan of the network's own size, so that maps need no interpolation of the picture."""
    side = probe_models.SIZE
    return Scan.from_pixels(
        np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    )


def seen_by(predictor: Predictor, scan: Scan) -> np.ndarray:
    return preprocess(scan.grey, predictor.card.input)[0][None]


def on_the_scan(predictor: Predictor, scan: Scan, heat: np.ndarray) -> np.ndarray:
    """Bring another tool's map to the scan."""
    _, geometry = preprocess(scan.grey, predictor.card.input)
    values = geometry.to_image(heat / heat.max())
    return values / values.max()


@pytest.mark.filterwarnings("ignore:Please import .zoom.:DeprecationWarning")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++", "layer-cam"])
def test_maps_are_those_of_tf_keras_vis(shelf: Shelf, name: str, label: str, method: str) -> None:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.utils.scores import CategoricalScore

    tools = {"grad-cam": Gradcam, "grad-cam++": GradcamPlusPlus, "layer-cam": Layercam}
    model, predictor = shelf.get(name, NETWORKS[name])
    # No softmax, which is what the papers derive.
    tool = tools[method](probe_models.logits_of(model), clone=False)
    layers = ("block1_conv1", "block0_pool") if name == "vgg" else ("last", "block0_add")
    if method == "grad-cam++":
        # In early layers its weights may divide by nearly 0, and the tool's 32 bits do not reach:
        # its own formula in 64 bits gives our map there, to 1e-12.
        layers = layers[:1]
    drawn = 0
    for layer, seed in itertools.product(layers, range(3)):
        scan = square_scan(seed)
        theirs = np.asarray(
            tool(
                CategoricalScore(LABELS.index(label)),
                seen_by(predictor, scan),
                penultimate_layer=layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
            )
        )[0]
        read = read_features(predictor, scan, label, layer=layer)
        if theirs.max() == 0:
            # Both find that nothing speaks for the class.
            with pytest.raises(EmptyMap):
                read.explain(CAMS[method])
            continue
        ours = read.explain(CAMS[method])
        assert ours.layer == layer
        assert np.abs(ours.values - on_the_scan(predictor, scan, theirs)).max() <= 1e-3
        # And before it is brought to the scan, relative to the map's own maximum.
        maps, gradients = (each[0].astype(np.float64) for each in read.features[1:3])
        bare = np.maximum(CAMS[method].combine(maps, gradients), 0)
        assert np.abs(bare / bare.max() - theirs / theirs.max()).max() <= 1e-3
        drawn += 1
    assert drawn >= 2


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("cam", [grad_cam, hires_cam], ids=lambda cam: cam.method)
def test_behind_global_average_pooling_the_map_is_cam(shelf: Shelf, label: str, cam: Cam) -> None:
    # Zhou et al., CVPR 2016: the feature maps weighed by the class's row of the dense layer.
    import keras

    model, predictor = shelf.get("pooled", probe_models.pooled)
    scan = square_scan(3)
    inner = keras.Model(model.input, model.get_layer("last").output)
    maps = inner(seen_by(predictor, scan), training=False).numpy()[0].astype(np.float64)
    kernel = model.get_layer("classes").kernel.value.numpy().astype(np.float64)
    expected = np.maximum(maps @ kernel[:, LABELS.index(label)], 0)
    found = cam(predictor, scan, label)
    assert np.allclose(found.values, on_the_scan(predictor, scan, expected), atol=1e-5)


def test_hires_cam_adds_up_to_the_score_less_its_bias(shelf: Shelf) -> None:
    # Draelos and Carin 2020: so for a feature map that goes flat into one dense layer.
    import keras
    from keras import layers

    def flat() -> Any:
        image = keras.Input((32, 32, 1))
        tensor = layers.Conv2D(6, 5, strides=2, activation="relu", name="last")(image)
        out = layers.Dense(2, activation="softmax", name="classes")(layers.Flatten()(tensor))
        return bundle_factory.seeded(keras.Model(image, out), 5)

    model, predictor = shelf.get("flat", flat)
    read = read_features(predictor, square_scan(4), "malignant")
    maps, gradients = (each[0].astype(np.float64) for each in read.features[1:3])
    bias = float(model.get_layer("classes").bias.value.numpy()[1])
    total = hires_cam.combine(maps, gradients).sum()
    assert total == pytest.approx(float(read.features.scores[0]) - bias, rel=1e-4)


@pytest.mark.parametrize(
    "shape", [(6, 5, 3), (6, 5, 40), (9, 8, 24)], ids=["few", "more maps", "more places"]
)
@pytest.mark.parametrize("signed", [False, True])
def test_eigen_cam_is_the_first_singular_vector_and_always_the_same_side(
    shape: tuple[int, ...], signed: bool
) -> None:
    maps = np.random.default_rng(0).normal(0.3, 1, shape)
    if not signed:
        maps = np.maximum(maps, 0)
    rows = maps.reshape(-1, shape[-1])
    expected = rows @ np.linalg.svd(rows)[2][0]
    expected *= np.sign(expected.sum())
    found = eigen_cam.combine(maps, np.zeros_like(maps)).reshape(-1)
    assert np.allclose(found / np.abs(found).max(), expected / np.abs(expected).max(), atol=1e-6)
    if not signed:
        # Of maps that are nowhere below 0 nothing is lost to the sign.
        assert found.min() >= -1e-6 * found.max()


def test_eigen_cam_does_not_pretend_to_explain_one_class(shelf: Shelf) -> None:
    _, predictor = shelf.get("resnet", probe_models.resnet)
    scan = square_scan(5)
    first, second = (eigen_cam(predictor, scan, label) for label in LABELS)
    assert np.array_equal(first.values, second.values)
    assert first.parameters["class_specific"] is False
    assert grad_cam(predictor, scan, "benign").parameters["class_specific"] is True


def test_grad_cam_is_the_heat_of_the_read(tmp_path: Path) -> None:
    settings = bundle_factory.ready(tmp_path)
    predictor = Predictor.load("breast-ultrasound", settings=settings)
    scan = bundle_factory.scan(70, 45, seed=4)
    for label in (None, *predictor.card.labels):
        read, found = predictor.read(scan, label), grad_cam(predictor, scan, label)
        assert found.target == read.heat_class
        assert np.allclose(found.values, read.heat(), atol=1e-5)


def test_one_run_gives_the_prediction_and_every_map(shelf: Shelf) -> None:
    _, predictor = shelf.get("vgg", probe_models.vgg)
    scan = bundle_factory.scan(50, 40, seed=6)
    one = read_features(predictor, scan)
    read = predictor.read(scan)
    assert one.target == read.answer
    assert list(read.probabilities.values()) == pytest.approx(
        one.features.probabilities[0], abs=1e-6
    )
    for cam in CAMS.values():
        alone = cam(predictor, scan, read.answer)
        assert np.allclose(one.explain(cam).values, alone.values, atol=1e-5)


def test_eight_threads_get_the_maps_of_one(tmp_path: Path) -> None:
    predictor = probe_models.predictor(tmp_path, probe_models.resnet(), reads=8)
    asked = [
        (cam, bundle_factory.scan(40 + seed, 60 - seed, seed=seed), LABELS[seed % 2])
        for seed in range(6)
        for cam in CAMS.values()
    ]

    def explain(question: tuple[Cam, Scan, str]) -> np.ndarray:
        cam, scan, label = question
        found = cam(predictor, scan, label)
        assert (found.method, found.target) == (cam.method, label)
        assert found.image_digest == scan.digest
        return found.values

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(explain, asked))
    for alone, crowded in zip(map(explain, asked), together, strict=True):
        assert np.abs(alone - crowded).max() <= 1e-5


def test_heat_of_a_model_that_sees_the_mirrored_scan_lies_on_the_right_side(shelf: Shelf) -> None:
    _, predictor = shelf.get("mirroring", probe_models.mirroring)
    pixels = np.full((32, 32), 128, np.uint8)
    pixels[8:24, 2:10] = np.random.default_rng(0).integers(0, 256, (16, 8), dtype=np.uint8)
    scan = Scan.from_pixels(pixels)
    for layer in ("straight", "turned_back"):
        found = eigen_cam(predictor, scan, "malignant", layer=layer).values
        plain = eigen_cam(
            predictor, Scan.from_pixels(np.full((32, 32), 128, np.uint8)), layer=layer
        )
        change = np.abs(found / found.mean() - plain.values / plain.values.mean())
        assert change[:, :16].sum() > 2 * change[:, 16:].sum()


def test_the_smallest_gradients_still_make_a_map(tmp_path: Path) -> None:
    # Grad-CAM++ takes their third power: in 32 bits nothing would be left of it.
    model = probe_models.pooled()
    dense = model.get_layer("classes")
    plain = probe_models.predictor(tmp_path / "plain", model)
    scan = square_scan(7)
    expected = grad_cam_plus_plus(plain, scan, "malignant").values
    dense.kernel.assign(dense.kernel * 1e-20)
    faint = probe_models.predictor(tmp_path / "faint", model)
    found = grad_cam_plus_plus(faint, scan, "malignant").values
    # The shares change where a gradient times its map is of any size, but not much here.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


class Broken:
    """A predictor whose feature map or gradients are not what they should be."""

    def __init__(self, whole: Predictor, maps: float, gradients: float) -> None:
        self.bundle, self.labels = whole.bundle, whole.card.labels
        self._maps, self._gradients = maps, gradients

    def probe(self) -> Any:
        return self

    def features(self, inputs: np.ndarray, targets: np.ndarray, layer: str | None) -> Features:
        maps = np.full((1, 4, 4, 3), self._maps, np.float32)
        gradients = np.full((1, 4, 4, 3), self._gradients, np.float32)
        probabilities = np.full((1, 2), 0.5)
        return Features(
            "last", maps, gradients, np.zeros(1, np.float32), targets, probabilities, None
        )


@pytest.mark.parametrize("cam", CAMS.values(), ids=lambda cam: cam.method)
def test_what_cannot_be_drawn_is_one_line_and_never_a_picture(shelf: Shelf, cam: Cam) -> None:
    _, whole = shelf.get("vgg", probe_models.vgg)
    scan = square_scan()
    with pytest.raises(EmptyMap, match="nothing in the scan speaks"):
        cam(Broken(whole, 0.0, 1.0), scan, "benign")
    with pytest.raises(NotFinite, match="without usable numbers"):
        cam(Broken(whole, np.nan, np.nan), scan, "benign")
    if cam.class_specific:
        with pytest.raises(EmptyMap, match="nothing in the scan speaks"):
            cam(Broken(whole, 1.0, -1.0), scan, "benign")
        with pytest.raises(NotFinite, match="without usable numbers"):
            cam(Broken(whole, 1.0, np.nan), scan, "benign")
    with pytest.raises(InvalidQuestion, match="does not know this class"):
        cam(whole, scan, "cyst")
    with pytest.raises(InvalidQuestion, match="choose one of those listed"):
        cam(whole, scan, "benign", layer="hidden")


def test_a_model_without_a_convolution_has_no_cam_and_says_what_to_do(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((32, 32, 1))
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.Flatten()(image)))
    predictor = probe_models.predictor(tmp_path, bundle_factory.seeded(model))
    for cam in CAMS.values():
        with pytest.raises(NoFeatureMap, match="no convolution"):
            cam(predictor, square_scan(), "benign")


def test_layer_cam_of_an_early_layer_is_finer(shelf: Shelf) -> None:
    _, predictor = shelf.get("vgg", probe_models.vgg)
    scan = square_scan(8)
    early, late = (
        read_features(predictor, scan, "benign", layer=layer).features.maps.shape[1]
        for layer in ("block0_conv1", "block1_pool")
    )
    assert early == 4 * late
    assert layer_cam(predictor, scan, "benign", layer="block0_conv1").layer == "block0_conv1"

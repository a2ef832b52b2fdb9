"""Any Keras classifier works: its own numbers, and the map of where it looked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest

from core.errors import BundleInvalid
from core.model import InputSpec, Outputs, Predictor, import_tensorflow, preprocess
from core.settings import Settings


def _classifiers() -> dict[str, Any]:
    import_tensorflow()
    import keras
    from keras import layers

    def head(activation: str | None, units: int) -> Any:
        image = keras.Input((48, 48, 1))
        tensor = layers.Conv2D(6, 3, activation="relu", name="last")(image)
        pooled = layers.GlobalAveragePooling2D()(tensor)
        if activation == "layer":
            return keras.Model(image, layers.Softmax()(layers.Dense(units)(pooled)))
        if activation == "activation":
            return keras.Model(image, layers.Activation("softmax")(layers.Dense(units)(pooled)))
        if activation == "operation":
            return keras.Model(image, keras.ops.softmax(layers.Dense(units)(pooled)))
        return keras.Model(image, layers.Dense(units, activation=activation)(pooled))

    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(96, 96, 3), alpha=0.35
    )
    tail = keras.Sequential(
        [keras.Input((3, 3, 1280)), layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    )
    vgg: list[Any] = [keras.Input((32, 32, 1)), layers.Rescaling(1 / 255)]
    for count in (8, 16):
        vgg += [layers.Conv2D(count, 3, padding="same", activation="relu") for _ in range(2)]
        vgg.append(layers.MaxPooling2D())
    vgg += [layers.Flatten(), layers.Dropout(0.5), layers.Dense(2, "softmax"), layers.Dropout(0.1)]
    flat = [keras.Input((32, 32, 1)), layers.Rescaling(1 / 255), layers.Flatten()]
    return {
        "logits": head(None, 2),
        "softmax": head("softmax", 2),
        "softmax-layer": head("layer", 2),
        "softmax-activation": head("activation", 2),
        "softmax-operation": head("operation", 2),
        "one-unit": head("sigmoid", 1),
        "unit-per-label": head("sigmoid", 2),
        "vgg": keras.Sequential(vgg[:-1]),
        "nested-mobilenet": keras.Sequential([keras.Input((96, 96, 3)), backbone, tail]),
        "no-convolution": keras.Sequential([*flat, layers.Dense(2, "softmax")]),
    }


class Brought:
    """Every kind of classifier people bring, as a bundle whose card names no output."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.models = _classifiers()
        self.predictors: dict[str, Predictor] = {}
        for seed, (name, model) in enumerate(self.models.items()):
            bundle_factory.seeded(model, seed)
            _, size, _, channels = model.input_shape
            spec = InputSpec(size, channels, "stretch", "unit")
            card = bundle_factory.classifier_card(name, input=spec)
            bundle_factory.write(settings.model_roots[0], model, card)

    def predictor(self, kind: str) -> Predictor:
        """Load it once for all tests: there are more kinds than the predictor's cache keeps."""
        if kind not in self.predictors:
            self.predictors[kind] = Predictor.load(kind, settings=self.settings)
        return self.predictors[kind]


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Brought:
    return Brought(bundle_factory.settings_for(tmp_path_factory.mktemp("brought")))


KINDS = [
    "logits",
    "softmax",
    "softmax-layer",
    "softmax-activation",
    "softmax-operation",
    "one-unit",
    "unit-per-label",
    "vgg",
    "nested-mobilenet",
    "no-convolution",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_people_bring_says_what_keras_says(brought: Brought, kind: str) -> None:
    predictor = brought.predictor(kind)
    scan = bundle_factory.scan(60, 44, seed=2, colour=kind == "nested-mobilenet")
    image = scan.pixels if kind == "nested-mobilenet" else scan.grey
    seen, _ = preprocess(image, predictor.card.input)
    out = brought.models[kind](seen[None], training=False).numpy()[0].astype(np.float64)
    if kind == "logits":
        out = np.exp(out)
    elif kind == "one-unit":
        out = np.array([1 - out[0], out[0]])
    read = predictor.read(scan)
    assert list(read.probabilities.values()) == pytest.approx(out / out.sum(), abs=1e-5)
    assert not read.has_lesion_map
    assert read.lesion_map() is None
    assert read.heat().shape == (60, 44)
    assert read.heat_available == (kind != "no-convolution")
    if not read.heat_available:
        assert not read.heat().any()


GAP_KINDS = [k for k in KINDS if k.startswith(("logits", "softmax", "one", "unit"))]


@pytest.mark.parametrize("kind", GAP_KINDS)
@pytest.mark.parametrize("label", ["benign", "malignant"])
def test_behind_global_pooling_grad_cam_is_the_class_activation_map(
    brought: Brought, kind: str, label: str
) -> None:
    # Zhou et al. 2016: the map is the Dense weights of the class; Grad-CAM must agree whatever
    # softmax or sigmoid stands behind the scores.
    import keras

    model = brought.models[kind]
    predictor = brought.predictor(kind)
    scan = bundle_factory.scan(50, 50, seed=3)
    seen, _ = preprocess(scan.grey, predictor.card.input)
    inner = keras.Model(model.input, model.get_layer("last").output)
    features = inner(seen[None], training=False).numpy()[0]
    kernel = next(layer for layer in model.layers if "dense" in layer.name).kernel.value.numpy()
    if kernel.shape[1] == 1:
        kernel = np.concatenate([-kernel, kernel], axis=1)
    cam = np.maximum(features @ kernel[:, ["benign", "malignant"].index(label)], 0)
    expected = cam / cam.max() if cam.max() > 0 else cam
    found = predictor.read(scan, label).network_heat
    assert np.allclose(found, expected, atol=1e-4)


def test_the_map_of_a_nested_backbone_is_its_last(
    brought: Brought,
) -> None:
    read = brought.predictor("nested-mobilenet").read(bundle_factory.scan())
    assert read.network_heat.shape == (3, 3)


def test_a_layer_named_on_the_card_is_the_one_explained(brought: Brought, tmp_path: Path) -> None:
    settings = bundle_factory.settings_for(tmp_path)
    spec = InputSpec(96, 3, "stretch", "unit")
    outputs = Outputs(cam_features="block_12_project")
    card = bundle_factory.classifier_card(input=spec, outputs=outputs)
    bundle_factory.write(settings.model_roots[0], brought.models["nested-mobilenet"], card)
    read = Predictor.load(card.task, settings=settings).read(bundle_factory.scan())
    assert read.network_heat.shape == (6, 6)


def test_a_confident_model_still_shows_where_it_looked(tmp_path: Path) -> None:
    # Behind a saturated softmax the gradient is 0; in front of it, it is not.
    model = _classifiers()["softmax"]
    bundle_factory.seeded(model)
    dense = model.layers[-1]
    dense.kernel.assign(dense.kernel * 1e4)
    settings = bundle_factory.settings_for(tmp_path)
    card = bundle_factory.classifier_card(input=InputSpec(48, 1, "stretch", "unit"))
    bundle_factory.write(settings.model_roots[0], model, card)
    read = Predictor.load("classifier", settings=settings).read(bundle_factory.scan())
    assert max(read.probabilities.values()) == pytest.approx(1)
    assert read.heat().max() == 1


def test_a_card_for_the_wrong_number_of_classes_is_refused(
    brought: Brought, tmp_path: Path
) -> None:
    settings = bundle_factory.settings_for(tmp_path)
    card = bundle_factory.lesion_card(
        "classifier", input=InputSpec(48), outputs=Outputs(), labels=("a", "b", "malignant")
    )
    bundle_factory.write(settings.model_roots[0], brought.models["one-unit"], card)
    with pytest.raises(BundleInvalid, match="number of classes"):
        Predictor.load("classifier", settings=settings)

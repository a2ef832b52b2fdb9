"""Networks by name: the textbook one, backbones with weights of their own, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import toy_arrays

from core.errors import LearningError
from core.learning.architectures import architecture_names, build_network
from core.learning.batches import as_read
from core.learning.lesion_net import CLASS_LOGITS, average_of
from core.learning.losses import class_loss
from core.learning.training import TrainingConfig, build, train
from core.learning.watching import scores_of
from core.model import import_tensorflow

TRANSFER = TrainingConfig(
    architecture="vgg16", size=32, epochs=2, batch=6, learning_rate=1e-3, averaging=0.5
)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    import_tensorflow()


def test_every_backbone_has_a_name() -> None:
    names = architecture_names()
    assert {"lesion-net", "seed-cnn", "vgg16", "resnet50", "efficientnetb0"} <= set(names)
    assert len(names) > 30


def test_the_textbook_network_is_the_one_it_is_said_to_be() -> None:
    network = build_network("seed-cnn", 2, 150)
    kinds = [type(layer).__name__ for layer in network.model.layers]
    assert kinds == [
        "InputLayer",
        *["Conv2D", "MaxPooling2D"] * 3,
        *("Flatten", "Dense", "Dropout", "Dense"),
    ]
    assert network.model.inputs[0].shape[1:] == (150, 150, 3)
    assert network.model.layers[-2].rate == 0.5
    assert network.model.layers[-3].units == 512
    assert (network.one_unit, network.has_lesion_map) == (True, False)


@pytest.mark.parametrize(("name", "units"), [("vgg16", "caffe"), ("resnet50", "caffe")])
def test_a_backbone_gets_its_pictures_in_its_own_units(name: str, units: str) -> None:
    network = build_network(name, 3, 32)
    assert network.spec.intensity == units
    assert network.model.get_layer(network.outputs.cam_features).output.shape[-1] in (512, 2048)
    assert network.backbone == ()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("vgg17", {}, "these are known: lesion-net"),
        ("lesion-net", {"weights": "imagenet"}, "model.keras of a bundle"),
        ("lesion-net", {"weights": "no-such-file.keras"}, "made, and not more --folds"),
        ("seed-cnn", {"weights": "imagenet"}, "leave --weights out"),
        ("seed-cnn", {"size": 160}, "150 pixels"),
        ("seed-cnn", {"labels": 3, "size": 150}, "two labels"),
        ("inceptionv3", {"size": 32}, "cannot be built for 32"),
        ("vgg16", {"weights": "no-such-file.weights.h5"}, "cannot be read"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(
    name: str, options: dict[str, object], words: str
) -> None:
    wanted = {"labels": 2, "size": 32} | options
    with pytest.raises(LearningError, match=words) as error:
        build_network(name, **wanted)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert "no-such-file" not in str(error.value)


def test_training_goes_on_from_the_networks_of_a_model(tmp_path: Path) -> None:
    import keras

    small = {"widths": (4, 4, 4, 8, 8)}
    members = [build_network("lesion-net", 3, 32, member=f"member_{n}", **small) for n in (1, 2)]
    kept = tmp_path / "model.keras"
    average_of([network.model for network in members]).save(kept)
    for number, before in enumerate(members, 1):
        keras.utils.set_random_seed(99)
        name = f"member_{number}"
        # Of another side too: what it learned at one resolution serves as a start for the other.
        for size in (32, 64):
            found = build_network("lesion-net", 3, size, weights=kept, member=name, **small)
            assert not any(_moved([w.value.numpy() for w in before.model.weights], found.model))
    for wrong in ({"labels": 2}, {"member": "member_3"}, {"widths": (4, 4, 4, 8, 12)}):
        wanted = {"name": "lesion-net", "labels": 3, "size": 32, "member": "member_1"} | small
        with pytest.raises(LearningError, match="not more --folds than it has"):
            build_network(**(wanted | {"weights": kept} | wrong))


def test_weights_that_cannot_be_downloaded_name_the_way_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: object, **__: object) -> str:
        # What Keras raises without a network.
        raise Exception("URL fetch failure on https://…: None -- unreachable") from OSError

    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", offline)
    with pytest.raises(LearningError, match="--weights FILE"):
        build_network("vgg16", 2, 32, weights="imagenet")


@pytest.mark.slow
def test_weights_that_were_given_stay_still_at_first_and_are_tuned_then(tmp_path: Path) -> None:
    import keras

    given = tmp_path / "vgg16.weights.h5"
    keras.utils.set_random_seed(8)
    keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(
        given
    )
    config = replace(TRANSFER, weights=str(given), frozen_epochs=1, averaging=0.0)
    before = [w.value.numpy() for w in build(config).model.weights]
    still = train(toy_arrays(12), replace(config, epochs=1), tmp_path / "still").model
    moved = [
        not np.array_equal(w.value.numpy(), old)
        for w, old in zip(still.weights, before, strict=True)
    ]
    # All but the head's kernel and bias.
    assert moved == [False] * (len(moved) - 2) + [True, True]
    tuned = train(toy_arrays(12), config, tmp_path / "tuned").model
    moved = [
        not np.array_equal(w.value.numpy(), old)
        for w, old in zip(tuned.weights, before, strict=True)
    ]
    assert sum(moved) > 0.9 * len(moved)
    # A run that was stopped between the two goes on with the second.
    history: list[dict[str, float]] = []
    train(toy_arrays(12), config, tmp_path / "tuned", resume=True, progress=history.append)
    assert history == []


def _moved(before: list[np.ndarray], model: Any) -> list[bool]:
    return [
        not np.array_equal(weight.value.numpy(), old)
        for weight, old in zip(model.weights, before, strict=True)
    ]


@pytest.mark.slow
def test_a_residual_backbone_learns_and_scores() -> None:
    # One step by hand: building the graph of a whole run takes a minute.
    import keras

    config = replace(TRANSFER, architecture="resnet50")
    network, arrays = build(config), toy_arrays(6)
    (pictures,) = as_read(arrays, network.spec)
    before, outlines = scores_of(network, arrays)
    assert outlines is None
    loss = class_loss(np.ones(3, np.float32), 0.0)
    # Bounded as a run bounds it: the gradient of fifty untrained layers has no scale of its own.
    optimizer = keras.optimizers.AdamW(1e-4, global_clipnorm=1.0)
    network.model.compile(optimizer=optimizer, loss={CLASS_LOGITS: loss}, run_eagerly=True)
    network.model.train_on_batch(pictures, {CLASS_LOGITS: arrays.labels})
    after, _outlines = scores_of(network, arrays)
    assert before.shape == after.shape == (6, 3)
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() > 1e-4

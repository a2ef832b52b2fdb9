"""Networks by name: ``lesion-net``, ``seed-cnn``, and any backbone of ``keras.applications``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BundleInvalid, LearningError
from core.learning.lesion_net import (
    CAM_FEATURES,
    CLASS_LOGITS,
    EMBEDDING,
    LESION,
    WIDTHS,
    lesion_net,
)
from core.model import InputSpec, Intensity, Outputs, load_keras
from core.text import _

LESION_NET, SEED_CNN = "lesion-net", "seed-cnn"
#: Name of the one output of ``seed-cnn``.
POSITIVE = "positive"
_SEED_SIDE = 150

#: What the backbones of a module of ``keras.applications`` want their pictures in; those that
#: are not named rescale by themselves and take 0..255.
_UNITS: dict[str, Intensity] = {
    "vgg16": "caffe",
    "vgg19": "caffe",
    "resnet": "caffe",
    "resnet_v2": "signed",
    "densenet": "torch",
    "inception_v3": "signed",
    "inception_resnet_v2": "signed",
    "xception": "signed",
    "mobilenet": "signed",
    "mobilenet_v2": "signed",
    "nasnet": "signed",
}


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network to be trained, and what a card must say about it.

    Attributes
    ----------
    model
        Its outputs are a dictionary, by the names in ``outputs``.
    spec
        What it takes.
    outputs
        Its outputs as a card names them.
    backbone
        Layers that came with weights: still at first, then tuned.
    """

    model: Any
    spec: InputSpec
    outputs: Outputs
    backbone: tuple[Any, ...] = ()

    @property
    def has_lesion_map(self) -> bool:
        """Whether it outlines the lesion too."""
        return self.outputs.lesion is not None

    @property
    def one_unit(self) -> bool:
        """Whether it gives one probability, of the second of two labels."""
        return self.outputs.probabilities is not None


def architecture_names() -> tuple[str, ...]:
    """Return every name that :func:`build_network` knows; imports Keras."""
    return (LESION_NET, SEED_CNN, *sorted(_backbones()))


def build_network(
    name: str,
    labels: int,
    size: int,
    *,
    widths: Sequence[int] = (),
    weights: str | Path = "none",
    member: str = "lesion_net",
) -> Network:
    """Build a network with fresh weights, a backbone with those asked for.

    Parameters
    ----------
    name
        ``lesion-net``, ``seed-cnn``, or a function of ``keras.applications`` in lower case.
    labels
        Number of classes; 2 for ``seed-cnn``, whose one unit scores the second.
    size
        Side of the square input, pixels; ``seed-cnn`` takes 150 only.
    widths
        Channels of ``lesion-net``; its own by default.
    weights
        For a backbone: ``none``, ``imagenet`` (downloaded by Keras) or a file of its weights. For
        ``lesion-net``: ``none``, or a Keras file made by ``train``.
    member
        Name of a ``lesion-net``, where several will be joined; of a file of weights it is the
        network of this name.

    Raises
    ------
    LearningError
        There is no such network, it cannot have this size, or its weights cannot be had.
    """
    if name == LESION_NET:
        model = lesion_net(size, labels, widths=widths or WIDTHS, name=member)
        if weights != "none":
            _load_member(model, weights)
        outputs = Outputs(
            logits=CLASS_LOGITS, lesion=LESION, cam_features=CAM_FEATURES, embedding=EMBEDDING
        )
        return Network(model, InputSpec(size), outputs)
    if name == SEED_CNN:
        if weights != "none":
            raise LearningError(_("This network starts without weights: leave --weights out."))
        if labels != 2 or size != _SEED_SIDE:
            raise LearningError(_("seed-cnn takes 150 pixels a side and tells two labels apart."))
        return _seed_cnn()
    return _transfer(name, labels, size, weights)


def _seed_cnn() -> Network:
    """Build the plain network of the textbook.

    Three 3x3 convolutions with ReLU of 32, 64 and 128 filters, each followed by 2x2 max-pooling;
    dense 512 with ReLU; dropout 0.5; dense 1 sigmoid (Chollet, *Deep learning with Python*, 2017,
    section 5.2, with a layer less).
    """
    import keras
    from keras import layers

    image = keras.Input((_SEED_SIDE, _SEED_SIDE, 3), name="image")
    x = image
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(1, activation="sigmoid", name=POSITIVE)(x)
    spec = InputSpec(_SEED_SIDE, 3, intensity="unit")
    return Network(
        keras.Model(image, {POSITIVE: x}, name="seed_cnn"), spec, Outputs(probabilities=POSITIVE)
    )


def _backbones() -> dict[str, Callable[..., Any]]:
    import keras

    return {
        name.lower(): function
        for name, function in vars(keras.applications).items()
        if inspect.isfunction(function) and "include_top" in inspect.signature(function).parameters
    }


def _units(function: Callable[..., Any]) -> Intensity:
    return _UNITS.get(function.__module__.rsplit(".", 1)[-1], "none")


def _transfer(name: str, labels: int, size: int, weights: str | Path) -> Network:
    import keras
    from keras import layers

    backbones = _backbones()
    if name not in backbones:
        raise LearningError(
            _("There is no network of this name; these are known: {names}.").format(
                names=", ".join(architecture_names())
            )
        )
    image = keras.Input((size, size, 3), name="image")
    asked = "imagenet" if weights == "imagenet" else None
    try:
        with _Download() if asked else nullcontext():
            backbone = backbones[name](include_top=False, weights=asked, input_tensor=image)
        if weights not in ("none", "imagenet"):
            _load_backbone(backbone, Path(weights))
    except ValueError as error:
        raise LearningError(
            _("This network cannot be built for {size} pixels a side.").format(size=size)
        ) from error
    features = backbone.output
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(features))
    logits = layers.Dense(labels, name=CLASS_LOGITS, dtype="float32")(x)
    model = keras.Model(image, {CLASS_LOGITS: logits}, name=name)
    spec = InputSpec(size, 3, intensity=_units(backbones[name]))
    # Grad-CAM explains the last feature map that a layer of the backbone makes.
    outputs = Outputs(logits=CLASS_LOGITS, cam_features=_last_map(backbone))
    given = () if weights == "none" else tuple(backbone.layers)
    return Network(model, spec, outputs, given)


class _Download:
    """Tells a failed download as what it is, and leaves every other error alone.

    Keras has no type of its own for one: it raises a bare ``Exception`` while it handles the
    error of the network, which is the one thing to know it by.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if error is None:
            return
        if any(isinstance(e, OSError) for e in (error, error.__cause__, error.__context__)):
            raise LearningError(
                _(
                    "The ImageNet weights cannot be downloaded here. Download the file of this "
                    "network without its top from the Keras site elsewhere, and pass it with "
                    "--weights FILE."
                )
            ) from error


def _last_map(backbone: Any) -> str:
    name: str = next(
        layer.name for layer in reversed(backbone.layers) if layer.output is backbone.output
    )
    return name


def _load_member(model: Any, weights: str | Path) -> None:
    """Give a ``lesion-net`` the weights of the network of its name in a file of several."""
    if weights == "imagenet":
        raise LearningError(
            _("This network starts without weights, or from the model.keras of a bundle.")
        )
    try:
        found = load_keras(Path(weights))
        for part in (f"{model.name}_trunk", f"{model.name}_head"):
            model.get_layer(part).set_weights(found.get_layer(part).get_weights())
    except (BundleInvalid, ValueError) as error:
        # A layer that is not there, or of another shape, is a ValueError to Keras.
        raise LearningError(
            _(
                "The file does not hold a lesion-net with these labels for every fold: pass the "
                "model.keras of a bundle that train made, and not more --folds than it has."
            )
        ) from error


def _load_backbone(backbone: Any, path: Path) -> None:
    try:
        backbone.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise LearningError(
            _("The file of weights cannot be read as those of this network without its top.")
        ) from error

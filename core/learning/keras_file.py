"""A Keras file that somebody brings: what it takes, what it gives, and what keeps it from use.

Everything that is wrong is found at once and not one thing at a time: whoever brings a model
trained it elsewhere, and every round costs them a way back there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid
from core.model import all_finite, has_lambda, load_keras, parts_of, read_architecture
from core.text import _

#: First bytes of HDF5, which Keras wrote before the ``.keras`` format.
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PLAIN = re.compile(r"[A-Za-z_][\w./-]{0,59}")
#: Layers at the start of a model that bring grey levels into its own units.
_RESCALING = ("Rescaling", "Normalization")
#: Networks of keras.applications by the beginning of their name, and the intensity each was
#: trained with; those with None bring it with them.
_FAMILIES: dict[str, str | None] = {
    "vgg": "caffe",
    "resnet50v2": "signed",
    "resnet101v2": "signed",
    "resnet152v2": "signed",
    "resnet": "caffe",
    "mobilenet": "signed",
    "inception": "signed",
    "xception": "signed",
    "densenet": "torch",
    "nasnet": "signed",
    "efficientnet": None,
    "convnext": None,
}


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One output of a model on a few inputs.

    Attributes
    ----------
    name
        What a card calls it.
    values
        ``(n, …)`` float.
    """

    name: str
    values: NDArray[np.float64]

    @property
    def is_classes(self) -> bool:
        """Whether it has the shape of class scores."""
        return self.values.ndim == 2

    @property
    def is_map(self) -> bool:
        """Whether it has the shape of a lesion map."""
        return self.values.ndim == 4 and self.values.shape[-1] == 1

    @property
    def is_bounded(self) -> bool:
        """Whether it stays from 0 to 1 on whatever came in: scores would not."""
        return bool((self.values >= 0).all() and (self.values <= 1 + 1e-6).all())

    @property
    def sums_to_one(self) -> bool:
        """Whether it is a distribution over classes."""
        return self.is_bounded and bool(np.allclose(self.values.sum(axis=-1), 1, atol=1e-4))


@dataclass(slots=True, eq=False)
class KerasFile:
    """What was found in a file.

    Attributes
    ----------
    problems
        One line each: what keeps it from use, and what to do.
    model
        The Keras model; None where it cannot be built.
    size, channels
        Of its input; None where the model leaves it open or it is not known.
    finite
        Whether every weight is a number.
    rescales
        Whether the model itself brings grey levels into its units.
    usual_intensity
        What networks of its family are trained with, where that is known.
    layers
        Names of its layers, those of nested models included, in order.
    """

    problems: list[str] = field(default_factory=list)
    model: Any = None
    size: int | None = None
    channels: int | None = None
    finite: bool = True
    rescales: bool = False
    usual_intensity: str | None = None
    layers: tuple[str, ...] = ()

    def outputs(self, size: int, channels: int) -> list[Output]:
        """Run the model on a few wildly different inputs.

        Raises
        ------
        BundleInvalid
            It does not run on inputs of this size.
        """
        from core.model import import_tensorflow

        tf = import_tensorflow()
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 1, (6, size, size, channels)).astype(np.float32)
        scale = np.array([0.1, 1, 10, 255, 1000, -1000], np.float32)[:, None, None, None]
        try:
            with warnings.catch_warnings():
                # What Keras warns of, a softmax over one unit, is a problem said below.
                warnings.simplefilter("ignore")
                found = self.model(tf.constant(noise * scale), training=False)
        except (ValueError, TypeError, RuntimeError, tf.errors.OpError) as error:
            raise BundleInvalid(
                _("The model does not run on inputs of {size} × {size} × {channels}.").format(
                    size=size, channels=channels
                )
            ) from error
        return [Output(name, np.asarray(value, np.float64)) for name, value in self._named(found)]

    def _named(self, found: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(found, dict):
            yield from found.items()
            return
        several = isinstance(found, list | tuple)
        names = getattr(self.model, "output_names", None) or [self.model.layers[-1].name]
        yield from zip(names, found if several else [found], strict=False)


def examine(path: Path) -> KerasFile:
    """Look at a Keras file as far as it can be looked at, and say everything that is wrong."""
    found = KerasFile()
    problem = _no_keras_file(path)
    if problem is not None:
        found.problems.append(problem)
        return found
    try:
        architecture = read_architecture(path)
    except BundleInvalid:
        found.problems.append(
            _("The file is no whole .keras file: it may be cut off. Save and copy it again.")
        )
        return found
    _look_at_layers(found, architecture)
    if found.problems:
        return found
    try:
        found.model = load_keras(path)
    except BundleInvalid as error:
        found.problems.append(str(error))
        return found
    found.finite = all_finite(found.model)
    if not found.finite:
        found.problems.append(_("The model has weights that are not finite: train it again."))
    if not hasattr(found.model, "_run_through_graph") and not hasattr(found.model, "layers"):
        found.problems.append(_("The model must be a functional or sequential Keras model."))
    found.layers = tuple(_names(found.model))
    _look_at_input(found)
    return found


def _no_keras_file(path: Path) -> str | None:
    if path.is_dir():
        return _(
            "This is a folder: load the model in Keras and save it as one file, "
            "model.save('model.keras')."
        )
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_HDF5))
    except OSError:
        return _("There is no model file at this path; check how it is written and its rights.")
    if start == _HDF5:
        return _(
            "This is a legacy HDF5 file (.h5): load it with the Keras that made it and save it "
            "anew, model.save('model.keras')."
        )
    if not start.startswith(b"PK"):
        return _("This is no .keras file: save the model with model.save('model.keras').")
    return None


def _look_at_layers(found: KerasFile, architecture: Any) -> None:
    parts = [part for part in parts_of(architecture) if "class_name" in part]
    if has_lambda(architecture):
        found.problems.append(
            _("The model has a Lambda layer, which carries code: rebuild it without one.")
        )
    own = {
        str(part["class_name"])
        for part in parts
        if "module" in part
        and not str(part["module"]).startswith(("keras", "builtins"))
        and part["class_name"] != "Lambda"
    }
    if own:
        found.problems.append(
            _(
                "The model has parts that are not of Keras itself ({names}): rebuild it from "
                "layers of Keras, as a functional or sequential model."
            ).format(names=", ".join(sorted(map(_plain, own))))
        )
    found.rescales = any(part["class_name"] in _RESCALING for part in parts)
    for part in parts:
        inner = part.get("config")
        name = str(inner.get("name", "")).lower() if isinstance(inner, dict) else ""
        if part["class_name"] in ("Functional", "Sequential", "Model"):
            family = next((each for each in _FAMILIES if name.startswith(each)), None)
            found.usual_intensity = found.usual_intensity or (family and _FAMILIES[family])


def _look_at_input(found: KerasFile) -> None:
    inputs = getattr(found.model, "inputs", None) or []
    if len(inputs) != 1:
        found.problems.append(
            _("The model takes {n} inputs; it must take one image.").format(n=len(inputs))
        )
        return
    shape = tuple(inputs[0].shape)
    if len(shape) != 4:
        found.problems.append(
            _("The model takes no image: its input must be rows × columns × channels.")
        )
        return
    _batch, rows, columns, channels = shape
    if channels not in (1, 3):
        found.problems.append(
            _("The model takes channels first: they must come last, and be 1 or 3.")
            if rows in (1, 3)
            else _("The model's images must have 1 or 3 channels, and they come last.")
        )
    elif rows != columns:
        found.problems.append(
            _("The model takes images of {rows} × {columns}; they must be square.").format(
                rows=rows, columns=columns
            )
        )
    else:
        found.size, found.channels = rows, channels


def _names(model: Any) -> Iterator[str]:
    for layer in getattr(model, "layers", ()):
        yield layer.name
        yield from _names(layer)


def _plain(name: str) -> str:
    """Return a name of the file as it is if it looks like one; it may hold anything."""
    return name if _PLAIN.fullmatch(name) else "…"


def plain_names(names: list[str] | tuple[str, ...]) -> str:
    """Return names of layers or outputs, to be said to a person."""
    return ", ".join(map(_plain, names))

"""Small valid bundles made on the fly: seeded random weights, so quick and always the same.

Plain functions for any test that needs a model: ``settings = ready(tmp_path)`` writes a tiny
lesion network as the site's own highest version and returns settings that find it (or set
``OVERREAD_VAR`` to the same folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.model import (
    Bundle,
    Calibration,
    Card,
    DataSource,
    FamiliarityCheck,
    InputSpec,
    OperatingPoint,
    Outputs,
    Prevalence,
    Reference,
    import_tensorflow,
    write_bundle,
)
from core.scan import Scan
from core.settings import Settings

LABELS = ("normal", "benign", "malignant")
#: Above anything that ships, so this is the version a task means.
VERSION = "900.0"


def seeded(model: Any, seed: int = 0) -> Any:
    """Give every kernel normal weights of variance 1 / inputs, and every offset small ones."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if len(shape) > 1:
            values = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
        else:
            # Scales and variances of a normalisation must stay positive.
            centre = 1.0 if weight.name in ("gamma", "moving_variance") else 0.0
            values = centre + rng.uniform(-0.1, 0.1, shape)
        weight.assign(values.astype(np.float32))
    return model


def lesion_net(
    size: int = 32, *, filters: tuple[int, ...] = (8, 16), classes: int = 3, seed: int = 0
) -> Any:
    """Build a small network with the three outputs of the shipped one, pooled by its own mask."""
    import_tensorflow()
    import keras
    from keras import layers

    image = keras.Input((size, size, 1), name="scan")
    tensor = image
    skips = []
    for count in filters:
        tensor = layers.Conv2D(count, 3, padding="same", activation="relu")(tensor)
        skips.append(tensor)
        tensor = layers.MaxPooling2D()(tensor)
    deepest = layers.Conv2D(
        2 * filters[-1], 3, padding="same", activation="relu", name="cam_features"
    )
    features = deepest(tensor)
    decoded = features
    for count, skip in zip(reversed(filters), reversed(skips), strict=True):
        decoded = layers.UpSampling2D()(decoded)
        decoded = layers.Concatenate()([decoded, skip])
        decoded = layers.Conv2D(count, 3, padding="same", activation="relu")(decoded)
    lesion = layers.Conv2D(1, 1, activation="sigmoid")(decoded)
    mask = keras.ops.stop_gradient(layers.AveragePooling2D(2 ** len(filters))(lesion))
    weighted = layers.GlobalAveragePooling2D()(features * mask)
    logits = layers.Dense(classes)(weighted)
    outputs = {"class_logits": logits, "lesion": lesion, "cam_features": features}
    return seeded(keras.Model(image, outputs), seed)


def lesion_card(task: str = "breast-ultrasound", version: str = VERSION, **changes: Any) -> Card:
    """Make the card of :func:`lesion_net`; ``changes`` replace its entries."""
    card = Card(
        task=task,
        version=version,
        title="Random weights for tests",
        labels=LABELS,
        positive="malignant",
        input=InputSpec(size=32),
        outputs=Outputs(logits="class_logits", lesion="lesion", cam_features="cam_features"),
        operating_points=(
            OperatingPoint("balanced", 0.35, 0.9, 0.8, (0.85, 0.94), (0.74, 0.85), 200),
            OperatingPoint("sensitive", 0.15, 0.97, 0.6, (0.93, 0.99), (0.53, 0.67), 200),
        ),
        approved_operating_point="balanced",
        calibration=Calibration("vector-temperature", 1.5, (-0.1, 0.0, 0.1)),
        prevalence=Prevalence(0.3, 200, "made up"),
        data=(DataSource("none", "0" * 64, "none", "none"),),
        training={"epochs": 0},
        metrics={"auc": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 200}},
        intended_use="Tests.",
        limits=("Random weights.",),
        created="2026-01-01",
    )
    return replace(card, **changes)


def classifier_card(task: str = "classifier", version: str = VERSION, **changes: Any) -> Card:
    """Make the card of a plain two-class classifier whose outputs are found by themselves."""
    plain = {
        "labels": ("benign", "malignant"),
        "outputs": Outputs(),
        "calibration": Calibration(),
    }
    return lesion_card(task, version, **(plain | changes))


def reference(n: int = 200, *, share: float = 0.3, seed: int = 0) -> Reference:
    """Make validation scores that rise with the disease."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < share
    scores = np.clip(rng.normal(np.where(positive, 0.6, 0.3), 0.15), 0, 1).astype(np.float32)
    return Reference(scores, positive)


def judging(size: int = 32, *, knows: bool) -> dict[str, np.ndarray]:
    """Make statistics with which every picture is known, or none is a scan."""
    return FamiliarityCheck(
        mean=np.zeros(size),
        scale=np.full(size, 1e3),
        axes=np.eye(size)[:1],
        variances=np.ones(1),
        rest=1.0,
        weights=np.append(np.zeros(size), 0.0 if knows else 2.0),
        zero=np.zeros(2),
        limits=np.ones(2),
    ).to_arrays()


def write(
    root: Path,
    model: Any | None = None,
    card: Card | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Bundle:
    """Write a bundle (by default the lesion network's) under a model root."""
    card = lesion_card() if card is None else card
    if model is None:
        model = lesion_net(card.input.size, classes=len(card.labels))
    known = replace(reference(), extra=extra or {})
    return write_bundle(root / card.task / card.version, model, card, known)


def settings_for(var: Path, *, task: str = "breast-ultrasound", reads: int = 2) -> Settings:
    """Make settings whose own models lie under ``var``."""
    return Settings(
        var=var, database_url=f"sqlite:///{var / 't.db'}", task=task, concurrent_reads=reads
    )


def ready(var: Path) -> Settings:
    """Write the tiny lesion network as the site's own model and return settings that find it."""
    settings = settings_for(var)
    write(settings.model_roots[0])
    return settings


def scan(height: int = 40, width: int = 56, *, seed: int = 0, colour: bool = False) -> Scan:
    """Make a scan of smooth noise."""
    rng = np.random.default_rng(seed)
    shape = (-(-height // 8), -(-width // 8), *([3] if colour else []))
    coarse = rng.integers(0, 256, shape, dtype=np.uint8)
    pixels = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)[:height, :width]
    return Scan.from_pixels(np.ascontiguousarray(pixels))

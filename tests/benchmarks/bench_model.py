"""What Grad-CAM costs on top of a prediction, against the usual tools, and what reads leave behind.

    python tests/benchmarks/bench_model.py --json out.json

Per model three things take turns on the same inputs, so that whatever else the machine does hits
all of them alike: the bare compiled forward pass, our compiled read (probabilities, lesion map,
Grad-CAM), and ``model.predict`` followed by tf-keras-vis' Grad-CAM on the same layer. Figures are
medians, and medians of the ratio per turn. Preprocessing is in none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))

import bundle_factory

from core.errors import ModelError
from core.model import (
    Bundle,
    InputSpec,
    Outputs,
    Predictor,
    import_tensorflow,
    load_network,
    resolve,
)
from core.settings import Settings

ALLOWED_SHIPPED, ALLOWED_OTHER, WANTED_OVER_VIS, ALLOWED_GROWTH_MB = 1.25, 2.0, 4.0, 200


def shipped_or_alike(settings: Settings) -> tuple[Bundle, str]:
    """Return the bundle that ships, or a random network of about its size."""
    try:
        return resolve("breast-ultrasound", settings=settings), "shipped"
    except ModelError as error:
        print(f"No shipped bundle ({error}); a random network of its size instead.")
    model = bundle_factory.lesion_net(192, filters=(24, 48, 80, 128))
    card = bundle_factory.lesion_card(input=InputSpec(192))
    return bundle_factory.write(settings.model_roots[0], model, card), "random, of the shipped size"


def classifiers(folder: Path) -> dict[str, Bundle]:
    """Write the classifiers people bring: a VGG-like one and a MobileNetV2."""
    import keras
    from keras import layers

    image = tensor = keras.Input((160, 160, 3))
    for block, count in enumerate((32, 64, 128, 128)):
        for turn in range(2):
            name = f"conv_{block}_{turn}"
            tensor = layers.Conv2D(count, 3, padding="same", activation="relu", name=name)(tensor)
        tensor = layers.MaxPooling2D()(tensor)
    tensor = layers.Dense(128, activation="relu")(layers.Flatten()(tensor))
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(160, 160, 3)
    )
    mobile = keras.Model(
        backbone.input,
        layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(backbone.output)),
    )
    made = {
        "vgg": keras.Model(image, layers.Dense(2, activation="softmax")(tensor)),
        "mobilenet": mobile,
    }
    spec = InputSpec(160, 3, "letterbox", "signed")
    # The last map of MobileNetV2 is the activation after its last convolution; tf-keras-vis takes
    # the convolution, so both are given the same layer by name.
    layer = {"vgg": "conv_3_1", "mobilenet": "Conv_1"}
    return {
        name: bundle_factory.write(
            folder,
            bundle_factory.seeded(model),
            bundle_factory.classifier_card(
                name, input=spec, outputs=Outputs(cam_features=layer[name])
            ),
        )
        for name, model in made.items()
    }


def bare_forward(bundle: Bundle, model: Any) -> Callable[[np.ndarray], None]:
    """Return the model's compiled forward pass and nothing else."""
    tf = import_tensorflow()
    spec, names = bundle.card.input, bundle.card.outputs

    def bare(inputs: Any) -> list[Any]:
        out = model(inputs, training=False)
        return [out[names.logits], out[names.lesion]] if isinstance(out, dict) else [out]

    shape = (None, spec.size, spec.size, spec.channels)
    forward = tf.function(
        bare, input_signature=(tf.TensorSpec(shape, tf.float32),), autograph=False
    ).get_concrete_function()

    def run(inputs: np.ndarray) -> None:
        for out in forward(tf.constant(inputs)):
            out.numpy()

    return run


def compare(bundle: Bundle, rounds: int) -> dict[str, Any]:
    """Time the forward pass, our read and the usual tools in turns."""
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore, InactiveScore

    card = bundle.card
    shape = (card.input.size, card.input.size, card.input.channels)
    model = keras.saving.load_model(bundle.model_path, compile=False)
    names = card.outputs
    run_forward = bare_forward(bundle, model)
    network = load_network(bundle)
    # tf-keras-vis wants the scores before softmax too; it clones the model for that.
    modifier = None if isinstance(model.output, dict) else ReplaceToLinear()
    gradcam = Gradcam(model, model_modifier=modifier, clone=True)
    is_classes = [len(out.shape) == 2 for out in model.outputs]

    def run_ours(inputs: np.ndarray) -> None:
        network(inputs, np.full(1, -1, np.int32))

    def run_vis(inputs: np.ndarray) -> None:
        found = model.predict(inputs, verbose=0)
        classes = found[names.logits] if isinstance(found, dict) else found
        score = [
            CategoricalScore(int(classes[0].argmax())) if wanted else InactiveScore()
            for wanted in is_classes
        ]
        gradcam(
            score,
            inputs,
            penultimate_layer=names.cam_features,
            seek_penultimate_conv_layer=False,
        )

    ways = {"forward": run_forward, "read": run_ours, "predict_and_vis": run_vis}
    taken = interleaved(ways, shape, rounds)
    middle = {way: round(statistics.median(values), 2) for way, values in taken.items()}
    ratios = {
        "read_over_forward": ratio(taken["read"], taken["forward"]),
        "vis_over_read": ratio(taken["predict_and_vis"], taken["read"]),
    }
    return {"ms": middle, **ratios, "rounds": rounds, "input": shape}


def interleaved(
    ways: dict[str, Callable[[np.ndarray], None]], shape: tuple[int, ...], rounds: int
) -> dict[str, list[float]]:
    """Run every way in turns on the same inputs and return the milliseconds each took."""
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 5):
        inputs = rng.normal(size=(1, *shape)).astype(np.float32)
        # In a new order each time, so that none always runs on the caches of the same other: one
        # that did took twice as long.
        for way, run in (list(ways.items())[at] for at in rng.permutation(len(ways))):
            start = time.perf_counter()
            run(inputs)
            if turn >= 5:
                taken[way].append(1000 * (time.perf_counter() - start))
    return taken


def ratio(over: list[float], under: list[float]) -> float:
    """Return the median of the ratio per turn."""
    return round(statistics.median(a / b for a, b in zip(over, under, strict=True)), 3)


def memory(bundle: Bundle, settings: Settings, reads: int) -> dict[str, float]:
    """Read different scans and return how far the resident memory rises over the warm level."""
    predictor = Predictor.load(bundle.card.task, bundle.card.version, settings=settings)
    rng = np.random.default_rng(1)

    def one(seed: int) -> None:
        height, width = (int(side) for side in rng.integers(200, 1100, 2))
        prediction = predictor.read(bundle_factory.scan(height, width, seed=seed))
        prediction.heat()
        prediction.lesion_map()

    for seed in range(20):
        one(seed)
    warm = peak = _resident_mb()
    for seed in range(reads):
        one(1000 + seed)
        peak = max(peak, _resident_mb())
    return {
        "reads": reads,
        "warm_mb": round(warm, 1),
        "growth_mb": round(_resident_mb() - warm, 1),
        "peak_growth_mb": round(peak - warm, 1),
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Run everything, print the table, write the JSON; exit 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--reads", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        settings = bundle_factory.settings_for(Path(text))
        lesion, which = shipped_or_alike(settings)
        bundles = {"lesion": lesion} | classifiers(settings.model_roots[0])
        found: dict[str, Any] = {"lesion_bundle": which}
        for name, bundle in bundles.items():
            found[name] = result = compare(bundle, options.rounds)
            allowed = ALLOWED_SHIPPED if name == "lesion" else ALLOWED_OTHER
            result["allowed_over_forward"] = allowed
            result["met"] = (
                result["read_over_forward"] <= allowed
                and result["vis_over_read"] >= WANTED_OVER_VIS
            )
            print(f"{name:10} {result}")
        found["memory"] = result = memory(lesion, settings, options.reads)
        result["met"] = result["peak_growth_mb"] <= ALLOWED_GROWTH_MB
        print(f"{'memory':10} {result}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(found[name]["met"] for name in (*bundles, "memory")) else 1


if __name__ == "__main__":
    sys.exit(main())

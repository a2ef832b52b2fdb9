"""Train ``lesion-net`` on dataset folders, with checkpoints that a killed run resumes from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.learning.architectures import CLASS_LOGITS, LESION, lesion_net
from core.learning.augment import augment, standardise
from core.learning.dataset import Arrays
from core.learning.forms import no_image_of_a_label
from core.text import _


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What decides a training run.

    Attributes
    ----------
    size
        Side of the network's square input, pixels.
    learning_rate
        Peak of the cosine schedule, after one epoch of linear warm-up.
    lesion_weight
        Weight of the outline loss against the class loss.
    """

    labels: tuple[str, ...] = ("normal", "benign", "malignant")
    size: int = 160
    epochs: int = 40
    batch: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 2e-4
    lesion_weight: float = 2.0
    label_smoothing: float = 0.05
    seed: int = 20261123
    widths: tuple[int, ...] = field(default=(24, 48, 80, 128, 160))


def lesion_loss(truth: Any, probability: Any) -> Any:
    """Binary cross-entropy plus soft Dice loss (Milletari et al., 3DV 2016), per picture.

    Parameters
    ----------
    truth, probability
        (N, S, S, 1) float32, 0..1.
    """
    from keras import ops

    truth = ops.cast(truth, "float32")
    p = ops.clip(probability, 1e-6, 1 - 1e-6)
    entropy = -ops.mean(truth * ops.log(p) + (1 - truth) * ops.log(1 - p), axis=(1, 2, 3))
    overlap = ops.sum(truth * p, axis=(1, 2, 3))
    # The constant lets a picture without a lesion score by how little is marked in it.
    total = ops.sum(truth, axis=(1, 2, 3)) + ops.sum(p, axis=(1, 2, 3))
    return entropy + 0.5 * (1 - (2 * overlap + 50.0) / (total + 50.0))


def batches(arrays: Arrays, config: TrainingConfig) -> Any:
    """Return a ``keras.utils.PyDataset`` of augmented batches, the same for the same seed."""
    import keras

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=1, max_queue_size=4)
            self.epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(arrays.labels) / config.batch)

        def __getitem__(self, number: int) -> tuple[Any, Any]:
            epoch = self.epoch
            order = np.random.default_rng((config.seed, epoch)).permutation(len(arrays.labels))
            chosen = order[number * config.batch : (number + 1) * config.batch]
            rng = np.random.default_rng((config.seed, epoch, number))
            pairs = [
                augment(arrays.images[i], arrays.masks[i], arrays.inside[i], rng) for i in chosen
            ]
            images = np.stack([image for image, _mask in pairs])[..., None]
            lesions = np.stack([mask for _image, mask in pairs])[..., None]
            return images, {CLASS_LOGITS: arrays.labels[chosen], LESION: lesions}

        def on_epoch_end(self) -> None:
            self.epoch += 1

    return Batches()


def prepared(arrays: Arrays) -> NDArray[np.float32]:
    """Return the pictures as the network reads them, (N, S, S, 1) float32."""
    result = np.zeros((*arrays.images.shape, 1), np.float32)
    for i, (image, box) in enumerate(zip(arrays.images, arrays.inside, strict=True)):
        valid = np.zeros(image.shape, np.bool_)
        valid[box[1] : box[3], box[0] : box[2]] = True
        result[i, ..., 0] = standardise(image.astype(np.float32), valid)
    return result


def train(
    arrays: Arrays,
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[dict[str, float]], None] = lambda _figures: None,
    watch: Arrays | None = None,
) -> Any:
    """Train and return the model.

    Parameters
    ----------
    folder
        Where the checkpoint and the run record are kept, after every epoch.
    resume
        Go on from the checkpoint in ``folder`` where there is one.
    progress
        Called after every epoch with its figures.
    watch
        Rows whose figures are shown while training; nothing is chosen by them.

    Raises
    ------
    DatasetError
        A label has no image.
    LearningError
        The run to resume was made with another configuration, or its checkpoint cannot be read.
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    counts = np.bincount(arrays.labels, minlength=len(config.labels))
    if counts.min() == 0:
        raise no_image_of_a_label()
    folder.mkdir(parents=True, exist_ok=True)
    model = lesion_net(config.size, len(config.labels), widths=config.widths)
    data = batches(arrays, config)
    steps = len(data)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 20,
        decay_steps=max(1, (config.epochs - 1) * steps),
        alpha=0.005,
        warmup_target=config.learning_rate,
        warmup_steps=steps,
    )
    # The square root: full inverse frequency would make a normal scan count five times a benign
    # one, and the calibration afterwards would have to undo it.
    weights = np.sqrt(counts.mean() / counts).astype(np.float32)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            schedule, weight_decay=config.weight_decay, global_clipnorm=1.0
        ),
        loss={CLASS_LOGITS: class_loss(weights, config.label_smoothing), LESION: lesion_loss},
        loss_weights={CLASS_LOGITS: 1.0, LESION: config.lesion_weight},
        jit_compile=False,
    )
    record = folder / "run.json"
    history: list[dict[str, float]] = []
    if resume and record.is_file():
        history = _history(record, config)
        # Built first: Keras leaves the saved moments and step count out of an optimizer that has
        # no variables yet, and the learning rate would start over.
        model.optimizer.build(model.trainable_variables)
        _load_weights(model, folder / f"epoch-{len(history):03d}.weights.h5")
        data.epoch = len(history)
    watched = (prepared(watch), watch) if watch is not None else None
    started = time.monotonic()

    def before_epoch(epoch: int, _logs: dict[str, float] | None = None) -> None:
        # Keras saves no random state with the weights: a resumed run would drop other features.
        for number, layer in enumerate(model.layers):
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([config.seed + number, epoch << 16])

    def after_epoch(epoch: int, logs: dict[str, float] | None = None) -> None:
        nonlocal started
        figures = {name: float(value) for name, value in (logs or {}).items()}
        figures |= {"epoch": epoch + 1, "seconds": time.monotonic() - started}
        if watched is not None and (epoch % 4 == 3 or epoch + 1 == config.epochs):
            figures |= watch_figures(model, *watched, config)
        started = time.monotonic()
        history.append(figures)
        _checkpoint(model, folder, record, config, history)
        progress(figures)

    if len(history) < config.epochs:
        model.fit(
            data,
            epochs=config.epochs,
            initial_epoch=len(history),
            verbose=0,
            shuffle=False,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=before_epoch, on_epoch_end=after_epoch
                )
            ],
        )
    return model


def _history(record: Path, config: TrainingConfig) -> list[dict[str, float]]:
    broken = _("The run's checkpoint cannot be read: start it again in a new folder.")
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        made_with, history = stored["config"], list(stored["history"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError(broken) from error
    # Through JSON and back, as the stored one: tuples are lists there.
    if made_with != json.loads(json.dumps(asdict(config))):
        raise LearningError(
            _("This run was started with other options: resume with the same, or use a new folder.")
        )
    return history


def _load_weights(model: Any, path: Path) -> None:
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise LearningError(
            _("The run's checkpoint cannot be read: start it again in a new folder.")
        ) from error


def _checkpoint(
    model: Any,
    folder: Path,
    record: Path,
    config: TrainingConfig,
    history: Sequence[dict[str, float]],
) -> None:
    # Weights first, the record that points at them last and by rename: a run killed at any
    # moment finds a whole checkpoint.
    target = folder / f"epoch-{len(history):03d}.weights.h5"
    partial = folder / "partial.weights.h5"
    model.save_weights(partial)
    os.replace(partial, target)
    fresh = record.with_suffix(".part")
    text = json.dumps({"config": asdict(config), "history": list(history)}, indent=1)
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, record)
    for old in folder.glob("epoch-*.weights.h5"):
        if old != target:
            old.unlink()


def class_loss(weights: NDArray[np.float32], smoothing: float) -> Callable[[Any, Any], Any]:
    """Return cross-entropy on logits with class weights and label smoothing."""

    def loss(truth: Any, logits: Any) -> Any:
        from keras import ops

        index = ops.cast(ops.reshape(truth, (-1,)), "int32")
        hard = ops.one_hot(index, len(weights))
        soft = hard * (1 - smoothing) + smoothing / len(weights)
        entropy = -ops.sum(soft * ops.log_softmax(logits), axis=-1)
        return entropy * ops.take(ops.convert_to_tensor(weights), index)

    return loss


def watch_figures(
    model: Any, images: NDArray[np.float32], arrays: Arrays, config: TrainingConfig
) -> dict[str, float]:
    """Return accuracy, ROC-AUC of the last label and mean Dice on watched rows."""
    from sklearn.metrics import roc_auc_score

    outputs = model.predict(images, batch_size=32, verbose=0)
    logits = outputs[CLASS_LOGITS]
    last = logits.shape[1] - 1
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    score = shifted[:, last] / shifted.sum(axis=1)
    truth = arrays.labels == last
    figures = {"watch_accuracy": float(((score >= 0.5) == truth).mean())}
    if 0 < truth.sum() < len(truth):
        figures["watch_auc"] = float(roc_auc_score(truth, score))
    real = arrays.masks > 127
    found = outputs[LESION][..., 0] >= 0.5
    sized = real.any(axis=(1, 2))
    both = (real & found).sum(axis=(1, 2))[sized]
    total = (real.sum(axis=(1, 2)) + found.sum(axis=(1, 2)))[sized]
    if len(both):
        figures["watch_dice"] = float(np.mean(2 * both / total))
    return figures

"""Train a network on decoded pictures, with checkpoints that a killed run resumes from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.learning.architectures import LESION_NET, SEED_CNN, Network, build_network
from core.learning.batches import batches
from core.learning.dataset import Arrays
from core.learning.forms import no_image_of
from core.learning.lesion_net import CLASS_LOGITS, LESION, LESION_COARSE, SUSPICION
from core.learning.losses import class_loss, lesion_loss, one_unit_loss, suspicion_loss
from core.learning.runs import RunRecord
from core.learning.watching import Figures, watch_figures
from core.text import _


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What decides a training run.

    Attributes
    ----------
    architecture
        A name that :func:`core.learning.architectures.build_network` knows.
    labels
        Classes in the order of the network's scores.
    size
        Side of the network's square input, pixels.
    learning_rate
        Peak of the cosine schedule (Loshchilov and Hutter, ICLR 2017), after one epoch of linear
        warm-up. ``seed-cnn`` keeps a rate of 0.001, as the textbook does.
    lesion_weight
        Weight of the outline loss against the class loss.
    suspicion_weight
        Weight of the loss of the BI-RADS category against the class loss.
    averaging
        Momentum of the running average of the weights, which is what is kept (Polyak averaging);
        0 keeps the last ones.
    patience
        Epochs without a better ``watch_loss`` after which training stops and the best are kept;
        0 never stops. Needs rows to watch.
    augmentation
        ``ultrasound`` changes each picture as :func:`core.learning.augment.augment` does.
    closer
        Share of the pictures of a ``lesion-net``, 0..1, that are shown as a square around the
        lesion, as it reads them a second time (:mod:`core.learning.closer`).
    weights
        What a backbone starts from: ``none``, ``imagenet``, or a file; a ``lesion-net``: ``none``,
        or the Keras file of a bundle, whose network of the same name it goes on from.
    frozen_epochs
        Epochs in which a backbone that came with weights stays as it is; then it is tuned at a
        tenth of the rate.
    precision
        ``bfloat16`` computes in 16 bits where the processor has a unit for it; the weights stay
        at 32.
    """

    architecture: str = LESION_NET
    labels: tuple[str, ...] = ("normal", "benign", "malignant")
    size: int = 128
    epochs: int = 36
    batch: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 2e-4
    lesion_weight: float = 2.0
    suspicion_weight: float = 0.5
    label_smoothing: float = 0.05
    averaging: float = 0.99
    patience: int = 0
    augmentation: Literal["ultrasound", "none"] = "ultrasound"
    closer: float = 0.5
    weights: str = "none"
    frozen_epochs: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 20261126
    widths: tuple[int, ...] = ()


@dataclass(slots=True)
class _Watch:
    """The rows that are watched, and the best epoch by them so far."""

    arrays: Arrays
    best: float = math.inf
    since: int = 0


def build(config: TrainingConfig, member: str = "lesion_net") -> Network:
    """Build the network of a run, in full precision: see :func:`build_network`."""
    return build_network(
        config.architecture,
        len(config.labels),
        config.size,
        widths=config.widths,
        weights=config.weights,
        member=member,
    )


def train(
    arrays: Arrays,
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Figures], None] = lambda _figures: None,
    during: Callable[[int, int, float], None] = lambda _done, _all, _loss: None,
    watch: Arrays | None = None,
    member: str = "lesion_net",
    about: dict[str, Any] | None = None,
    fine: Arrays | None = None,
) -> Network:
    """Train and return the network, in full precision.

    Parameters
    ----------
    arrays
        What it is trained on.
    config
        What decides the run; the same on the same machine gives the same network.
    folder
        Where the checkpoint, the run record (``run.json``) and the learning curves
        (``curves.svg``) are kept, after every epoch.
    resume
        Go on from the checkpoint in ``folder`` where there is one.
    progress
        Called after every epoch with its figures.
    during
        Called after every batch with the batches done and all of this epoch, and the mean loss.
    watch
        Rows whose figures are shown while training, after every fourth epoch, or after each where
        ``patience`` stops by them.
    member
        Name of a network that will be joined with others.
    about
        What else the run record should hold, such as the digests of the data.
    fine
        The same rows at twice the side, out of which the closer pictures are cut; without it
        there are none.

    Raises
    ------
    DatasetError
        A label has no image.
    LearningError
        The run to resume was made with another configuration, its checkpoint cannot be read, the
        loss is not finite any more, or the disk is full.
    """
    import keras

    counts = np.bincount(arrays.labels, minlength=len(config.labels))
    if counts.min() == 0:
        raise no_image_of(config.labels[int(counts.argmin())])
    if config.patience and watch is None:
        raise LearningError(_("Stopping early needs rows to watch."))
    keras.utils.set_random_seed(config.seed)
    with _precision(config.precision):
        network = build(config, member)
    record = RunRecord.open(folder, config, about or {}, resume=resume)
    data = batches(arrays, config, network, fine)
    run = _Run(data, config, network, record, None if watch is None else _Watch(watch))
    run.go(counts, progress, during)
    if config.precision == "float32":
        return network
    whole = build(replace(config, weights="none"), member)
    whole.model.set_weights(network.model.get_weights())
    return whole


@contextmanager
def _precision(name: str) -> Any:
    import keras

    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(kept)


class _Run:
    """One run: its stages, checkpoints, and what is watched."""

    def __init__(
        self,
        data: Any,
        config: TrainingConfig,
        network: Network,
        record: RunRecord,
        watch: _Watch | None,
    ) -> None:
        self.config, self.network, self.record, self.watch = config, network, record, watch
        self.model = network.model
        self.data = data
        self.schedule: Any = None
        self.started = time.monotonic()

    def go(
        self,
        counts: NDArray[np.int64],
        progress: Callable[[Figures], None],
        during: Callable[[int, int, float], None],
    ) -> None:
        """Train from where the record stands to the end, and leave the weights that are kept."""
        config, done = self.config, len(self.record.history)
        first = config.frozen_epochs if self.network.backbone else 0
        stages = [(0, min(first, config.epochs)), (min(first, config.epochs), config.epochs)]
        if done:
            # The checkpoint of an epoch belongs to the stage that ended or went on with it.
            self._compile(*next(s for s in stages if s[0] < done <= s[1]), counts)
            self.record.take_up(self.model)
            self._recall()
        for start, end in stages:
            if done >= end or self.record.stopped:
                continue
            if done <= start:
                self._compile(start, end, counts)
            self._fit(max(done, start), end, progress, during)
        if config.averaging:
            self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        if config.patience:
            self.record.take_best(self.model)

    def _compile(self, start: int, end: int, counts: NDArray[np.int64]) -> None:
        import keras

        config, steps = self.config, len(self.data)
        tuning = bool(self.network.backbone) and start > 0
        for layer in self.network.backbone:
            # Its statistics stay those of the pictures it was trained on: batches are small.
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = (tuning or config.frozen_epochs == 0) and not norm
        # The square root: full inverse frequency would make a normal scan count five times a
        # benign one, and the calibration afterwards would have to undo it.
        weights = np.sqrt(counts.mean() / counts).astype(np.float32)
        average: dict[str, Any] = (
            {"use_ema": True, "ema_momentum": config.averaging} if config.averaging else {}
        )
        optimizer: Any
        self.schedule = None
        if config.architecture == SEED_CNN:
            optimizer = keras.optimizers.Adam(1e-3, **average)
        else:
            peak = config.learning_rate * (0.1 if tuning else 1.0)
            self.schedule = keras.optimizers.schedules.CosineDecay(
                peak / 20,
                decay_steps=max(1, (end - start - 1) * steps),
                alpha=0.005,
                warmup_target=peak,
                warmup_steps=steps,
            )
            # Set before each batch: a schedule in the optimizer is part of the step's graph once
            # for every weight, which takes a quarter longer to build.
            optimizer = keras.optimizers.AdamW(
                peak / 20, weight_decay=config.weight_decay, global_clipnorm=1.0, **average
            )
        if self.network.one_unit:
            loss: Any = one_unit_loss(weights, config.label_smoothing)
            shares = None
        else:
            loss = {CLASS_LOGITS: class_loss(weights, config.label_smoothing)}
            shares = {CLASS_LOGITS: 1.0}
            if self.network.has_lesion_map:
                loss |= {LESION: lesion_loss, LESION_COARSE: lesion_loss}
                loss |= {SUSPICION: suspicion_loss}
                shares |= {
                    LESION: config.lesion_weight,
                    LESION_COARSE: config.lesion_weight / 4,
                    SUSPICION: config.suspicion_weight,
                }
        self.model.compile(optimizer=optimizer, loss=loss, loss_weights=shares, jit_compile=False)
        # Keras makes the moments while it traces a step otherwise, and then traces it again.
        optimizer.build(self.model.trainable_variables)

    def _fit(
        self,
        start: int,
        end: int,
        progress: Callable[[Figures], None],
        during: Callable[[int, int, float], None],
    ) -> None:
        import keras

        self.data.epoch = start
        self.started = time.monotonic()

        def before_epoch(epoch: int, _logs: Figures | None = None) -> None:
            # Keras saves no random state with the weights: a resumed run would drop other
            # features.
            for number, layer in enumerate(self.model._flatten_layers(include_self=False)):
                if hasattr(layer, "seed_generator"):
                    layer.seed_generator.state.assign([self.config.seed + number, epoch << 16])

        def after_epoch(epoch: int, logs: Figures | None = None) -> None:
            figures = {name: float(value) for name, value in (logs or {}).items()}
            if not math.isfinite(figures["loss"]):
                raise LearningError(
                    _("The loss is not finite any more: train with a lower learning rate.")
                )
            figures |= {"epoch": epoch + 1, "seconds": time.monotonic() - self.started}
            self._after_epoch(figures)
            progress(figures)
            self.started = time.monotonic()
            if self.record.stopped:
                self.model.stop_training = True

        def before_batch(_batch: int, logs: Figures | None = None) -> None:
            if self.schedule is not None:
                optimizer = self.model.optimizer
                optimizer.learning_rate = float(self.schedule(optimizer.iterations))

        def after_batch(batch: int, logs: Figures | None = None) -> None:
            during(batch + 1, len(self.data), float((logs or {}).get("loss", math.nan)))

        self.model.fit(
            self.data,
            epochs=end,
            initial_epoch=start,
            verbose=0,
            shuffle=False,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=before_epoch,
                    on_epoch_end=after_epoch,
                    on_train_batch_begin=before_batch,
                    on_train_batch_end=after_batch,
                )
            ],
        )

    def _after_epoch(self, figures: Figures) -> None:
        epoch, config, watch = int(figures["epoch"]), self.config, self.watch
        stopped = False
        if watch is not None and (config.patience or epoch % 4 == 0 or epoch == config.epochs):
            with self._averaged():
                figures |= watch_figures(self.network, watch.arrays)
                if config.patience and figures["watch_loss"] < watch.best:
                    watch.best, watch.since = figures["watch_loss"], 0
                    self.record.keep_best(self.model)
                elif config.patience:
                    watch.since += 1
                    stopped = watch.since >= config.patience
        self.record.add(figures, self.model, stopped=stopped)

    @contextmanager
    def _averaged(self) -> Any:
        """Have the averaged weights, which are what is kept, in the model meanwhile."""
        if not self.config.averaging:
            yield
            return
        import keras

        weights = self.model.trainable_weights
        kept = [keras.ops.convert_to_numpy(weight).copy() for weight in weights]
        self.model.optimizer.finalize_variable_values(weights)
        try:
            yield
        finally:
            for weight, value in zip(weights, kept, strict=True):
                weight.assign(value)

    def _recall(self) -> None:
        """Bring back which epoch was best, and for how long there was no better one."""
        if self.watch is None:
            return
        for figures in self.record.history:
            if figures.get("watch_loss", math.inf) < self.watch.best:
                self.watch.best, self.watch.since = figures["watch_loss"], 0
            else:
                self.watch.since += 1

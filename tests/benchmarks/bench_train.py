"""Training against a bare ``model.fit`` on arrays: images a second, in the same run.

Half of the pictures are cut out of pictures twice as fine, as :mod:`core.learning.closer` says. The
bare side has no augmentation, no checkpoint, no record and no averaging of the weights; both
have the same network, batch, losses and optimizer, and take turns. The first epoch of each, in
which TensorFlow builds its graph, is left out.

    python tests/benchmarks/bench_train.py [--images 512] [--size 128] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.learning.batches import as_read
from core.learning.dataset import Arrays
from core.learning.lesion_net import CLASS_LOGITS, LESION, LESION_COARSE, SUSPICION
from core.learning.losses import class_loss, lesion_loss, suspicion_loss
from core.learning.training import TrainingConfig, build, train
from core.model import import_tensorflow
from core.scan.phantom import LesionSpec, PhantomSpec, make_phantom


def made(n: int, size: int) -> Arrays:
    """Make n pictures of 16 phantoms: what is in them costs nothing more or less."""
    images = np.zeros((n, size, size), np.uint8)
    masks = np.zeros_like(images)
    for i in range(n):
        if i < 16:
            spec = PhantomSpec(size, size, lesion=LesionSpec() if i % 3 else None)
            phantom = make_phantom(spec, seed=i)
            images[i], masks[i] = phantom.scan.grey, phantom.mask
        else:
            images[i], masks[i] = images[i % 16], masks[i % 16]
    inside = np.tile(np.array([0, 0, size, size], np.int32), (n, 1))
    suspicion = np.arange(n, dtype=np.float32) % 3 / 2
    labels, outlined = np.arange(n, dtype=np.int64) % 3, np.ones(n, np.bool_)
    return Arrays(images, masks, inside, labels, outlined, suspicion)


def bare(arrays: Arrays, config: TrainingConfig) -> Any:
    """Return a call that runs one epoch of ``model.fit`` on arrays, and its seconds."""
    import keras

    network = build(config)
    images = np.concatenate(list(as_read(arrays, network.spec)))
    lesions = (arrays.masks[..., None] / 255).astype(np.float32)
    coarse = lesions[:, ::8, ::8]
    truth = {CLASS_LOGITS: arrays.labels, LESION: lesions, LESION_COARSE: coarse}
    truth[SUSPICION] = arrays.suspicion
    network.model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=2e-4, global_clipnorm=1.0),
        loss={
            CLASS_LOGITS: class_loss(np.ones(3, np.float32), 0.05),
            LESION: lesion_loss,
            LESION_COARSE: lesion_loss,
            SUSPICION: suspicion_loss,
        },
        jit_compile=False,
    )

    def epoch() -> float:
        started = time.perf_counter()
        network.model.fit(images, truth, batch_size=config.batch, epochs=1, verbose=0)
        return time.perf_counter() - started

    return epoch


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import_tensorflow()
    arrays = made(options.images, options.size)
    config = TrainingConfig(size=options.size, epochs=options.rounds + 1)
    epoch = bare(arrays, config)
    epoch()
    plain, ours = [], []

    def after(figures: dict[str, float]) -> None:
        if figures["epoch"] > 1:
            ours.append(figures["seconds"])
            plain.append(epoch())

    with tempfile.TemporaryDirectory() as folder:
        fine = made(options.images, 2 * options.size)
        train(arrays, config, Path(folder), progress=after, fine=fine)
    rates = {
        name: options.images / statistics.median(seconds)
        for name, seconds in (("bare", plain), ("train", ours))
    }
    ratios = [a / b for a, b in zip(plain, ours, strict=True)]
    result = {
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "images": options.images,
        "size": options.size,
    }
    sys.stdout.write(json.dumps(result, indent=None if options.json else 1) + "\n")


if __name__ == "__main__":
    main()

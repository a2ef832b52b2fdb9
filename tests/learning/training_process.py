"""Trains in a process of its own, to be killed or stopped: ``… FOLDER [MOST BYTES A FILE HAS]``."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from learning_factory import toy_arrays

from core.errors import LearningError
from core.learning.training import TrainingConfig, train

CONFIG = TrainingConfig(
    size=32, epochs=6, batch=4, learning_rate=4e-3, seed=3, widths=(4, 6, 8, 8, 8), averaging=0.9
)

if __name__ == "__main__":
    if len(sys.argv) > 2:
        most = int(sys.argv[2])
        # A write beyond it fails half-way, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        train(
            toy_arrays(24),
            CONFIG,
            Path(sys.argv[1]),
            resume=True,
            progress=lambda figures: print(int(figures["epoch"]), flush=True),
        )
    except LearningError as error:
        print(error)
        sys.exit(3)

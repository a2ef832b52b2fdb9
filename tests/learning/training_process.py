"""A training run in a process of its own, for the test that kills it: ``… FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from learning_factory import toy_arrays

from core.learning.training import TrainingConfig, train

CONFIG = TrainingConfig(
    size=32, epochs=6, batch=4, learning_rate=4e-3, seed=3, widths=(4, 6, 8, 8, 8), averaging=0.9
)

if __name__ == "__main__":
    train(
        toy_arrays(24),
        CONFIG,
        Path(sys.argv[1]),
        progress=lambda figures: print(int(figures["epoch"]), flush=True),
    )

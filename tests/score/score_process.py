"""Run as a program: score a folder slowly enough to be killed in the middle.

python score_process.py <var> <folder> <out> <frames> [--resume]
"""

import sys
import time
from pathlib import Path

import bundle_factory

from core.model import Predictor
from core.score import Options, _run, score

var, folder, out, frames = (Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
settings = bundle_factory.settings_for(var)
made = _run.make_row


def slowly(*what, **more):
    time.sleep(0.01)
    return made(*what, **more)


_run.make_row = slowly
options = Options(frames=frames, batch_size=4, resume="--resume" in sys.argv)  # type: ignore[arg-type]
predictor = Predictor.load("breast-ultrasound", settings=settings)
score([folder], out, predictor, settings, options)
print("done", flush=True)

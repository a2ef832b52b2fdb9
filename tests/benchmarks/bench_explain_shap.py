"""What SHAP values and the evidence beside a map cost, against the network's own bare passes.

    python tests/benchmarks/bench_explain_shap.py --json out.json

For the shipped bundle, in turns on one scan, so that whatever else the machine does hits all
alike: 64 bare compiled gradients in batches, expected gradients with as many samples, ours and
shap's own partition explainer with 300 evaluations, 120 bare forward passes in batches, and the
evidence panel of a Grad-CAM and of expected gradients. Figures are medians, and medians of the
ratio per turn.

**The whole evidence panel for one map costs at most 120 forward passes in batches**: both panels
are held to it, by time against 120 bare passes of the same compiled network in batches of 16, and
by what is asked of the network, which the script counts (a gradient as three passes).
"""

from __future__ import annotations

import argparse
import json
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
import shap

from core.explain import (
    STEADY_SAMPLES,
    evidence,
    expected_gradients,
    grad_cam,
    partition_shap,
)
from core.explain._asked import ask, parts
from core.model import Predictor, Probe
from core.scan import LesionSpec, PhantomSpec, make_phantom

SAMPLES, EVALUATIONS, PASSES, BATCH = 64, 300, 120, 16
#: As expected gradients take them.
GRADIENTS_AT_ONCE = 8
ALLOWED_GRADIENTS, ALLOWED_EVIDENCE = 1.3, 1.0
#: Forward passes that a gradient counts as.
GRADIENT = 3
PANELS = ("evidence of a CAM", "evidence of SHAP")
TARGET = "malignant"


class Counting:
    """A probe that counts the inputs of each question."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.passes = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._probe, name)
        if not callable(found) or name == "layers":
            return found
        weight = GRADIENT if name in ("features", "input_gradients", "lesion_area_gradients") else 1

        def asked(inputs: np.ndarray, *rest: Any, **options: Any) -> Any:
            self.passes += weight * len(inputs)
            return found(inputs, *rest, **options)

        return asked


class Counted:
    """A predictor whose questions are counted."""

    def __init__(self, predictor: Predictor) -> None:
        self.bundle = predictor.bundle
        self._probe = Counting(predictor.probe())

    def probe(self) -> Counting:
        return self._probe


def jobs(predictor: Predictor | Counted) -> dict[str, Callable[[], Any]]:
    """Return what takes turns, by name."""
    spec = PhantomSpec(lesion=LesionSpec(shape="irregular", echo_db=-20.0))
    phantom = make_phantom(spec, 3)
    scan = phantom.scan
    asked = ask(predictor, scan)
    index = asked.index(TARGET)
    rng = np.random.default_rng(0)
    many = asked.pixels + rng.normal(0, 0.1, (PASSES, *asked.pixels.shape)).astype(np.float32)
    cam = grad_cam(predictor, scan, TARGET)
    values = expected_gradients(predictor, scan, TARGET)

    def gradients() -> None:
        for part in parts(SAMPLES, GRADIENTS_AT_ONCE):
            targets = np.full(part.stop - part.start, index, np.int32)
            asked.probe.input_gradients(many[part], targets)

    def forward() -> None:
        for part in parts(PASSES, BATCH):
            asked.probe.probabilities(many[part])

    def shaps_partition() -> None:
        masker = shap.maskers.Image("blur(32,32)", asked.pixels.shape)
        explainer = shap.PartitionExplainer(lambda x: asked.probe.scores(x)[:, index], masker)
        explainer(
            asked.pixels[None], max_evals=EVALUATIONS, batch_size=BATCH, silent=True, outputs=None
        )

    def cam_evidence() -> None:
        evidence(
            predictor,
            scan,
            cam,
            outline=phantom.mask,
            beside=values,
            explain=lambda copy: grad_cam(predictor, copy, TARGET),
        )

    def shap_evidence() -> None:
        evidence(
            predictor,
            scan,
            values,
            outline=phantom.mask,
            beside=cam,
            explain=lambda copy: expected_gradients(
                predictor, copy, TARGET, samples=STEADY_SAMPLES
            ),
            same=False,
            copies=1,
        )

    return {
        "64 bare gradients": gradients,
        "expected gradients": lambda: expected_gradients(predictor, scan, TARGET),
        "partition": lambda: partition_shap(predictor, scan, TARGET, evaluations=EVALUATIONS),
        "shap's partition": shaps_partition,
        "120 bare passes": forward,
        "evidence of a CAM": cam_evidence,
        "evidence of SHAP": shap_evidence,
    }


def main() -> int:
    """Measure, say what came out, and fail where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.load(
            "breast-ultrasound", settings=bundle_factory.settings_for(Path(folder))
        )
        work = jobs(predictor)
        counted = Counted(predictor)
        passes = {}
        for name, run in jobs(counted).items():
            if name in PANELS:
                before = counted.probe().passes
                run()
                passes[name] = counted.probe().passes - before
        seconds: dict[str, list[float]] = {name: [] for name in work}
        # The first turn compiles and is left out.
        for turn in range(chosen.turns + 1):
            for name, run in work.items():
                began = time.perf_counter()
                run()
                if turn:
                    seconds[name].append(time.perf_counter() - began)

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))

    figures = {
        "seconds": {name: statistics.median(each) for name, each in seconds.items()},
        "gradients_ratio": ratio("expected gradients", "64 bare gradients"),
        "to_shaps_partition": ratio("expected gradients", "shap's partition"),
        "partition_to_shaps": ratio("partition", "shap's partition"),
        "cam_evidence_ratio": ratio("evidence of a CAM", "120 bare passes"),
        "shap_evidence_ratio": ratio("evidence of SHAP", "120 bare passes"),
        "panel_passes": passes,
        "panel_allowed": PASSES,
        "version": predictor.card.version,
        "turns": chosen.turns,
    }
    print(json.dumps(figures, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    within = all(
        figures[name] <= ALLOWED_EVIDENCE for name in ("cam_evidence_ratio", "shap_evidence_ratio")
    ) and all(count <= PASSES for count in passes.values())
    words = "costs at most" if within else "costs MORE THAN"
    print(f"The whole evidence panel for one map {words} {PASSES} forward passes in batches.")
    return int(not within or figures["gradients_ratio"] > ALLOWED_GRADIENTS)


if __name__ == "__main__":
    sys.exit(main())

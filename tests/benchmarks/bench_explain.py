"""What each map of the CAM family costs with its prediction, against the bare forward pass.

    python tests/benchmarks/bench_explain.py --json out.json

Per model the compiled forward pass and every member of the family take turns on the same inputs,
so that whatever else the machine does hits all of them alike. The forward pass is the predictor's
own without heat: the same network with the same weights in memory. A second copy of the model,
called as Keras calls it, has the same operations and weights of its own; what it takes stands
beside as ``keras forward``, measured afterwards. Compare times of one run only: another run is
another load of the machine.

A member's time is that of one whole question: the run of the model that gives prediction and
feature map, the map, and bringing it to a scan of 500 x 600 pixels. Figures are medians, and
medians of the ratio per turn. Preprocessing is in none of them. ``all`` is one run and every map of
the family from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))

import bundle_factory
from bench_model import bare_forward, classifiers, interleaved, ratio, shipped_or_alike

from core.errors import EmptyMap
from core.explain import CAMS, Cam, CamRead, read_features
from core.model import Bundle, Gate, Predictor, load_keras, load_network

#: Times the forward pass, for the shipped bundle and for others.
ALLOWED = {"grad-cam++": 1.5, "hires-cam": 1.5}
ALLOWED_SHIPPED, ALLOWED_OTHER = 1.25, 2.0


def compare(bundle: Bundle, rounds: int, *, shipped: bool) -> dict[str, Any]:
    """Time the forward pass and the family in turns."""
    spec = bundle.card.input
    network = load_network(bundle)
    predictor = Predictor(bundle, network, Gate(1))
    probe, target = predictor.probe(), bundle.card.positive
    index = np.full(1, bundle.card.labels.index(target), np.int32)
    start = time.perf_counter()
    asked = read_features(predictor, bundle_factory.scan(500, 600), target).asked
    first = time.perf_counter() - start

    def explained(cams: list[Cam]) -> Callable[[np.ndarray], None]:
        def run(inputs: np.ndarray) -> None:
            read = CamRead(asked, probe.features(inputs, index))
            for cam in cams:
                # Of noise nothing may speak for the class; the time was taken all the same.
                with suppress(EmptyMap):
                    read.explain(cam)

        return run

    def forward(inputs: np.ndarray) -> None:
        network(inputs, None)

    ways: dict[str, Callable[[np.ndarray], None]] = {"forward": forward}
    ways |= {name: explained([cam]) for name, cam in CAMS.items()}
    ways["all"] = explained(list(CAMS.values()))
    shape = (spec.size, spec.size, spec.channels)
    taken = interleaved(ways, shape, rounds)
    # By itself and afterwards: it would change what lies in the caches of the others.
    keras_forward = bare_forward(bundle, load_keras(bundle.model_path))
    taken |= interleaved({"keras forward": keras_forward}, shape, max(5, rounds // 4))
    over = {name: ratio(taken[name], taken["forward"]) for name in CAMS}
    most = {name: ALLOWED.get(name, ALLOWED_SHIPPED) if shipped else ALLOWED_OTHER for name in CAMS}
    return {
        "ms": {way: round(statistics.median(values), 2) for way, values in taken.items()},
        "over_forward": over | {"all": ratio(taken["all"], taken["forward"])},
        "allowed": most,
        "first_question_s": round(first, 2),
        "rounds": rounds,
        "met": all(over[name] <= most[name] for name in CAMS),
    }


def main() -> int:
    """Run everything, print the table, write the JSON; exit 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        settings = bundle_factory.settings_for(Path(text))
        lesion, which = shipped_or_alike(settings)
        found: dict[str, Any] = {"lesion_bundle": f"{which} {lesion.card.version}"}
        bundles = {"lesion": lesion} | classifiers(settings.model_roots[0])
        for name, bundle in bundles.items():
            found[name] = compare(bundle, options.rounds, shipped=name == "lesion")
            print(f"{name:10} {found[name]}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(found[name]["met"] for name in bundles) else 1


if __name__ == "__main__":
    sys.exit(main())

"""One scan: every method's map of the answer, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import EmptyMap, NoFeatureMap, NotFinite
from core.explain import (
    CAMS,
    STEADY_EVALUATIONS,
    STEADY_SAMPLES,
    CamRead,
    Explanation,
    agreement,
    curves_of,
    expected_gradients,
    heat_inside,
    partition_shap,
    read_features,
    stability,
)
from core.learning.rows import Row, load_mask, load_scan
from core.model import Predictor, preprocess
from core.scan import Scan

#: All of them come out of one run of the model.
FAST = tuple(CAMS)
#: These take seconds for each scan.
SLOW = ("expected-gradients", "partition-shap")
METHODS = (*FAST, *SLOW)

#: Figures of one method on one scan, by name; None where there is none.
Values: TypeAlias = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the methods are measured; with it and the seed the same figures come out again.

    Attributes
    ----------
    steps, orders
        Of the deletion and insertion curves, and the random orders beside them. Fewer steps than
        a page draws: an area needs no more.
    copies, slow_copies
        Noisy copies for the stability of the fast methods and of the slow ones.
    samples, evaluations
        Of expected gradients and of the partition.
    seed
        Of everything that is drawn.
    """

    steps: int = 8
    orders: int = 3
    copies: int = 2
    slow_copies: int = 1
    samples: int = 64
    evaluations: int = 300
    seed: int = 0

    @property
    def parameters(self) -> dict[str, int]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one scan.

    Attributes
    ----------
    target
        The class that was explained: the model's answer.
    lesion
        Share of the scan inside the outline, 0..1; None without one.
    scores
        Of every class, before softmax and calibration.
    methods
        Figures of each method by name.
    pairs
        ``(one, other)`` joined by a blank: figures of how far two methods' maps agree.
    """

    target: str
    lesion: float | None
    scores: tuple[float, ...]
    methods: Mapping[str, Values] = field(default_factory=dict)
    pairs: Mapping[str, Values] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Measured:
        """Return what :meth:`to_json` made."""
        return cls(
            str(found["target"]),
            found["lesion"],
            tuple(float(score) for score in found["scores"]),
            dict(found["methods"]),
            dict(found["pairs"]),
        )


def measure(model: Predictor, row: Row, methods: Sequence[str], plan: Plan) -> Measured:
    """Explain the answer to one scan by each method, and measure the maps.

    Costs about ``2 + (steps - 1) * (2 * methods + orders)`` forward passes for the curves, and
    for the class activation maps ``1 + copies`` runs with a gradient, however many they are.

    Raises
    ------
    ScanError
        The scan cannot be read.
    DatasetError
        Its file or its mask cannot be read.
    """
    scan = load_scan(row)
    lesion = load_mask(row, scan.height, scan.width) > 127
    work = _Work(model, scan, plan)
    maps: dict[str, Explanation] = {}
    figures: dict[str, dict[str, float | None]] = {}
    for name in methods:
        try:
            maps[name] = work.explain(name)
            figures[name] = {"empty": 0.0}
        except (EmptyMap, NotFinite):
            # Heat that is nowhere points nowhere: a miss, as in the evaluation of the model.
            figures[name] = {"empty": 1.0, "pointing": 0.0 if lesion.any() else None}
        except NoFeatureMap:
            continue
    drawn = curves_of(
        model, scan, list(maps.values()), steps=plan.steps, orders=plan.orders, seed=plan.seed
    ) if maps else ()  # fmt: skip
    for (name, shown), curve in zip(maps.items(), drawn, strict=True):
        steady = work.steady(name, shown)
        figures[name] |= {
            **_inside(shown, lesion),
            "deletion": curve.deletion_area,
            "insertion": curve.insertion_area,
            "faithfulness": curve.faithfulness,
            "beats_random": float(curve.beats_random),
            "stability": steady,
            "gap": shown.gap,
        }
    pairs = {
        f"{one} {other}": _agreed(maps[one], maps[other])
        for one, other in [*product(FAST, SLOW), SLOW]
        if one in maps and other in maps
    }
    return Measured(
        target=work.target,
        lesion=float(lesion.mean()) if lesion.any() else None,
        scores=tuple(float(score) for score in work.scores),
        methods=figures,
        pairs=pairs,
    )


class _Work:
    """One scan put to one model: what several methods need is asked for once."""

    def __init__(self, model: Predictor, scan: Scan, plan: Plan) -> None:
        self._model = model
        self._scan = scan
        self._plan = plan
        self._reads: dict[str, CamRead] = {}
        self.target = model.read(scan).answer
        spec = model.card.input
        pixels, _place = preprocess(scan.pixels if spec.channels == 3 else scan.grey, spec)
        self.scores = model.probe().scores(pixels[None])[0]

    def explain(self, name: str) -> Explanation:
        """Return the map of a method."""
        plan = self._plan
        return self._made(name, self._scan, plan.samples, plan.evaluations)

    def steady(self, name: str, shown: Explanation) -> float:
        """Return the rank correlation of a method's maps under noise that nobody sees."""
        plan, fast = self._plan, name in CAMS
        return stability(
            self._scan,
            lambda scan: self._made(name, scan, STEADY_SAMPLES, STEADY_EVALUATIONS),
            explanation=shown if fast else None,
            copies=plan.copies if fast else plan.slow_copies,
            seed=plan.seed,
        ).correlation

    def _made(self, name: str, scan: Scan, samples: int, evaluations: int) -> Explanation:
        if name in CAMS:
            if scan.digest not in self._reads:
                self._reads[scan.digest] = read_features(self._model, scan, self.target)
            return self._reads[scan.digest].explain(CAMS[name])
        seed = self._plan.seed
        if name == "expected-gradients":
            return expected_gradients(self._model, scan, self.target, samples=samples, seed=seed)
        return partition_shap(self._model, scan, self.target, evaluations=evaluations, seed=seed)


def _inside(shown: Explanation, lesion: NDArray[np.bool_]) -> dict[str, float | None]:
    if not lesion.any():
        return {"pointing": None, "inside": None}
    where = heat_inside(shown, lesion)
    return {"pointing": float(where.peak_inside), "inside": where.share}


def _agreed(one: Explanation, other: Explanation) -> dict[str, float | None]:
    found = agreement(one, other)
    return {
        "correlation": found.correlation,
        "overlap": found.overlap,
        "agree": float(found.agree),
    }

"""Whether each method's maps depend on what the network has learnt; for the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from core.errors import EmptyMap, NoFeatureMap, NotFinite, ScanError
from core.explain import (
    CAMS,
    Explanation,
    Randomised,
    Watch,
    by_method,
    randomised,
    read_features,
)
from core.learning.rows import Row, load_scan
from core.model import Predictor
from core.scan import Scan

#: Of the methods that take long: seven stages of the network are asked about every scan.
_SAMPLES, _EVALUATIONS = 16, 60


def randomised_figures(
    model: Predictor,
    rows: Sequence[Row],
    methods: Sequence[str],
    count: int,
    seed: int = 0,
    watch: Watch = lambda _done, _total: None,
) -> dict[str, Any] | None:
    """Shuffle a copy of the network's weights layer by layer and follow each method's maps.

    See :func:`core.explain.randomised`. The class is the positive one, whatever the answer.

    Parameters
    ----------
    model
        Whose bundle is copied.
    rows
        Scans in the order in which they are taken; one that cannot be read, or in which nothing
        speaks for the class, is left out.
    methods
        Names of :data:`core.learning.explained.METHODS`.
    count
        How many scans.
    seed
        Of the shuffling.
    watch
        Told after each map.

    Returns
    -------
    dict or None
        JSON values: ``target``, ``scans``, ``layers`` (those with weights), ``shuffled`` (how many
        of them are, at each depth) and ``methods``: each with ``method``, ``correlation`` and
        ``structure`` with the map of the network as it is, at each depth, ``unchanged`` (share of
        scans whose map agrees with it at the last one) and ``depends``. None where no scan is left.
    """
    target = model.card.positive
    names: list[str] = list(methods)
    scans: list[Scan] = []
    for row in rows:
        if len(scans) == count:
            break
        try:
            scan = load_scan(row)
            read = read_features(model, scan, target)
            for name in names:
                if name in CAMS:
                    read.explain(CAMS[name])
        except NoFeatureMap:
            names = [name for name in names if name not in CAMS]
        except (ScanError, EmptyMap, NotFinite):
            continue
        scans.append(scan)
    if not scans or not names:
        return None
    makers = {name: partial(_made, name, target) for name in names}
    found = randomised(model.bundle, scans, makers, seed=seed, watch=watch)
    return {
        "target": target,
        "scans": len(scans),
        "layers": found.layers,
        "shuffled": [depth.layers for depth in found.depths],
        "samples": _SAMPLES,
        "evaluations": _EVALUATIONS,
        "methods": [_of(found, name) for name in names],
    }


def _made(name: str, target: str, model: Any, scan: Scan) -> Explanation:
    return by_method(model, scan, name, target, samples=_SAMPLES, evaluations=_EVALUATIONS)


def _of(found: Randomised, name: str) -> dict[str, Any]:
    return {
        "method": name,
        "correlation": list(found.correlation(name)),
        "structure": list(found.structure(name)),
        "unchanged": found.unchanged(name),
        "depends": found.depends(name),
    }

"""From scans to a table: each figure of each method with its interval, by groups of scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.explain import CAMS
from core.learning.evaluation import _measures as measures
from core.learning.evaluation import intervals, resample
from core.learning.evaluation._measures import Values as Weights
from core.learning.explained._measure import Measured
from core.learning.rows import Row

SCHEMA = 1
#: By the name in a report: the figure of a scan and how the scans are put together.
_MEANS = (
    "pointing",
    "inside",
    "deletion",
    "insertion",
    "faithfulness",
    "beats_random",
    "empty",
)
#: From 0 to 1, of which Wilson's interval can be taken where all say the same.
_SHARES = {"pointing", "inside", "beats_random", "agree", "empty"}


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Figures of scans: (N,) each by name, NaN where there is none, and the scans' groups."""

    group: NDArray[np.str_]
    values: Mapping[str, NDArray[np.float64]]


def explained_report(
    rows: Sequence[Row],
    found: Mapping[int, Measured | None],
    labels: Sequence[str],
    positive: str,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what the methods came to, as JSON values.

    Parameters
    ----------
    rows, found
        The rows, and what was measured by the place of a row; None where it could not be read.
    labels, positive
        The model's.
    seed
        Of the resamples; cases are drawn whole.

    Returns
    -------
    dict
        ``n`` (scans that could be read), ``cases``, ``lesions`` (with an outline), ``unread``,
        ``labels``, ``positive``, ``lesion_area`` (mean share of the scan inside the outline: what
        even heat would have inside), ``methods`` and ``agreement``. A method has ``method``,
        ``class_specific``, ``n``, ``cases`` and its figures as ``{"value", "low", "high", "n"}``;
        gaps are shares of the range of the class's scores over all scans measured.
    """
    read = {place: each for place, each in sorted(found.items()) if each is not None}
    group = {place: f"{rows[place].source}/{rows[place].group}" for place in read}
    spans = _spans(read.values())
    methods: list[str] = list(
        dict.fromkeys(name for each in read.values() for name in each.methods)
    )
    pairs: list[str] = list(dict.fromkeys(name for each in read.values() for name in each.pairs))
    lesions = [each.lesion for each in read.values() if each.lesion is not None]
    return {
        "n": len(read),
        "cases": len(set(group.values())),
        "lesions": len(lesions),
        "unread": sum(each is None for each in found.values()),
        "labels": list(labels),
        "positive": positive,
        "lesion_area": float(np.mean(lesions)) if lesions else None,
        "methods": [_method(name, read, group, spans, labels, seed) for name in methods],
        "agreement": [_pair(name, read, group, seed) for name in pairs],
    }


def _spans(read: Any) -> NDArray[np.float64]:
    """Return how far the scores of each class reach over all scans."""
    scores = np.array([each.scores for each in read], np.float64)
    return np.asarray(np.ptp(scores, axis=0), np.float64) if len(scores) else np.zeros(0)


def _method(
    name: str,
    read: Mapping[int, Measured],
    group: Mapping[int, str],
    spans: NDArray[np.float64],
    labels: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    places = [place for place, each in read.items() if name in each.methods]
    table = _table(
        places, group, {p: read[p].methods[name] for p in places}, (*_MEANS, "stability")
    )
    gaps = np.full(len(places), np.nan)
    for at, place in enumerate(places):
        gap, span = read[place].methods[name].get("gap"), spans[labels.index(read[place].target)]
        if gap is not None and span > 0:
            gaps[at] = gap / span

    def of(weights: Weights) -> dict[str, Weights]:
        figures = {each: measures.mean(weights, table.values[each]) for each in _MEANS}
        return figures | {
            "stability": measures.median(weights, table.values["stability"]),
            "gap_median": measures.median(weights, gaps),
            "gap_high": measures.quantile(weights, gaps, 0.9),
        }

    known = dict(table.values) | {"gap_median": gaps, "gap_high": gaps}
    return {
        "method": name,
        "class_specific": CAMS[name].class_specific if name in CAMS else True,
        "n": len(places),
        "cases": len(set(table.group)),
        **_with_intervals(table, of, known, seed),
    }


def _pair(
    name: str, read: Mapping[int, Measured], group: Mapping[int, str], seed: int
) -> dict[str, Any]:
    places = [place for place, each in read.items() if name in each.pairs]
    names = ("correlation", "overlap", "agree")
    table = _table(places, group, {p: read[p].pairs[name] for p in places}, names)

    def of(weights: Weights) -> dict[str, Weights]:
        return {
            "correlation": measures.median(weights, table.values["correlation"]),
            "overlap": measures.median(weights, table.values["overlap"]),
            "agree": measures.mean(weights, table.values["agree"]),
        }

    one, _blank, other = name.partition(" ")
    return {
        "one": one,
        "other": other,
        "n": len(places),
        **_with_intervals(table, of, table.values, seed),
    }


def _table(
    places: Sequence[int],
    group: Mapping[int, str],
    figures: Mapping[int, Mapping[str, float | None]],
    names: Sequence[str],
) -> _Table:
    def value(place: int, name: str) -> float:
        found = figures[place].get(name)
        return np.nan if found is None else found

    return _Table(
        np.array([group[place] for place in places], np.str_),
        {name: np.array([value(p, name) for p in places], np.float64) for name in names},
    )


def _with_intervals(
    table: _Table, of: Any, known: Mapping[str, NDArray[np.float64]], seed: int
) -> dict[str, Any]:
    support = {name: (np.isfinite(known[name]),) for name in _SHARES & set(known)}
    found = intervals(resample(table, of, seed), support)
    return {
        name: entry | {"n": int(np.isfinite(known[name]).sum())} for name, entry in found.items()
    }

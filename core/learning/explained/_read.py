"""What is known of how faithful a bundle's explanations are, read into one checked form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.learning.evaluated import Figure, read_figures
from core.model import Bundle, evaluations


@dataclass(frozen=True, slots=True)
class Measure:
    """One method: its figures by name, of ``n`` scans of ``cases`` cases."""

    method: str
    class_specific: bool
    n: int
    cases: int
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """How far the maps of two methods agree on ``n`` scans: figures by name."""

    one: str
    other: str
    n: int
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of one method's maps as the network's weights were shuffled away.

    Attributes
    ----------
    correlation
        Mean rank correlation with the map of the network as it is, at each depth, -1..1.
    unchanged
        Share of scans whose map is still the same with all weights shuffled, 0..1.
    depends
        Whether the maps depend on what the network has learnt.
    """

    method: str
    correlation: tuple[float, ...]
    unchanged: float
    depends: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanations of a bundle, measured on a dataset.

    Attributes
    ----------
    name
        What it is called.
    n, cases, lesions
        Scans, the cases they are of, and how many have an outline.
    lesion_area
        Mean share of the scan inside the outline, 0..1: what even heat would have inside.
    methods, pairs
        In the order they were measured; whatever cannot be read is left out.
    data
        Name, split and fingerprint of the data, as far as they are told.
    damaged
        Whether a part was left out.
    forgotten
        By method, where the weights were shuffled away; on ``shuffled_scans`` scans.
    shuffled, layers
        How many layers were shuffled at each depth, and how many there are.
    """

    name: str
    n: int
    cases: int
    lesions: int
    lesion_area: float | None
    methods: tuple[Measure, ...]
    pairs: tuple[Pair, ...]
    data: Mapping[str, str] = field(default_factory=dict)
    damaged: bool = False
    forgotten: tuple[Forgotten, ...] = ()
    shuffled: tuple[int, ...] = ()
    layers: int = 0
    shuffled_scans: int = 0


def explained(bundle: Bundle) -> tuple[Explained, ...]:
    """Return what was measured of a bundle's explanations; never raises for what is damaged."""
    found = evaluations(bundle, "explanations")
    return tuple(read_explained(name, report) for name, report in found.items())


def read_explained(name: str, report: Mapping[str, Any]) -> Explained:
    """Return one report in its checked form; a part that cannot be read is left out."""
    damaged: list[str] = []
    methods, pairs = [], []
    for entry in _entries(report, "methods", damaged):
        try:
            methods.append(
                Measure(
                    str(entry["method"]),
                    entry["class_specific"] is True,
                    _count(entry["n"]),
                    _count(entry["cases"]),
                    read_figures(entry, damaged),
                )
            )
        except (KeyError, TypeError, ValueError):
            damaged.append("methods")
    for entry in _entries(report, "agreement", damaged):
        try:
            one, other = str(entry["one"]), str(entry["other"])
            pairs.append(Pair(one, other, _count(entry["n"]), read_figures(entry, damaged)))
        except (KeyError, TypeError, ValueError):
            damaged.append("agreement")
    shuffled, forgotten = _forgotten(report.get("randomised"), damaged)
    about: Mapping[str, Any] = report["randomised"] if forgotten else {}
    area = report.get("lesion_area")
    usable = isinstance(area, float) and 0 <= area <= 1
    data = report.get("data")
    return Explained(
        name=name,
        n=_count_or_none(report.get("n")),
        cases=_count_or_none(report.get("cases")),
        lesions=_count_or_none(report.get("lesions")),
        lesion_area=area if usable else None,
        methods=tuple(methods),
        pairs=tuple(pairs),
        data={str(k): str(v) for k, v in data.items()} if isinstance(data, Mapping) else {},
        damaged=bool(damaged),
        forgotten=forgotten,
        shuffled=shuffled,
        layers=_count_or_none(about.get("layers")),
        shuffled_scans=_count_or_none(about.get("scans")),
    )


def _forgotten(found: Any, damaged: list[str]) -> tuple[tuple[int, ...], tuple[Forgotten, ...]]:
    """Return the layers shuffled at each depth and what became of each method's maps."""
    if found is None:
        return (), ()
    try:
        shuffled = tuple(_count(each) for each in found["shuffled"])
        methods = tuple(
            Forgotten(
                str(entry["method"]),
                tuple(_within(each, -1.0) for each in entry["correlation"]),
                _within(entry["unchanged"], 0.0),
                entry["depends"] is True,
            )
            for entry in found["methods"]
        )
        if not shuffled or any(len(each.correlation) != len(shuffled) for each in methods):
            raise ValueError("a correlation for each depth is needed")
    except (KeyError, TypeError, ValueError):
        damaged.append("randomised")
        return (), ()
    return shuffled, methods


def _within(value: Any, low: float) -> float:
    found = float(value)
    if not low <= found <= 1:
        raise ValueError("a figure lies outside its range")
    return found


def _entries(report: Mapping[str, Any], key: str, damaged: list[str]) -> list[Mapping[str, Any]]:
    found = report.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        damaged.append(key)
        return []
    return found


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a count is needed")
    return value


def _count_or_none(value: Any) -> int:
    try:
        return _count(value)
    except ValueError:
        return 0

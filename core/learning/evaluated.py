"""An evaluation read into one checked form, whatever wrote it: a part that is damaged is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Source = Literal["report", "card", "scores"]
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; None where its source gives none."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """A bin of probabilities ``low``..``high``: what was said on average, and what came true.

    ``rate`` is the share of positives among the ``n`` scans, with its interval; all 0..1.
    """

    low: float
    high: float
    n: int
    mean: float | None = None
    rate: Figure | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many scans of each right label (rows) got each answer (columns).

    ``unread`` counts, by right label, the scans that could not be read; empty where none is told.
    """

    labels: tuple[str, ...]
    threshold: float
    counts: tuple[tuple[int, ...], ...]
    unread: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve by falling threshold; all 0..1."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    threshold: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point: its figures by name, among ``n`` scans."""

    name: str
    threshold: float
    n: int | None
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the scans: those whose attribute ``by`` has this value."""

    by: str
    value: str
    n: int
    positives: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Grade:
    """The figures under one change of the scans at one strength; ``unread`` could not be read."""

    change: str
    grade: float
    n: int
    unread: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The accuracy on the share of the scans that the model is surest of."""

    coverage: float
    n: int
    accuracy: Figure


@dataclass(frozen=True, slots=True)
class Answered:
    """The figures on the ``n`` scans that the app answers, at a threshold: ``coverage`` of all."""

    n: int
    coverage: float
    threshold: float
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class BesideReader:
    """A reader's BI-RADS categories and the model, on the ``n`` scans that have one.

    ``figures``: ROC-AUC of the ``reader`` and of the ``model``, and their ``difference``.
    """

    n: int
    positives: int
    figures: Mapping[str, Figure]
    not_understood: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of one set of scans. Every part may be missing.

    Attributes
    ----------
    name, source
        What it is called, and where it is from: an attached report, the card, or the bundle's
        validation scores alone.
    n, positives
        Scans that the figures are of, and how many of them were of the positive label.
    refused, unread, abstained
        Scans the app gives no answer to, those of them that could not be read at all, and those
        the model is not sure of. Where ``unread`` is None the refused are not among the ``n``;
        else they are, and what could not be read counts as wrong.
    figures
        Headline figures by name, as ``docs/evaluation.md`` explains them.
    bins, confusion, roc, pr, points, groups, coverage, answered, beside_reader, robustness
        The parts of a report.
    from_scores
        Whether curves, bins and confusion come from the bundle's validation scores.
    data
        Name, split and fingerprint of the data, as far as they are told.
    damaged
        Names of the parts that are there and cannot be read.
    """

    name: str
    source: Source
    n: int | None = None
    positives: int | None = None
    refused: int | None = None
    unread: int | None = None
    abstained: int | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    bins: tuple[ReliabilityBin, ...] = ()
    confusion: Confusion | None = None
    roc: Curve | None = None
    pr: Curve | None = None
    points: tuple[Point, ...] = ()
    groups: tuple[Group, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    answered: Answered | None = None
    beside_reader: BesideReader | None = None
    robustness: tuple[Grade, ...] = ()
    from_scores: bool = False
    data: Mapping[str, str] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()


def read_evaluation(name: str, source: Source, report: Mapping[str, Any]) -> Evaluation:
    """Return an evaluation out of what a ``report.json`` or a card's metrics hold.

    Never raises: a part that cannot be read is left out and stands in ``damaged``.
    """
    damaged: list[str] = []

    def part(key: str, read: Callable[[Any], Part], nothing: Part) -> Part:
        value: Any = report
        for step in key.split("."):
            if not isinstance(value, Mapping):
                damaged.append(key.partition(".")[0])
                return nothing
            if step not in value:
                return nothing
            value = value[step]
        try:
            return read(value)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
            damaged.append(key.partition(".")[0])
            return nothing

    drawn: Confusion | None = part("confusion", read_confusion, None)
    bins: tuple[ReliabilityBin, ...] = part("calibration.bins", read_bins, ())
    return Evaluation(
        name=name,
        source=source,
        n=part("n", _count, None),
        positives=_positives(drawn, report.get("positive")),
        refused=part("refused", _count, None),
        unread=part("unread", _count, None),
        abstained=part("abstained", _count, None),
        figures=read_figures(report, damaged),
        bins=bins,
        confusion=drawn,
        roc=part("curves.roc", read_curve, None),
        pr=part("curves.pr", read_curve, None),
        points=part("operating_points", _list_of(_point), ()),
        groups=part("subgroups", _list_of(_group), ()),
        coverage=part("selective", _list_of(_coverage), ()),
        answered=part("answered", _answered, None),
        beside_reader=part("beside_reader", _beside_reader, None),
        robustness=part("robustness", _list_of(_grade), ()),
        data=part("data", _words, {}),
        damaged=tuple(dict.fromkeys(damaged)),
    )


def _list_of(read: Callable[[Any], Part]) -> Callable[[Any], tuple[Part, ...]]:
    def many(values: Any) -> tuple[Part, ...]:
        return tuple(read(value) for value in _sequence(values))

    return many


def _sequence(values: Any) -> Sequence[Any]:
    if not isinstance(values, list | tuple):
        raise TypeError("a list is needed")
    return values


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a count is needed")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return float(value)


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError("a share must lie from 0 to 1")
    return number


def read_figures(entries: Mapping[str, Any], damaged: list[str] | None = None) -> dict[str, Figure]:
    """Return every entry that is a figure; names of those that cannot be read go to ``damaged``.

    Raises
    ------
    TypeError, ValueError
        One cannot be read and there is no ``damaged``.
    """
    found = {}
    for name, entry in entries.items():
        if isinstance(entry, Mapping) and "value" in entry:
            try:
                found[str(name)] = _figure(entry)
            except (TypeError, ValueError):
                if damaged is None:
                    raise
                damaged.append(str(name))
    return found


def _figure(entry: Mapping[str, Any]) -> Figure:
    value = _number(entry["value"])
    low, high = entry.get("low"), entry.get("high")
    n = entry.get("n")
    if low is None or high is None:
        return Figure(value, n=None if n is None else _count(n))
    low, high = _number(low), _number(high)
    if not low <= value <= high:
        raise ValueError("a figure must lie in its interval")
    return Figure(value, low, high, None if n is None else _count(n))


def read_bins(entries: Any) -> tuple[ReliabilityBin, ...]:
    """Return the bins of a reliability diagram; raises for what is none."""
    found = []
    for entry in _sequence(entries):
        n = _count(entry["n"])
        low, high = _share(entry["low"]), _share(entry["high"])
        if not n:
            found.append(ReliabilityBin(low, high, 0))
            continue
        rate = Figure(_share(entry["rate"]), _share(entry["rate_low"]), _share(entry["rate_high"]))
        found.append(ReliabilityBin(low, high, n, _share(entry["mean"]), rate))
    return tuple(found)


def read_confusion(entry: Any) -> Confusion:
    """Return a confusion matrix; raises for what is none."""
    labels = tuple(str(label) for label in _sequence(entry["labels"]))
    counts = tuple(tuple(_count(n) for n in _sequence(row)) for row in _sequence(entry["counts"]))
    if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        raise ValueError("the counts must be square over the labels")
    unread = tuple(_count(n) for n in _sequence(entry.get("unread", ())))
    if unread and len(unread) != len(labels):
        raise ValueError("unread scans must be counted for each label")
    return Confusion(labels, _share(entry["threshold"]), counts, unread)


def _positives(drawn: Confusion | None, positive: Any) -> int | None:
    if drawn is None or positive not in drawn.labels:
        return None
    place = drawn.labels.index(positive)
    return sum(drawn.counts[place]) + (drawn.unread[place] if drawn.unread else 0)


def read_curve(points: Any) -> Curve:
    """Return a curve out of triples of x, y and threshold; raises for what is none."""
    rows = [(_share(x), _share(y), _number(t)) for x, y, t in _sequence(points)]
    if len(rows) < 2:
        raise ValueError("a curve needs two points")
    x, y, threshold = zip(*rows, strict=True)
    return Curve(x, y, threshold)


def _point(entry: Any) -> Point:
    n = entry.get("n")
    return Point(
        str(entry["name"]),
        _share(entry["threshold"]),
        None if n is None else _count(n),
        read_figures(entry),
    )


def _group(entry: Any) -> Group:
    return Group(
        str(entry["by"]),
        str(entry["value"]),
        _count(entry["n"]),
        _count(entry["positives"]),
        read_figures(entry),
    )


def _coverage(entry: Any) -> Coverage:
    return Coverage(_share(entry["coverage"]), _count(entry["n"]), _figure(entry["accuracy"]))


def _answered(entry: Any) -> Answered:
    return Answered(
        _count(entry["n"]),
        _share(entry["coverage"]),
        # Before it was told, the figures were those at one half.
        _share(entry.get("threshold", 0.5)),
        read_figures(entry),
    )


def _beside_reader(entry: Any) -> BesideReader:
    figures = read_figures(entry)
    return BesideReader(
        _count(entry["n"]),
        _count(entry["positives"]),
        {name: figures[name] for name in ("reader", "model", "difference")},
        _count(entry.get("not_understood", 0)),
    )


def _grade(entry: Any) -> Grade:
    return Grade(
        str(entry["change"]),
        _number(entry["grade"]),
        _count(entry["n"]),
        # Before it was counted by itself, only what could not be read was refused.
        _count(entry["unread"] if "unread" in entry else entry["refused"]),
        read_figures(entry),
    )


def _words(entry: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in entry.items()}

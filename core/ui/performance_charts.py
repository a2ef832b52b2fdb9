"""How well a model does, drawn: each chart takes what was measured and computes nothing anew.

Colours stand against the dark and the light page alike, and none carries a meaning alone: what is
told apart by colour is told apart by dash, symbol or words too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.learning.evaluated import (
    Confusion,
    Coverage,
    Curve,
    Figure,
    Grade,
    Group,
    Point,
    ReliabilityBin,
)
from core.text import _
from core.ui.wording import class_name, percent, point_name

#: At least 3 : 1 against the ground of both themes (WCAG 2.2, 1.4.11).
LINE, MARK, QUIET = "#3f8cc4", "#c9761a", "#7d8790"
#: A group of fewer scans is drawn quietly: its interval says little.
SMALL_GROUP = 30
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")


def plain(text: str, most: int = 40) -> str:
    """Return somebody's text for a chart, which would take ``<`` for the beginning of a tag."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def roc_figure(curve: Curve, points: Sequence[Point], approved: str) -> go.Figure:
    """Draw sensitivity over false alarms, with the operating points on it."""
    figure = go.Figure()
    _diagonal(figure, _("chance"))
    figure.add_scatter(
        x=[100 * x for x in curve.x],
        y=[100 * y for y in curve.y],
        customdata=[100 * t for t in curve.threshold],
        mode="lines",
        line={"color": LINE, "width": 2.5, "shape": "linear"},
        name=_("this model"),
        hovertemplate="%{x:.0f}% · %{y:.0f}% · ≥ %{customdata:.0f}%<extra></extra>",
        showlegend=False,
    )
    for symbol, point in zip(_SYMBOLS, points, strict=False):
        found, spared = point.figures.get("sensitivity"), point.figures.get("specificity")
        if found is not None and spared is not None:
            _mark(
                figure,
                100 - 100 * spared.value,
                100 * found.value,
                point,
                symbol,
                approved,
                x_error=_error(spared, reverse=True),
                y_error=_error(found),
            )
    _square(figure, _("others flagged, %"), _("positives found, %"))
    return figure


def pr_figure(
    curve: Curve, points: Sequence[Point], approved: str, base: float | None
) -> go.Figure:
    """Draw precision over sensitivity; ``base`` is the share of positives, where all flagged lie."""
    figure = go.Figure()
    if base is not None:
        figure.add_hline(
            y=100 * base,
            line={"color": QUIET, "dash": "dot", "width": 1.5},
            annotation_text=_("all flagged: {share}").format(share=percent(base)),
            annotation_position="bottom left",
        )
    figure.add_scatter(
        x=[100 * x for x in curve.x],
        y=[100 * y for y in curve.y],
        customdata=[100 * t for t in curve.threshold],
        mode="lines",
        line={"color": LINE, "width": 2.5},
        hovertemplate="%{x:.0f}% · %{y:.0f}% · ≥ %{customdata:.0f}%<extra></extra>",
        showlegend=False,
    )
    for symbol, point in zip(_SYMBOLS, points, strict=False):
        found, precision = point.figures.get("sensitivity"), point.figures.get("ppv")
        if found is not None and precision is not None:
            _mark(
                figure,
                100 * found.value,
                100 * precision.value,
                point,
                symbol,
                approved,
                x_error=_error(found),
                y_error=_error(precision),
            )
    _square(figure, _("positives found, %"), _("positives among the flagged, %"))
    return figure


def reliability_figure(bins: Sequence[ReliabilityBin]) -> go.Figure:
    """Draw what came true over what was said, with intervals, and how many scans each bin holds."""
    drawn = [each for each in bins if each.rate is not None and each.mean is not None]
    figure = go.Figure()
    figure.add_bar(
        x=[50 * (each.low + each.high) for each in bins],
        y=[each.n for each in bins],
        width=[100 * (each.high - each.low) * 0.9 for each in bins],
        yaxis="y2",
        marker={"color": QUIET, "opacity": 0.35},
        text=[str(each.n) if each.n else "" for each in bins],
        textposition="outside",
        cliponaxis=False,
        name=_("scans in the bin"),
        hoverinfo="skip",
    )
    _diagonal(figure, _("as said"))
    figure.add_scatter(
        x=[100 * (each.mean or 0) for each in drawn],
        y=[100 * each.rate.value for each in drawn if each.rate],
        error_y=_errors([each.rate for each in drawn if each.rate]),
        customdata=[each.n for each in drawn],
        mode="markers",
        marker={"color": LINE, "size": 9},
        name=_("came true, 95% interval"),
        hovertemplate="%{x:.0f}% → %{y:.0f}%, n = %{customdata}<extra></extra>",
    )
    _square(figure, _("probability said, %"), _("positives among them, %"))
    most = max((each.n for each in bins), default=1)
    figure.update_layout(
        # The counts stay in the lower third, out of the way of the points.
        yaxis2={
            "overlaying": "y",
            "side": "right",
            "range": [0, max(1, most) * 3.4],
            "visible": False,
        },
        legend={"orientation": "h", "y": -0.22},
    )
    return figure


def confusion_figure(confusion: Confusion, positive: str) -> go.Figure:
    """Draw how many scans of each right label got each answer, and which share of the label."""
    names = [label_name(label, positive) for label in confusion.labels]
    sums = [sum(row) for row in confusion.counts]
    shares = [
        [n / total if total else 0.0 for n in row]
        for row, total in zip(confusion.counts, sums, strict=True)
    ]
    text = [
        [f"{n}<br>{percent(share)}" for n, share in zip(row, line, strict=True)]
        for row, line in zip(confusion.counts, shares, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=[f"{name} (n = {total})" for name, total in zip(names, sums, strict=True)],
            text=text,
            texttemplate="%{text}",
            textfont={"size": 14},
            zmin=0,
            zmax=1,
            # Light to dark blue; the letters take black or white by the cell they stand on.
            colorscale=[[0, "#e3edf5"], [0.5, "#7fb0d6"], [1, "#174a73"]],
            showscale=False,
            xgap=2,
            ygap=2,
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        height=340,
        margin=_MARGIN,
        xaxis={"title": _("answer"), "fixedrange": True},
        yaxis={"title": _("right label"), "autorange": "reversed", "fixedrange": True},
    )
    return figure


def label_name(label: str, positive: str) -> str:
    """Return a label's name; the empty one stands for all that are not positive."""
    if not label:
        return _("not {label}").format(label=plain(class_name(positive)))
    return plain(class_name(label))


def groups_figure(groups: Sequence[Group], name: str, whole: Figure | None) -> go.Figure:
    """Draw one figure of every subgroup with its interval, and that of all scans as a line.

    Small groups are grey, hollow, and named as small.
    """
    shown = [group for group in groups if name in group.figures][::-1]
    labels = [_group_label(group) for group in shown]
    figure = go.Figure()
    for small in (False, True):
        chosen = [
            (label, group)
            for label, group in zip(labels, shown, strict=True)
            if (group.n < SMALL_GROUP) is small
        ]
        values = [group.figures[name] for _label, group in chosen]
        figure.add_scatter(
            x=[100 * value.value for value in values],
            y=[label for label, _group in chosen],
            error_x=_errors(values, QUIET if small else LINE),
            mode="markers",
            marker={
                "color": QUIET if small else LINE,
                "size": 9,
                "symbol": "circle-open" if small else "circle",
            },
            hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
        )
    if whole is not None:
        figure.add_vline(
            x=100 * whole.value,
            line={"color": MARK, "dash": "dash", "width": 1.5},
            annotation_text=_("all scans"),
            annotation_position="top",
        )
    figure.update_layout(
        height=90 + 34 * len(shown),
        margin=_MARGIN | {"t": 34},
        showlegend=False,
        xaxis={"range": [0, 102], "ticksuffix": "%", "fixedrange": True},
        yaxis={
            "categoryorder": "array",
            "categoryarray": labels,
            "fixedrange": True,
            "automargin": True,
        },
    )
    return figure


def _group_label(group: Group) -> str:
    words = _("{value} (n = {n})").format(value=plain(group.value, 24), n=group.n)
    return f"{words} · {_('small')}" if group.n < SMALL_GROUP else words


def coverage_figure(levels: Sequence[Coverage]) -> go.Figure:
    """Draw the accuracy on the scans the model is surest of, over their share."""
    ordered = sorted(levels, key=lambda level: level.coverage)
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * level.coverage for level in ordered],
        y=[100 * level.accuracy.value for level in ordered],
        error_y=_errors([level.accuracy for level in ordered]),
        customdata=[level.n for level in ordered],
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x:.0f}%: %{y:.1f}%, n = %{customdata}<extra></extra>",
    )
    figure.update_layout(
        height=300,
        margin=_MARGIN,
        showlegend=False,
        xaxis={"title": _("share of scans answered, %"), "range": [104, 46], "fixedrange": True},
        yaxis={"title": _("accuracy, %"), "rangemode": "normal", "fixedrange": True},
    )
    return figure


def robustness_figure(
    grades: Sequence[Grade], name: str, untouched: Figure | None, names: Mapping[str, str]
) -> go.Figure:
    """Draw one figure over the grades of every change, beginning with the untouched scans.

    Parameters
    ----------
    names
        What to call the changes.
    """
    figure = go.Figure()
    changes = list(dict.fromkeys(grade.change for grade in grades if name in grade.figures))
    for place, change in enumerate(changes):
        steps = [g for g in grades if g.change == change and name in g.figures]
        values = [step.figures[name] for step in steps]
        x = list(range(1, len(steps) + 1))
        told = [f"{step.grade:g}" for step in steps]
        y = [100 * value.value for value in values]
        if untouched is not None:
            x, y, told = [0, *x], [100 * untouched.value, *y], [_("untouched"), *told]
            values = [untouched, *values]
        figure.add_scatter(
            x=x,
            y=y,
            error_y=_errors(values, QUIET, thin=True),
            customdata=told,
            mode="lines+markers",
            line={"dash": _DASHES[place % len(_DASHES)], "width": 2},
            marker={"symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 9},
            name=plain(names.get(change, change)),
            hovertemplate="%{customdata}: %{y:.1f}%",
        )
    figure.update_layout(
        height=360,
        margin=_MARGIN,
        xaxis={
            "title": _("step of the change (0: untouched)"),
            "dtick": 1,
            "fixedrange": True,
        },
        yaxis={"title": "%", "fixedrange": True},
        legend={"orientation": "h", "y": -0.25},
    )
    return figure


_MARGIN: dict[str, Any] = {"l": 10, "r": 10, "t": 20, "b": 10}


def _square(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        height=340,
        margin=_MARGIN,
        xaxis={"title": x, "range": [-2, 102], "fixedrange": True, "zeroline": False},
        yaxis={"title": y, "range": [-2, 104], "fixedrange": True, "zeroline": False},
        legend={"orientation": "h", "y": -0.22},
    )


def _diagonal(figure: go.Figure, name: str) -> None:
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": QUIET, "dash": "dot", "width": 1.5},
        name=name,
        hoverinfo="skip",
    )


def _mark(
    figure: go.Figure,
    x: float,
    y: float,
    point: Point,
    symbol: str,
    approved: str,
    **errors: Any,
) -> None:
    """Put an operating point on a curve; the approved one is filled and named so."""
    chosen = point.name == approved
    name = plain(point_name(point.name))
    words = _("approved: {name}").format(name=name) if chosen else name
    figure.add_scatter(
        x=[x],
        y=[y],
        error_x=errors["x_error"],
        error_y=errors["y_error"],
        mode="markers",
        marker={
            "color": MARK,
            "size": 12 if chosen else 10,
            "symbol": symbol if chosen else f"{symbol}-open",
            "line": {"width": 2, "color": MARK},
        },
        name=_("{name}, {threshold}").format(name=words, threshold=percent(point.threshold)),
        hovertemplate="%{x:.0f}% · %{y:.0f}%",
    )


def _error(figure: Figure, *, reverse: bool = False) -> dict[str, Any]:
    """Return the interval of a figure as error bars; ``reverse`` for one minus it."""
    if figure.low is None or figure.high is None:
        return {"visible": False}
    up, down = 100 * (figure.high - figure.value), 100 * (figure.value - figure.low)
    if reverse:
        up, down = down, up
    return {
        "type": "data",
        "symmetric": False,
        "array": [up],
        "arrayminus": [down],
        "color": MARK,
        "thickness": 1.2,
    }


def _errors(figures: Sequence[Figure], colour: str = LINE, *, thin: bool = False) -> dict[str, Any]:
    ups = [100 * ((figure.high or figure.value) - figure.value) for figure in figures]
    lows = [figure.value if figure.low is None else figure.low for figure in figures]
    downs = [100 * (figure.value - low) for figure, low in zip(figures, lows, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": ups,
        "arrayminus": downs,
        "color": colour,
        "thickness": 0.8 if thin else 1.5,
        "width": 2 if thin else 4,
    }

"""How well a model does, drawn: each chart takes what was measured and computes nothing anew.

Colours stand against the dark and the light page alike, and none carries a meaning alone: what is
told apart by colour is told apart by dash, symbol or words too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from core.learning.evaluated import (
    Confusion,
    Curve,
    Figure,
    Point,
    ReliabilityBin,
)
from core.text import _
from core.ui.wording import class_name, percent, point_name

#: At least 3 : 1 against the ground of both themes (WCAG 2.2, 1.4.11).
LINE, MARK, QUIET = "#3f8cc4", "#c9761a", "#7d8790"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")


def legible(figure: go.Figure, colour: str | None) -> go.Figure:
    """Write everything on the axes in a colour that can be read; none leaves the theme's."""
    if colour is not None:
        for axes in (figure.update_xaxes, figure.update_yaxes):
            axes(tickfont={"color": colour}, title={"font": {"color": colour}})
        figure.update_annotations(font={"color": colour})
        figure.update_layout(legend={"font": {"color": colour}})
    return figure


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
    """Draw precision over sensitivity; ``base``: the share of positives, if all are flagged."""
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
    """Draw what came true over what was said, with intervals; below, how many scans a bin holds."""
    drawn = [each for each in bins if each.rate is not None and each.mean is not None]
    figure = go.Figure()
    _diagonal(figure, _("as said"))
    figure.add_scatter(
        x=[100 * (each.mean or 0) for each in drawn],
        y=[100 * each.rate.value for each in drawn if each.rate],
        error_y=error_bars([each.rate for each in drawn if each.rate], scale=100),
        customdata=[each.n for each in drawn],
        mode="markers",
        marker={"color": LINE, "size": 9},
        name=_("came true, 95% interval"),
        hovertemplate="%{x:.0f}% → %{y:.0f}%, n = %{customdata}<extra></extra>",
    )
    figure.add_bar(
        x=[50 * (each.low + each.high) for each in bins],
        y=[each.n for each in bins],
        width=[90 * (each.high - each.low) for each in bins],
        yaxis="y2",
        marker={"color": QUIET},
        text=[str(each.n) for each in bins],
        textposition="outside",
        cliponaxis=False,
        name=_("scans in the bin"),
        hoverinfo="skip",
    )
    _square(figure, _("probability said, %"), _("positives among them, %"))
    figure.update_layout(
        height=400,
        yaxis={"domain": [0.3, 1]},
        yaxis2={
            "domain": [0, 0.17],
            "range": [0, 1.35 * max([1, *(each.n for each in bins)])],
            "title": "n",
            "showticklabels": False,
            "fixedrange": True,
            "anchor": "x",
        },
        xaxis={"anchor": "y2"},
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
        [f"{n}<br>{percent(n / total) if total else '–'}" for n in row]
        for row, total in zip(confusion.counts, sums, strict=True)
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
        margin=MARGIN,
        xaxis={"title": _("answer"), "fixedrange": True},
        yaxis={"title": _("right label"), "autorange": "reversed", "fixedrange": True},
    )
    return figure


def label_name(label: str, positive: str) -> str:
    """Return a label's name; the empty one stands for all that are not positive."""
    if not label:
        return _("not {label}").format(label=plain(class_name(positive)))
    return plain(class_name(label))


MARGIN: dict[str, Any] = {"l": 10, "r": 10, "t": 20, "b": 10}


def _square(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        height=340,
        margin=MARGIN,
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


def error_bars(figures: Sequence[Figure], colour: str = LINE, scale: float = 1) -> dict[str, Any]:
    """Return intervals as the error bars of a chart whose axis is ``scale`` times the figures."""
    ups, downs = [], []
    for figure in figures:
        ups.append(0 if figure.high is None else scale * (figure.high - figure.value))
        downs.append(0 if figure.low is None else scale * (figure.value - figure.low))
    return {
        "type": "data",
        "symmetric": False,
        "array": ups,
        "arrayminus": downs,
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }

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
#: A group of fewer scans, or with fewer positives or fewer others, is drawn quietly.
FEW_SCANS, FEW_OF_A_KIND = 30, 10
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")


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
        error_y=_errors([each.rate for each in drawn if each.rate], scale=100),
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

    Groups of which little is known (:func:`says_little`) are grey, hollow, and called so.
    """
    shown = [group for group in groups if name in group.figures][::-1]
    labels = [_group_label(group) for group in shown]
    figure = go.Figure()
    for little in (False, True):
        chosen = [
            (label, group)
            for label, group in zip(labels, shown, strict=True)
            if says_little(group) is little
        ]
        values = [group.figures[name] for _label, group in chosen]
        figure.add_scatter(
            x=[value.value for value in values],
            y=[label for label, _group in chosen],
            error_x=_errors(values, QUIET if little else LINE),
            mode="markers",
            marker={
                "color": QUIET if little else LINE,
                "size": 9,
                "symbol": "circle-open" if little else "circle",
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    if whole is not None:
        figure.add_vline(
            x=whole.value,
            line={"color": MARK, "dash": "dash", "width": 1.5},
            annotation_text=_("all scans"),
            annotation_position="top",
        )
    figure.update_layout(
        height=96 + 34 * len(shown),
        margin=_MARGIN | {"t": 34},
        showlegend=False,
        xaxis={"range": [-0.02, 1.02], "fixedrange": True},
        yaxis={
            "categoryorder": "array",
            "categoryarray": labels,
            "fixedrange": True,
            "automargin": True,
        },
    )
    return figure


def says_little(group: Group) -> bool:
    """Tell whether a group, or its positives or its others, are too few to say much."""
    return group.n < FEW_SCANS or min(group.positives, group.n - group.positives) < FEW_OF_A_KIND


def _group_label(group: Group) -> str:
    words = _("{value} (n = {n}, {positives} positive)").format(
        value=plain(group.value, 24), n=group.n, positives=group.positives
    )
    return f"{words}<br><i>{_('few scans')}</i>" if says_little(group) else words


def coverage_figure(levels: Sequence[Coverage]) -> go.Figure:
    """Draw the accuracy on the scans the model is surest of, over their share."""
    ordered = sorted(levels, key=lambda level: level.coverage)
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * level.coverage for level in ordered],
        y=[100 * level.accuracy.value for level in ordered],
        error_y=_errors([level.accuracy for level in ordered], scale=100),
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
    steps: Sequence[Grade], name: str, untouched: Figure | None, limits: tuple[float, float]
) -> go.Figure:
    """Draw one figure over the grades of one change; a square marks the untouched scans.

    Parameters
    ----------
    steps
        The grades of one change.
    limits
        Ends of the upright axis, the same for all changes.
    """
    ordered = sorted(steps, key=lambda step: step.grade)
    values = [step.figures[name] for step in ordered]
    figure = go.Figure()
    figure.add_scatter(
        x=[step.grade for step in ordered],
        y=[value.value for value in values],
        error_y=_errors(values),
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x:g}: %{y:.3f}<extra></extra>",
    )
    neutral = _NEUTRAL.get(steps[0].change)
    if untouched is not None:
        figure.add_hline(y=untouched.value, line={"color": MARK, "dash": "dash", "width": 1.5})
        if neutral is not None:
            figure.add_scatter(
                x=[neutral],
                y=[untouched.value],
                error_y=_errors([untouched], MARK),
                mode="markers",
                marker={"color": MARK, "symbol": "square", "size": 9},
                hovertemplate=_("untouched") + ": %{y:.3f}<extra></extra>",
            )
    places = sorted(
        {step.grade for step in ordered} | ({neutral} if neutral is not None else set())
    )
    figure.update_layout(
        height=200,
        margin=_MARGIN,
        showlegend=False,
        xaxis={"tickvals": places, "fixedrange": True, "zeroline": False},
        yaxis={"range": limits, "fixedrange": True},
    )
    return figure


def limits_of(steps: Sequence[Grade], name: str, untouched: Figure | None) -> tuple[float, float]:
    """Return an axis that holds every interval of a figure under all changes."""
    figures = [step.figures[name] for step in steps]
    if untouched is not None:
        figures.append(untouched)
    lows = [figure.value if figure.low is None else figure.low for figure in figures]
    highs = [figure.value if figure.high is None else figure.high for figure in figures]
    room = 0.05 * (max(highs) - min(lows)) or 0.05
    return min(lows) - room, max(highs) + room


#: The grade of each change that leaves a scan as it is.
_NEUTRAL = {
    "brightness": 0.0,
    "contrast": 1.0,
    "speckle": 0.0,
    "blur": 0.0,
    "jpeg": 100.0,
    "downsampling": 1.0,
    "cropping": 0.0,
}
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


def _errors(figures: Sequence[Figure], colour: str = LINE, scale: float = 1) -> dict[str, Any]:
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

"""How a model does on parts of the scans, drawn: subgroups, its surest answers, worse scans."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.learning.evaluated import Coverage, Figure, Grade, Group
from core.learning.robustness import UNCHANGED
from core.text import _
from core.ui.performance_charts import LINE, MARGIN, MARK, QUIET, error_bars, plain
from core.ui.performance_words import group_value

#: A group of fewer scans, or with fewer positives or fewer others, is drawn quietly.
FEW_SCANS, FEW_OF_A_KIND = 30, 10


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
            error_x=error_bars(values, QUIET if little else LINE),
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
        height=96 + 46 * len(shown),
        margin=MARGIN | {"t": 34},
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
    size = _("n = {n}, {positives} positive").format(n=group.n, positives=group.positives)
    # Two lines, so that on a phone more than half is left for the intervals.
    lines = [plain(group_value(group.by, group.value), 24), size]
    if says_little(group):
        few = _("few scans")
        lines.append(f"<i>{few}</i>")
    return "<br>".join(lines)


def coverage_figure(levels: Sequence[Coverage]) -> go.Figure:
    """Draw the accuracy on the scans the model is surest of, over their share."""
    ordered = sorted(levels, key=lambda level: level.coverage)
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * level.coverage for level in ordered],
        y=[100 * level.accuracy.value for level in ordered],
        error_y=error_bars([level.accuracy for level in ordered], scale=100),
        customdata=[level.n for level in ordered],
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x:.0f}%: %{y:.1f}%, n = %{customdata}<extra></extra>",
    )
    figure.update_layout(
        height=300,
        margin=MARGIN,
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
        x=[f"{step.grade:g}" for step in ordered],
        y=[value.value for value in values],
        error_y=error_bars(values),
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x}: %{y:.3f}<extra></extra>",
    )
    neutral = UNCHANGED.get(steps[0].change)
    if untouched is not None:
        figure.add_hline(y=untouched.value, line={"color": MARK, "dash": "dash", "width": 1.5})
        if neutral is not None:
            figure.add_scatter(
                x=[f"{neutral:g}"],
                y=[untouched.value],
                error_y=error_bars([untouched], MARK),
                mode="markers",
                marker={"color": MARK, "symbol": "square", "size": 9},
                hovertemplate=_("untouched") + ": %{y:.3f}<extra></extra>",
            )
    places = sorted(
        {step.grade for step in ordered} | ({neutral} if neutral is not None else set())
    )
    figure.update_layout(
        height=200,
        margin=MARGIN,
        showlegend=False,
        # Evenly spaced: grades that lie close together would be written over each other.
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [f"{place:g}" for place in places],
            "fixedrange": True,
        },
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

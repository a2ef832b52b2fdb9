"""The parts of the performance page: figures, curves, points, groups, coverage, robustness."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.learning.evaluated import Evaluation, Figure
from core.model import Bundle
from core.text import _
from core.ui import performance_charts as charts
from core.ui import performance_parts as parts
from core.ui.performance_asides import show_answered, show_beside_reader
from core.ui.performance_words import (
    change_names,
    data_words,
    evaluation_name,
    figure_name,
    figure_names,
    group_name,
    group_value,
    in_brackets,
    in_order,
    lacking,
    number,
    part_name,
    source_words,
    spread,
    unanswered,
)
from core.ui.wording import percent, point_name

_CONFIG = {"displayModeBar": False, "displaylogo": False}
#: What may be followed over groups and grades, the first that is there being chosen.
_FOLLOWED = ("roc_auc", "recall", "specificity", "accuracy", "dice_mean", "mask_peak")


def show_evaluation(evaluation: Evaluation, bundle: Bundle) -> None:
    """Show everything that an evaluation holds, and say how to get what it lacks."""
    _about(evaluation)
    _headline(evaluation, bundle)
    _curves(evaluation, bundle)
    _points(evaluation, bundle)
    _groups(evaluation)
    if evaluation.beside_reader is not None:
        show_beside_reader(evaluation.beside_reader)
    _coverage(evaluation)
    _robustness(evaluation)
    _missing(evaluation, bundle)


def _about(evaluation: Evaluation) -> None:
    words = [source_words(evaluation)]
    if evaluation.positives is not None and evaluation.n:
        words.append(
            _("{positives} of {n} scans were positive ({share}).").format(
                positives=evaluation.positives,
                n=evaluation.n,
                share=percent(evaluation.positives / evaluation.n),
            )
        )
    words += unanswered(evaluation)
    st.caption(" ".join(words))
    if evaluation.data:
        st.text(data_words(evaluation.data))
    if evaluation.damaged:
        st.warning(
            _("Damaged and not shown: {parts}. Evaluate again to replace it.").format(
                parts=", ".join(part_name(part) for part in evaluation.damaged)
            ),
            icon=":material/broken_image:",
        )


def _headline(evaluation: Evaluation, bundle: Bundle) -> None:
    approved = bundle.card.approved
    point = next((p for p in evaluation.points if p.name == approved.name), None)
    shown: list[tuple[str, Figure | None, bool]] = [
        (_("ROC-AUC"), evaluation.figures.get("roc_auc"), False)
    ]
    if point is not None:
        shown += [
            (
                _("Sensitivity at the approved point"),
                point.figures.get("sensitivity"),
                True,
            ),
            (
                _("Specificity at the approved point"),
                point.figures.get("specificity"),
                True,
            ),
        ]
    shown += [
        (_("Calibration error"), evaluation.figures.get("ece"), False),
        (_("Dice, mean"), evaluation.figures.get("dice_mean"), False),
    ]
    with st.container(horizontal=True, gap="medium", key="headline"):
        for title, figure, as_percent in shown:
            if figure is None:
                continue
            value = percent(figure.value) if as_percent else number(figure)
            st.metric(
                title, value, delta=in_brackets(figure, as_percent), delta_color="off",
                delta_arrow="off", width="content",
            )  # fmt: skip
    if not evaluation.figures:
        st.info(_("This evaluation holds no figures."), icon=":material/info:")
        return
    with st.expander(
        _("All figures with their intervals"), icon=":material/table:", key="all-figures"
    ):
        known = figure_names()
        order = [name for name in known if name in evaluation.figures]
        order += [name for name in evaluation.figures if name not in known]
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        _("Figure"): figure_name(name),
                        _("Value"): number(evaluation.figures[name]),
                        _("95% interval"): spread(evaluation.figures[name]),
                        _("n"): _n_of(evaluation, name),
                        _("Meaning"): known[name][1] if name in known else "",
                    }
                    for name in order
                ]
            ),
            hide_index=True,
            key="figures-table",
            alt=_("Figures of {name}").format(name=evaluation_name(evaluation)),
        )


def _n_of(evaluation: Evaluation, name: str) -> str:
    own = evaluation.figures[name].n
    n = evaluation.n if own is None else own
    return "–" if n is None else str(n)


def _draw(figure: go.Figure, title: str, key: str, alt: str) -> None:
    st.markdown("**" + title + "**")
    _chart(figure, key, alt)


def _chart(figure: go.Figure, key: str, alt: str) -> None:
    # The grey of Streamlit's chart theme is too faint for small letters (WCAG 2.2, 1.4.3).
    ink = {"light": "#3f4b55", "dark": "#b6c2cb"}.get(st.context.theme.type or "")
    st.plotly_chart(charts.legible(figure, ink), config=_CONFIG, key=key, alt=alt)


def _curves(evaluation: Evaluation, bundle: Bundle) -> None:
    approved, positive = bundle.card.approved_operating_point, bundle.card.positive
    made: list[Any] = []
    if evaluation.roc is not None:
        roc = charts.roc_figure(evaluation.roc, evaluation.points, approved)
        area = evaluation.figures.get("roc_auc")
        alt = _("ROC curve, area {area}").format(area="–" if area is None else number(area))
        made.append((roc, _("ROC: positives found, and what it costs"), "roc", alt))
    if evaluation.pr is not None:
        base = (
            evaluation.positives / evaluation.n
            if evaluation.positives is not None and evaluation.n
            else None
        )
        pr = charts.pr_figure(evaluation.pr, evaluation.points, approved, base)
        area = evaluation.figures.get("pr_auc")
        alt = _("Precision-recall curve, average precision {area}").format(
            area="–" if area is None else number(area)
        )
        made.append((pr, _("Precision-recall: how many of the flagged are positive"), "pr", alt))
    if evaluation.bins:
        figure = charts.reliability_figure(evaluation.bins)
        alt = _("Reliability: what came true against what was said, in {n} bins").format(
            n=len(evaluation.bins)
        )
        made.append((figure, _("Reliability: does a probability come true?"), "reliability", alt))
    if evaluation.confusion is not None:
        figure = charts.confusion_figure(evaluation.confusion, positive)
        title = _("Confusion matrix at {threshold}").format(
            threshold=percent(evaluation.confusion.threshold)
        )
        made.append((figure, title, "confusion", _confusion_words(evaluation, positive)))
    for place in range(0, len(made), 2):
        for column, chart in zip(
            st.columns(2, gap="medium"), made[place : place + 2], strict=False
        ):
            with column:
                _draw(*chart)


def _confusion_words(evaluation: Evaluation, positive: str) -> str:
    drawn = evaluation.confusion
    if drawn is None:
        return ""
    names = [charts.label_name(label, positive) for label in drawn.labels]
    return "; ".join(
        _("{label}: {answers}").format(
            label=name,
            answers=", ".join(f"{n} {answer}" for n, answer in zip(row, names, strict=True)),
        )
        for name, row in zip(names, drawn.counts, strict=True)
    )


def _points(evaluation: Evaluation, bundle: Bundle) -> None:
    if not evaluation.points:
        return
    st.subheader(_("Operating points"), anchor=False)
    titles = {
        "sensitivity": _("Sensitivity"),
        "specificity": _("Specificity"),
        "ppv": _("Flagged that are positive (PPV)"),
        "npv": _("Not flagged that are not (NPV)"),
    }
    st.dataframe(
        pd.DataFrame(
            [
                {
                    _("Point"): (
                        _("{name} (approved)").format(name=point_name(point.name))
                        if point.name == bundle.card.approved_operating_point
                        else point_name(point.name)
                    ),
                    _("Flags from"): percent(point.threshold, 1),
                }
                | {title: _share(point.figures.get(name)) for name, title in titles.items()}
                | {_("n"): "–" if point.n is None else str(point.n)}
                for point in evaluation.points
            ]
        ),
        hide_index=True,
        key="points-table",
        alt=_("Operating points with their figures"),
    )
    st.caption(
        _("With 95% intervals. Predictive values hold at the prevalence of these scans only.")
    )


def _share(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return percent(figure.value)
    return f"{percent(figure.value)} ({percent(figure.low)}–{percent(figure.high)})"


def _choice(evaluation: Evaluation, held: list[str], key: str) -> str | None:
    offered = [name for name in _FOLLOWED if name in held]
    if not offered:
        return None
    chosen = st.selectbox(_("Figure"), offered, format_func=figure_name, key=key)
    return chosen if isinstance(chosen, str) else offered[0]


def _groups(evaluation: Evaluation) -> None:
    if not evaluation.groups:
        return
    st.subheader(_("Subgroups"), anchor=False)
    held = [name for group in evaluation.groups for name in group.figures]
    name = _choice(evaluation, held, "groups-figure")
    if name is None:
        return
    kinds = dict.fromkeys(group.by for group in evaluation.groups)
    columns = st.columns(2, gap="medium")
    for place, by in enumerate(kinds):
        part = in_order(by, (g for g in evaluation.groups if g.by == by and name in g.figures))
        if not part:
            continue
        with columns[place % 2]:
            alt = "; ".join(
                f"{group_value(by, g.value)} (n = {g.n}): {number(g.figures[name])} "
                f"({spread(g.figures[name])})"
                for g in part
            )
            # Another name is another data's own word: as plain text.
            st.text(group_name(by))
            whole = evaluation.figures.get(name)
            _chart(parts.groups_figure(part, name, whole), f"groups-{place}", alt)
    st.caption(
        _(
            "Lines are 95% intervals. Groups under {n} scans, or with under {few} positives or "
            "others, are grey and hollow: they say little. Groups under 10 are left out."
        ).format(n=parts.FEW_SCANS, few=parts.FEW_OF_A_KIND)
    )


def _coverage(evaluation: Evaluation) -> None:
    if evaluation.answered is not None:
        show_answered(evaluation.answered)
    if not evaluation.coverage:
        return
    st.subheader(_("If it could keep silent"), anchor=False)
    _draw(
        parts.coverage_figure(evaluation.coverage),
        _("Accuracy on the scans it is surest of"),
        "coverage",
        "; ".join(
            f"{percent(level.coverage)}: {_share(level.accuracy)}" for level in evaluation.coverage
        ),
    )


def _robustness(evaluation: Evaluation) -> None:
    if not evaluation.robustness:
        return
    st.subheader(_("When scans get worse"), anchor=False)
    held = [name for grade in evaluation.robustness for name in grade.figures]
    name = _choice(evaluation, held, "robustness-figure")
    if name is None:
        return
    names = change_names()
    steps = [grade for grade in evaluation.robustness if name in grade.figures]
    untouched = evaluation.figures.get(name)
    limits = parts.limits_of(steps, name, untouched)
    changes = list(dict.fromkeys(step.change for step in steps))
    for row in range(0, len(changes), 4):
        for column, change in zip(st.columns(4), changes[row : row + 4], strict=False):
            part = [step for step in steps if step.change == change]
            alt = "; ".join(f"{step.grade:g}: {number(step.figures[name])}" for step in part)
            with column:
                st.text(names.get(change, change))
                drawn = parts.robustness_figure(part, name, untouched, limits)
                _chart(drawn, f"robustness-{changes.index(change)}", alt)
    st.caption(_("Lines are 95% intervals; the square and the dashed line are untouched scans."))
    with st.expander(_("As a table"), icon=":material/table:", key="robustness-open"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        _("Change"): names.get(grade.change, grade.change),
                        _("Grade"): f"{grade.grade:g}",
                        figure_name(name): number(grade.figures[name]),
                        _("95% interval"): spread(grade.figures[name]),
                        _("n"): str(grade.n),
                        _("Not read"): str(grade.unread),
                    }
                    for grade in steps
                ]
            ),
            hide_index=True,
            key="robustness-table",
            alt=_("Figures under graded changes of the scans"),
        )


def _missing(evaluation: Evaluation, bundle: Bundle) -> None:
    lacks = lacking(evaluation)
    if not lacks:
        return
    st.info(
        _("Not in this evaluation: {parts}. A report attached to the model adds it:").format(
            parts=", ".join(lacks)
        ),
        icon=":material/add_chart:",
    )
    robust = " --robustness" if not evaluation.robustness else ""
    st.code(
        f"python -m core evaluate --model {bundle.card.task} --version {bundle.card.version} "
        f"--data FOLDER{robust} --attach",
        language=None,
        wrap_lines=True,
    )

"""The plots of an evaluation's page, drawn from its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from core.learning.page._plots import Plot
from core.learning.page._words import change_name, figure_name, number, plain
from core.learning.robustness import UNCHANGED
from core.model import point_name
from core.text import _, percent

Report = Mapping[str, Any]


def roc_plot(report: Report) -> Markup:
    """Draw the ROC curve with the operating points on it."""
    plot = Plot(
        _("ROC curve"),
        _("The area under it is {area}. The table has its numbers.").format(
            area=plain(report.get("roc_auc"))
        ),
        across=_("false alarms among the others"),
        up=_("sensitivity"),
    )
    plot.line([(0, 0), (1, 1)], "even")
    plot.line([(point[0], point[1]) for point in report["curves"]["roc"]], "a")
    for point in report["operating_points"]:
        if "sensitivity" in point and "specificity" in point:
            at = 1 - point["specificity"]["value"], point["sensitivity"]["value"]
            name = point_name(point["name"])
            plot.dot(at, "b", f"{name}: {plain(point['sensitivity'])}", size=5.5)
            # Beside the point, on the side where there is room.
            right = at[0] < 0.6
            place = at[0] + (0.03 if right else -0.03), at[1] - 0.05
            plot.word(place, name, "start" if right else "end")
    return plot.markup()


def pr_plot(report: Report) -> Markup:
    """Draw precision over recall; the level of chance is the share of positives."""
    share = report["positives"] / report["n"]
    plot = Plot(
        _("Precision and recall"),
        _("The average precision is {area}; chance gives {share}.").format(
            area=plain(report.get("pr_auc")), share=number(share)
        ),
        across=_("recall (sensitivity)"),
        up=_("precision"),
    )
    plot.line([(0, share), (1, share)], "even")
    # In steps, as the average precision adds them up.
    steps: list[tuple[float, float]] = []
    for recall, precision, _threshold in report["curves"]["pr"]:
        steps += [(steps[-1][0] if steps else 0.0, precision), (recall, precision)]
    plot.line(steps, "a")
    for point in report["operating_points"]:
        if "sensitivity" in point and "ppv" in point:
            at = point["sensitivity"]["value"], point["ppv"]["value"]
            plot.dot(at, "b", f"{point_name(point['name'])}: {plain(point['ppv'])}", size=5.5)
    return plot.markup()


def reliability_plot(report: Report) -> Markup:
    """Draw the rate that came true over the probability that was said."""
    plot = Plot(
        _("Reliability"),
        _("The expected calibration error is {ece}; the table has each bin.").format(
            ece=plain(report.get("ece"))
        ),
        across=_("probability that was said"),
        up=_("rate that came true"),
    )
    plot.line([(0, 0), (1, 1)], "even")
    for entry in report["calibration"]["bins"]:
        if entry["n"]:
            plot.whisker(entry["mean"], entry["rate_low"], entry["rate_high"], "a")
            about = f"{number(entry['mean'])}: {number(entry['rate'])}, n={entry['n']}"
            plot.dot((entry["mean"], entry["rate"]), "a", about)
    return plot.markup()


def bins_plot(report: Report) -> Markup:
    """Draw how many scans stand behind each bin of the reliability."""
    bins = report["calibration"]["bins"]
    largest = max(1, *(entry["n"] for entry in bins))
    plot = Plot(
        _("Scans by probability"),
        _("Most scans in a bin: {n}.").format(n=largest),
        across=_("probability that was said"),
        up=_("scans"),
        y=(0.0, 1.2 * largest),
        y_ticks=[(0.0, "0"), (float(largest), str(largest))],
        height=140,
    )
    for entry in bins:
        plot.bar(entry["low"], entry["high"], entry["n"], "a")
        middle = (entry["low"] + entry["high"]) / 2
        plot.word((middle, entry["n"]), str(entry["n"]), "middle", lift=3)
    return plot.markup()


def coverage_plot(report: Report) -> Markup:
    """Draw the accuracy over how many scans are answered."""
    entries = [entry for entry in report["selective"] if "accuracy" in entry]
    lowest = min((entry["accuracy"]["low"] for entry in entries), default=0.0)
    floor = 0.0 if lowest < 0.5 else 0.5
    plot = Plot(
        _("Coverage against accuracy"),
        _("Accuracy is {all} on all scans and {half} on the half it is surest of.").format(
            all=plain(entries[0]["accuracy"] if entries else None),
            half=plain(entries[-1]["accuracy"] if entries else None),
        ),
        across=_("share of the scans that are answered"),
        up=_("accuracy"),
        x=(0.5, 1.0),
        y=(floor, 1.0),
        x_ticks=[(share / 10, percent(share / 10)) for share in range(5, 11)],
        y_ticks=[(i / 10, f"{i / 10:g}") for i in range(11) if i / 10 >= floor],
    )
    low = [(entry["coverage"], entry["accuracy"]["low"]) for entry in entries]
    high = [(entry["coverage"], entry["accuracy"]["high"]) for entry in entries]
    if entries:
        plot.band(low, high, "a")
        plot.line([(e["coverage"], e["accuracy"]["value"]) for e in entries], "a")
    for entry in entries:
        about = f"{percent(entry['coverage'])}: {plain(entry['accuracy'])}"
        plot.dot((entry["coverage"], entry["accuracy"]["value"]), "a", about, size=3)
    return plot.markup()


#: Changes that are milder the larger their grade is.
_BEST_HIGH = frozenset({"jpeg", "downsampling"})
_FOLLOWED = (("accuracy", "a"), ("roc_auc", "b"), ("dice_mean", "c"))


def robustness_plots(report: Report) -> Iterator[tuple[str, Markup]]:
    """Draw three figures over the grades of each change, as (caption, image)."""
    for change in dict.fromkeys(entry["change"] for entry in report["robustness"]):
        entries = [entry for entry in report["robustness"] if entry["change"] == change]
        unchanged = UNCHANGED.get(change, 0.0)
        steps = [(entry["grade"], entry) for entry in entries]
        steps.append((unchanged, {**report, "grade": None}))
        # By strength: from what is unchanged on, or through it.
        steps.sort(key=lambda step: -step[0] if change in _BEST_HIGH else step[0])
        yield change_name(change), _robustness_plot(change_name(change), steps)


def _robustness_plot(title: str, steps: list[tuple[float, Report]]) -> Markup:
    ticks = [
        (float(at), _("none") if step["grade"] is None else f"{grade:g}")
        for at, (grade, step) in enumerate(steps)
    ]
    values = [
        step[key]["value"] for _grade, step in steps for key, _kind in _FOLLOWED if key in step
    ]
    floor = 0.0 if min(values, default=0.0) < 0.4 else 0.4
    plot = Plot(
        title,
        _("Accuracy, ROC-AUC and Dice at each step; the table has their numbers."),
        across=_("strength of the change"),
        up="",
        x=(-0.2, len(steps) - 0.8),
        y=(floor, 1.0),
        x_ticks=ticks,
        y_ticks=[(i / 5, f"{i / 5:g}") for i in range(6) if i / 5 >= floor],
        width=300,
        height=230,
    )
    for key, kind in _FOLLOWED:
        points = [
            (float(at), step[key]["value"], plain(step[key]))
            for at, (_grade, step) in enumerate(steps)
            if key in step
        ]
        if points:
            plot.line([(x, y) for x, y, _about in points], kind)
        for x, y, about in points:
            plot.dot((x, y), kind, f"{figure_name(key)}: {about}", size=3.2)
    return plot.markup()

"""The sections of an evaluation's page: each a question, its plots, and the table beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.learning.evaluation import HEADLINE
from core.learning.page._draw import (
    bins_plot,
    coverage_plot,
    pr_plot,
    reliability_plot,
    robustness_plots,
    roc_plot,
)
from core.learning.page._parts import Block, Picture, Section, Table, Tinted
from core.learning.page._plots import legend
from core.learning.page._words import cell, change_name, figure_about, figure_name, number, plain
from core.model import Card, class_name, point_name
from core.text import _, percent

Report = Mapping[str, Any]
_GROUP_FIGURES = ("roc_auc", "recall", "specificity", "dice_mean", "ece")
_ROBUST_FIGURES = ("accuracy", "roc_auc", "recall", "specificity", "ece", "dice_mean")


def sections(report: Report, card: Card) -> list[Section]:
    """Return the sections that the data have something to say about."""
    found = [
        _headline(report, card),
        _ranking(report),
        _points(report),
        _confusion(report),
        _calibration(report, card),
        _subgroups(report),
        _beside_reader(report),
        _coverage(report),
        _robustness(report),
        _worst(report),
        _problems(report),
    ]
    return [section for section in found if section is not None]


def _headline(report: Report, card: Card) -> Section:
    rows = [
        (figure_name(key), cell(report[key], key), figure_about(key))
        for key in HEADLINE
        if key in report
    ]
    missing = [figure_name(key) for key in HEADLINE if key not in report]
    rule = (
        _("{label} when its score is at least .5.")
        if card.calibration.method == "none"
        else _("{label} when its calibrated probability is at least .5.")
    )
    lead = [rule.format(label=_capital(class_name(report["positive"])))]
    if missing:
        lead.append(_("These data cannot give: {names}.").format(names=", ".join(missing)))
    header = (_("Figure"), _("Value, 95% interval"), _("Meaning"))
    table = Table(_("Headline figures"), header, rows, "loose")
    return Section("headline", _("Headline figures"), lead, [Block(table=table)])


def _ranking(report: Report) -> Section | None:
    curves = report["curves"]
    if "roc" not in curves:
        return None
    plots = [Picture(_("ROC curve"), roc_plot(report))]
    plots.append(Picture(_("Precision and recall"), pr_plot(report)))
    rows = []
    for i in range(11):
        reached = i / 10
        # The highest place of the curve that flags no more than this share of the others.
        roc = max((p for p in curves["roc"] if p[0] <= reached + 1e-12), key=lambda p: p[1])
        pr = next(p for p in curves["pr"] if p[0] >= reached - 1e-12)
        rows.append((f"{reached:.1f}", number(roc[1]), number(pr[1])))
    table = Table(
        _("The curves in numbers"),
        (
            _("At"),
            _("Sensitivity at so many false alarms"),
            _("Precision at such recall"),
        ),
        rows,
    )
    lead = _(
        "How well the probability puts scans in order, whatever the threshold. Diamonds are the "
        "model's operating points."
    )
    marks = legend((("a", _("the model")), ("even", _("no better than chance"))))
    return Section("ranking", _("Ranking"), [lead], [Block(plots, marks, table, pair=True)])


def _points(report: Report) -> Section:
    keys = ("sensitivity", "specificity", "ppv", "npv")
    rows = []
    for point in report["operating_points"]:
        name = point_name(point["name"])
        if point["name"] == report["approved_operating_point"]:
            name = _("{point} (approved)").format(point=name)
        rows.append(
            (
                name,
                number(point["threshold"]),
                str(point["flagged"]),
                *(cell(point.get(key)) for key in keys),
            )
        )
    header = (_("Point"), _("Threshold"), _("Flagged"), *(figure_name(key) for key in keys))
    share = percent(report["positives"] / report["n"])
    lead = _(
        "Predictive values hold for the share of {label} scans here, {share}; where fewer are, the "
        "positive one is lower."
    ).format(label=class_name(report["positive"]), share=share)
    return Section(
        "points",
        _("Operating points"),
        [lead],
        [Block(table=Table(_("At each named threshold"), header, rows, "close"))],
    )


def _confusion(report: Report) -> Section:
    blocks = []
    approved = report["confusion"]
    for matrix, caption in (
        (approved, _("At the approved point, from {threshold}")),
        (report["confusion_at_half"], _("From .5")),
    ):
        title = caption.format(threshold=number(matrix["threshold"]))
        blocks.append(Block(table=_matrix(matrix, title)))
    lead = _("Rows are the right labels, columns what the model answers; shares are of a row.")
    return Section("confusion", _("Confusion matrix"), [lead], blocks, side=True)


def _matrix(matrix: Report, caption: str) -> Table:
    labels, unread = matrix["labels"], matrix["unread"]
    rows = []
    for label, counts, lost in zip(labels, matrix["counts"], unread, strict=True):
        total = sum(counts) + lost
        shown = [*counts, lost] if any(unread) else counts
        cells = [
            Tinted(f"{n} ({percent(n / total)})" if total else "0", round(100 * n / max(total, 1)))
            for n in shown
        ]
        rows.append((class_name(label), *cells))
    header = ["", *map(class_name, labels), *([_("not read")] if any(unread) else [])]
    return Table(caption, header, rows, "matrix")


def _calibration(report: Report, card: Card) -> Section:
    rows = []
    for entry in report["calibration"]["bins"]:
        said = f"{entry['low']:.1f}–{entry['high']:.1f}"
        if not entry["n"]:
            rows.append((said, "0", "–", "–"))
            continue
        rate = {"value": entry["rate"], "low": entry["rate_low"], "high": entry["rate_high"]}
        rows.append((said, str(entry["n"]), number(entry["mean"]), plain(rate)))
    table = Table(
        _("What was said, and what came true"),
        (
            _("Probability"),
            _("Scans"),
            _("Mean said"),
            _("Rate that came true, 95% interval"),
        ),
        rows,
    )
    lead = [
        _(
            "On the diagonal a probability of 30% comes true in 30 of 100 scans. The bars show how "
            "many scans stand behind each point."
        )
    ]
    if card.calibration.method == "none":
        lead.append(_("This model is not calibrated: its scores are no probabilities."))
    plots = [Picture(_("Reliability"), reliability_plot(report)), Picture("", bins_plot(report))]
    marks = legend((("a", _("rate with its 95% interval")), ("even", _("right on average"))))
    return Section("calibration", _("Calibration"), lead, [Block(plots, marks, table)])


def _subgroups(report: Report) -> Section | None:
    groups = report["subgroups"]
    if not groups:
        return None
    blocks = []
    for by in dict.fromkeys(group["by"] for group in groups):
        chosen = [group for group in groups if group["by"] == by]
        if by == "lesion size":
            chosen.sort(key=lambda group: ("small", "medium", "large").index(group["value"]))
        rows = [
            (
                _group_value(by, group["value"]),
                f"{group['n']} ({group['positives']})",
                *(cell(group.get(key)) for key in _GROUP_FIGURES),
            )
            for group in chosen
        ]
        count = _("Scans ({label})").format(label=class_name(report["positive"]))
        header = (
            _capital(_group_name(by)),
            count,
            *(figure_name(key) for key in _GROUP_FIGURES),
        )
        caption = _("By {group}").format(group=_group_name(by))
        blocks.append(Block(table=Table(caption, header, rows, "close")))
    lead = _(
        "Groups of at least ten scans. With many groups some differ by chance: intervals that "
        "overlap are no finding."
    )
    return Section("subgroups", _("Subgroups"), [lead], blocks)


def _beside_reader(report: Report) -> Section | None:
    rated = report.get("beside_reader")
    if rated is None:
        return None
    lead = _(
        "How the BI-RADS categories that a reader gave rank the {n} scans that have one, "
        "{positives} of them positive, and how the model ranks the same scans. The reader may have "
        "seen more than the picture; a few categories rank more coarsely than a probability, and "
        "tell less among cases that were chosen by them. Category 6, given when the biopsy was "
        "known, is left out."
    ).format(n=rated["n"], positives=rated["positives"])
    leads = [lead]
    if rated.get("not_understood"):
        leads.append(
            _("{n} more have a word there that is no category.").format(n=rated["not_understood"])
        )
    table = Table(
        _("ROC-AUC on the scans with a category"),
        (_("Who"), _("Value, 95% interval")),
        [
            (_("Reader's category"), plain(rated["reader"])),
            (_("This model"), plain(rated["model"])),
            (_("Model less reader, on the same scans"), plain(rated["difference"])),
        ],
    )
    title = _("Beside the reader's own category")
    return Section("reader", title, leads, [Block(table=table)])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _group_name(by: str) -> str:
    return {
        "source": _("data set"),
        "device": _("device"),
        "birads": _("BI-RADS"),
        "lesion size": _("lesion size"),
    }.get(by, by)


def _group_value(by: str, value: str) -> str:
    if by != "lesion size":
        return value
    return {
        "small": _("small third"),
        "medium": _("middle third"),
        "large": _("large third"),
    }.get(value, value)


def _coverage(report: Report) -> Section:
    rows = [
        (percent(entry["coverage"]), str(entry["n"]), plain(entry.get("accuracy")))
        for entry in report["selective"]
    ]
    answered = report["answered"]
    lead = [
        _(
            "Accuracy on the scans that the model is surest of, if it may say “not sure” to the "
            "others. What it keeps silent about is left to the doctor, and not read right."
        ),
        _(
            "The app as it is answers {n} of {all} scans ({share}); their accuracy at its own "
            "operating point ({threshold}) is {accuracy}."
        ).format(
            n=answered["n"],
            all=report["n"],
            share=percent(answered["coverage"]),
            threshold=percent(answered["threshold"]),
            accuracy=plain(answered.get("accuracy")),
        ),
    ]
    table = Table(
        _("Coverage and accuracy"),
        (_("Answered"), _("Scans"), _("Accuracy, 95% interval")),
        rows,
    )
    plot = Picture(_("Coverage against accuracy"), coverage_plot(report))
    marks = legend((("a", _("accuracy with its 95% interval")),))
    return Section("coverage", _("When it may say “not sure”"), lead, [Block([plot], marks, table)])


def _robustness(report: Report) -> Section | None:
    changes = report.get("robustness")
    if not changes:
        return None
    rows = [
        (
            f"{change_name(entry['change'])} {entry['grade']:g}",
            str(entry["refused"]),
            *(plain(entry.get(key)) for key in _ROBUST_FIGURES),
        )
        for entry in changes
    ]
    as_it_is = (
        _("as they are"),
        str(report["refused"]),
        *(plain(report.get(key)) for key in _ROBUST_FIGURES),
    )
    header = (_("Change"), _("Refused"), *(figure_name(key) for key in _ROBUST_FIGURES))
    plots = [Picture(caption, svg) for caption, svg in robustness_plots(report)]
    marks = legend(
        (
            ("a", figure_name("accuracy")),
            ("b", figure_name("roc_auc")),
            ("c", figure_name("dice_mean")),
        )
    )
    lead = _(
        "The same scans made worse by known steps. The app refuses what fails the quality check; "
        "these figures count such scans all the same."
    )
    table = Table(_("Under each change"), header, [as_it_is, *rows], "wide")
    blocks = [Block(plots, marks), Block(table=table)]
    return Section("robustness", _("Robustness"), [lead], blocks)


def _worst(report: Report) -> Section | None:
    titles = {
        "missed": _("Missed at the approved point, least suspected first"),
        "false_alarms": _("False alarms at the approved point, most suspected first"),
        "outlines": _("Outlines with the lowest overlap"),
    }
    blocks = []
    for kind, title in titles.items():
        entries = report["worst"][kind]
        if not entries:
            continue
        rows = [
            (
                f"{entry['source']} {entry['entry']}",
                class_name(entry["label"]),
                number(entry["probability"]),
                number(entry["dice"]) if "dice" in entry else "–",
            )
            for entry in entries
        ]
        header = (_("Scan"), _("Label"), _("Probability"), _("Dice"))
        blocks.append(Block(table=Table(title, header, rows)))
    if not blocks:
        return None
    lead = _(
        "At most ten of a kind, by data set and entry: a line of the manifest, or the number in "
        "order. The table of scans has all of them."
    )
    return Section("worst", _("What went wrong"), [lead], blocks, side=True)


def _problems(report: Report) -> Section | None:
    entries = report["problems"]
    if not entries:
        return None
    most = 50
    rows = [
        (
            f"{entry['source']} {entry['entry']}",
            class_name(entry["label"]),
            _("counts as wrong") if entry["unread"] else _("counts as read"),
            entry["reason"],
        )
        for entry in entries[:most]
    ]
    lead = _("Scans to which the app gives no answer.")
    if len(entries) > most:
        lead += " " + _("The first {n} of {all}.").format(n=most, all=len(entries))
    header = (_("Scan"), _("Label"), _("In the figures"), _("Reason"))
    table = Table(_("Refused scans"), header, rows, "loose")
    return Section("problems", _("Refused scans"), [lead], [Block(table=table)])

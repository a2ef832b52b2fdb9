"""The words of an evaluation's page, and its figures in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from core.learning.page._plots import interval_bar
from core.model import Card, class_name, point_name
from core.text import _, percent

#: Figures that can lie beyond 0 and 1, and so have no bar.
_OPEN = frozenset({"calibration_slope", "calibration_intercept"})
Figure = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Tile:
    """One large number at the top: its name, itself, and what stands beside it."""

    name: str
    value: str
    beside: str


def figure_name(key: str) -> str:
    """Return what a headline figure is called."""
    return {
        "accuracy": _("Accuracy"),
        "balanced_accuracy": _("Balanced accuracy"),
        "precision": _("Precision"),
        "recall": _("Recall (sensitivity)"),
        "specificity": _("Specificity"),
        "f1": _("F1"),
        "roc_auc": _("ROC-AUC"),
        "pr_auc": _("PR-AUC (average precision)"),
        "brier": _("Brier score"),
        "ece": _("Expected calibration error"),
        "calibration_slope": _("Slope of the calibration"),
        "calibration_intercept": _("Intercept of the calibration"),
        "dice_mean": _("Dice, mean"),
        "dice_median": _("Dice, median"),
        "iou_mean": _("IoU, mean"),
        "mask_peak": _("Peak of the lesion map in the lesion"),
        "cam_pointing": _("Peak of the Grad-CAM in the lesion"),
        "false_outlines": _("Outlined without a lesion"),
        "sensitivity": _("Sensitivity"),
        "ppv": _("Positive predictive value"),
        "npv": _("Negative predictive value"),
    }[key]


def figure_about(key: str) -> str:
    """Say in a few words what a headline figure means."""
    return {
        "accuracy": _("share answered rightly at .5"),
        "balanced_accuracy": _("mean of recall and specificity"),
        "precision": _("share of the flagged that are positive"),
        "recall": _("share of the positive that are flagged"),
        "specificity": _("share of the others that are not flagged"),
        "f1": _("harmonic mean of precision and recall"),
        "roc_auc": _("chance that a positive scan scores above another"),
        "pr_auc": _("precision averaged over recall"),
        "brier": _("mean squared error of the probability; 0 is best"),
        "ece": _("gap between probability and rate over ten bins; 0 is best"),
        "calibration_slope": _("1 is right; below 1 the model is too sure of itself"),
        "calibration_intercept": _("0 is right"),
        "dice_mean": _("overlap with the mask, images with a lesion"),
        "dice_median": _("overlap with the mask, images with a lesion"),
        "iou_mean": _("overlap with the mask, images with a lesion"),
        "mask_peak": _("images with a lesion"),
        "cam_pointing": _("of the predicted class, images with a lesion"),
        "false_outlines": _("images without a lesion; 0 is best"),
    }[key]


def change_name(change: str) -> str:
    """Return what a graded change is called, with its unit."""
    return {
        "brightness": _("Brightness, grey levels"),
        "contrast": _("Contrast, factor"),
        "speckle": _("Speckle, deviation"),
        "blur": _("Blur, pixels"),
        "jpeg": _("JPEG, quality"),
        "downsampling": _("Downsampling, share of the side"),
        "cropping": _("Cropping, share of each side"),
    }.get(change, change)


def number(value: float) -> str:
    """Return a figure with three decimals, never rounded to certainty."""
    text = f"{value:.3f}"
    if text == "1.000" and value < 1:
        return ">0.999"
    if text in ("0.000", "-0.000") and value != 0:
        return "<0.001" if value > 0 else ">-0.001"
    return text


def spread(entry: Figure) -> str:
    """Return the 95 % interval of a figure."""
    return f"[{number(entry['low'])}, {number(entry['high'])}]"


def cell(entry: Figure | None, key: str = "") -> Markup:
    """Return a figure with its interval and, from 0 to 1, a small bar; a dash for none."""
    if entry is None:
        return Markup("–")
    bar = "" if key in _OPEN else interval_bar(entry["value"], entry["low"], entry["high"])
    return Markup('<span class="figure"><strong>{}</strong> {}</span>{}').format(
        number(entry["value"]), spread(entry), bar
    )


def plain(entry: Figure | None) -> str:
    """Return a figure with its interval; a dash for none."""
    return "–" if entry is None else f"{number(entry['value'])} {spread(entry)}"


def split_name(split: str) -> str:
    """Return the name of a split."""
    return _("all scans") if split == "all" else _("split {name}").format(name=split)


def subtitle(report: Mapping[str, Any], card: Card) -> str:
    """Return what was evaluated, when."""
    data = report["data"]
    return " · ".join(
        (
            str(data["name"]),
            split_name(str(data["split"])),
            _("{label} against the rest").format(label=class_name(card.positive)),
            str(report["made"])[:10],
        )
    )


def headline(report: Mapping[str, Any]) -> list[Tile]:
    """Return the numbers at the top."""
    tiles = [
        Tile(
            _("Scans"),
            str(report["n"]),
            _("of {cases} cases; {positives} {label}").format(
                cases=report["cases"],
                positives=report["positives"],
                label=class_name(report["positive"]),
            ),
        )
    ]
    if "roc_auc" in report:
        tiles.append(_tile(_("ROC-AUC"), report["roc_auc"]))
    approved = approved_point(report)
    for key in ("sensitivity", "specificity"):
        if key in approved:
            name = _("{figure}, approved point").format(figure=figure_name(key))
            tiles.append(_tile(name, approved[key]))
    tiles.extend(
        _tile(figure_name(key), report[key]) for key in ("ece", "dice_mean") if key in report
    )
    return tiles


def _tile(name: str, entry: Figure) -> Tile:
    return Tile(name, number(entry["value"]), spread(entry))


def approved_point(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of the approved operating point."""
    wanted = report["approved_operating_point"]
    return next(point for point in report["operating_points"] if point["name"] == wanted)


def notes(report: Mapping[str, Any]) -> list[str]:
    """Say what must be known before a figure is read."""
    found = [
        _(
            "Figures in brackets are 95% intervals from {n} bootstrap resamples of whole cases. "
            "They hold for data like these: {share} of the scans here are {label}."
        ).format(
            n=report["resamples"],
            share=percent(report["positives"] / report["n"]),
            label=class_name(report["positive"]),
        )
    ]
    counted = []
    if report["refused"]:
        counted.append(
            _(
                "The app would not answer {n} of the scans (quality, not a scan the model knows, "
                "or unreadable); those that could be read count in every figure by what the model "
                "says of them."
            ).format(n=report["refused"])
        )
    if report["unread"]:
        counted.append(
            _("{n} could not be read at all and count as answered wrongly.").format(
                n=report["unread"]
            )
        )
    if report["abstained"]:
        counted.append(
            _("For {n} more it would say “not sure”; they count too.").format(n=report["abstained"])
        )
    return found + ([" ".join(counted)] if counted else [])


def facts(report: Mapping[str, Any], card: Card) -> list[tuple[str, str]]:
    """Return what was evaluated on what, so that it can be done again."""
    model, data = report["model"], report["data"]
    return [
        (_("Model"), f"{model['task']} {model['version']}"),
        (_("Title"), card.title),
        (_("Digest of the bundle"), model["bundle_digest"]),
        (_("Data"), f"{data['name']} · {split_name(str(data['split']))}"),
        (_("Fingerprint of the data"), data["fingerprint"]),
        (_("Approved operating point"), point_name(report["approved_operating_point"])),
        (_("Made"), report["made"]),
        (_("Software"), f"Overread {report['software']}"),
    ]

"""The names of figures, groups and changes on the performance page, and what each means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.learning.evaluated import Evaluation, Figure, Group
from core.learning.performance import OF_SCORES
from core.text import _, percent


def figure_names() -> dict[str, tuple[str, str]]:
    """Return the name of each headline figure and what it means, in the order they are shown."""
    return {
        "roc_auc": (
            _("ROC-AUC"),
            _("chance that a positive scan scores above another; 0.5 is guessing"),
        ),
        "pr_auc": (_("Average precision"), _("area under the precision-recall curve")),
        "recall": (_("Sensitivity at 50%"), _("positives flagged when flagging from 50% on")),
        "specificity": (_("Specificity at 50%"), _("others spared when flagging from 50% on")),
        "precision": (_("Precision at 50%"), _("positives among the flagged, from 50% on")),
        "f1": (_("F1 at 50%"), _("harmonic mean of sensitivity and precision")),
        "accuracy": (_("Accuracy at 50%"), _("right answers of all")),
        "balanced_accuracy": (
            _("Balanced accuracy at 50%"),
            _("mean of sensitivity and specificity"),
        ),
        "brier": (_("Brier score"), _("mean squared error of the probability; 0 is best")),
        "ece": (
            _("Calibration error"),
            _("mean gap between what was said and what came true; 0 is best"),
        ),
        "calibration_slope": (
            _("Calibration slope"),
            _("1 is right; below 1 the model is too sure of itself"),
        ),
        "calibration_intercept": (_("Calibration intercept"), _("0 is right")),
        "dice_mean": (_("Dice, mean"), _("overlap of the lesion map with the true outline")),
        "dice_median": (_("Dice, median"), _("overlap of the lesion map with the true outline")),
        "iou_mean": (_("IoU, mean"), _("intersection over union of the same")),
        "mask_peak": (
            _("Peak of the lesion map in the lesion"),
            _("share of scans with a lesion"),
        ),
        "cam_pointing": (
            _("Peak of the heatmap in the lesion"),
            _("share of scans with a lesion; why heat is a check and no proof"),
        ),
        "false_outlines": (
            _("Outlined without a lesion"),
            _("share of scans without a lesion in which something is outlined; 0 is best"),
        ),
    }


def figure_name(name: str) -> str:
    """Return a figure's name; one we do not know is called as its source calls it."""
    known = figure_names().get(name)
    return name if known is None else known[0]


def number(figure: Figure) -> str:
    """Return the value of a figure as a table shows it."""
    return f"{figure.value:.3f}"


def spread(figure: Figure) -> str:
    """Return the 95 % interval of a figure, or a dash."""
    if figure.low is None or figure.high is None:
        return "–"
    return f"{figure.low:.3f} – {figure.high:.3f}"


def in_brackets(figure: Figure, as_percent: bool) -> str | None:
    """Return the 95 % interval of a figure as it stands under a large number."""
    if figure.low is None or figure.high is None:
        return _("no interval")
    if as_percent:
        return _("95%: {low}–{high}").format(low=percent(figure.low), high=percent(figure.high))
    return _("95%: {low}–{high}").format(low=f"{figure.low:.3f}", high=f"{figure.high:.3f}")


def group_name(by: str) -> str:
    """Return what scans are told apart by."""
    return {
        "source": _("Source"),
        "device": _("Scanner"),
        "birads": _("BI-RADS"),
        "lesion size": _("Lesion size"),
    }.get(by, by)


def group_value(by: str, value: str) -> str:
    """Return what a group of scans is called; most are the data's own words."""
    return _sizes().get(value, value) if by == "lesion size" else value


def in_order(by: str, groups: Iterable[Group]) -> list[Group]:
    """Return groups in the order they are read: sizes from small to large, others as they come."""
    sizes = list(_sizes())
    if by != "lesion size":
        return list(groups)
    return sorted(groups, key=lambda g: sizes.index(g.value) if g.value in sizes else len(sizes))


def _sizes() -> dict[str, str]:
    return {
        "small": _("small third"),
        "medium": _("middle third"),
        "large": _("large third"),
    }


def data_words(data: Mapping[str, str]) -> str:
    """Name the data of an evaluation; of a fingerprint as much as tells two apart."""
    names = {
        "name": _("Dataset"),
        "split": _("Split"),
        "fingerprint": _("Fingerprint of the data"),
    }
    return " · ".join(
        _("{head}: {rest}").format(head=names.get(name, name), rest=value[:40])
        for name, value in data.items()
    )


def change_names() -> dict[str, str]:
    """Return the names of the changes under which a model is tried, with their units."""
    return {
        "brightness": _("Brightness (grey levels)"),
        "contrast": _("Contrast (factor)"),
        "speckle": _("Speckle (deviation)"),
        "blur": _("Blur (pixels)"),
        "jpeg": _("JPEG (quality)"),
        "downsampling": _("Reduced (share of the side)"),
        "cropping": _("Cropped (share of each side)"),
    }


def evaluation_name(evaluation: Evaluation) -> str:
    """Return what an evaluation is called, with its n."""
    name = _("validation scores") if evaluation.name == OF_SCORES else evaluation.name
    if evaluation.n is None:
        return name
    return _("{name} (n = {n})").format(name=name, n=evaluation.n)


def source_words(evaluation: Evaluation) -> str:
    """Say where the figures of an evaluation come from."""
    words = {
        "report": _("From the evaluation report attached to this model."),
        "card": _("From the model's card."),
        "scores": _("Counted on the validation scores in the model's bundle."),
    }[evaluation.source]
    if evaluation.source == "card" and evaluation.from_scores:
        words += " " + _("Curves are drawn from the validation scores in its bundle.")
    return words


def part_name(part: str) -> str:
    """Return the name of a part of an evaluation."""
    return {
        "calibration": _("reliability"),
        "confusion": _("confusion matrix"),
        "curves": _("ROC and precision-recall curves"),
        "operating_points": _("operating points"),
        "subgroups": _("subgroups"),
        "selective": _("accuracy by coverage"),
        "robustness": _("robustness"),
        "answered": _("the scans it answers"),
        "beside_reader": _("the reader's own category"),
    }.get(part, figure_name(part))


def lacking(evaluation: Evaluation) -> list[str]:
    """Return the names of the parts an evaluation does not hold."""
    parts = {
        "calibration": evaluation.bins,
        "confusion": evaluation.confusion,
        "curves": evaluation.roc,
        "operating_points": evaluation.points,
        "subgroups": evaluation.groups,
        "selective": evaluation.coverage,
        "robustness": evaluation.robustness,
    }
    return [part_name(name) for name, value in parts.items() if not value]


def unanswered(evaluation: Evaluation) -> list[str]:
    """Say how many scans got no answer, and how the figures count them."""
    words = []
    if evaluation.unread is None:
        if evaluation.refused:
            words.append(
                _("{n} more could not be read and are not in the figures.").format(
                    n=evaluation.refused
                )
            )
        return words
    if evaluation.refused:
        words.append(
            _("{n} of them get no answer in the app; what could be read of them counts.").format(
                n=evaluation.refused
            )
        )
    if evaluation.unread:
        words.append(
            _("{n} could not be read at all and count as wrong.").format(n=evaluation.unread)
        )
    if evaluation.abstained:
        words.append(_("On {n} the model is not sure.").format(n=evaluation.abstained))
    return words

"""The names of classes, verdicts, states and other fixed terms on screen."""

from __future__ import annotations

from core.model import Prediction
from core.review import CaseState, EventKind, Origin, Problem, Stage, Urgency, Verdict
from core.text import _


def class_name(label: str) -> str:
    """Return a class's name; a model of the site's own may have classes we do not know."""
    return {
        "normal": _("normal"),
        "benign": _("benign"),
        "malignant": _("malignant"),
    }.get(label, label)


def percent(share: float, decimals: int = 0) -> str:
    """Return a share (0..1) in percent, whole unless told otherwise; never rounded to certainty."""
    value, step = share * 100, 10.0**-decimals
    if 0 < value < step:
        return f"<{step:.{decimals}f}%"
    if 100 - step < value < 100:
        return f">{100 - step:.{decimals}f}%"
    return f"{value:.{decimals}f}%"


def apart(probability: float, threshold: float) -> tuple[str, str]:
    """Return both in percent, with as many decimals as it takes to tell them apart."""
    most = 0 if probability == threshold else 3
    for decimals in range(most + 1):
        pair = percent(probability, decimals), percent(threshold, decimals)
        if pair[0] != pair[1]:
            break
    return pair


def answer_title(prediction: Prediction) -> str:
    """Return the answer at the approved operating point in a few words."""
    positive = class_name(prediction.positive)
    if prediction.flagged:
        return _("Flagged: {label}").format(label=positive)
    return _("Not flagged as {label}").format(label=positive)


def point_name(name: str) -> str:
    """Return an operating point's name; a site's own has the name its card gives it."""
    return {
        "balanced": _("balanced"),
        "sensitivity-95": _("95% sensitivity"),
        "specificity-95": _("95% specificity"),
    }.get(name, name)


def verdict_name(verdict: Verdict) -> str:
    """Return a verdict's name."""
    return {
        Verdict.ACCEPT: _("Accept"),
        Verdict.REJECT: _("Reject"),
        Verdict.SUPPLEMENT: _("Supplement"),
    }[verdict]


def origin_name(origin: Origin) -> str:
    """Return the name of what a label rests on."""
    return {
        Origin.BIOPSY: _("Biopsy"),
        Origin.FOLLOW_UP: _("Follow-up"),
        Origin.CONSENSUS: _("Consensus"),
        Origin.OPINION: _("Opinion"),
    }[origin]


def problem_name(problem: Problem) -> str:
    """Return the name of something that was wrong."""
    return {
        Problem.MISSED_LESION: _("Missed lesion"),
        Problem.FALSE_ALARM: _("False alarm"),
        Problem.WRONG_CLASS: _("Wrong class"),
        Problem.WRONG_OUTLINE: _("Wrong outline"),
        Problem.POOR_IMAGE: _("Poor image"),
        Problem.OTHER: _("Other"),
    }[problem]


def urgency_name(urgency: Urgency) -> str:
    """Return an urgency's name."""
    return {
        Urgency.ROUTINE: _("Routine"),
        Urgency.SOON: _("Soon"),
        Urgency.URGENT: _("Urgent"),
    }[urgency]


def state_name(state: CaseState) -> str:
    """Return a case state's name."""
    return {
        CaseState.OPEN: _("Waiting"),
        CaseState.READ: _("Read blind"),
        CaseState.REVEALED: _("Answers seen"),
        CaseState.CLOSED: _("Settled"),
    }[state]


def stage_name(stage: Stage) -> str:
    """Return when in the review a label was given."""
    return {
        Stage.BLIND: _("Blind read"),
        Stage.REVISED: _("Revised"),
        Stage.FINAL: _("Final"),
    }[stage]


def event_name(kind: EventKind) -> str:
    """Return what happened to a case."""
    return {
        EventKind.RECEIVED: _("Received"),
        EventKind.BLIND_READ: _("Read blind"),
        EventKind.REVEALED: _("Answers shown"),
        EventKind.REVISED: _("Label revised"),
        EventKind.COMMENTED: _("Comment"),
        EventKind.CLOSED: _("Settled"),
        EventKind.REOPENED: _("Reopened"),
    }[kind]


def confidence_name(step: int) -> str:
    """Return what a confidence of 1 to 5 means."""
    return {
        1: _("1 · guess"),
        2: _("2 · unsure"),
        3: _("3 · fairly sure"),
        4: _("4 · sure"),
        5: _("5 · certain"),
    }[step]


def confidence_choice(step: int) -> str:
    """Return a confidence as a button says it: words at the ends of the scale only."""
    return confidence_name(step) if step in (1, 5) else str(step)

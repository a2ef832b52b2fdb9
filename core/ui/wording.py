"""The names of classes, verdicts, states and other fixed terms on screen."""

from __future__ import annotations

from core.model import answer_title, class_name, point_name
from core.review import (
    CaseState,
    EventKind,
    Stage,
    Urgency,
    confidence_name,
    origin_name,
    problem_name,
    verdict_name,
)
from core.text import _, apart, percent
from core.trust import Role

__all__ = [
    "answer_title",
    "apart",
    "class_name",
    "confidence_choice",
    "confidence_name",
    "event_name",
    "origin_name",
    "percent",
    "point_name",
    "problem_name",
    "role_name",
    "stage_name",
    "state_name",
    "urgency_name",
    "verdict_name",
]


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


def confidence_choice(step: int) -> str:
    """Return a confidence as a button says it: words at the ends of the scale only."""
    return confidence_name(step) if step in (1, 5) else str(step)


def role_name(role: Role) -> str:
    """Return a role's name on screen."""
    return {
        Role.CLINICIAN: _("Clinician"),
        Role.REVIEWER: _("Reviewer"),
        Role.ADMINISTRATOR: _("Administrator"),
    }[role]

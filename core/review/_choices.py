"""The choices of the forms and the states of a case, as they are stored."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a clinician does with the model's answer."""

    ACCEPT = "accept"
    REJECT = "reject"
    SUPPLEMENT = "supplement"


class Origin(StrEnum):
    """What a label rests on."""

    BIOPSY = "biopsy"
    FOLLOW_UP = "follow_up"
    CONSENSUS = "consensus"
    OPINION = "opinion"


class Problem(StrEnum):
    """What was wrong with the model's answer or with the image."""

    MISSED_LESION = "missed_lesion"
    FALSE_ALARM = "false_alarm"
    WRONG_CLASS = "wrong_class"
    WRONG_OUTLINE = "wrong_outline"
    POOR_IMAGE = "poor_image"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon somebody should look, as the clinician put it."""

    ROUTINE = "routine"
    SOON = "soon"
    URGENT = "urgent"


class CaseState(StrEnum):
    """Where a case stands: waiting, read blind by somebody, revealed to somebody, settled."""

    OPEN = "open"
    READ = "read"
    REVEALED = "revealed"
    CLOSED = "closed"


class Stage(StrEnum):
    """When in the review a label was given."""

    BLIND = "blind"
    REVISED = "revised"
    FINAL = "final"


class EventKind(StrEnum):
    """What can happen to a case."""

    RECEIVED = "received"
    BLIND_READ = "blind_read"
    REVEALED = "revealed"
    REVISED = "revised"
    COMMENTED = "commented"
    CLOSED = "closed"
    REOPENED = "reopened"

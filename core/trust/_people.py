"""Roles, what each allows, and the people who hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection

from core.errors import PermissionDenied
from core.store import insert_new, schema
from core.text import _


class Role(StrEnum):
    """What a person comes to do; everybody has exactly one."""

    CLINICIAN = "clinician"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One thing that a role may or may not do."""

    #: Upload scans and see what the model answers.
    READ_SCANS = "read_scans"
    #: Send feedback on a scan, and see what became of one's own.
    SEND_FEEDBACK = "send_feedback"
    #: See the images and settled labels of other cases beside a scan that is being read.
    SEE_SETTLED = "see_settled"
    #: See which cases wait: case number, urgency, time and state, never an answer.
    SEE_QUEUE = "see_queue"
    #: Open a case, read it blind, and see the answers after that.
    REVIEW = "review"
    #: Close a case with its final label.
    SETTLE = "settle"
    #: See what a model is for and how well it does over many scans: no answer to a case.
    SEE_MODELS = "see_models"
    #: Manage people, models and settings of the site.
    MANAGE = "manage"


# Why each role lacks what it lacks:
# - a clinician neither reviews nor settles: nobody settles a case on which they gave an opinion;
# - a reviewer does not upload scans to the model: one could ask it about a case still to be
#   read blind;
# - only a clinician sees settled cases beside a scan, for whoever reads blind must see no outcome,
#   and whoever manages treats nobody;
# - everybody sees how well the models do in general: that tells a blind reader nothing of a case;
# - an administrator sees how long the queue is and may try a model, but neither opens a case nor
#   settles one: managing people is no licence to label, and without a blind read of one's own
#   there is nothing to reveal.
_ALLOWED: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.CLINICIAN: frozenset(
            {
                Permission.READ_SCANS,
                Permission.SEND_FEEDBACK,
                Permission.SEE_SETTLED,
                Permission.SEE_MODELS,
            }
        ),
        Role.REVIEWER: frozenset(
            {Permission.SEE_QUEUE, Permission.REVIEW, Permission.SETTLE, Permission.SEE_MODELS}
        ),
        Role.ADMINISTRATOR: frozenset(
            {
                Permission.READ_SCANS,
                Permission.SEE_QUEUE,
                Permission.SEE_MODELS,
                Permission.MANAGE,
            }
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in.

    Attributes
    ----------
    id
        Stable identifier, at most 64 characters; what entries in the store point to.
    name
        What colleagues call them.
    role
        What they may do.
    """

    id: str
    name: str
    role: Role


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return everything ``role`` allows."""
    return _ALLOWED[role]


def require(person: Person, permission: Permission) -> None:
    """Let ``person`` pass only if their role allows ``permission``.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    """
    if permission not in _ALLOWED[person.role]:
        raise PermissionDenied(
            _("Your role does not allow this. Sign in with one that does, or ask an administrator.")
        )


def demo_people() -> tuple[Person, ...]:
    """Return the three people of demo mode, one per role, with ids that never change."""
    return (
        Person("demo-clinician", "Demo clinician", Role.CLINICIAN),
        Person("demo-reviewer", "Demo reviewer", Role.REVIEWER),
        Person("demo-administrator", "Demo administrator", Role.ADMINISTRATOR),
    )


def remember(connection: Connection, person: Person) -> None:
    """Make sure ``person`` is in the store, so that entries can point to them.

    Part of the caller's transaction; a person who is known already stays as they are.
    """
    insert_new(
        connection,
        schema.people,
        {
            "id": person.id,
            "name": person.name,
            "role": person.role.value,
            "created_at": datetime.now(UTC),
        },
    )

"""How common the positives of a task are where a site works, as its administrators say.

Append-only: the newest entry of a task counts, and the ones before it stay as what was in force.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, insert, select

from core.errors import InvalidPrevalence
from core.model._card import TASK
from core.store import schema
from core.text import _
from core.trust import Permission, Person, remember, require

if TYPE_CHECKING:
    from core.store import Store

#: The least and the largest share that can be set.
SITE_PREVALENCE_RANGE = (0.001, 0.99)
_MOST_REASON = 500


@dataclass(frozen=True, slots=True)
class SitePrevalence:
    """One entry: what somebody set, and why.

    Attributes
    ----------
    id
        Number of the entry; later ones are larger.
    task
        Name of the task.
    share
        Share of the positive label at the site, 0.001..0.99; None takes back what was set.
    reason, person_id, person_name, at
        Why, by whom, when (aware).
    """

    id: int
    task: str
    share: float | None
    reason: str
    person_id: str
    person_name: str
    at: datetime


def site_prevalence(store: Store, task: str) -> SitePrevalence | None:
    """Return the entry in force for a task; None where none was set, or it was taken back.

    Everybody who is shown a probability is shown what it means at the site, so no permission is
    needed.

    Raises
    ------
    StoreUnavailable, StoreError
        It cannot be looked up.
    """
    with store.reading() as connection:
        newest = _newest(connection, task)
    return newest if newest is not None and newest.share is not None else None


def prevalence_history(store: Store, person: Person, task: str) -> tuple[SitePrevalence, ...]:
    """Return every entry of a task, newest first.

    Raises
    ------
    PermissionDenied
        The role does not manage the site.
    StoreUnavailable, StoreError
        It cannot be looked up.
    """
    require(person, Permission.MANAGE)
    with store.reading() as connection:
        return tuple(_entry(row) for row in connection.execute(_entries(task)))


def set_site_prevalence(
    store: Store,
    person: Person,
    task: str,
    share: float | None,
    reason: str,
    *,
    after: int | None,
) -> SitePrevalence:
    """Set the prevalence of a task at this site, or take it back.

    Parameters
    ----------
    store, person
        Where to, and who; needs ``MANAGE``.
    task
        Name of the task.
    share
        Share of the positive label, 0.001..0.99; None takes back what was set.
    reason
        Where the number comes from: 1 to 500 characters.
    after
        ``id`` of the newest entry the person saw, or None if there was none: what somebody else
        has set meanwhile is not overruled unseen.

    Returns
    -------
    The entry. Saying the same again, as a double click does, makes no second one.

    Raises
    ------
    PermissionDenied
        The role does not manage the site.
    InvalidPrevalence
        A value cannot be used, or somebody has set another one since; nothing was saved.
    StoreUnavailable, StoreError
        Nothing was saved.
    """
    require(person, Permission.MANAGE)
    reason = reason.strip()
    _check(task, share, reason)
    with store.writing() as connection:
        remember(connection, person)
        _wait_for_others(connection)
        newest = _newest(connection, task)
        if newest is not None and newest.id != after:
            if (newest.share, newest.reason, newest.person_id) == (share, reason, person.id):
                return newest
            raise InvalidPrevalence(
                _("Somebody has set this meanwhile. Nothing was saved; look again, then set it.")
            )
        at = datetime.now(UTC)
        values = {
            "task": task,
            "share": share,
            "reason": reason,
            "person_id": person.id,
            "at": at,
        }
        made: Any = connection.execute(insert(schema.site_prevalences).values(**values))
        number = int(made.inserted_primary_key[0])
    return SitePrevalence(number, task, share, reason, person.id, person.name, at)


def _check(task: str, share: float | None, reason: str) -> None:
    if not TASK.fullmatch(task):
        raise InvalidPrevalence(_("There is no such task. Choose one that is listed."))
    low, high = SITE_PREVALENCE_RANGE
    if share is not None and not (math.isfinite(share) and low <= share <= high):
        raise InvalidPrevalence(_("Give the prevalence from 0.1 to 99 percent."))
    if not reason:
        raise InvalidPrevalence(_("Say where the number comes from."))
    # PostgreSQL stores no NUL, and neither stores half a character.
    if len(reason) > _MOST_REASON or "\x00" in reason or not _is_whole(reason):
        raise InvalidPrevalence(
            _("The reason cannot be stored: at most {n} characters of plain text.").format(
                n=_MOST_REASON
            )
        )


def _is_whole(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _wait_for_others(connection: Connection) -> None:
    """Let one administrator set at a time; on SQLite a writing transaction is alone already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE site_prevalences IN SHARE ROW EXCLUSIVE MODE")


def _entries(task: str) -> Select[Any]:
    table, people = schema.site_prevalences, schema.people
    return (
        select(table, people.c.name.label("person_name"))
        .join(people, people.c.id == table.c.person_id)
        .where(table.c.task == task)
        .order_by(table.c.id.desc())
    )


def _newest(connection: Connection, task: str) -> SitePrevalence | None:
    row = connection.execute(_entries(task).limit(1)).first()
    return None if row is None else _entry(row)


def _entry(row: Any) -> SitePrevalence:
    return SitePrevalence(
        row.id, row.task, row.share, row.reason, row.person_id, row.person_name, row.at
    )

"""Why an image that failed its quality check, or is not known, was read: kept before it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from core.errors import InvalidFeedback
from core.review import _check_beside
from core.review._convert import plain
from core.store import schema
from core.text import _
from core.trust import Permission, Person, remember, require

if TYPE_CHECKING:
    from core.model import Familiarity
    from core.store import Store


def record_override(
    store: Store,
    person: Person,
    image_digest: str,
    quality: Mapping[str, Any],
    reason: str,
    familiarity: Familiarity | None = None,
) -> None:
    """Keep why ``person`` has an image read that fails its quality check, or that is not known.

    The image is named by its digest and need not be stored: a reading that is never sent leaves
    its reason all the same.

    Parameters
    ----------
    store, person
        Where to, and who; needs ``READ_SCANS``.
    image_digest
        ``Scan.digest`` of the image.
    quality
        ``QualityReport.to_dict()`` of it.
    reason
        1 to 500 characters.
    familiarity
        Why the model's answer was held back; None where it has not read the image yet.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    InvalidFeedback
        There is no reason, or it cannot be stored.
    StoreUnavailable, StoreError
        Nothing was saved, so the image is not to be read.
    """
    require(person, Permission.READ_SCANS)
    if not reason.strip():
        raise InvalidFeedback(_("Give a reason for reading an image that fails."))
    judged = None if familiarity is None else plain(familiarity)
    _check_beside.override(image_digest, quality, reason, judged)
    with store.writing() as connection:
        remember(connection, person)
        connection.execute(
            insert(schema.overrides).values(
                image_digest=image_digest,
                person_id=person.id,
                reason=reason,
                quality=plain(dict(quality)),
                familiarity=judged,
                at=datetime.now(UTC),
            )
        )

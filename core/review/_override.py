"""Why an image that failed its quality check was read all the same: kept before it is read."""

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
    from core.store import Store


def record_override(
    store: Store, person: Person, image_digest: str, quality: Mapping[str, Any], reason: str
) -> None:
    """Keep why ``person`` has an image read that fails its quality check.

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
    _check_beside.override(image_digest, quality, reason)
    with store.writing() as connection:
        remember(connection, person)
        connection.execute(
            insert(schema.overrides).values(
                image_digest=image_digest,
                person_id=person.id,
                reason=reason,
                quality=plain(dict(quality)),
                at=datetime.now(UTC),
            )
        )

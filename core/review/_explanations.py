"""The explanations on screen when feedback was sent: kept with it, seen after the blind read.

A kept map is rounded (:func:`core.explain.pack`) and lies beside the stored pixels, under its own
digest: the same map sent again takes no more room.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from core.errors import BlobMissing, CaseNotFound, ExplanationError, NotYetRead
from core.explain import Explanation, pack, unpack
from core.review import _rows, _rules
from core.review._forms import Feedback, SentExplanation
from core.review._rows import AnyRow
from core.review._views import KeptExplanation
from core.store import schema
from core.text import _
from core.trust import Permission, Person, require

if TYPE_CHECKING:
    from core.store import Store


def put_maps(store: Store, form: Feedback) -> list[str]:
    """Store the maps of a form and return their digests, before anything points to them."""
    return [store.blobs.put(pack(sent.explanation.values)) for sent in form.explanations]


def add_explanations(
    connection: Connection, feedback_id: int, form: Feedback, blobs: Sequence[str], at: datetime
) -> None:
    """Append what made each map, in the order they were sent."""
    for sent, blob in zip(form.explanations, blobs, strict=True):
        made = sent.explanation
        connection.execute(
            insert(schema.explanations).values(
                feedback_id=feedback_id,
                image_digest=made.image_digest,
                bundle_digest=made.bundle_digest,
                method=made.method,
                target=made.target,
                layer=made.layer,
                parameters=dict(made.parameters),
                signed=made.signed,
                unit=made.unit,
                base_value=made.base_value,
                output=made.output,
                gap=made.gap,
                evidence=None if sent.evidence is None else dict(sent.evidence),
                blob=blob,
                kept_at=at,
            )
        )


def lacks_some(connection: Connection, feedback_id: int, form: Feedback) -> bool:
    """Tell whether a form brings a map that was not kept with this feedback yet."""
    if not form.explanations:
        return False
    table = schema.explanations
    kept = connection.execute(select(table).where(table.c.feedback_id == feedback_id))
    known = {_identity(row, row.parameters) for row in kept}
    return any(
        _identity(sent.explanation, sent.explanation.parameters) not in known
        for sent in form.explanations
    )


def _identity(made: Explanation | AnyRow, parameters: Mapping[str, Any]) -> str:
    # What was asked and not what came out, which another machine may give with another last bit.
    asked = [made.bundle_digest, made.method, made.target, made.layer, dict(parameters)]
    return json.dumps(asked, sort_keys=True)


def kept_with(connection: Connection, digest: str) -> dict[int, tuple[KeptExplanation, ...]]:
    """Return what was kept with each feedback on an image, by the feedback, oldest first."""
    table = schema.explanations
    rows = connection.execute(
        select(table).where(table.c.image_digest == digest).order_by(table.c.id)
    )
    found: dict[int, tuple[KeptExplanation, ...]] = {}
    for row in rows:
        found[row.feedback_id] = (*found.get(row.feedback_id, ()), _kept(row))
    return found


def open_explanation(
    store: Store, person: Person, case_number: str, explanation_id: int
) -> SentExplanation:
    """Return a kept explanation, to somebody to whom the case was revealed.

    Parameters
    ----------
    case_number, explanation_id
        The case, and which of the explanations in its feedback.

    Returns
    -------
    SentExplanation
        As it was sent, but for its values, which are rounded; its ``gap`` follows from them and
        may differ from the one kept beside it.

    Raises
    ------
    PermissionDenied
        The role does not review, or the person sent feedback on this case.
    CaseNotFound
        There is no such explanation of this case.
    NotYetRead
        This person's own blind read is not saved, or the case was not revealed to them.
    BlobMissing
        The kept map is gone or damaged.
    """
    require(person, Permission.REVIEW)
    table, images = schema.explanations, schema.images
    query = (
        select(table, images.c.height, images.c.width)
        .join(images, images.c.digest == table.c.image_digest)
        .where(table.c.id == explanation_id, images.c.case_number == case_number)
    )
    with store.reading() as connection:
        case = _rows.find_case(connection, case_number)
        # Asked before anything is looked up: that there is an explanation tells something too.
        _rules.need_own_read(connection, person, case.digest)
        if not _rules.saw_this_round(connection, person, case.digest):
            raise NotYetRead(_("Reveal the case first. Then its explanations are shown."))
        row = connection.execute(query).first()
    if row is None:
        raise CaseNotFound(_("There is no such explanation with this case. Open the case again."))
    data = store.blobs.get(row.blob)
    try:
        made = Explanation(
            method=row.method,
            target=row.target,
            values=unpack(data, (row.height, row.width)),
            signed=row.signed,
            layer=row.layer,
            parameters=row.parameters,
            unit=row.unit,
            base_value=row.base_value,
            output=row.output,
            bundle_digest=row.bundle_digest,
            image_digest=row.image_digest,
        )
    except (ExplanationError, ValueError):
        raise BlobMissing(_("The kept explanation is damaged. Restore it from a backup.")) from None
    return SentExplanation(made, row.evidence)


def _kept(row: AnyRow) -> KeptExplanation:
    return KeptExplanation(
        id=row.id,
        method=row.method,
        target=row.target,
        layer=row.layer,
        parameters=row.parameters,
        signed=row.signed,
        unit=row.unit,
        base_value=row.base_value,
        output=row.output,
        gap=row.gap,
        evidence=row.evidence,
        bundle_digest=row.bundle_digest,
        image_digest=row.image_digest,
    )

"""Which stored images show the same scan, or the same patient, as another one."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, or_, select

from core.store import schema

# Variables of one statement are limited, and each digest is asked for three times.
_AT_ONCE = 250


def related_images(connection: Connection, seeds: Iterable[str], pseudonym: str = "") -> set[str]:
    """Return the digests of stored images of the same scan, loop or patient.

    Followed are corrected copies and what they are copies of, the frames of a loop, and every
    pseudonym under which any of these was ever sent, also one that was taken back: an image too
    many is left out rather than one too few. A pseudonym is compared by the database and not read.

    Parameters
    ----------
    connection
        Where from.
    seeds
        Digest of a scan, and its ``origin`` and ``series`` where it has them; need not be stored.
    pseudonym
        Under which the scan is about to be sent; empty for none.
    """
    images, feedback = schema.images, schema.feedback
    found: set[str] = set()
    seen: set[str] = set()
    ahead = set(seeds)
    if pseudonym:
        named = select(feedback.c.image_digest).where(feedback.c.pseudonym == pseudonym)
        ahead.update(connection.scalars(named))
    while ahead := ahead - seen:
        seen |= ahead
        for some in _some(ahead):
            query = select(images.c.digest, images.c.origin, images.c.series).where(
                or_(
                    images.c.digest.in_(some),
                    images.c.origin.in_(some),
                    images.c.series.in_(some),
                )
            )
            near = connection.execute(query).all()
            found.update(row.digest for row in near)
            ahead = ahead | {each for row in near for each in row if each is not None}
        for some in _some(found & ahead):
            names = select(feedback.c.pseudonym).where(
                feedback.c.image_digest.in_(some), feedback.c.pseudonym.is_not(None)
            )
            patients = select(feedback.c.image_digest).where(feedback.c.pseudonym.in_(names))
            ahead = ahead | set(connection.scalars(patients.distinct()))
    return found


def _some(digests: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(digests)
    return (ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE))

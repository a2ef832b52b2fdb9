"""What a model made of stored images: kept per bundle, and made again after a switch of models."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, exists, func, select

from core.review import _rows
from core.review._choices import CaseState
from core.review._convert import stored_scan
from core.store import insert_new, schema

if TYPE_CHECKING:
    from core.model import Prediction, Predictor
    from core.scan import Scan
    from core.store import Store

#: As they are stored: float32, little-endian.
_STORED = np.dtype("<f4")


def add_embedding(
    connection: Connection,
    image_digest: str,
    bundle_digest: str,
    embedding: NDArray[np.float32],
    *,
    known: bool,
    at: datetime,
) -> None:
    """Append an embedding, unless this bundle's of this image is there.

    One that is no row of finite numbers is not kept: nothing else may be lost for it.
    """
    if embedding.ndim != 1 or not len(embedding) or not np.isfinite(embedding).all():
        return
    values = {
        "image_digest": image_digest,
        "bundle_digest": bundle_digest,
        "vector": np.asarray(embedding, _STORED).tobytes(),
        "known": known,
        "at": at,
    }
    insert_new(connection, schema.embeddings, values, unique=("image_digest", "bundle_digest"))


def embedding_of(stored: bytes) -> NDArray[np.float32]:
    """Return a stored embedding, ``(D,)`` float32."""
    return np.frombuffer(stored, _STORED).astype(np.float32)


def count_missing(connection: Connection, task: str, bundle_digest: str) -> int:
    """Return how many settled cases of a task this bundle has no embedding of."""
    return int(connection.execute(_missing(select(func.count()), task, bundle_digest)).scalar_one())


def fill_embeddings(
    store: Store, predictor: Predictor, failed: set[str], *, most: int, batch_size: int = 8
) -> Generator[str]:
    """Read settled cases that a bundle has no embedding of, and keep what it makes of them.

    Each is on disk before the next is yielded, so the work can be stopped at any time and goes on
    where it stopped. It gives way to everybody who waits for a read.

    Parameters
    ----------
    store
        Where they are.
    predictor
        Of the bundle.
    failed
        Digests that could not be read before, and are not tried again; added to.
    most
        How many at the most.

    Yields
    ------
    The digest of each image that has an embedding now.

    Raises
    ------
    StoreUnavailable
        The database cannot be read or written.
    """
    images, bundle = schema.images, predictor.bundle.digest
    query = _missing(select(images), predictor.card.task, bundle).order_by(images.c.digest)
    with store.reading() as connection:
        found = connection.execute(query.limit(most + len(failed))).all()
    rows = [row for row in found if row.digest not in failed][:most]
    sources = [partial(_open, store, row) for row in rows]
    reads = predictor.read_many(sources, batch_size=batch_size, heat=False)
    try:
        for row, read in zip(rows, reads, strict=True):
            answer = read.prediction
            if answer is None or answer.embedding is None or answer.image_digest != row.digest:
                failed.add(row.digest)
                continue
            with store.writing() as connection:
                add_embedding_of(connection, answer, datetime.now(UTC))
            yield row.digest
    finally:
        reads.close()


def add_embedding_of(connection: Connection, answer: Prediction, at: datetime) -> None:
    """Append the embedding of an answer, where it has one."""
    if answer.embedding is not None:
        add_embedding(
            connection,
            answer.image_digest,
            answer.bundle_digest,
            answer.embedding,
            known=not answer.refused,
            at=at,
        )


def _missing(query: Select[Any], task: str, bundle_digest: str) -> Select[Any]:
    images, cases = schema.images, schema.cases
    embeddings, feedback = schema.embeddings, schema.feedback
    there = exists().where(
        embeddings.c.image_digest == images.c.digest, embeddings.c.bundle_digest == bundle_digest
    )
    asked = exists().where(feedback.c.image_digest == images.c.digest, feedback.c.task == task)
    return (
        query.select_from(images.join(cases, cases.c.image_digest == images.c.digest))
        .where(cases.c.state == CaseState.CLOSED.value)
        .where(asked, ~there)
    )


def _open(store: Store, row: _rows.AnyRow) -> Scan:
    return stored_scan(_rows.image_facts(row), store.blobs.get(row.blob))

"""The settled cases of one bundle in memory, following what happens in the database."""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, func, select

from core.model import EmbeddingSpace
from core.review import _rows
from core.review._choices import CaseState, EventKind
from core.review._embeddings import embedding_of
from core.review._vector_index import VectorIndex
from core.store import schema

#: Embeddings taken in at once.
_STEP = 2000
#: Rows looked at once more each time: on PostgreSQL a transaction that began earlier, and so has
#: lower numbers, may commit later.
_AGAIN = 64
#: Seconds after which it is asked again whether settled cases are unread.
_LOOK_AGAIN = 300.0


class SettledVectors:
    """What one bundle made of the settled cases: phantoms and patients apart.

    Parameters
    ----------
    bundle_digest
        Whose embeddings.
    space
        In which they are compared.
    """

    def __init__(self, bundle_digest: str, space: EmbeddingSpace) -> None:
        self._bundle = bundle_digest
        self._space = space
        self._indexes = {False: VectorIndex(), True: VectorIndex()}
        self._lock = Lock()
        self._embedding = 0
        self._event: int | None = None
        self._complete = False
        self._looked: float | None = None
        self._waiting = 0
        #: Digests of images that this bundle could not read; not tried again by this process.
        self.failed: set[str] = set()

    def index(self, synthetic: bool) -> VectorIndex:
        """Return the settled phantoms, or the settled scans of patients."""
        return self._indexes[synthetic]

    @property
    def waiting(self) -> int:
        """Settled cases that this bundle will still read."""
        return max(self._waiting - len(self.failed), 0)

    def noted(self, missing: int) -> None:
        """Note how many settled cases have no embedding."""
        self._waiting, self._looked = missing, time.monotonic()

    def is_due(self) -> bool:
        """Tell whether there is something to be done in the background."""
        if self._looked is None or self.waiting:
            return True
        return time.monotonic() - self._looked > _LOOK_AGAIN

    def catch_up(self, connection: Connection) -> bool:
        """Take in what is new: one step, and a few queries where nothing is.

        Returns
        -------
        Whether everything is taken in.
        """
        with self._lock:
            if self._event is None:
                # Before the first embedding: what is settled or opened from here on is looked at.
                self._event = _newest_event(connection)
            if not self._complete:
                self._complete = self._take_in(connection, self._embedding)
            else:
                while not self._take_in(connection, self._embedding - _AGAIN):
                    pass
            self._follow_events(connection)
            return self._complete

    def _take_in(self, connection: Connection, after: int) -> bool:
        embeddings = schema.embeddings
        query = _vectors(embeddings.c.bundle_digest == self._bundle, embeddings.c.id > after)
        rows = connection.execute(query.order_by(embeddings.c.id).limit(_STEP)).all()
        self._put(rows)
        if rows:
            self._embedding = max(self._embedding, rows[-1].id)
        return len(rows) < _STEP

    def _follow_events(self, connection: Connection) -> None:
        events = schema.case_events
        before = self._event or 0
        query = select(events.c.id, events.c.image_digest).where(
            events.c.id > before - _AGAIN,
            events.c.kind.in_((EventKind.CLOSED.value, EventKind.REOPENED.value)),
        )
        changed = connection.execute(query).all()
        digests = sorted({row.image_digest for row in changed})
        for at in range(0, len(digests), 500):
            some = digests[at : at + 500]
            query = _vectors(
                schema.embeddings.c.bundle_digest == self._bundle,
                schema.embeddings.c.image_digest.in_(some),
            )
            self._put(connection.execute(query).all())
        self._event = max([before, *(row.id for row in changed)])

    def _put(self, rows: Iterable[_rows.AnyRow]) -> None:
        """Take in the settled ones among some embeddings, and take out the others."""
        sorted_out: dict[bool, list[_rows.AnyRow]] = {False: [], True: []}
        gone: list[str] = []
        for row in rows:
            # What the model took for no scan lies near nothing it could be compared with.
            if row.state != CaseState.CLOSED.value or not row.known:
                gone.append(row.image_digest)
            elif row.image_digest not in self._indexes[row.synthetic]:
                sorted_out[row.synthetic].append(row)
        for synthetic, index in self._indexes.items():
            index.remove(gone)
            new = sorted_out[synthetic]
            if new:
                embeddings = np.stack([embedding_of(row.vector) for row in new])
                index.add([row.image_digest for row in new], self._space.place(embeddings))


def _vectors(*where: Any) -> Select[Any]:
    embeddings, images, cases = schema.embeddings, schema.images, schema.cases
    return (
        select(
            embeddings.c.id,
            embeddings.c.image_digest,
            embeddings.c.vector,
            embeddings.c.known,
            images.c.synthetic,
            cases.c.state,
        )
        .join(images, images.c.digest == embeddings.c.image_digest)
        .join(cases, cases.c.image_digest == embeddings.c.image_digest)
        .where(*where)
    )


def _newest_event(connection: Connection) -> int:
    return connection.execute(select(func.max(schema.case_events.c.id))).scalar() or 0

"""The nearest settled cases of the site's own queue, by what the model made of them.

Who may
-------
``SEE_SETTLED``, which clinicians hold. A reviewer must not: an outcome beside a case to be read
blind would be looked up.

What is never among them
------------------------
The scan asked about, another frame or a corrected copy of it, the very picture under another
digest, and whatever was ever sent under a pseudonym of the same patient: that would be looking up
the answer. Of any other patient only the nearest image is given, so that nobody counts twice. A
phantom is compared with phantoms, and a patient's scan with patients' scans.

A case counts as settled by what the database says in the very moment it is asked: one that was
opened again is gone, whatever is in memory.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from core.jobs import Job, JobRunner
from core.model import EmbeddingSpace
from core.review import _rows
from core.review._choices import CaseState, Origin, Stage
from core.review._context import check_pseudonym
from core.review._embeddings import count_missing, fill_embeddings
from core.review._related import related_images
from core.review._settled import SettledVectors
from core.store import schema
from core.trust import Permission, Person, require

if TYPE_CHECKING:
    from core.model import Prediction, Predictor
    from core.review._vector_index import VectorIndex
    from core.scan import Scan
    from core.store import Store

#: Bundles whose settled cases are kept in memory: the active one and the one before.
_BUNDLES = 2
#: Images read in one job: others who wait for the runner go in between.
_FILLED_AT_ONCE = 32
#: Seconds until a job that failed is tried again.
_REST = 30.0
#: Two directions as near as this are of the same picture, read twice.
_SAME_PICTURE = 1e-3


class SimilarState(StrEnum):
    """What came of looking for similar cases."""

    FOUND = "found"
    #: No settled case of another patient is there for this model.
    NONE = "none"
    #: The settled cases are still being taken into memory; ask again in a moment.
    PREPARING = "preparing"
    #: The model's bundle gives no embedding.
    NO_EMBEDDING = "no_embedding"
    #: The model does not know the picture, so what lies near it means nothing.
    UNKNOWN_SCAN = "unknown_scan"


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """A settled case that lies near a scan.

    Attributes
    ----------
    case_number, digest
        Which case.
    label, origin
        As it was settled, and what that rests on.
    distance
        Between the directions of the two embeddings: 0 (the same) to 2 (opposite).
    nearer_than
        Share of pairs of settled cases that lie farther apart, 0..1; None with too few cases.
    synthetic
        Whether it is a phantom and no patient.
    """

    case_number: str
    digest: str
    label: str
    origin: Origin
    distance: float
    nearer_than: float | None
    synthetic: bool


@dataclass(frozen=True, slots=True)
class Similar:
    """What came of looking for similar cases.

    Attributes
    ----------
    state
        Whether there are any, or why not.
    cases
        Nearest first.
    settled
        Settled cases that were looked through.
    left_out
        Of those, images of the same scan or patient as the one asked about.
    same_patient
        Images that lie near too but are of a patient who is among the cases already.
    waiting
        Settled cases that this version of the model has not read yet.
    """

    state: SimilarState
    cases: tuple[SimilarCase, ...] = ()
    settled: int = 0
    left_out: int = 0
    same_patient: int = 0
    waiting: int = 0


class SimilarCases:
    """Finds similar settled cases; one for a process, safe from any thread.

    Parameters
    ----------
    store
        Where the cases are. What is in memory is taken from there and follows it, also what other
        processes settle.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._known: OrderedDict[str, SettledVectors] = OrderedDict()
        self._job: Job[str] | None = None
        self._rest_until = 0.0

    def find(
        self,
        person: Person,
        scan: Scan,
        prediction: Prediction,
        space: EmbeddingSpace,
        *,
        pseudonym: str = "",
        most: int = 6,
    ) -> Similar:
        """Return the settled cases nearest to a scan; the model is not asked.

        Parameters
        ----------
        person
            Who asks; needs ``SEE_SETTLED``.
        scan, prediction
            The scan, and what the model answered to it.
        space
            In which the embeddings of the bundle that answered are compared.
        pseudonym
            Of the patient, as it is about to be sent; empty for none.
        most
            How many cases at the most.

        Raises
        ------
        PermissionDenied
            The role does not allow it.
        InvalidFeedback
            That is no pseudonym.
        StoreUnavailable
            The database cannot be reached.
        """
        require(person, Permission.SEE_SETTLED)
        check_pseudonym(pseudonym)
        if prediction.image_digest != scan.digest:
            raise ValueError("The prediction is of another scan.")
        if prediction.embedding is None:
            return Similar(SimilarState.NO_EMBEDDING)
        if prediction.refused:
            return Similar(SimilarState.UNKNOWN_SCAN)
        known = self._vectors(prediction.bundle_digest, space)
        vector = space.place(prediction.embedding[None])[0]
        with self._store.reading() as connection:
            if not known.catch_up(connection):
                return Similar(SimilarState.PREPARING, settled=len(known.index(scan.synthetic)))
            seeds = {each for each in (scan.digest, scan.origin, scan.series) if each}
            own = related_images(connection, seeds, pseudonym)
            return _nearest(connection, known, own, scan.synthetic, vector, most)

    def keep_up(self, predictor: Predictor, runner: JobRunner) -> None:
        """See to it, in the background, that the settled cases are ready for a bundle; quick.

        Called again and again. One job at a time takes them into memory and lets the model read
        some of those it has not read; the next call goes on where it stopped.
        """
        known = self._vectors(
            predictor.bundle.digest, EmbeddingSpace.of(predictor.bundle.reference.extra)
        )
        with self._lock:
            now = time.monotonic()
            if self._job is not None:
                status = self._job.status()
                if not status.ended:
                    return
                self._job = None
                # A database that is down is down for a while.
                self._rest_until = now + (_REST if status.state == "failed" else 0)
            if now >= self._rest_until and known.is_due():
                self._job = runner.start(
                    lambda: self.prepare(predictor, known), name="similar-cases"
                )

    def prepare(self, predictor: Predictor, known: SettledVectors | None = None) -> Generator[str]:
        """Take settled cases into memory, and let the model read some of those it has not read.

        Yields
        ------
        The digest of each image that was read.

        Raises
        ------
        StoreUnavailable
            The database cannot be reached.
        """
        if known is None:
            space = EmbeddingSpace.of(predictor.bundle.reference.extra)
            known = self._vectors(predictor.bundle.digest, space)
        complete = False
        while not complete:
            with self._store.reading() as connection:
                complete = known.catch_up(connection)
        task, bundle = predictor.card.task, predictor.bundle.digest
        with self._store.reading() as connection:
            missing = count_missing(connection, task, bundle)
        known.noted(missing)
        if missing > len(known.failed) and predictor.gives_embeddings:
            for digest in fill_embeddings(
                self._store, predictor, known.failed, most=_FILLED_AT_ONCE
            ):
                missing -= 1
                known.noted(missing)
                yield digest

    def _vectors(self, bundle_digest: str, space: EmbeddingSpace) -> SettledVectors:
        with self._lock:
            known = self._known.get(bundle_digest)
            if known is None:
                known = self._known[bundle_digest] = SettledVectors(bundle_digest, space)
                while len(self._known) > _BUNDLES:
                    self._known.popitem(last=False)
            self._known.move_to_end(bundle_digest)
            return known


def _nearest(
    connection: Connection,
    known: SettledVectors,
    own: set[str],
    synthetic: bool,
    vector: NDArray[np.float32],
    most: int,
) -> Similar:
    index = known.index(synthetic)
    left_out = {digest for digest in own if digest in index}
    # So many that those left out and a few more of one patient still leave enough.
    count = 3 * most + len(left_out)
    while True:
        near = index.nearest(vector, count)
        found = _chosen(connection, index, near, left_out, most)
        if len(found.cases) >= most or count >= len(index):
            break
        count *= 4
    return Similar(
        SimilarState.FOUND if found.cases else SimilarState.NONE,
        found.cases,
        len(index),
        found.left_out,
        found.same_patient,
        known.waiting,
    )


def _chosen(
    connection: Connection,
    index: VectorIndex,
    near: list[tuple[str, float]],
    own: set[str],
    most: int,
) -> Similar:
    """Choose among the nearest: of each patient one, none of the scan's own, all still settled."""
    own = set(own)
    taken: set[str] = set()
    further = 0
    chosen: list[SimilarCase] = []
    rows = _settled_rows(connection, [digest for digest, _distance in near])
    for digest, distance in near:
        row = rows.get(digest)
        if len(chosen) == most or digest in own or row is None:
            continue
        if digest in taken:
            further += 1
            continue
        seeds = {each for each in (row.digest, row.origin, row.series) if each}
        related = related_images(connection, seeds)
        if distance < _SAME_PICTURE:
            # The same pixels with another geometry: whose they are, the scan asked about is.
            own |= {each for each in related if each in index}
            chosen = [each for each in chosen if each.digest not in own]
            continue
        taken |= related
        chosen.append(
            SimilarCase(
                case_number=row.case_number,
                digest=digest,
                label=row.label,
                origin=Origin(row.settled_on),
                distance=distance,
                nearer_than=index.share_farther(distance),
                synthetic=row.synthetic,
            )
        )
    return Similar(SimilarState.FOUND, tuple(chosen), left_out=len(own), same_patient=further)


def _settled_rows(connection: Connection, digests: list[str]) -> dict[str, _rows.AnyRow]:
    """Return image and settled label of those of some images whose case is closed now."""
    images, cases, labels = schema.images, schema.cases, schema.label_entries
    found: dict[str, _rows.AnyRow] = {}
    for at in range(0, len(digests), 500):
        query = (
            select(
                images.c.digest,
                images.c.case_number,
                images.c.origin,
                images.c.series,
                images.c.synthetic,
                labels.c.label,
                labels.c.origin.label("settled_on"),
            )
            .join(cases, cases.c.image_digest == images.c.digest)
            .join(labels, labels.c.image_digest == images.c.digest)
            .where(
                images.c.digest.in_(digests[at : at + 500]),
                cases.c.state == CaseState.CLOSED.value,
                labels.c.stage == Stage.FINAL.value,
            )
            .order_by(labels.c.id)
        )
        # A case that was settled twice: the last word counts.
        found |= {row.digest: row for row in connection.execute(query)}
    return found

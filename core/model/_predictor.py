"""The cached predictor: from a scan to a prediction, from any thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid, ExplanationError, ModelError, PredictionFailed
from core.model._batch import BatchRead, Prepared, Source, prepare, read_in_batches
from core.model._bundle import Bundle
from core.model._card import Card
from core.model._familiarity import Familiarity, FamiliarityCheck
from core.model._gate import Gate, shared_gate
from core.model._network import THE_ANSWER, KerasNetwork, Network, NetworkOutput, load_network
from core.model._prediction import Prediction
from core.model._probe import Probe
from core.model._registry import candidates, reject
from core.model._statistics import IntervalTable
from core.settings import Settings, load_settings
from core.text import _

if TYPE_CHECKING:
    from core.scan import Scan


#: All 0; an array over immutable bytes is read-only for ever.
_NO_HEAT = np.frombuffer(bytes(4), np.float32).reshape(1, 1)


class Reader(Protocol):
    """Anything that reads scans: a :class:`Predictor`, or what a test puts in its place."""

    @property
    def card(self) -> Card:
        """The card of the model that reads."""
        ...

    def read(self, scan: Scan, target: str | None = None) -> Prediction:
        """Read a scan; see :meth:`Predictor.read`."""
        ...


class Predictor:
    """Reads scans with one bundle: stateless, thread-safe, bounded.

    Parameters
    ----------
    bundle
        What is read with.
    network
        Its compiled call.
    gate
        Bounds the reads that compute at once.
    """

    def __init__(self, bundle: Bundle, network: Network, gate: Gate) -> None:
        self._bundle = bundle
        self._network = network
        self._gate = gate
        reference = bundle.reference
        self._intervals = IntervalTable(reference.validation_scores, reference.validation_positive)
        self._familiar = FamiliarityCheck.from_arrays(reference.extra)
        self._probe = network.probe(gate) if isinstance(network, KerasNetwork) else None

    @classmethod
    def load(
        cls, task: str, version: str | None = None, *, settings: Settings | None = None
    ) -> Predictor:
        """Return the predictor of a task, loaded once per bundle digest however many ask.

        Without a version it is the active one: where a network turns out unusable the one that was
        active before takes its place (the log says so, and every prediction names its version).

        Raises
        ------
        BundleNotFound
            No such task or version.
        BundleInvalid
            The bundle cannot be used.
        """
        chosen = load_settings() if settings is None else settings
        failure: BundleInvalid | None = None
        for bundle in candidates(chosen, task, version):
            try:
                return cached(bundle, chosen.concurrent_reads)
            except BundleInvalid as error:
                failure = failure or error
        assert failure is not None  # noqa: S101  # candidates() is never empty
        raise failure

    @property
    def bundle(self) -> Bundle:
        """The bundle that is read with."""
        return self._bundle

    @property
    def card(self) -> Card:
        """The bundle's card."""
        return self._bundle.card

    @property
    def gives_embeddings(self) -> bool:
        """Whether its predictions have an embedding."""
        return self._familiar is not None or self.card.outputs.embedding is not None

    def read(self, scan: Scan, target: str | None = None) -> Prediction:
        """Read a scan: probabilities, lesion map and Grad-CAM from one compiled call.

        Grad-CAM (Selvaraju et al., ICCV 2017) explains the score of the class before calibration;
        where the model weighs its features by its own lesion map, that map is held constant.

        Parameters
        ----------
        scan
            What is read; its pixels stay as they are.
        target
            Label the heat explains; None for the answer.

        Raises
        ------
        ModelBusy
            Too many reads are waiting.
        PredictionFailed
            The model gave no usable answer, or has no such label.
        """
        wanted = self._target(target)
        with self._gate.enter():
            prepared = prepare(scan, self.card.input)
            found = self._compute([prepared], wanted)
        return self._prediction(prepared, found, 0)

    def read_many(
        self,
        scans: Iterable[Source],
        *,
        batch_size: int = 16,
        target: str | None = None,
        heat: bool = True,
    ) -> Generator[BatchRead]:
        """Read any number of scans in batches, decoding ahead while the network computes.

        Parameters
        ----------
        scans
            Taken lazily, on the thread that asks for results. Each is a scan, or a function that
            gives one (it runs on another thread, which is how decoding overlaps), or the error of
            a file that could not be opened, which keeps its place.
        batch_size
            Scans in one call of the network, at least 1.
        target
            Label the heat explains; None for the answer.
        heat
            Whether there is Grad-CAM. Without it a read takes less time, and its prediction says
            that no heat is available.

        Yields
        ------
        One :class:`BatchRead` per input, in order. A batch that fails is read again one by one,
        so that a bad scan takes no other with it. Probabilities differ from those of :meth:`read`
        by less than 1e-6, maps by less than 1e-4: the network adds in another order.

        Notes
        -----
        A batch gives way to everybody who waits for :meth:`read`. Close the iterator to stop
        early; that waits for the batch that is being computed.

        Raises
        ------
        PredictionFailed
            The model has no such label.
        """
        if batch_size < 1:
            raise ValueError("A batch has at least one scan.")
        wanted = self._target(target) if heat else None

        def run(prepared: list[Prepared]) -> list[Prediction]:
            with self._gate.enter(background=True):
                found = self._compute(prepared, wanted)
            return [self._prediction(each, found, at) for at, each in enumerate(prepared)]

        return read_in_batches(scans, self.card.input, run, batch_size)

    def probe(self) -> Probe:
        """Return what explanations may ask of this model; always the same one.

        Raises
        ------
        ExplanationError
            The network is one that can only be read with.
        """
        if self._probe is None:
            raise ExplanationError(_("This model gives answers only: it cannot be explained."))
        return self._probe

    def _target(self, target: str | None) -> int:
        if target is None:
            return THE_ANSWER
        if target not in self.card.labels:
            raise PredictionFailed(_("The model does not know this class. Choose one it lists."))
        return self.card.labels.index(target)

    def _compute(self, prepared: list[Prepared], wanted: int | None) -> NetworkOutput:
        inputs = np.stack([each.pixels for each in prepared])
        targets = None if wanted is None else np.full(len(prepared), wanted, np.int32)
        return self._network(inputs, targets)

    def _prediction(self, prepared: Prepared, found: NetworkOutput, at: int) -> Prediction:
        card = self.card
        values = [float(value) for value in found.probabilities[at]]
        probability = values[card.positive_index]
        flagged = probability >= card.approved.threshold
        promised = card.abstention
        return Prediction(
            task=card.task,
            version=card.version,
            bundle_digest=self._bundle.digest,
            image_digest=prepared.scan.digest,
            labels=card.labels,
            positive=card.positive,
            probabilities=MappingProxyType(dict(zip(card.labels, values, strict=True))),
            probability=probability,
            operating_point=card.approved,
            flagged=flagged,
            answer=card.labels[int(found.answer[at])],
            interval=self._intervals.at(probability),
            calibrated=card.calibration.method != "none",
            prevalence=None if card.prevalence is None else card.prevalence.positive,
            heat_class=card.labels[int(found.explained[at])],
            has_lesion_map=self._network.has_lesion_map,
            heat_available=self._network.heat_available and found.heat is not None,
            network_heat=_NO_HEAT if found.heat is None else _own(found.heat, at),
            network_lesion=None if found.lesion is None else _own(found.lesion, at),
            geometry=prepared.geometry,
            familiarity=self._judged(found, at),
            sure=None if promised is None else promised.sure(probability, flagged=flagged),
            embedding=None if found.embedding is None else _own(found.embedding, at),
        )

    def _judged(self, found: NetworkOutput, at: int) -> Familiarity | None:
        if self._familiar is None or found.embedding is None:
            return None
        return self._familiar.judge(found.embedding[at])


def _own(maps: NDArray[np.float32], at: int) -> NDArray[np.float32]:
    """Return one row of a batch, read-only: a copy, or keeping it would keep all the others."""
    values: NDArray[np.float32] = maps[at].copy() if len(maps) > 1 else maps[0]
    values.flags.writeable = False
    return values


#: Predictors kept in memory; a site rarely has more models in use than this.
_KEPT = 4
_loaded: OrderedDict[tuple[str, int], Future[Predictor]] = OrderedDict()
_loaded_lock = Lock()


def cached(bundle: Bundle, concurrent_reads: int) -> Predictor:
    """Return the predictor of a bundle, loaded once however many ask.

    Raises
    ------
    BundleInvalid
        Its network cannot be used.
    """
    key = (bundle.digest, concurrent_reads)
    with _loaded_lock:
        waiting = _loaded.get(key)
        mine = waiting is None
        if waiting is None:
            waiting = _loaded[key] = Future()
            while len(_loaded) > _KEPT:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
    if mine:
        _fill(waiting, bundle, concurrent_reads)
        if waiting.exception() is not None:
            with _loaded_lock:
                _loaded.pop(key, None)
    return waiting.result()


def kept(digest: str, concurrent_reads: int) -> Predictor | None:
    """Return the predictor of a bundle that is in memory already; never loads one."""
    with _loaded_lock:
        waiting = _loaded.get((digest, concurrent_reads))
    if waiting is None or not waiting.done() or waiting.exception() is not None:
        return None
    return waiting.result()


def _fill(waiting: Future[Predictor], bundle: Bundle, concurrent_reads: int) -> None:
    # Whatever happens, the threads that wait for this load must hear of it.
    try:
        network = load_network(bundle)
        waiting.set_result(Predictor(bundle, network, shared_gate(concurrent_reads)))
    except BundleInvalid as error:
        reject(bundle, str(error))
        waiting.set_exception(error)
    except (ModelError, OSError, MemoryError, RuntimeError, ImportError) as error:
        waiting.set_exception(error)
    finally:
        if not waiting.done():
            waiting.set_exception(ModelError(_("The model could not be loaded.")))

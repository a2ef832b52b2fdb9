"""The cached predictor: from a scan to a prediction, from any thread."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.errors import BundleInvalid, ModelError, PredictionFailed
from core.model._bundle import Bundle
from core.model._card import Card
from core.model._gate import Gate, shared_gate
from core.model._network import THE_ANSWER, Network, load_network
from core.model._prediction import Prediction
from core.model._preprocess import preprocess
from core.model._registry import candidates, reject
from core.model._statistics import score_interval
from core.settings import Settings, load_settings
from core.text import _

if TYPE_CHECKING:
    from core.scan import Scan


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

    @classmethod
    def load(
        cls, task: str, version: str | None = None, *, settings: Settings | None = None
    ) -> Predictor:
        """Return the predictor of a task, loaded once per bundle digest however many ask.

        Without a version it is the highest that can be used: where a network turns out unusable
        the next version takes its place (the log says so, and every prediction names its version).

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
                return _cached(bundle, chosen.concurrent_reads)
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
        card = self.card
        if target is not None and target not in card.labels:
            raise PredictionFailed(_("The model does not know this class. Choose one it lists."))
        wanted = THE_ANSWER if target is None else card.labels.index(target)
        image = scan.pixels if card.input.channels == 3 else scan.grey
        with self._gate.enter():
            pixels, geometry = preprocess(image, card.input)
            found = self._network(pixels[None], np.full(1, wanted, np.int32))
        values = [float(value) for value in found.probabilities[0]]
        probability = values[card.positive_index]
        heat = found.heat[0]
        lesion = None if found.lesion is None else found.lesion[0]
        for values_map in (heat, lesion):
            if values_map is not None:
                values_map.flags.writeable = False
        reference = self._bundle.reference
        return Prediction(
            task=card.task,
            version=card.version,
            bundle_digest=self._bundle.digest,
            image_digest=scan.digest,
            labels=card.labels,
            positive=card.positive,
            probabilities=MappingProxyType(dict(zip(card.labels, values, strict=True))),
            probability=probability,
            operating_point=card.approved,
            flagged=probability >= card.approved.threshold,
            answer=card.labels[int(found.answer[0])],
            interval=score_interval(
                probability, reference.validation_scores, reference.validation_positive
            ),
            calibrated=card.calibration.method != "none",
            prevalence=None if card.prevalence is None else card.prevalence.positive,
            heat_class=card.labels[int(found.explained[0])],
            has_lesion_map=self._network.has_lesion_map,
            heat_available=self._network.heat_available,
            network_heat=heat,
            network_lesion=lesion,
            geometry=geometry,
        )


#: Predictors kept in memory; a site rarely has more models in use than this.
_KEPT = 4
_loaded: OrderedDict[tuple[str, int], Future[Predictor]] = OrderedDict()
_loaded_lock = Lock()


def _cached(bundle: Bundle, concurrent_reads: int) -> Predictor:
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

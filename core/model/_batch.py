"""Many scans through one compiled call: decoded ahead, in batches, one result each, in order.

Three things overlap: a few threads decode and preprocess (Pillow, zlib, OpenCV and NumPy let go of
Python's lock), one thread runs the network, and the caller works on what came out. The caller's
thread directs them whenever it asks for the next result, so nothing runs on after it stops asking,
and closing the iterator ends every thread.

Memory is bounded: at most ``_AHEAD`` batches are under way, and no further scan is decoded while
those that wait hold more than ``_HELD_BYTES``, however large the images are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelBusy, ModelError, OverreadError
from core.model._prediction import Prediction
from core.model._preprocess import Geometry, InputSpec, preprocess
from core.text import language, use_language

if TYPE_CHECKING:
    from core.scan import Scan

#: Batches under way at once: one computes, one is ready, one is being decoded.
_AHEAD = 3
#: Threads that decode; the network needs the rest of a small machine.
_DECODERS = 2
#: Scans being decoded, or about to be: their sizes are not known yet.
_UNKNOWN = 2 * _DECODERS
_HELD_BYTES = 256 * 2**20
#: A result is not kept waiting longer than this, in seconds, for others to fill its batch.
_PATIENCE = 0.4

#: What is read: a scan, what gives one (called on another thread; may raise an OverreadError), or
#: the error that stands in the place of one.
Source: TypeAlias = "Scan | Callable[[], Scan] | OverreadError"


@dataclass(frozen=True, slots=True, eq=False)
class BatchRead:
    """What came of one of many.

    Attributes
    ----------
    scan
        What was read; None where it could not be opened.
    prediction
        The model's answer, or None.
    error
        Why there is none: a ScanError, or a ModelError of this scan alone.
    """

    scan: Scan | None
    prediction: Prediction | None
    error: OverreadError | None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scan, the network's input made of it, and the bytes both keep in memory.

    ``pixels`` is ``(S, S, channels)`` float32.
    """

    scan: Scan
    pixels: NDArray[np.float32] = field(repr=False)
    geometry: Geometry

    held_bytes: int


#: Runs the network on some scans: a prediction for each, or a ModelError for all of them.
Run: TypeAlias = Callable[[list[Prepared]], list[Prediction]]


def prepare(scan: Scan, spec: InputSpec) -> Prepared:
    """Make the network's input of a scan."""
    pixels, geometry = preprocess(scan.pixels if spec.channels == 3 else scan.grey, spec)
    held = scan.pixels.nbytes + pixels.nbytes
    return Prepared(
        scan, pixels, geometry, held + (0 if scan.depth is None else scan.depth.values.nbytes)
    )


@dataclass(slots=True, eq=False)
class _Place:
    """One input's place in the line."""

    prepared: Future[Prepared | OverreadError]
    found: Prepared | OverreadError | None = None
    since: float = 0.0
    batch: Future[list[BatchRead]] | None = None


class _Line:
    """The inputs under way, in order; directed by the one thread that asks for results."""

    def __init__(
        self,
        sources: Iterable[Source],
        spec: InputSpec,
        run: Run,
        batch_size: int,
        pools: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
    ) -> None:
        self._sources = iter(sources)
        self._spec = spec
        self._run = run
        self._size = batch_size
        self._decoders, self._network = pools
        self._spoken = language()
        self._places: deque[_Place] = deque()
        self._batches: list[Future[list[BatchRead]]] = []
        self._ended = False

    def results(self) -> Iterator[BatchRead]:
        """Yield one result per input."""
        while True:
            self._direct()
            if not self._places:
                return
            head = self._places[0].batch
            if head is None or not head.done():
                self._pause()
                continue
            self._places.popleft()
            # Taken out, so that the caller decides how long it is kept.
            yield head.result().pop(0)

    def _direct(self) -> None:
        """Start whatever can be started now."""
        for place in self._places:
            if place.found is None and place.prepared.done():
                place.found, place.since = place.prepared.result(), time.monotonic()
        while not self._ended and self._may_decode():
            try:
                source = next(self._sources)
            except StopIteration:
                self._ended = True
                break
            self._places.append(_Place(self._decoders.submit(self._prepare, source)))
        self._batches = [batch for batch in self._batches if not batch.done()]
        while len(self._batches) < _AHEAD - 1:
            chosen = self._next_batch()
            if not chosen:
                return
            inputs = [place.found for place in chosen if place.found is not None]
            batch = self._network.submit(self._read, inputs)
            self._batches.append(batch)
            for place in chosen:
                place.batch = batch

    def _may_decode(self) -> bool:
        if len(self._places) >= _AHEAD * self._size:
            return False
        unknown = sum(place.found is None for place in self._places)
        held = sum(p.found.held_bytes for p in self._places if isinstance(p.found, Prepared))
        return unknown < _UNKNOWN and held < _HELD_BYTES

    def _next_batch(self) -> list[_Place]:
        """Return the next places of the line that make a batch, or none yet."""
        chosen: list[_Place] = []
        more_will_come = not self._ended and self._may_decode()
        for place in self._places:
            if place.batch is not None:
                continue
            if place.found is None:
                more_will_come = True
                break
            chosen.append(place)
            if len(chosen) == self._size:
                return chosen
        waited = chosen and time.monotonic() - chosen[0].since >= _PATIENCE
        return chosen if waited or not more_will_come else []

    def _pause(self) -> None:
        """Wait until something is done."""
        undone: list[Future[Any]] = [p.prepared for p in self._places if p.found is None]
        # A short sleep at the most, so that patience with a slow source is kept.
        wait(undone + self._batches, timeout=_PATIENCE / 4, return_when=FIRST_COMPLETED)

    def _prepare(self, source: Source) -> Prepared | OverreadError:
        with use_language(self._spoken):
            if isinstance(source, OverreadError):
                return source
            try:
                return prepare(source() if callable(source) else source, self._spec)
            except OverreadError as error:
                return error

    def _read(self, inputs: list[Prepared | OverreadError]) -> list[BatchRead]:
        """Run one batch; where it fails as a whole, each of its scans by itself."""
        with use_language(self._spoken):
            good = [each for each in inputs if isinstance(each, Prepared)]
            answers: list[Prediction | ModelError]
            try:
                answers = [*self._run(good)] if good else []
            except ModelBusy as error:
                # The machine has no time: each by itself would wait as long again.
                answers = [error] * len(good)
            except ModelError:
                answers = [self._alone(each) for each in good]
            left = iter(answers)
            return [
                _result(each.scan, next(left))
                if isinstance(each, Prepared)
                else BatchRead(None, None, each)
                for each in inputs
            ]

    def _alone(self, one: Prepared) -> Prediction | ModelError:
        try:
            return self._run([one])[0]
        except ModelError as error:
            return error


def _result(scan: Scan, answer: Prediction | ModelError) -> BatchRead:
    if isinstance(answer, ModelError):
        return BatchRead(scan, None, answer)
    return BatchRead(scan, answer, None)


def read_in_batches(
    sources: Iterable[Source], spec: InputSpec, run: Run, batch_size: int
) -> Generator[BatchRead]:
    """Read many; see :meth:`core.model.Predictor.read_many`."""
    decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="read-many-decode")
    network = ThreadPoolExecutor(1, thread_name_prefix="read-many-network")
    try:
        yield from _Line(sources, spec, run, batch_size, (decoders, network)).results()
    finally:
        for pool in (network, decoders):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (network, decoders):
            pool.shutdown(wait=True)

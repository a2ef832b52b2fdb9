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
from collections.abc import Callable, Iterable, Iterator
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
    """A scan and the network's input made of it: ``(S, S, channels)`` float32."""

    scan: Scan
    pixels: NDArray[np.float32] = field(repr=False)
    geometry: Geometry

    @property
    def held_bytes(self) -> int:
        """Bytes it keeps in memory until its result was taken."""
        depth = self.scan.depth
        return self.scan.pixels.nbytes + self.pixels.nbytes + (depth.values.nbytes if depth else 0)


#: Runs the network on some scans: a prediction for each, or a ModelError for all of them.
Run: TypeAlias = Callable[[list[Prepared]], list[Prediction]]


def prepare(scan: Scan, spec: InputSpec) -> Prepared:
    """Make the network's input of a scan."""
    return Prepared(scan, *preprocess(scan.pixels if spec.channels == 3 else scan.grey, spec))


@dataclass(slots=True, eq=False)
class _Place:
    """One input's place in the line."""

    prepared: Future[Prepared | OverreadError]
    since: float | None = None
    batch: Future[list[BatchRead]] | None = None
    at: int = 0


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
            place = self._places.popleft()
            yield head.result()[place.at]

    def _direct(self) -> None:
        """Start whatever can be started now."""
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
            prepared = [place.prepared.result() for place in chosen]
            batch = self._network.submit(self._read, prepared)
            self._batches.append(batch)
            for at, place in enumerate(chosen):
                place.batch, place.at = batch, at

    def _may_decode(self) -> bool:
        unknown = held = 0
        for place in self._places:
            if place.prepared.done():
                found = place.prepared.result()
                held += found.held_bytes if isinstance(found, Prepared) else 0
            else:
                unknown += 1
        line_is_full = len(self._places) >= _AHEAD * self._size
        return not line_is_full and unknown < _UNKNOWN and held < _HELD_BYTES

    def _next_batch(self) -> list[_Place]:
        """Return the next places of the line that make a batch, or none yet."""
        chosen: list[_Place] = []
        more_will_come = not self._ended and self._may_decode()
        for place in self._places:
            if place.batch is not None:
                continue
            if not place.prepared.done():
                more_will_come = True
                break
            place.since = place.since or time.monotonic()
            chosen.append(place)
            if len(chosen) == self._size:
                return chosen
        waited = chosen and time.monotonic() - (chosen[0].since or 0) >= _PATIENCE
        return chosen if waited or not more_will_come else []

    def _pause(self) -> None:
        """Wait until something is done."""
        undone: list[Future[Any]] = [p.prepared for p in self._places if not p.prepared.done()]
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
) -> Iterator[BatchRead]:
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

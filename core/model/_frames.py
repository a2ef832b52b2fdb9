"""Every frame of a loop: a curve that says where to look, and never an answer."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.errors import QualityFailed, ScanError
from core.model._batch import BatchRead, Source
from core.model._bundle import Bundle
from core.model._card import OperatingPoint
from core.model._prediction import Prediction
from core.model._predictor import Predictor
from core.model._words import unknown_means, unknown_scan
from core.scan import check_name, check_quality
from core.text import _

if TYPE_CHECKING:
    from core.scan import Loop, Scan

#: A pixel counts to the lesion from this probability on, as the lesion controls start with.
_LESION = 0.5


@dataclass(frozen=True, slots=True)
class FramePoint:
    """One frame on the curve; a few hundred bytes, so thousands can be kept.

    Attributes
    ----------
    index
        The frame, from 0.
    seconds
        When it begins, from the first frame on; None where the file does not say.
    image_digest
        ``Scan.digest`` of the frame; None where it could not be opened.
    probability
        The calibrated one of the positive label, 0..1; None where there is no answer.
    flagged
        Whether it reaches the threshold of the approved operating point.
    lesion_share
        Share of the picture, 0..1, where the lesion map is at least 0.5, at the resolution of the
        network; None without a lesion map.
    error
        One line where there is no answer.
    held_back
        The quality checks that the frame fails, by name (see ``core.scan.CheckName``): it was not
        read. Empty for any other.
    unknown
        Why the frame is no scan the model knows (``Familiarity.reason``): its answer was held
        back. Empty for any other.
    sure
        As in :class:`Prediction`.
    """

    index: int
    seconds: float | None
    image_digest: str | None
    probability: float | None
    flagged: bool
    lesion_share: float | None
    error: str | None
    held_back: tuple[str, ...] = ()
    unknown: str = ""
    sure: bool | None = None


@dataclass(frozen=True, slots=True)
class FrameCurve:
    """The frames of one loop that were read, in order.

    A frame that fails the quality check is not read: nobody was asked why it should be, and what a
    model says of it was never tested. So it is with a frame that is no scan the model knows. Both
    have a point without a probability and count in no figure.

    It is a way to find frames. A model calibrated on single images says nothing of the largest of
    many probabilities, which rises with their number, so the curve has no such property.

    Attributes
    ----------
    points
        By frame, rising; those not read yet are left out.
    frames
        Frames of the loop.
    positive, operating_point, calibrated, task, version, bundle_digest
        As in :class:`Prediction`: what made it.
    """

    points: tuple[FramePoint, ...]
    frames: int
    positive: str
    operating_point: OperatingPoint
    calibrated: bool
    task: str
    version: str
    bundle_digest: str

    @classmethod
    def of(
        cls, points: Iterable[FramePoint], frames: int, reader: Predictor | Bundle
    ) -> FrameCurve:
        """Put points in order; of several for one frame the last counts."""
        by_frame = {point.index: point for point in points}
        bundle = reader if isinstance(reader, Bundle) else reader.bundle
        card = bundle.card
        return cls(
            points=tuple(by_frame[index] for index in sorted(by_frame)),
            frames=frames,
            positive=card.positive,
            operating_point=card.approved,
            calibrated=card.calibration.method != "none",
            task=card.task,
            version=card.version,
            bundle_digest=bundle.digest,
        )

    @property
    def complete(self) -> bool:
        """Whether every frame was tried."""
        return len(self.points) == self.frames

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Those of the frames that have one."""
        return tuple(p.probability for p in self.points if p.probability is not None)

    @property
    def median(self) -> float | None:
        """The middle of the probabilities: a description of the loop."""
        found = self.probabilities
        return statistics.median(found) if found else None

    @property
    def flagged(self) -> int:
        """How many frames reach the threshold."""
        return sum(point.flagged for point in self.points)

    @property
    def failed(self) -> int:
        """How many frames could not be opened or read."""
        return sum(
            point.error is not None and not point.held_back and not point.unknown
            for point in self.points
        )

    @property
    def held_back(self) -> int:
        """How many frames fail the quality check and were not read."""
        return sum(bool(point.held_back) for point in self.points)

    @property
    def unknown(self) -> int:
        """How many frames are no scan the model knows; their answers were held back."""
        return sum(bool(point.unknown) for point in self.points)


def iter_frames(
    predictor: Predictor,
    loop: Loop,
    frames: Sequence[int] | None = None,
    *,
    batch_size: int = 16,
) -> Generator[FramePoint]:
    """Read the frames of a loop one batch after the other; close it to stop early.

    Parameters
    ----------
    predictor, loop
        What reads, and what is read. Frames are decoded and checked on other threads.
    frames
        Which ones, from 0; all by default.
    batch_size
        As in :meth:`Predictor.read_many`.

    Yields
    ------
    One point per frame, in the order of ``frames``. A frame that cannot be decoded, fails the
    quality check, or that the model fails on, has its reason and no probability.
    """
    wanted = range(loop.count) if frames is None else frames
    seen: deque[_Seen] = deque()

    def sources() -> Iterator[Source]:
        for index in wanted:
            turn = _Seen()
            seen.append(turn)
            yield partial(_checked, loop, index, turn)

    with closing(predictor.read_many(sources(), batch_size=batch_size, heat=False)) as reading:
        for index, read in zip(wanted, reading, strict=True):
            yield _point(loop, index, read, seen.popleft())


def read_frames(
    predictor: Predictor,
    loop: Loop,
    progress: Callable[[int], None] | None = None,
    *,
    batch_size: int = 16,
) -> FrameCurve:
    """Read every frame of a loop.

    Parameters
    ----------
    predictor, loop, batch_size
        As in :func:`iter_frames`.
    progress
        Called after each frame with how many are done.
    """
    points = []
    for point in iter_frames(predictor, loop, batch_size=batch_size):
        points.append(point)
        if progress is not None:
            progress(len(points))
    return FrameCurve.of(points, loop.count, predictor)


@dataclass(slots=True)
class _Seen:
    """What was seen of one frame when it was opened; its scan is kept only where it is read."""

    digest: str | None = None
    failed: tuple[str, ...] = ()


def _checked(loop: Loop, index: int, turn: _Seen) -> Scan:
    frame = _frame(loop, index)
    turn.digest = frame.digest
    turn.failed = tuple(check.name.value for check in check_quality(frame).failed)
    if turn.failed:
        raise QualityFailed(
            _("This frame fails the quality check and was not read: {names}.").format(
                names=", ".join(map(check_name, turn.failed))
            )
        )
    return frame


def _frame(loop: Loop, index: int) -> Scan:
    frame = loop.frame(index)
    if frame.frame != index:
        # Its number would stand on another picture.
        raise ScanError(_("This frame is not the one that was asked for. Open the file again."))
    return frame


def _point(loop: Loop, index: int, read: BatchRead, turn: _Seen) -> FramePoint:
    answer, error = read.prediction, None if read.error is None else str(read.error)
    unknown = ""
    if answer is not None and answer.familiarity is not None and answer.refused:
        unknown, answer = answer.familiarity.reason or "unlike", None
        error = unknown_scan() + ". " + unknown_means(unknown)
    return FramePoint(
        index=index,
        seconds=None if loop.starts is None else loop.starts[index],
        image_digest=turn.digest,
        probability=None if answer is None else answer.probability,
        flagged=answer is not None and answer.flagged,
        lesion_share=None if answer is None else _lesion_share(answer),
        error=error,
        held_back=turn.failed,
        unknown=unknown,
        sure=None if answer is None else answer.sure,
    )


def _lesion_share(answer: Prediction) -> float | None:
    if answer.network_lesion is None:
        return None
    place, values = answer.geometry, answer.network_lesion
    # The padding around a letterboxed picture is no part of it.
    down, across = values.shape[0] / place.size, values.shape[1] / place.size
    top, left = round(place.top * down), round(place.left * across)
    bottom = max(round((place.top + place.content_height) * down), top + 1)
    right = max(round((place.left + place.content_width) * across), left + 1)
    return float(np.mean(values[top:bottom, left:right] >= _LESION))

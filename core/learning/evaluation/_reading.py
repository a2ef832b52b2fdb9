"""Labelled scans, read in batches through the very predictor the page uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, ScanError
from core.learning.evaluation._scored import MAPS, Scored
from core.learning.evaluation._verdict import verdict
from core.learning.rows import Row, birads_category, lesion_share, load_mask, load_scan
from core.model import NO_LESION, BatchRead, Prediction, Source, unknown_means, unknown_scan
from core.scan import Scan, check_name, check_quality
from core.text import _

#: Gives a changed scan and the lesion mask that belongs to it.
Alter: TypeAlias = Callable[[Scan, NDArray[np.bool_]], tuple[Scan, NDArray[np.bool_]]]

BATCH = 16
#: Bytes of scans that wait for the heat of another class than the one answered.
_HELD_BYTES = 64 * 2**20


class BatchReader(Protocol):
    """Anything that reads many scans: a :class:`~core.model.Predictor`, or a test's own."""

    def read_many(
        self,
        scans: Iterable[Source],
        *,
        batch_size: int = BATCH,
        target: str | None = None,
        heat: bool = True,
    ) -> Generator[BatchRead]:
        """Read scans in order; see :meth:`core.model.Predictor.read_many`."""
        ...


@dataclass(slots=True)
class _Turn:
    """One row under way: what was seen of it when it was opened, then what came of it."""

    row: Row
    lesion: NDArray[np.bool_] | None = None
    share: float = 0.0
    digest: str = ""
    reason: str = ""
    unread: bool = False
    sure: bool = False
    probabilities: list[float] = field(default_factory=list)
    maps: dict[str, float] = field(default_factory=dict)


def score(
    rows: Sequence[Row],
    reader: BatchReader,
    labels: Sequence[str],
    positive: str,
    progress: Callable[[int], None] = lambda _done: None,
    alter: Alter | None = None,
    *,
    heat: bool = True,
    batch_size: int = BATCH,
) -> Scored:
    """Let ``reader`` read every row.

    Parameters
    ----------
    labels
        The model's labels; every row's label is one of them.
    progress
        Called with the number of rows done.
    alter
        Changes each scan, and its lesion mask along with it, before it is read; called on several
        threads at once.
    heat
        Whether Grad-CAM is asked for. Without it reading takes less time and ``cam_pointing`` is
        not known.
    batch_size
        Scans in one call of the network.

    Raises
    ------
    DatasetError
        A mask cannot be read or has another size than its image: the truth is unknown, which
        must not count as a scan that the model refused.
    """
    labels = tuple(labels)
    done: list[_Turn] = []
    turns: deque[_Turn] = deque()

    def sources() -> Iterator[Source]:
        for row in rows:
            turn = _Turn(row)
            turns.append(turn)
            yield partial(_opened, turn, alter)

    others = _OtherHeat(reader, batch_size)
    with closing(reader.read_many(sources(), batch_size=batch_size, heat=heat)) as reading:
        for read in reading:
            turn = turns.popleft()
            _take(turn, read, labels, positive)
            answer = read.prediction
            if read.scan is not None and answer is not None and turn.lesion is not None:
                likeliest = _likeliest(answer, positive)
                if answer.heat_available and answer.heat_class != likeliest:
                    others.add(turn, read.scan, likeliest)
            if not others.waits_for(turn):
                turn.lesion = None
            done.append(turn)
            progress(len(done))
    others.finish()
    return _scored(done, labels, positive)


def _opened(turn: _Turn, alter: Alter | None) -> Scan:
    try:
        scan = load_scan(turn.row)
    except ScanError:
        turn.share = lesion_share(turn.row)
        raise
    turn.digest = scan.digest
    lesion = load_mask(turn.row, scan.height, scan.width) > 127
    if alter is not None:
        scan, lesion = alter(scan, lesion)
    turn.share = float(lesion.mean())
    turn.lesion = lesion if turn.share > 0 else None
    failed = check_quality(scan).failed
    if failed:
        names = ", ".join(check_name(check.name) for check in failed)
        turn.reason = _("It fails the quality check: {names}.").format(names=names)
    return scan


def _take(turn: _Turn, read: BatchRead, labels: tuple[str, ...], positive: str) -> None:
    """Note what came of a row."""
    if isinstance(read.error, DatasetError):
        raise read.error
    if read.prediction is None:
        turn.unread, turn.reason = True, str(read.error)
        return
    prediction = read.prediction
    unknown, sure = verdict(prediction)
    if unknown and not turn.reason:
        known = prediction.familiarity
        turn.reason = f"{unknown_scan()}. {unknown_means('' if known is None else known.reason)}"
    turn.sure = sure and not turn.reason
    turn.probabilities = [prediction.probabilities[name] for name in labels]
    found = prediction.lesion_map()
    if turn.lesion is None:
        # Without a mask nobody knows, unless the label says that there is no lesion.
        if found is not None and (turn.row.mask is not None or turn.row.label == NO_LESION):
            turn.maps["false_outline"] = float((found >= 0.5).any())
        return
    if found is not None:
        marked = found >= 0.5
        both = int((marked & turn.lesion).sum())
        turn.maps = {
            "dice": 2 * both / int(marked.sum() + turn.lesion.sum()),
            "iou": both / int((marked | turn.lesion).sum()),
            "mask_peak": float(turn.lesion.flat[int(found.argmax())]),
        }
    if prediction.heat_available and prediction.heat_class == _likeliest(prediction, positive):
        turn.maps["cam_pointing"] = _pointing(prediction, turn.lesion)


def _pointing(prediction: Prediction, lesion: NDArray[np.bool_]) -> float:
    heat = prediction.heat()
    # Heat that is nowhere points nowhere: it counts as a miss.
    return float(heat.max() > 0 and lesion.flat[int(heat.argmax())])


def _likeliest(prediction: Prediction, positive: str) -> str:
    """Return the class that the figures take as said: the positive one from .5."""
    of = prediction.probabilities
    others = max((name for name in of if name != positive), key=of.__getitem__)
    return positive if of[positive] >= 0.5 else others


class _OtherHeat:
    """Scans whose heat explains another class than the likeliest; read again, a batch at a time.

    The answer is given at the approved operating point, which may flag below one half.
    """

    def __init__(self, reader: BatchReader, batch_size: int) -> None:
        self._reader = reader
        self._size = batch_size
        self._waiting: dict[str, list[tuple[_Turn, Scan]]] = {}

    def add(self, turn: _Turn, scan: Scan, target: str) -> None:
        """Let a scan wait for the heat of ``target``."""
        waiting = self._waiting.setdefault(target, [])
        waiting.append((turn, scan))
        held = sum(each.pixels.nbytes for _turn, each in waiting)
        if len(waiting) >= self._size or held > _HELD_BYTES:
            self._read(target)

    def waits_for(self, turn: _Turn) -> bool:
        """Tell whether the mask of this row is still needed."""
        return any(turn is each for waiting in self._waiting.values() for each, _scan in waiting)

    def finish(self) -> None:
        """Read those that still wait."""
        for target in list(self._waiting):
            self._read(target)

    def _read(self, target: str) -> None:
        waiting = self._waiting.pop(target)
        scans = [scan for _turn, scan in waiting]
        with closing(
            self._reader.read_many(scans, batch_size=self._size, target=target)
        ) as reading:
            for (turn, _scan), read in zip(waiting, reading, strict=True):
                if turn.lesion is None:
                    continue
                if read.prediction is None:
                    turn.maps["cam_pointing"] = 0.0
                elif read.prediction.heat_available:
                    turn.maps["cam_pointing"] = _pointing(read.prediction, turn.lesion)
                turn.lesion = None


def _scored(turns: Sequence[_Turn], labels: tuple[str, ...], positive: str) -> Scored:
    nothing = [np.nan] * len(labels)
    # What the model has no map for is missing everywhere, and not a miss where it was not asked.
    known = {name for turn in turns for name in turn.maps}

    def column(get: Callable[[_Turn], Any], kind: Any = np.str_) -> NDArray[Any]:
        return np.array([get(turn) for turn in turns], kind)

    def of_map(name: str) -> NDArray[np.float64]:
        def value(turn: _Turn) -> float:
            missed = turn.unread and turn.share > 0 and name in known - {"false_outline"}
            return turn.maps.get(name, 0.0 if missed else np.nan)

        return column(value, np.float64)

    probabilities = column(lambda turn: turn.probabilities or nothing, np.float64)
    return Scored(
        labels=labels,
        positive=positive,
        truth=column(lambda turn: labels.index(turn.row.label), np.int64),
        probabilities=probabilities.reshape(len(turns), len(labels)),
        group=column(lambda turn: f"{turn.row.source}/{turn.row.group}"),
        refused=column(lambda turn: bool(turn.reason), np.bool_),
        sure=column(lambda turn: turn.sure, np.bool_),
        reason=column(lambda turn: turn.reason),
        entry=column(lambda turn: turn.row.entry, np.int64),
        file=column(lambda turn: _file(turn.row)),
        digest=column(lambda turn: turn.digest),
        attributes={
            "source": column(lambda turn: turn.row.source),
            "device": column(lambda turn: turn.row.device),
            "birads": column(lambda turn: _birads(turn.row)),
            "lesion size": _thirds(column(lambda turn: turn.share, np.float64)),
        },
        **{name: of_map(name) for name in MAPS},
    )


def _birads(row: Row) -> str:
    # One category is one group, however it is written; what is none keeps its own word.
    word = row.about.get("birads", "")
    return birads_category(word) or word


def _file(row: Row) -> str:
    # In an archive of arrays there are no files: there the number is the name.
    return f"{row.label}/{row.image.name}" if row.index is None else f"{row.split}[{row.index}]"


def _thirds(share: NDArray[np.float64]) -> NDArray[np.str_]:
    """Name the third of the lesions that each one belongs to by its share of the picture."""
    words = np.full(len(share), "", dtype="<U6")
    known = share > 0
    if known.any():
        low, high = np.percentile(share[known], [100 / 3, 200 / 3])
        words[known] = "medium"
        words[known & (share < low)] = "small"
        words[known & (share > high)] = "large"
    return words

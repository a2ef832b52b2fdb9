"""A training run on disk: its record, its checkpoint and its learning curves."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import LearningError
from core.store import sync_file
from core.text import _

if TYPE_CHECKING:
    from core.learning.training import TrainingConfig

#: What the figures of a run depend on beside its own options.
_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


@dataclass(slots=True)
class RunRecord:
    """What ``run.json`` says, and the files beside it.

    Attributes
    ----------
    history
        The figures of every epoch so far.
    stopped
        Whether it ended before its last epoch because nothing got better.
    """

    folder: Path
    config: dict[str, Any]
    about: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False

    @classmethod
    def open(
        cls, folder: Path, config: TrainingConfig, about: dict[str, Any], *, resume: bool
    ) -> RunRecord:
        """Start a record, or take up that of a run that was stopped.

        Raises
        ------
        LearningError
            The run was made with other options or data, cannot be read, or the folder cannot be
            written to.
        """
        # Through JSON and back, as a stored one: tuples are lists there.
        options = json.loads(json.dumps(asdict(config)))
        about = {"started": _now(), "environment": _environment()} | about
        record = cls(folder, options, about)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_written() from error
        path = folder / "run.json"
        if not (resume and path.is_file()):
            return record
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            made_with, history = stored["config"], list(stored["history"])
            before, stopped = dict(stored["about"]), bool(stored["stopped"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise cls.unreadable() from error
        if made_with != options or before.get("data") != about.get("data"):
            raise _other_run()
        record.history, record.stopped = history, stopped
        record.about = before | {"resumed": [*before.get("resumed", []), _now()]}
        return record

    @staticmethod
    def unreadable() -> LearningError:
        """Return the error of a checkpoint that is damaged."""
        return LearningError(
            _("The run's checkpoint cannot be read: start it again in a new folder.")
        )

    @property
    def best(self) -> Path:
        """Weights of the best epoch, where training may stop early."""
        return self.folder / "best.weights.npz"

    def checkpoint(self) -> Path:
        """Return the weights and the optimizer after the last whole epoch."""
        return self.folder / f"epoch-{len(self.history):03d}.weights.npz"

    @staticmethod
    def seconds_of(folder: Path) -> float:
        """Return what a run took, over every time it was resumed."""
        stored = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return float(stored["about"]["seconds"])

    def keep_best(self, model: Any) -> None:
        """Keep the model's weights as the best so far."""
        self._weights(model.weights, self.best)

    def take_best(self, model: Any) -> None:
        """Give a model the best weights so far.

        Raises
        ------
        LearningError
            They cannot be read.
        """
        _give(model.weights, self.best)

    def take_up(self, model: Any) -> None:
        """Give a compiled model the weights of the last whole epoch, and its optimizer the state.

        Raises
        ------
        LearningError
            The checkpoint cannot be read.
        """
        _give(_state(model), self.checkpoint())

    def add(self, figures: dict[str, float], model: Any, *, stopped: bool) -> None:
        """Keep the figures and the state after an epoch.

        Raises
        ------
        LearningError
            It cannot be written; the last whole epoch can still be resumed from.
        """
        self.history.append(figures)
        self.stopped = stopped
        # Weights first, the record that points at them last and by rename: a run killed at any
        # moment finds a whole checkpoint.
        target = self.checkpoint()
        self._weights(_state(model), target)
        about = self.about | {
            "updated": _now(),
            "seconds": round(sum(each["seconds"] for each in self.history), 1),
        }
        text = json.dumps(
            {
                "config": self.config,
                "about": about,
                "stopped": stopped,
                "history": self.history,
            },
            indent=1,
        )
        self._text("run.json", text)
        self._text("curves.svg", learning_curves(self.history))
        for old in self.folder.glob("epoch-*.weights.npz"):
            if old != target:
                old.unlink()

    def _weights(self, variables: Sequence[Any], target: Path) -> None:
        # Packed in memory first: HDF5, which Keras would write, takes the whole process with it
        # when the disk fills while a file is open.
        packed = io.BytesIO()
        np.savez(packed, *(variable.numpy() for variable in variables), allow_pickle=False)
        self._bytes(target.name, packed.getbuffer())

    def _text(self, name: str, text: str) -> None:
        self._bytes(name, text.encode())

    def _bytes(self, name: str, content: bytes | memoryview) -> None:
        partial = self.folder / f"{name}.part"
        try:
            partial.write_bytes(content)
            sync_file(partial)
            os.replace(partial, self.folder / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _not_written() from error


def _state(model: Any) -> list[Any]:
    return [*model.weights, *model.optimizer.variables]


def _give(variables: Sequence[Any], path: Path) -> None:
    """Assign stored values to variables, in their order, all or none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = [stored[f"arr_{at}"] for at in range(len(stored.files))]
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values] != shapes:
            raise RunRecord.unreadable()
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunRecord.unreadable() from error
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextmanager
def alone_in(folder: Path, folds: int, *, resume: bool) -> Iterator[None]:
    """Keep the folder of a run for one process, and what lies in it from a run that forgot it.

    Raises
    ------
    LearningError
        A run lies there and is not resumed, another process trains there, or the folder cannot be
        written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _not_written() from error
    try:
        try:
            with suppress(ImportError):  # only where there is no such lock
                import fcntl

                # The system lets go of it when the process ends, however it ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LearningError(
                _("Another training is writing into this folder: use a new one.")
            ) from error
        whole, parted = (any(folder.glob(f"{at}run.json")) for at in ("", "fold-*/"))
        # Its first epoch would take the place of a checkpoint that took hours.
        if not resume and (whole or parted):
            raise LearningError(
                _("There is a run in this folder already: go on with --resume, or use a new one.")
            )
        if (whole and folds > 1) or (parted and folds == 1):
            raise _other_run()
        yield
    finally:
        os.close(lock)


def _not_written() -> LearningError:
    return LearningError(
        _(
            "The run cannot be kept: its disk is full or may not be written to. Make room, or use "
            "another folder; a run that had begun goes on with --resume."
        )
    )


def _other_run() -> LearningError:
    return LearningError(
        _(
            "This run was started with other options or data: resume with the same, or use a new "
            "folder."
        )
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


_WIDTH, _HEIGHT, _EDGE = 420, 240, 44
#: Told apart by dashes as well as by colour.
_STROKES = (("#1b6ca8", ""), ("#b3541e", "6 3"), ("#4b7f3a", "2 3"), ("#7a4a9e", "9 3 2 3"))


def learning_curves(history: Sequence[dict[str, float]]) -> str:
    """Draw the figures of a run over its epochs: losses on the left, what is watched on the right.

    Returns
    -------
    A picture as SVG text.
    """
    names = sorted({name for figures in history for name in figures} - {"epoch", "seconds"})
    losses = [name for name in names if name.endswith("loss")]
    others = [name for name in names if not name.endswith("loss")]
    panels = "".join(
        f'<g transform="translate({at * _WIDTH},0)">{_panel(history, part)}</g>'
        for at, part in enumerate((losses, others))
    )
    title = escape(_("Learning curves"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}" '
        f'width="{2 * _WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="11">'
        f"<title>{title}</title>"
        f'<rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n'
    )


def _panel(history: Sequence[dict[str, float]], names: Sequence[str]) -> str:
    points = {
        name: [(each["epoch"], each[name]) for each in history if name in each] for name in names
    }
    values = [value for line in points.values() for _epoch, value in line]
    if not values:
        return ""
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    last = max(each["epoch"] for each in history)
    wide, tall = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE

    def place(epoch: float, value: float) -> str:
        x = _EDGE + wide * (epoch - 1) / max(1, last - 1)
        return f"{x:.1f},{_EDGE + tall * (1 - (value - low) / spread):.1f}"

    drawn = [
        f'<path d="M{_EDGE},{_EDGE}V{_EDGE + tall}H{_EDGE + wide}" fill="none" stroke="#888"/>',
        f'<text x="{_EDGE - 4}" y="{_EDGE + 4}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{_EDGE - 4}" y="{_EDGE + tall}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{_EDGE + wide}" y="{_EDGE + tall + 16}" text-anchor="end">{last:.0f}</text>',
    ]
    for at, (name, line) in enumerate(points.items()):
        colour, dash = _STROKES[at % len(_STROKES)]
        style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        drawn.append(
            f'<polyline points="{" ".join(place(*each) for each in line)}" fill="none" {style}/>'
        )
        x, y = _EDGE + (at % 2) * wide // 2, 14 + 14 * (at // 2)
        drawn.append(
            f'<line x1="{x}" x2="{x + 22}" y1="{y - 4}" y2="{y - 4}" {style}/>'
            f'<text x="{x + 27}" y="{y}">{escape(name)}</text>'
        )
    return "".join(drawn)

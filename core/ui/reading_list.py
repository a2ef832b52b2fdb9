"""The scans one session has open: what was uploaded, what was read, and what was decided so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import ModelError, ScanError
from core.lesion import HeatRegionResult, LesionControls, LesionResult
from core.model import Prediction, Predictor
from core.review import Receipt
from core.scan import Doubt, Scan, doubts, read_scan
from core.settings import Settings
from core.text import _

_KEY = "reading-list"


@dataclass(slots=True, eq=False)
class OpenScan:
    """One scan on the reading list.

    Attributes
    ----------
    doubts
        Plain signs that it is no scan of the kind the model was made for.
    prediction, problem
        The model's answer, or the one line that says why there is none.
    controls, history
        The lesion controls in force, and those before them, latest last.
    regions
        Corrected outlines the doctor drew, each (N, 2) x and y in image pixels.
    drafts
        What the feedback form holds so far, by field.
    receipt
        Proof of the feedback that was saved last.
    sent
        What the form said when it was saved last.
    submission_key
        Names the next submission, so that sending it twice saves it once.
    shaped
        What the controls made of the map last time, so that it is not computed twice.
    outline_shown
        Whether mask or outline lay over the image when it was drawn last.
    withdrawn
        How often an accepted outline gave way to another one; each time the form asks afresh.
    form_is_old
        Whether the form on screen still shows an acceptance that was withdrawn.
    """

    scan: Scan
    doubts: tuple[Doubt, ...] = ()
    prediction: Prediction | None = None
    problem: str | None = None
    controls: LesionControls = field(default_factory=LesionControls)
    history: list[LesionControls] = field(default_factory=list)
    regions: list[tuple[tuple[int, int], ...]] = field(default_factory=list)
    drafts: dict[str, Any] = field(default_factory=dict)
    receipt: Receipt | None = None
    sent: str | None = None
    submission_key: str = field(default_factory=lambda: uuid4().hex)
    shaped: LesionResult | HeatRegionResult | None = None
    outline_shown: bool = True
    withdrawn: int = 0
    form_is_old: bool = False
    _map: NDArray[np.float32] | None = None
    _heat: NDArray[np.float32] | None = None

    @property
    def digest(self) -> str:
        """Identity of the scan."""
        return self.scan.digest

    def region_map(self) -> NDArray[np.float32] | None:
        """Return the map that the controls shape: lesion probability, else heat; or none."""
        if self.prediction is None:
            return None
        if self._map is None:
            lesion = self.prediction.lesion_map()
            self._map = self.heat() if lesion is None else lesion
        return self._map

    def heat(self) -> NDArray[np.float32] | None:
        """Return the prediction's heat at the size of the scan, made once while on screen."""
        if self._heat is None and self.prediction is not None:
            self._heat = self.prediction.heat()
        return self._heat

    def release(self) -> None:
        """Let go of what can be computed again; a long list would fill the memory with it."""
        self._map = self._heat = None
        self.shaped = None


@dataclass(slots=True)
class ReadingList:
    """The scans a session has open, in the order they came.

    Attributes
    ----------
    refused
        What could not be opened: the name as the person sees it, and the one line why.
    again
        How many uploads were on the list already.
    upload_round
        Counts the uploads, so that each starts with an empty uploader and the bytes can go.
    """

    scans: dict[str, OpenScan] = field(default_factory=dict)
    current: str | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)
    again: int = 0
    upload_round: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def shown(self) -> OpenScan | None:
        """The scan on screen, or none."""
        return self.scans.get(self.current) if self.current else None

    def add(self, scan: Scan) -> None:
        """Put a scan on the list; one that is there already is not added again."""
        if scan.digest in self.scans:
            self.again += 1
        else:
            self.scans[scan.digest] = OpenScan(scan, doubts(scan))
        if self.current is None:
            self.current = scan.digest

    def show(self, digest: str) -> None:
        """Bring another scan on screen."""
        if digest not in self.scans or digest == self.current:
            return
        if self.shown is not None:
            self.shown.release()
        self.current = digest

    def step(self, by: int) -> None:
        """Go ``by`` scans forward (negative: back), stopping at the ends."""
        order = list(self.scans)
        if self.current in order:
            at = order.index(self.current) + by
            self.show(order[min(max(at, 0), len(order) - 1)])

    def remove(self, digest: str) -> None:
        """Take a scan off the list; the next one comes on screen, or the one before the last."""
        order = list(self.scans)
        at = order.index(digest)
        del self.scans[digest]
        if self.current == digest:
            rest = order[at + 1 :] or order[:at][::-1]
            self.current = rest[0] if rest else None

    def forget_refusals(self) -> None:
        """Stop saying what could not be opened, once the person has seen it."""
        self.refused.clear()
        self.again = 0

    @property
    def unread(self) -> list[OpenScan]:
        """Scans the model has not answered yet."""
        return [s for s in self.scans.values() if s.prediction is None and s.problem is None]


class UploadedBytes(Protocol):
    """What Streamlit's uploader hands over."""

    name: str
    file_id: str

    def getvalue(self) -> bytes:
        """Return the whole file."""
        ...


def reading_list() -> ReadingList:
    """Return the session's reading list."""
    found = st.session_state.get(_KEY)
    if not isinstance(found, ReadingList):
        found = st.session_state[_KEY] = ReadingList()
    return found


def take_in(
    files: Iterable[UploadedBytes],
    into: ReadingList,
    settings: Settings,
    progress: Callable[[int], None],
) -> None:
    """Decode uploads one after the other; what cannot be read is noted and the rest goes on.

    Parameters
    ----------
    progress
        Called after each file with how many are done.
    """
    for done, file in enumerate(files, start=1):
        # A rerun can cut this loop off anywhere; the next one goes on where it stopped.
        if file.file_id not in into.seen:
            try:
                into.add(read_scan(file.getvalue(), file.name, settings=settings))
            except ScanError as error:
                into.refused.append((file.name, str(error)))
            into.seen.add(file.file_id)
        progress(done)


def read_all(into: ReadingList, predictor: Predictor, progress: Callable[[int], None]) -> None:
    """Let the model read every scan it has not read; a failure is noted and the rest goes on."""
    for done, item in enumerate(into.unread, start=1):
        try:
            prediction = predictor.read(item.scan)
        except ModelError as error:
            item.problem = str(error)
        else:
            if prediction.image_digest == item.digest:
                item.prediction = prediction
            else:
                item.problem = _("The answer was for another scan and was discarded. Read again.")
        progress(done)

"""One file in front of the reader: its frames, its corrected copies, and what was decided on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from core.explain import UNKNOWN_SCAN
from core.lesion import HeatRegionResult, LesionControls, LesionResult
from core.model import Prediction
from core.review import ImageFacts, Receipt
from core.scan import Loop, Outcome, QualityReport, Scan, Window, check_quality
from core.ui.explain_choice import Choice
from core.ui.explain_kept import Question

#: Frames without any work on them that an entry keeps, so that going back is quick.
_KEPT_FRAMES = 24
#: Characters of a reason that is stored with the case.
_LONGEST_REASON = 500
#: Longest side in pixels of a heatmap as it is sent: it is far coarser than the image under it.
DRAWN_HEAT = 1024


@dataclass(slots=True, eq=False)
class OpenScan:
    """One image that is or was on screen.

    Attributes
    ----------
    quality
        Whether it qualifies for being read, check by check.
    file
        Key of the file it belongs to, where another file may hold the same picture: a still and a
        frame of a loop are two entries, and what is entered on one is not said of the other.
    reason
        Why somebody wants it read although a check failed; empty as long as nobody said.
    prediction, problem
        The model's answer, or the one line that says why there is none.
    withheld
        The answer to a picture that is no scan the model knows, until somebody says why it is to
        be looked at all the same: nothing of it is shown before.
    controls, history
        The lesion controls in force, and those before them, latest last.
    regions
        Corrected outlines the doctor drew, each (N, 2) x and y in image pixels.
    measures
        Distances and ellipses measured by hand.
    drafts
        What the feedback form holds so far, by field.
    receipt
        Proof of the feedback that was saved last.
    sent
        What the form said when it was saved last.
    sent_maps
        How many explanations were kept with it.
    submission_key
        Names the next submission, so that sending it twice saves it once.
    shaped
        What the controls made of the map last time, so that it is not computed twice.
    drawn
        The controls whose outline was drawn last.
    outline_shown
        Whether mask or outline lay over the image when it was drawn last.
    withdrawn
        How often an accepted outline gave way to another one; each time the form asks afresh.
    form_is_old
        Whether the form on screen still shows an acceptance that was withdrawn.
    again
        How often it was read again: what was sent before was said of another answer.
    has_form
        Whether its form was ever on screen: what its fields hold before is not of this image but
        of one that was closed, and may be the same picture.
    explored, last_explored
        Where the slider over the operating point stands, None at the approved point; and where it
        stood last on this image, which is recorded.
    site_prevalence
        The site's prevalence that stood beside the answer when it was drawn last.
    why, asked
        What is asked of the answer now, and every question so far, each once.
    maps_shown
        Questions whose map was on screen, and whether only what speaks against the class was.
    suggested_on, reported_on
        What the suggestions and the report on screen were made from; None while none are shown.
    """

    scan: Scan
    quality: QualityReport
    file: str = ""
    reason: str = ""
    prediction: Prediction | None = None
    problem: str | None = None
    withheld: Prediction | None = None
    controls: LesionControls = field(default_factory=LesionControls)
    history: list[LesionControls] = field(default_factory=list)
    regions: list[tuple[tuple[int, int], ...]] = field(default_factory=list)
    measures: tuple[Any, ...] = ()
    drafts: dict[str, Any] = field(default_factory=dict)
    receipt: Receipt | None = None
    sent: str | None = None
    sent_maps: int = 0
    submission_key: str = field(default_factory=lambda: uuid4().hex)
    shaped: LesionResult | HeatRegionResult | None = None
    drawn: LesionControls | None = None
    outline_shown: bool = True
    withdrawn: int = 0
    form_is_old: bool = False
    again: int = 0
    has_form: bool = False
    explored: float | None = None
    last_explored: float | None = None
    site_prevalence: float | None = None
    why: Choice = field(default_factory=Choice)
    asked: list[Question] = field(default_factory=list)
    maps_shown: dict[Question, bool] = field(default_factory=dict)
    suggested_on: object = None
    reported_on: object = None
    _map: NDArray[np.float32] | None = None
    _heat: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, scan: Scan, file: str = "") -> OpenScan:
        """Open a scan and check its quality."""
        return cls(scan, check_quality(scan), file)

    @property
    def digest(self) -> str:
        """Identity of the scan."""
        return self.scan.digest

    @property
    def widget(self) -> str:
        """What its controls are called: no other image on the list has the same."""
        return f"{self.digest[:16]}{self.file[:8]}"

    @property
    def qualifies(self) -> bool:
        """Whether the model may read it: no check failed, or a reason was given."""
        return self.quality.outcome is not Outcome.FAIL or bool(self.reason)

    @property
    def read_despite(self) -> tuple[str, ...]:
        """What a reason was given to read it in spite of: see :func:`core.explain.caveat_words`."""
        refused = self.prediction is not None and self.prediction.refused
        failed = tuple(str(check.name) for check in self.quality.failed)
        return (*failed, UNKNOWN_SCAN) if refused else failed

    @property
    def is_unread(self) -> bool:
        """Whether it waits for the model."""
        answers = (self.prediction, self.problem, self.withheld)
        return self.qualifies and all(answer is None for answer in answers)

    def take(self, answer: Prediction) -> None:
        """Keep the model's answer; one to a picture it does not know stays withheld."""
        if answer.refused:
            self.withheld = answer
        else:
            self.prediction = answer

    def look_anyway(self, reason: str) -> None:
        """Let the answer that was withheld be seen, for a reason that is kept."""
        self.reason = _joined(self.reason, reason)
        self.prediction, self.withheld = self.withheld, None

    @property
    def has_work(self) -> bool:
        """Whether a person did anything on it that must not be forgotten."""
        return bool(
            self.drafts
            or self.regions
            or self.measures
            or self.history
            or self.receipt
            or self.reason
            or self.scan.corrections
        )

    @property
    def measured_on(self) -> object:
        """What the measurements that count depend on, and how far the doctor stands by it."""
        return self.controls, tuple(self.regions), bool(self.drafts.get("outline"))

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

    def answer_again(self, prediction: Prediction) -> None:
        """Take another answer in place of the one before, and back what was said of that one.

        What the doctor found and drew of the image itself stays. Where the other model does not
        know the picture, its answer is withheld as any is: a reason given for the one before was
        not given for this one.
        """
        self.release()
        self.prediction = self.problem = self.withheld = None
        self.take(prediction)
        self.controls, self.history = LesionControls(), []
        self.why, self.asked, self.maps_shown = Choice(), [], {}
        self.explored = self.last_explored = self.site_prevalence = None
        for said in ("verdict", "outline"):
            self.drafts.pop(said, None)
        self.withdrawn += 1
        self.again += 1

    @property
    def held_bytes(self) -> int:
        """Memory that its pixels and its answer take."""
        held = int(self.scan.pixels.nbytes)
        if self.scan.depth is not None:
            held += int(self.scan.depth.values.nbytes)
        answer = self.prediction or self.withheld
        if answer is not None:
            held += int(answer.network_heat.nbytes)
            lesion = answer.network_lesion
            held += 0 if lesion is None else int(lesion.nbytes)
        return held


def _joined(before: str, reason: str) -> str:
    """Return both reasons, the later one whole, within what can be stored."""
    if not before:
        return reason
    room = _LONGEST_REASON - len(reason) - 2
    kept = before if len(before) <= room else before[: max(room - 1, 0)] + "…"
    return f"{kept}; {reason}"[:_LONGEST_REASON]


@dataclass(slots=True, eq=False)
class Entry:
    """One file on the reading list: a scan or a loop, with its corrected copies.

    Attributes
    ----------
    first
        The scan as it came; of a loop its first frame.
    loop
        The frames, or none.
    frame
        Which frame is on screen, from 0.
    items
        Every image looked at so far, by digest: frames and corrected copies.
    current
        Digest of the image on screen.
    context
        What the doctor entered about the case, the same for all images of the file.
    has_form
        Whether the fields about the case were ever on screen, as of :class:`OpenScan`.
    beside
        What stands beside the image on screen: ``""`` the untouched image, ``"held"``,
        ``"earlier"``, or the key of another entry.
    held
        A frame that was put aside to compare others with.
    earlier
        A stored scan of the same patient, as facts and PNG.
    viewing
        A window the person looks through that is not the one the model read with.
    """

    first: OpenScan
    loop: Loop | None
    frame: int = 0
    items: dict[str, OpenScan] = field(default_factory=dict)
    current: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    has_form: bool = False
    beside: str = ""
    held: Scan | None = None
    earlier: tuple[ImageFacts, bytes] | None = None
    viewing: Window | None = None

    @classmethod
    def of(cls, scan: Scan) -> Entry:
        """Open a file that was decoded."""
        # The loop is held once, here, and not by each of its frames.
        key = file_key(scan, several=scan.loop is not None)
        first = OpenScan.of(replace(scan, loop=None), "" if key == scan.digest else key)
        return cls(first, scan.loop, scan.frame, {first.digest: first}, first.digest)

    @property
    def key(self) -> str:
        """Identity of the file, as :func:`file_key`."""
        return file_key(self.first.scan, several=self.loop is not None)

    @property
    def shown(self) -> OpenScan:
        """The image on screen."""
        return self.items[self.current]

    def show_frame(self, index: int) -> None:
        """Bring another frame on screen.

        Raises
        ------
        ScanError
            It cannot be decoded; the frame before it stays.
        IndexError
            There is no such frame.
        """
        if self.loop is None or index == self.frame:
            return
        scan = self.loop.frame(index)
        self.bring(scan)
        self.frame = index

    def bring(self, scan: Scan) -> None:
        """Bring a frame, a corrected copy or the untouched image on screen."""
        self.shown.release()
        self.viewing = None
        if scan.corrections and scan.digest == scan.origin:
            # Corrections that cancel each other out, such as a full turn, leave it untouched.
            scan = replace(scan, corrections=(), origin=None)
        item = self.items.pop(scan.digest, None) or self._opened(scan)
        # Two frames of a loop may be the same picture: what was decided on it holds for both.
        item.scan = scan
        self.items[scan.digest] = item
        self.current = scan.digest
        idle = [i for i in self.items.values() if not i.has_work and i not in (self.first, item)]
        for old in idle[:-_KEPT_FRAMES]:
            del self.items[old.digest]

    def _opened(self, scan: Scan) -> OpenScan:
        """Open a frame or a corrected copy; of what was entered, a copy takes along what holds."""
        plain = not scan.corrections and self.key == scan.digest
        item = OpenScan.of(scan, "" if plain else self.key)
        if scan.corrections:
            before = self.shown
            for name in ("label", "origin", "confidence", "urgency", "comment"):
                if name in before.drafts:
                    item.drafts[name] = before.drafts[name]
            if scan.corrections[-1].kind in ("window", "contrast"):
                # Nothing moved: what was drawn and measured lies where it lay.
                item.regions, item.measures = list(before.regions), before.measures
        return item

    def untouched(self) -> Scan:
        """Return the image on screen as it came, before any correction.

        Raises
        ------
        ScanError
            The frame cannot be decoded again.
        """
        scan = self.shown.scan
        if scan.origin is None:
            return scan
        known = self.items.get(scan.origin)
        if known is not None:
            return known.scan
        return self.loop.frame(scan.frame) if self.loop is not None else self.first.scan

    @property
    def held_bytes(self) -> int:
        """Memory that the file takes in this session."""
        held = sum(item.held_bytes for item in self.items.values())
        return held + (self.loop.held_bytes if self.loop is not None else 0)


def file_key(scan: Scan, *, several: bool) -> str:
    """Return what tells a file on the list from others.

    One picture of eight bits is what its digest says. Two loops may begin with the same frame, and
    two deep images look the same through their windows: there the file itself counts.

    Parameters
    ----------
    scan
        The first image of the file.
    several
        Whether it has more frames.
    """
    return scan.source_digest if several or scan.depth is not None else scan.digest

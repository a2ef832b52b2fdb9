"""Explanations that were made, kept for the whole process under what made them.

A key is made of digests and parameters and never of pictures, so whoever comes back to a scan, in
any session, finds its maps, and a map can be shown over no other scan. Maps are kept as they are,
``(H, W)`` float32 at the size of the scan: 2 MB for one of 800 x 600 pixels. Where there is no more
room (:data:`MOST_BYTES` altogether), those looked at longest ago go, and are made again when asked.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock

from core.explain import Curves, Explanation, Occlusion, Stability

#: Bytes of maps in one process.
MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Question:
    """What one explanation answers: all that it depends on.

    Attributes
    ----------
    image, bundle
        Digests of the scan and of the model.
    method, target
        As :class:`core.explain.Explanation`.
    parameters
        What was chosen beside, as text: the region of an occlusion and how it is hidden.
    """

    image: str
    bundle: str
    method: str
    target: str
    parameters: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What came of a question.

    Attributes
    ----------
    explanation
        The map; None where a region was hidden and the probability stayed as it was.
    occlusion
        What the map was made from, where a region was hidden.
    curves, stability
        How far the map holds, once that was measured.
    """

    explanation: Explanation | None = None
    occlusion: Occlusion | None = None
    curves: Curves | None = None
    stability: Stability | None = None

    @property
    def held_bytes(self) -> int:
        """Memory it takes."""
        held = 0 if self.explanation is None else self.explanation.values.nbytes
        if self.occlusion is not None:
            held += self.occlusion.region.nbytes + self.occlusion.pixels.nbytes
        return held + 4096


class Kept:
    """A bounded shelf of answers; safe from any thread.

    Parameters
    ----------
    most
        Bytes it holds at most; the answer that came last always stays.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._found: OrderedDict[Question, Found] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    def get(self, question: Question) -> Found | None:
        """Return what came of a question, if it is still here."""
        with self._lock:
            found = self._found.get(question)
            if found is not None:
                self._found.move_to_end(question)
            return found

    def put(self, question: Question, found: Found) -> None:
        """Keep what came of a question.

        Raises
        ------
        ValueError
            The map is of another scan or model than was asked about.
        """
        made = found.explanation
        if made is not None and (made.image_digest, made.bundle_digest) != (
            question.image,
            question.bundle,
        ):
            raise ValueError("a map is kept under the scan and the model it is of")
        with self._lock:
            self._put(question, found)

    def add(self, question: Question, curves: Curves, stability: Stability | None) -> None:
        """Keep how far a map holds, beside the map; nothing where that is not here any more."""
        with self._lock:
            found = self._found.get(question)
            if found is not None:
                self._put(question, replace(found, curves=curves, stability=stability))

    def _put(self, question: Question, found: Found) -> None:
        before = self._found.pop(question, None)
        self._held += found.held_bytes - (0 if before is None else before.held_bytes)
        self._found[question] = found
        while self._held > self._most and len(self._found) > 1:
            self._held -= self._found.popitem(last=False)[1].held_bytes


@cache
def kept_explanations() -> Kept:
    """Return the process's one shelf."""
    return Kept()

"""What a doctor asks of the model's answer: by which method, and for which class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.explain import CAMS, THE_LESION, How
from core.ui.explain_kept import Question

#: What is shown first, for the class of the answer: no method that depends on the class measured
#: better beyond its interval in one figure and no worse in the others (docs/explanations.md), and
#: this one comes with the read.
DEFAULT_METHOD = "grad-cam"
METHODS = (*CAMS, "expected-gradients", "partition-shap", "occlusion", "lesion-drivers")
#: Methods that tell what speaks for from what speaks against.
SIGNED = frozenset({"expected-gradients", "partition-shap", "occlusion", "lesion-drivers"})
#: Methods that take seconds to minutes, and a page that goes on meanwhile.
SLOW = SIGNED

Points = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of one image.

    Attributes
    ----------
    method
        One of :data:`METHODS`.
    target
        The class; empty for that of the answer.
    against
        Whether only what speaks against the class is drawn ("why not"); of signed methods alone.
    second
        The method whose map stands beside; empty for none.
    how, region
        How a region is hidden, and which of those drawn: their place in the list, -1 the last.
    """

    method: str = DEFAULT_METHOD
    target: str = ""
    against: bool = False
    second: str = ""
    how: How = "fill"
    region: int = -1

    def question(
        self,
        image: str,
        bundle: str,
        answer: str,
        regions: Sequence[Points] = (),
        method: str | None = None,
    ) -> Question | None:
        """Return what is asked, or None where a region is to be hidden and none is drawn.

        Parameters
        ----------
        image, bundle
            Digests.
        answer
            The class that an empty target stands for.
        regions
            Drawn by hand, in pixels.
        method
            In the place of the chosen one.
        """
        by = self.method if method is None else method
        target = self.target or answer
        if by == "lesion-drivers":
            target = THE_LESION
        if by != "occlusion":
            return Question(image, bundle, by, target)
        if not regions:
            return None
        points = regions[self.region if self.region < len(regions) else -1]
        said = json.dumps({"how": self.how, "points": points})
        return Question(image, bundle, by, target, said)


def hidden_regions(questions: Iterable[Question]) -> set[Points]:
    """Return the corners of every region that was hidden to ask."""
    return {
        tuple(hidden_region(question)[1])
        for question in questions
        if question.method == "occlusion"
    }


def hidden_region(question: Question) -> tuple[How, list[tuple[int, int]]]:
    """Return how a region is hidden and its corners, from the question of an occlusion."""
    said = json.loads(question.parameters)
    return said["how"], [(int(x), int(y)) for x, y in said["points"]]

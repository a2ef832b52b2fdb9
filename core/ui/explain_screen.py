"""Which maps belong to the image on screen: what was asked of it, and what came of that."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ExplanationError
from core.explain import Explanation
from core.ui.explain_choice import SIGNED, SLOW
from core.ui.explain_jobs import ask, asking, remember, warm
from core.ui.explain_kept import Found, Question, kept_explanations
from core.ui.explain_layer import heat_of
from core.ui.explain_work import of_the_read
from core.ui.figure import Layers
from core.ui.model_version import card_of
from core.ui.open_scan import OpenScan
from core.ui.picture import Heat
from core.ui.reading_list import reading_list


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked of the image on screen, and what is known of it."""

    question: Question | None
    found: Found | None

    @property
    def map(self) -> Explanation | None:
        """The map, where there is one."""
        return None if self.found is None else self.found.explanation


def question_of(item: OpenScan, method: str | None = None) -> Question | None:
    """Return what is asked of an image now; None without an answer, or without a region."""
    prediction = item.prediction
    if prediction is None or prediction.image_digest != item.digest:
        return None
    return item.why.question(
        item.digest, prediction.bundle_digest, prediction.heat_class, item.regions, method
    )


def what_is_asked(item: OpenScan, method: str | None = None) -> Asked:
    """Return what is asked of an image and what came of it; what costs nothing is made at once."""
    question, prediction = question_of(item, method), item.prediction
    if question is None or prediction is None:
        return Asked(None, None)
    shelf, held = kept_explanations(), asking()
    if shelf.get(question) is None and ("map", question) not in held.problems:
        of_answer = question.method == "grad-cam" and question.target == prediction.heat_class
        if of_answer and prediction.heat_available:
            try:
                made = of_the_read(prediction, item.scan, card_of(prediction))
                shelf.put(question, Found(made))
            except ExplanationError as error:
                held.problems["map", question] = str(error)
        elif question.method not in SLOW:
            ask(item, question)
    found = shelf.get(question)
    if found is not None:
        remember(item, question)
    return Asked(question, found)


def maps_on_screen(item: OpenScan, layers: Layers) -> tuple[Heat | None, Heat | None]:
    """Return the map that lies over the image, and the one beside it.

    Notes which of them ``layers`` let be seen.
    """
    if item.prediction is None:
        return None, None
    if not reading_list().unread:
        warm(item)
    first = what_is_asked(item)
    against = item.why.against
    over = _heat(item, first, against=against, seen=heat_is_seen(layers))
    if not item.why.second:
        return over, None
    second = what_is_asked(item, item.why.second)
    both = heat_is_seen(layers) and layers.compare == "both"
    return over, _heat(item, second, against=against and item.why.second in SIGNED, seen=both)


def heat_is_seen(layers: Layers) -> bool:
    """Tell whether heat is drawn anywhere."""
    return layers.heat and layers.compare != "original"


def _heat(item: OpenScan, asked: Asked, *, against: bool, seen: bool) -> Heat | None:
    if asked.question is None or asked.map is None:
        return None
    one_side = against and asked.map.signed
    if seen:
        # What goes with the feedback is what was seen, and not what a list made in the background.
        item.maps_shown[asked.question] = one_side
    return heat_of(asked.question, asked.map, against=one_side)


def is_the_reads_heat(item: OpenScan) -> bool:
    """Tell whether the map on screen is the heat that came with the answer."""
    prediction, question = item.prediction, question_of(item)
    return (
        prediction is not None
        and question is not None
        and (question.method, question.target) == ("grad-cam", prediction.heat_class)
    )

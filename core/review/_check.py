"""What a form must hold before it is an entry. Each refusal names what to change, in one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from core.errors import InvalidFeedback
from core.review._choices import Origin, Problem, Urgency, Verdict
from core.text import _

if TYPE_CHECKING:
    from core.review._forms import AIResult, Feedback, LabelDraft, Polygon

MAX_COMMENT = 4000
MAX_REGIONS = 50
MAX_POINTS = 5000
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Why a bundle does not know a picture; empty where it does.
_UNKNOWN = ("", "unlike", "no_scan")
# Problems that say the answer was wrong; one cannot accept the answer and name one of these.
_AGAINST = ("missed_lesion", "false_alarm", "wrong_class", "wrong_outline")
# Chunks a stored PNG may hold: pixels and how to show them. Text, EXIF, times and profiles can
# name a patient or a machine. PNG specification, third edition, sections 11.2 and 11.3.
_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA", b"cHRM"})


def submission_key(key: str) -> None:
    """Refuse a key that could not have been drawn by a form."""
    if not _KEY.fullmatch(key):
        raise InvalidFeedback(_("This form has no usable submission key. Open the form again."))


def text(value: str) -> None:
    """Refuse text that cannot be stored as typed: too long, NUL, or half a character."""
    if len(value) > MAX_COMMENT:
        raise InvalidFeedback(
            _("The comment has {n} characters; shorten it to {limit}.").format(
                n=len(value), limit=MAX_COMMENT
            )
        )
    if not can_be_stored(value):
        raise InvalidFeedback(
            _("The comment holds a character that cannot be stored. Type it again without it.")
        )


def can_be_stored(value: str) -> bool:
    """Tell whether every database keeps the text as typed: no NUL, no half a character."""
    return not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value)


def chosen(value: str | None, choices: type[StrEnum]) -> None:
    """Refuse what is not one of the choices; none is allowed here."""
    if value is not None and value not in list(choices):
        raise InvalidFeedback(_("A choice of this form does not exist. Open the form again."))


def confidence(value: int | None) -> None:
    """Refuse a confidence off the scale of 1 to 5; none is allowed here."""
    if value is not None and (isinstance(value, bool) or value not in (1, 2, 3, 4, 5)):
        raise InvalidFeedback(_("Give your confidence from 1 (guess) to 5 (certain)."))


def label_in(label: str | None, labels: Iterable[str]) -> None:
    """Refuse a label that was not among the choices; none is allowed here."""
    if label is not None and label not in labels:
        raise InvalidFeedback(
            _("This label is not one of the classes offered. Choose one of them.")
        )


def polygons(drawn: Iterable[Iterable[Iterable[Any]]]) -> tuple[Polygon, ...]:
    """Return outlines as plain numbers, whatever drew them; refuse what is no outline.

    At least three different points each, of two finite numbers.
    """
    try:
        outlines = tuple(tuple((float(x), float(y)) for x, y in points) for points in drawn)
    except (TypeError, ValueError):
        raise InvalidFeedback(_("A drawn region cannot be used. Draw it again.")) from None
    if len(outlines) > MAX_REGIONS or sum(map(len, outlines)) > MAX_POINTS:
        raise InvalidFeedback(
            _("Too much is drawn: at most {regions} outlines, {points} points in all.").format(
                regions=MAX_REGIONS, points=MAX_POINTS
            )
        )
    for outline in outlines:
        if len(set(outline)) < 3:
            raise InvalidFeedback(_("A drawn region needs at least three points. Draw it again."))
        if not all(math.isfinite(value) for point in outline for value in point):
            raise InvalidFeedback(_("A drawn region cannot be used. Draw it again."))
    return outlines


def regions_inside(outlines: tuple[Polygon, ...], width: int, height: int) -> None:
    """Refuse outlines that leave the image; its edges belong to it."""
    if not all(0 <= x <= width and 0 <= y <= height for outline in outlines for x, y in outline):
        raise InvalidFeedback(_("A drawn region lies outside the image. Draw it again inside."))


def ai_result(result: AIResult) -> None:
    """Refuse an answer that cannot be made again or contradicts itself."""
    numbers = [result.probability, result.threshold, *result.probabilities.values()]
    optional = (
        result.prevalence,
        result.lesion_threshold,
        result.explored_threshold,
        result.site_prevalence,
    )
    numbers += [value for value in optional if value is not None]
    if (
        not result.probabilities
        or result.positive not in result.probabilities
        or result.answer not in result.probabilities
        or not all(math.isfinite(value) and 0 <= value <= 1 for value in numbers)
        or not _DIGEST.fullmatch(result.image_digest)
        or not (result.task and result.version and result.bundle_digest)
        or not _is_plain([result.interval, result.controls, list(result.measurements)])
        or not (result.familiarity is None or is_familiarity(result.familiarity))
        or result.sure not in (None, True, False)
    ):
        raise InvalidFeedback(_("The AI result is incomplete. Read the scan again, then send."))
    if result.map_kind != "none" and result.controls is None:
        raise InvalidFeedback(
            _("The AI result does not say with which controls it was made. Read the scan again.")
        )


def is_familiarity(value: Mapping[str, Any]) -> bool:
    """Tell whether this is what a bundle says of how well it knows a picture."""
    try:
        numbers = [float(value["distance"]), float(value["limit"])]
        whole = set(value) == {"known", "distance", "limit", "reason"}
        reason = value["reason"] in _UNKNOWN
    except (TypeError, ValueError, KeyError):
        return False
    return (
        whole
        and isinstance(value["known"], bool)
        and reason
        and value["known"] == (not value["reason"])
        and all(map(math.isfinite, numbers))
    )


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def label_draft(draft: LabelDraft) -> None:
    """Refuse a reviewer's label that lacks something."""
    if not draft.label:
        raise InvalidFeedback(_("Choose a label."))
    if not draft.origin:
        raise InvalidFeedback(_("Say what your label rests on: every label names its origin."))
    chosen(draft.origin, Origin)
    if draft.confidence is None:
        raise InvalidFeedback(_("Give your confidence from 1 (guess) to 5 (certain)."))
    confidence(draft.confidence)
    text(draft.comment)


def feedback(form: Feedback) -> None:
    """Refuse a form that lacks something or contradicts itself."""
    submission_key(form.submission_key)
    chosen(form.verdict, Verdict)
    chosen(form.origin, Origin)
    chosen(form.urgency, Urgency)
    for problem in form.problems:
        chosen(problem, Problem)
    _image(form)
    text(form.comment)
    confidence(form.confidence)
    label_in(form.label, form.labels)
    regions_inside(form.regions, form.image.width, form.image.height)
    if form.label is not None and form.origin is None:
        raise InvalidFeedback(_("Say what your label rests on: every label names its origin."))
    if form.label is None and form.origin is not None:
        raise InvalidFeedback(_("You gave an origin but no label. Choose a label too."))
    if "other" in form.problems and not form.comment.strip():
        raise InvalidFeedback(_("You chose “other”: say in the comment what was wrong."))
    if form.regions and form.region_image != form.image.digest:
        raise InvalidFeedback(
            _("The region was drawn on another image. Draw it again on this one.")
        )
    if form.ai is None:
        _without_ai(form)
    else:
        _about_ai(form, form.ai)


def _image(form: Feedback) -> None:
    facts = form.image
    sizes = (facts.width, facts.height, facts.frames)
    if (
        not _DIGEST.fullmatch(facts.digest)
        or not facts.case_number
        or min(sizes) < 1
        or facts.channels not in (1, 3)
    ):
        raise InvalidFeedback(_("The form is not bound to an image. Open the scan again."))
    if _png_size(form.png) != (facts.width, facts.height):
        raise InvalidFeedback(
            _("The stored pixels would not be those of this scan. Open the scan again.")
        )


def _png_size(png: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG that holds pixels and nothing else, else None."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        return None
    at, kind = 8, b""
    while at < len(png) and kind != b"IEND":
        length, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        if kind not in _CHUNKS:
            return None
        at += 12 + length
    # Cut short, or something hangs on behind the end.
    if at != len(png) or kind != b"IEND":
        return None
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def _without_ai(form: Feedback) -> None:
    if form.verdict is not None or form.outline_accepted:
        raise InvalidFeedback(
            _("There is no AI result to accept or reject. Give your own label instead.")
        )
    if form.label is None:
        raise InvalidFeedback(_("Choose your own label: there is no AI result to judge."))


def _about_ai(form: Feedback, ai: AIResult) -> None:
    if ai.image_digest != form.image.digest:
        raise InvalidFeedback(_("The AI result belongs to another image. Read the scan again."))
    if ai.labels != form.labels or ai.task != form.task:
        raise InvalidFeedback(_("The AI result answers another question. Read the scan again."))
    if form.verdict is None:
        raise InvalidFeedback(_("Choose whether you accept, reject or supplement the AI result."))
    if form.verdict == "accept":
        _accepts(form, ai)
    elif form.verdict == "reject":
        if not form.problems and form.label in (None, ai.answer):
            raise InvalidFeedback(
                _("You reject the AI result: give your own label, or say what was wrong.")
            )
    elif not (form.label or form.problems or form.regions or form.comment.strip()):
        raise InvalidFeedback(
            _("You supplement the AI result: add a label, a problem, a region or a comment.")
        )
    if form.outline_accepted and (form.regions or "wrong_outline" in form.problems):
        raise InvalidFeedback(
            _("You accept the AI outline and correct it too. Choose one of the two.")
        )
    if form.outline_accepted and ai.map_kind != "lesion":
        raise InvalidFeedback(
            _("There is no AI outline to accept: a heat region is not the outline of a lesion.")
        )


def _accepts(form: Feedback, ai: AIResult) -> None:
    if form.label not in (None, ai.answer):
        raise InvalidFeedback(
            _("You accept the AI result but give another label. Reject or supplement it instead.")
        )
    if any(problem in _AGAINST for problem in form.problems):
        raise InvalidFeedback(
            _("You accept the AI result but say it was wrong. Reject or supplement it instead.")
        )

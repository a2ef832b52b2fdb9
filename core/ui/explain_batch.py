"""Every scan on the list explained by one method, in the background, and what comes of it as files.

Maps land on the process's shelf as any do, so that opening a scan shows its map. The shelf lets go
of old ones where there is no room, so the exact values are held here too, packed as they leave.
"""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from threading import Event

from core.errors import ExplanationError, JobCancelled, OverreadError
from core.explain import (
    Drawing,
    Row,
    asks_for,
    evidence_figures,
    explanation_npz,
    explanation_png,
    figures_csv,
    heat_inside,
    outline_of_answer,
    read_explanation,
)
from core.explain import Evidence as Measured
from core.jobs import JobRunner
from core.model import Prediction, Predictor, unknown_scan
from core.scan import Scan
from core.text import _
from core.ui.explain_kept import Question, kept_explanations
from core.ui.explain_work import explain, measure

logger = logging.getLogger(__name__)

#: Scans in one go, and bytes of packed maps that one session holds.
MOST_SCANS, MOST_BYTES = 200, 512 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One scan of the list.

    Attributes
    ----------
    scan, prediction
        The image with its answer; None where there is none, and ``problem`` says why.
    problem
        One line.
    read_despite
        As of :func:`core.explain.caveat_words`.
    """

    scan: Scan
    prediction: Prediction | None
    problem: str = ""
    read_despite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of one scan: its figures, and its map as the file that leaves."""

    scan: Scan
    row: Row
    npz: bytes = b""


@cache
def list_runner() -> JobRunner:
    """Return what lists are explained on: one at a time, behind no read and before none."""
    return JobRunner(1)


def turn_of(
    scan: Scan,
    prediction: Prediction | None,
    *,
    withheld: bool,
    unread: bool,
    reason: str | None,
    failed: bool = False,
    read_despite: tuple[str, ...] = (),
) -> Turn:
    """Return the turn of an image, or why it has none: nothing is explained that is not shown."""
    if prediction is not None:
        return Turn(scan, prediction, read_despite=read_despite)
    if withheld:
        return Turn(scan, None, unknown_scan() + ".")
    if unread:
        return Turn(scan, None, _("The model has not read this scan yet."))
    if failed:
        return Turn(scan, None, _("It fails the quality check and was not read."))
    return Turn(scan, None, reason or _("There is no AI result to explain."))


def explain_list(
    models: Mapping[str, Predictor],
    turns: Sequence[Turn],
    method: str,
    target: str,
    *,
    measured: bool,
    stop: Event | None = None,
) -> Generator[Outcome]:
    """Explain scans one by one; one that cannot be explained is named and stops no other.

    Parameters
    ----------
    models
        Those in memory, by the digest of their bundle: no other than the one that made an answer is
        asked why.
    turns
        The scans, at most :data:`MOST_SCANS`.
    method, target
        What is asked; an empty target stands for the class of each scan's own answer.
    measured
        Whether faithfulness and stability are measured too.
    stop
        Once set, the scan under way is left and no other begun.
    """
    held = 0
    for turn in turns[:MOST_SCANS]:
        about = _about(turn, method, target)
        if turn.prediction is None:
            yield Outcome(turn.scan, about)
            continue
        try:
            if held > MOST_BYTES:
                raise ExplanationError(
                    _("There is no more room for maps. Take these away, or use the command line.")
                )
            model = models.get(turn.prediction.bundle_digest)
            if model is None:
                raise ExplanationError(
                    _(
                        "The version that made this answer is not in memory. Read the scan again "
                        "to explain it."
                    )
                )
            outcome = _one(model, turn, about, stop or Event(), measured=measured)
        except JobCancelled:
            return
        except OverreadError as error:
            outcome = Outcome(turn.scan, replace(about, problem=str(error)))
        except (OSError, MemoryError, ValueError, LookupError, RuntimeError):
            # A fault of ours must take no other scan with it.
            logger.exception("A scan of a list could not be explained")
            problem = _("This scan could not be explained. Try another method.")
            outcome = Outcome(turn.scan, replace(about, problem=problem))
        held += len(outcome.npz)
        yield outcome


def _about(turn: Turn, method: str, target: str) -> Row:
    found = turn.prediction
    wanted = asks_for(method, target or ("" if found is None else found.answer))
    return Row(
        turn.scan.case_number,
        turn.scan.digest,
        "" if found is None else found.task,
        "" if found is None else found.version,
        "" if found is None else found.bundle_digest,
        method,
        wanted,
        problem=turn.problem,
        read_despite=turn.read_despite,
    )


def _one(model: Predictor, turn: Turn, about: Row, stop: Event, *, measured: bool) -> Outcome:
    question = Question(turn.scan.digest, about.bundle_digest, about.method, about.target)

    def watch(_done: int, _total: int) -> None:
        if stop.is_set():
            raise JobCancelled(_("This was stopped before it was done."))

    shelf = kept_explanations()
    # Twice, for the shelf may have let go of it in between.
    for _attempt in range(2):
        explain(model, turn.scan, question, watch)
        if measured:
            measure(model, turn.scan, question, watch)
        found = shelf.get(question)
        if found is not None and found.explanation is not None:
            break
    else:
        raise ExplanationError(_("This scan could not be explained. Try another method."))
    made, figures = found.explanation, None
    # That of this very answer, by the standard controls: what a reader shapes meanwhile, or another
    # version says later, is none of this run's.
    mask = None if turn.prediction is None else outline_of_answer(turn.scan, turn.prediction)
    inside = None if mask is None else heat_inside(made, mask)
    if found.curves is not None:
        figures = evidence_figures(Measured(found.curves, inside, None, found.stability))
    npz = explanation_npz(
        made, about.case_number, about.task, about.version, figures, about.read_despite
    )
    # Not the map itself, which is four times as large: it is read back from the file.
    return Outcome(turn.scan, replace(about, evidence=figures, inside=inside), npz)


def zip_of(
    outcomes: Iterable[Outcome],
    drawing: Drawing,
) -> bytes:
    """Return one archive: a picture and the values of each scan, and a table of the figures.

    Parameters
    ----------
    outcomes
        In the order of the list.
    drawing
        How each map lies over its scan.
    """
    buffer = io.BytesIO()
    # The pictures are packed already.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:

        def rows() -> Iterator[Row]:
            # One after the other: the maps of hundreds of scans would fill the memory.
            for outcome in outcomes:
                yield _written(archive, outcome, drawing)

        archive.writestr(_dated("explanations.csv"), figures_csv(rows()).encode("utf-8-sig"))
    return buffer.getvalue()


def _written(archive: zipfile.ZipFile, outcome: Outcome, drawing: Drawing) -> Row:
    """Write picture and values of one scan, and return its row."""
    row = outcome.row
    if not outcome.npz:
        return row
    made = read_explanation(outcome.npz).explanation
    png = explanation_png(outcome.scan, made, row.task, row.version, drawing, row.read_despite)
    archive.writestr(_dated(f"{row.stem}.png"), png)
    archive.writestr(_dated(f"{row.stem}.npz"), outcome.npz)
    return replace(row, explanation=made)


def _dated(name: str) -> zipfile.ZipInfo:
    # Always the same moment, so that the same maps make the same archive.
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))

"""The doctor's part of a report: assessment, case and words, as they were entered."""

from __future__ import annotations

from core.model import class_name
from core.report._document import Section, Words, plain, strong
from core.report._input import ReportInput
from core.review import (
    CaseContext,
    Verdict,
    birads_name,
    confidence_name,
    lexicon_terms,
    origin_name,
    place_name,
)
from core.text import _


def doctor_section(given: ReportInput) -> Section:
    """Return assessment, label and lexicon terms."""
    context = given.context or CaseContext()
    rows: list[tuple[str, Words]] = []
    if given.label is not None:
        rows.append((_("Own label"), strong(class_name(given.label))))
    if given.origin is not None:
        rows.append((_("Rests on"), plain(origin_name(given.origin))))
    if given.confidence is not None:
        rows.append((_("How sure"), plain(confidence_name(given.confidence))))
    if given.verdict is not None:
        rows.append((_("AI result"), plain(_verdict(given.verdict))))
    rows += [(name, plain(terms)) for name, terms in lexicon_terms(context)]
    lines = () if rows or context.birads else (plain(_("No reading of the doctor’s was entered.")),)
    return Section(
        name="doctor",
        heading=_("Doctor’s reading"),
        place="side",
        headline="" if context.birads is None else birads_name(context.birads),
        rows=tuple(rows),
        lines=lines,
    )


def case_section(given: ReportInput) -> Section | None:
    """Return the short facts of the case."""
    context = given.context or CaseContext()
    rows: list[tuple[str, Words]] = []
    if context.pseudonym:
        rows.append((_("Pseudonym"), plain(context.pseudonym)))
    if context.age is not None:
        rows.append((_("Age"), plain(_("{n} years").format(n=context.age))))
    place = place_name(context.laterality, context.clock, context.distance_mm)
    if place:
        rows.append((_("Site"), plain(place)))
    if not rows:
        return None
    return Section("case", _("Case"), "side", rows=tuple(rows))


def words_section(given: ReportInput) -> Section | None:
    """Return what was typed: indication, history and comment."""
    context = given.context or CaseContext()
    rows = [
        (_("Indication"), context.indication),
        (_("Clinical history"), context.history),
        (_("Comment"), given.comment),
    ]
    entered = tuple((name, plain(text)) for name, text in rows if text.strip())
    if not entered:
        return None
    return Section("words", _("In the doctor’s words"), "below", rows=entered)


def _verdict(verdict: Verdict) -> str:
    return {
        Verdict.ACCEPT: _("accepted"),
        Verdict.REJECT: _("rejected"),
        Verdict.SUPPLEMENT: _("supplemented"),
    }[verdict]

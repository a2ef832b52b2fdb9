"""From what is known of a read to the content of its report."""

from __future__ import annotations

from datetime import datetime

from core.errors import ReportError
from core.model import (
    Prediction,
    answer_title,
    class_name,
    evidence,
    flags_from,
    not_excluded,
    not_sure_means,
    number_title,
    point_figures,
    unknown_means,
    unlike_any,
)
from core.report._doctor import case_section, doctor_section, words_section
from core.report._document import (
    Phrases,
    ReportDocument,
    Section,
    Words,
    marked,
    plain,
    strong,
)
from core.report._input import ReportInput
from core.report._measures import measurements
from core.report._picture import picture
from core.review import Verdict, problem_name
from core.scan import (
    Outcome,
    correction_words,
    failed_checks,
    findings,
    note_line,
    thumbnail,
    untested_words,
)
from core.text import _, apart, language, percent

_THUMBNAIL = 128


def make_report(given: ReportInput) -> ReportDocument:
    """Return the content of a report, in the language in force.

    Parameters
    ----------
    given
        The read. Only its confirmed outlines (:attr:`ReportInput.printed`) appear, and only they
        and what was set by hand are measured.
    """
    scan = given.scan
    sections = [
        doctor_section(given),
        case_section(given),
        _ai(given),
        measurements(given),
        words_section(given),
        _overridden(given),
        _notes(given),
        _provenance(given),
    ]
    return ReportDocument(
        language=language(),
        title=_("Report of a reading"),
        subtitle=plain(stamp(given.made_at, given.author, given.role)),
        case_number=scan.case_number,
        case_title=_("Case {case}").format(case=scan.case_number),
        image_digest=scan.digest,
        made_at=given.made_at,
        banner=synthetic(scan.synthetic),
        thumbnail=thumbnail(scan, _THUMBNAIL),
        picture=picture(given),
        sections=tuple(section for section in sections if section is not None),
        phrases=phrases(),
    )


def phrases() -> Phrases:
    """Return what a printer says by itself, in the language in force."""
    return Phrases(
        notice=_("Decision support, not a medical device"),
        page=_("Page {page} of {pages}"),
        continued=_("Continued on page {page}"),
        continuation=_("{title}, continued"),
        replaced=_(
            "□ stands for a character this print has no letter for. The HTML report has it as it "
            "was typed."
        ),
    )


def synthetic(is_phantom: bool) -> str:
    """Return what a phantom is marked with."""
    return _("SYNTHETIC PHANTOM: no patient is behind this image") if is_phantom else ""


def stamp(made_at: datetime, author: str, role: str) -> str:
    """Say when and by whom a document was made.

    Raises
    ------
    ReportError
        The time has no time zone.
    """
    if made_at.utcoffset() is None:
        raise ReportError(_("The time of a report needs its time zone."))
    date, time, zone = made_at.strftime("%Y-%m-%d %H:%M %z").split(" ")
    # "+0200" is easier to read as "UTC+02:00".
    when = f"{date} {time} (UTC{zone[:3]}:{zone[3:5]})"
    who = ", ".join(part for part in (author, role) if part)
    if not who:
        return _("Made {when}").format(when=when)
    return _("Made {when} by {who}").format(when=when, who=who)


def _ai(given: ReportInput) -> Section:
    prediction = given.prediction
    if prediction is None:
        lines = [plain(given.no_prediction)] if given.no_prediction else []
        lines.append(plain(_("This report is the doctor’s own reading alone.")))
        return Section("ai", _("AI result"), "side", _("No AI result"), lines=tuple(lines))
    failed = failed_checks(given.checked)
    shown, threshold = apart(prediction.probability, prediction.operating_point.threshold)
    lines = [strong(untested_words(failed))] if failed else []
    if prediction.refused and prediction.familiarity is not None:
        lines.append(strong(unknown_means(prediction.familiarity.reason)))
    elif prediction.sure is False:
        words = not_sure_means(prediction.positive, flagged=prediction.flagged)
        lines.append(strong(words))
    lines.append(
        marked(_("{title}: **{value}**").format(title=number_title(prediction), value=shown))
    )
    lines += [marked(line) for line in evidence(prediction, failed, given.site_prevalence)]
    lines.append(plain(_classes(prediction)))
    lines.append(plain(_operating_point(prediction, threshold)))
    if prediction.familiarity is not None and not prediction.refused:
        lines.append(plain(unlike_any(prediction.familiarity)))
    return Section(
        name="ai",
        heading=_("AI result, second reading"),
        place="side",
        headline=answer_title(prediction, failed),
        lines=tuple(lines),
        warning="" if prediction.flagged else not_excluded(prediction.answer),
    )


def _classes(prediction: Prediction) -> str:
    order = sorted(prediction.labels, key=lambda label: (label != prediction.positive, label))
    shares = (f"{class_name(x)} {percent(prediction.probabilities[x])}" for x in order)
    return _("All classes: {shares}.").format(shares=" · ".join(shares))


def _operating_point(prediction: Prediction, threshold: str) -> str:
    point = prediction.operating_point
    words = flags_from(threshold, point.name)
    if point.n:
        figures = point_figures(point, class_name(prediction.positive))
        words = _("{head}: {rest}").format(head=words, rest=f"{figures} (n = {point.n})")
    return _("{sentence}.").format(sentence=words)


def _overridden(given: ReportInput) -> Section:
    lines: list[Words] = []
    prediction = given.prediction
    if given.verdict is Verdict.REJECT:
        lines.append(strong(_("The doctor rejected the AI result.")))
    elif given.verdict is Verdict.SUPPLEMENT:
        lines.append(plain(_("The doctor supplemented the AI result.")))
    if prediction is not None and given.label is not None and given.label != prediction.answer:
        lines.append(
            plain(
                _("The doctor’s label, {own}, is not the AI’s answer, {ai}.").format(
                    own=class_name(given.label), ai=class_name(prediction.answer)
                )
            )
        )
    if given.problems:
        wrong = ", ".join(problem_name(problem) for problem in given.problems)
        lines.append(plain(_("What was wrong: {problems}.").format(problems=wrong)))
    if given.outline == "drawn" and prediction is not None and prediction.has_lesion_map:
        lines.append(plain(_("The AI’s outline was not used: the doctor drew another.")))
    for check in findings(given.quality, Outcome.FAIL):
        lines.append(plain(_("Read although a quality check failed: {check}.").format(check=check)))
    if prediction is not None and prediction.refused:
        lines.append(plain(_("Read although it is not a scan this model knows.")))
    if given.override_reason:
        lines.append(plain(_("Reason given: {reason}").format(reason=given.override_reason)))
    lines += [
        plain(_("Done to the image: {words}.").format(words=correction_words(correction)))
        for correction in given.scan.corrections
    ]
    return Section(
        name="overridden",
        heading=_("Overridden and changed"),
        place="below",
        lines=tuple(lines) or (plain(_("Nothing was overridden, and the image is as it came.")),),
        bulleted=bool(lines),
    )


def _notes(given: ReportInput) -> Section | None:
    scan = given.scan
    lines = [note_line(note) for note in scan.notes]
    if given.quality is not None:
        warned = findings(given.quality, Outcome.WARN)
        lines += [_("Quality check with a warning: {check}.").format(check=each) for each in warned]
        if not warned and not failed_checks(given.quality):
            lines.append(_("The image passed every quality check."))
    if not lines:
        return None
    return Section(
        "notes",
        _("Notes of reading"),
        "below",
        lines=tuple(plain(line) for line in lines),
        bulleted=True,
    )


def _provenance(given: ReportInput) -> Section:
    rows: list[tuple[str, Words]] = []
    prediction = given.prediction
    if prediction is not None:
        rows += [
            (_("Model"), plain(f"{prediction.task} {prediction.version}")),
            (_("Model digest"), plain(prediction.bundle_digest)),
        ]
    rows.append((_("Image digest"), plain(given.scan.digest)))
    if given.scan.origin is not None and given.scan.origin != given.scan.digest:
        rows.append((_("Digest before it was changed"), plain(given.scan.origin)))
    if given.intended_use and prediction is not None:
        rows.append((_("Intended use"), plain(given.intended_use)))
    if given.limits and prediction is not None:
        rows.append((_("Limits"), plain(" · ".join(given.limits))))
    return Section("provenance", _("What made this, and its limits"), "small", rows=tuple(rows))

"""The quality of a scan in words, and the reason to go on with one that fails or is not known."""

from __future__ import annotations

import streamlit as st

from core.model import Familiarity, unknown_means, unknown_scan
from core.scan import Check, CheckName, Outcome, QualityReport, check_figure, check_name
from core.text import _, ngettext

#: Characters of the person's own words; with the longest choice before them under 500.
_OWN_WORDS = 400
_OTHER = "other"
_ICONS = {
    Outcome.PASS: ":material/check_circle:",
    Outcome.WARN: ":material/warning:",
    Outcome.FAIL: ":material/error:",
}


def show_quality(report: QualityReport, *, key: str) -> None:
    """Show what the quality check found: one line where all is well, else what is not.

    Parameters
    ----------
    report
        Of the scan on screen.
    key
        Tells this panel from others on the page.
    """
    if report.outcome is Outcome.PASS:
        passed = ngettext(
            "Image quality: {n} check passes.",
            "Image quality: all {n} checks pass.",
            len(report.checks),
        )
        st.caption(f"{_ICONS[Outcome.PASS]} {passed.format(n=len(report.checks))}")
        return
    with st.container(border=True, gap="small", key=f"{key}-quality"):
        st.markdown("**" + _("Image quality") + "**")
        for check in (*report.failed, *report.warned):
            st.markdown(_finding(check))
        rest = len(report.checks) - len(report.failed) - len(report.warned)
        if rest:
            line = ngettext("The other check passes.", "The other {n} checks pass.", rest)
            st.caption(f"{_ICONS[Outcome.PASS]} {line.format(n=rest)}")


def ask_reason(report: QualityReport, *, key: str) -> str | None:
    """Ask why a scan that fails should be read all the same.

    Parameters
    ----------
    report
        Of the scan on screen; nothing is asked where nothing fails.
    key
        Tells this form from others: name the scan in it, so that no reason moves on to another.

    Returns
    -------
    str or None
        The reason, 1 to 500 characters, in the run in which it was confirmed.
    """
    if not report.failed:
        return None
    names = ", ".join(check_name(check.name) for check in report.failed)
    return _reason(
        f"{_ICONS[Outcome.FAIL]} "
        + _("**This image fails: {names}.** Correct it first if you can.").format(names=names),
        _(
            "What the model says of such an image was never tested. To read it anyway, give a "
            "reason; it is stored with the case."
        ),
        _("Read it anyway"),
        key,
    )


def ask_to_look(familiarity: Familiarity, *, key: str) -> str | None:
    """Ask why an answer should be seen that is about no scan the model knows.

    Parameters
    ----------
    familiarity
        Why it is not known.
    key
        As of :func:`ask_reason`.

    Returns
    -------
    str or None
        The reason, 1 to 500 characters, in the run in which it was confirmed.
    """
    st.subheader(f":material/help: {unknown_scan()}", anchor=False)
    return _reason(
        unknown_means(familiarity.reason),
        _(
            "Its answer is kept back. Correct the image, or choose another one; to look anyway, "
            "give a reason, which is stored with the case."
        ),
        _("Look anyway"),
        key,
    )


def _reason(title: str, about: str, confirm: str, key: str) -> str | None:
    """Ask for a reason to go on in spite of what ``title`` says."""
    with st.container(border=True, key=f"{key}-reason"):
        st.markdown(title)
        st.caption(about)
        choices = {
            "no better": _("No better image can be had"),
            "can be seen": _("What matters can be seen"),
            "teaching": _("For teaching or research only"),
            _OTHER: _("Another reason"),
        }
        chosen = st.pills(
            _("Reason"),
            list(choices),
            format_func=choices.__getitem__,
            key=f"{key}-choice",
            wrap=True,
            persist_state="session",
        )
        own = st.text_area(
            _("In your own words (no patient names)"),
            max_chars=_OWN_WORDS,
            height=80,
            key=f"{key}-words",
            # It travels with the next click, and is there again when the scan is.
            on_change="ignore",
            persist_state="session",
        )
        confirmed = st.button(confirm, icon=":material/play_arrow:", key=f"{key}-confirm")
    if not confirmed:
        return None
    words = " ".join((own or "").split())
    if chosen is None or (chosen == _OTHER and not words):
        st.error(
            _("Choose a reason, or “{other}” and say which.").format(other=choices[_OTHER]),
            icon=":material/edit_note:",
        )
        return None
    if not words:
        return choices[chosen]
    return words if chosen == _OTHER else f"{choices[chosen]}: {words}"


def _finding(check: Check) -> str:
    word = {
        Outcome.FAIL: _("Fails"),
        Outcome.WARN: _("Unusual"),
        Outcome.PASS: _("Passes"),
    }[check.outcome]
    head = f"{_ICONS[check.outcome]} **{word} · {check_name(check.name)}**"
    return _("{head}: {figure}. {advice}").format(
        head=head,
        figure=check_figure(check.value, check.threshold, check.unit),
        advice=_advice(check),
    )


def _advice(check: Check) -> str:
    """Return what a finding means, and what to do about it."""
    if check.name is CheckName.EXPOSURE and check.threshold is not None:
        if check.value < check.threshold:
            return _(
                "Darker than nearly all images known: raise the gain, or correct the contrast."
            )
        return _("Brighter than nearly all images known: lower the gain and export it again.")
    return {
        CheckName.BLANK: _("This picture is almost blank: choose another image."),
        CheckName.RESOLUTION: _("Few pixels: export it at the scanner’s own resolution."),
        CheckName.BLUR: _(
            "Blurred, or enlarged from a smaller image: use the original export, not a photograph "
            "or a screenshot."
        ),
        CheckName.CONTRAST: _("Flat: correct the contrast, or export it with the usual settings."),
        CheckName.CLIPPED_BLACK: _(
            "Dark tissue is lost in black: raise the gain and export again."
        ),
        CheckName.CLIPPED_WHITE: _(
            "Bright tissue is lost in white: lower the gain and export again."
        ),
        CheckName.COLOUR: _(
            "Colour Doppler or something coloured lies over the image: use the grey image."
        ),
        CheckName.ANNOTATION: _(
            "Text or calipers cover the image, and may name a patient: export it without them."
        ),
        CheckName.BORDERS: _("Much of the image is an empty frame: crop to the picture."),
        CheckName.PANELS: _("They would be read as one: keep one of them."),
    }.get(check.name, "")

"""What a reviewer sees after the own read: the AI's answer, what clinicians sent, the history."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pandas as pd
import streamlit as st

from core.lesion import HandMeasure, measure_name, measure_text
from core.model import (
    no_interval,
    no_scan,
    not_excluded,
    not_sure,
    not_sure_means,
    prevalence_words,
    restate,
    unknown_means,
    unknown_scan,
)
from core.review import AIResult, CaseContext, FeedbackEntry, Revealed
from core.scan import Outcome, correction_words, failed_checks, findings, hardly_a_scan
from core.text import _
from core.ui.lexicon import facts_text, lexicon_lines
from core.ui.wording import (
    class_name,
    confidence_name,
    event_name,
    origin_name,
    percent,
    problem_name,
    stage_name,
    urgency_name,
    verdict_name,
)


def show_revealed(
    revealed: Revealed, digest: str, explain: Callable[[FeedbackEntry], None] | None = None
) -> None:
    """Show everything about a case whose blind read is saved.

    Parameters
    ----------
    revealed, digest
        The case, and its image.
    explain
        Shows the explanations kept with a feedback, beside the AI's answer.
    """
    if revealed.settled is not None:
        settled = revealed.settled
        st.success(
            _("Settled: {label} ({origin}), by {person}").format(
                label=class_name(settled.label),
                origin=origin_name(settled.origin),
                person=settled.person_name,
            ),
            icon=":material/gavel:",
        )
    own = revealed.own_read
    st.markdown(
        _("**Your blind read:** {label} · {confidence}").format(
            label=class_name(own.label), confidence=confidence_name(own.confidence)
        )
    )
    done = [correction_words(made) for made in revealed.image.corrections]
    if done:
        st.markdown(
            _("**Done to the image before it was read:** {list}").format(list="; ".join(done))
        )
    for entry in revealed.feedback:
        _feedback(entry, digest, explain)
    with st.expander(_("History"), icon=":material/history:"):
        _history(revealed)


def _feedback(
    entry: FeedbackEntry, digest: str, explain: Callable[[FeedbackEntry], None] | None
) -> None:
    with st.container(border=True):
        if entry.ai is not None and entry.ai.image_digest == digest:
            _ai(entry.ai, failed_checks(entry.quality))
            if explain is not None:
                explain(entry)
        else:
            st.caption(_("No AI result was on screen."))
        st.markdown(
            "**" + _("Clinician") + f"** · {entry.submitted_at.astimezone():%Y-%m-%d %H:%M} · "
            f"{urgency_name(entry.urgency)}"
        )
        said = []
        if entry.verdict is not None:
            said.append(verdict_name(entry.verdict))
        if entry.label is not None:
            said.append(class_name(entry.label))
        if entry.origin is not None:
            said.append(origin_name(entry.origin))
        if entry.confidence is not None:
            said.append(confidence_name(entry.confidence))
        said += [problem_name(problem) for problem in entry.problems]
        if entry.regions:
            said.append(_("corrected region drawn"))
        elif entry.outline_accepted:
            said.append(_("AI outline accepted"))
        st.markdown(" · ".join(said))
        if entry.comment:
            # As plain text: nothing a person typed is ever interpreted.
            st.text(entry.comment)
        if entry.context is not None:
            _context(entry.context)
        _quality(entry)
        if entry.measures:
            made = [HandMeasure.from_dict(each) for each in entry.measures]
            st.markdown(
                _("**Measured by hand:** {list}").format(
                    list="; ".join(f"{measure_name(m.kind)} {measure_text(m)}" for m in made)
                )
            )


def _context(context: CaseContext) -> None:
    facts = facts_text(context)
    said = [facts, *lexicon_lines(context)] if facts else lexicon_lines(context)
    if said:
        st.markdown(" · ".join(said))
    # What was typed stands as plain text here too.
    if context.pseudonym:
        st.text(_("Pseudonym: {text}").format(text=context.pseudonym))
    if context.indication:
        st.text(_("Indication: {text}").format(text=context.indication))
    if context.history:
        st.text(_("History: {text}").format(text=context.history))


def _quality(entry: FeedbackEntry) -> None:
    for outcome, title in (
        (Outcome.FAIL, _("**Quality check failed:** {list}")),
        (Outcome.WARN, _("**Quality check warned:** {list}")),
    ):
        found = findings(entry.quality, outcome)
        if found:
            st.markdown(title.format(list="; ".join(found)))
    if entry.override_reason:
        st.text(_("Read all the same, because: {text}").format(text=entry.override_reason))


def _ai(result: AIResult, failed: Collection[str]) -> None:
    # Where the image fails a check the words are the page's, whatever the model said of it.
    st.markdown(
        _("**AI:** {answer} · {positive} {probability} · flags from {threshold}").format(
            answer=_answer(result, failed),
            positive=class_name(result.positive),
            probability=percent(result.probability),
            threshold=percent(result.threshold),
        )
    )
    if result.refused:
        st.caption(unknown_means(str((result.familiarity or {}).get("reason", ""))))
    elif result.sure is False:
        st.caption(not_sure_means(result.positive, flagged=result.flagged))
    untested = bool(failed) or result.refused
    if untested:
        st.caption(no_interval())
    elif result.interval is not None:
        st.caption(
            _("95% interval {low}–{high} (n = {n}); study prevalence {prevalence}").format(
                low=percent(result.interval["low"]),
                high=percent(result.interval["high"]),
                n=int(result.interval["n"]),
                prevalence="–" if result.prevalence is None else percent(result.prevalence),
            )
        )
    if result.site_prevalence is not None and result.prevalence is not None and not untested:
        interval = result.interval
        # As it stood on the sender's screen, whatever the site has set since.
        st.caption(
            _("Shown then for this site, where {few} are {label}: {shifted}").format(
                few=prevalence_words(result.site_prevalence),
                label=class_name(result.positive),
                shifted=restate(
                    result.probability,
                    None if interval is None else (interval["low"], interval["high"]),
                    result.prevalence,
                    result.site_prevalence,
                ).words,
            )
        )
    if result.explored_threshold is not None:
        st.caption(
            _("The sender explored other operating points, last {threshold}.").format(
                threshold=percent(result.explored_threshold)
            )
        )
    if not result.flagged:
        st.caption(not_excluded(result.answer))
    st.caption(f"{result.task} {result.version} · {result.bundle_digest[:12]}")


def _answer(result: AIResult, failed: Collection[str]) -> str:
    if hardly_a_scan(failed):
        return no_scan()
    if result.refused:
        return unknown_scan()
    return not_sure() if result.sure is False else class_name(result.answer)


def _history(revealed: Revealed) -> None:
    st.dataframe(
        pd.DataFrame(
            [
                {
                    _("When"): event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                    _("Who"): event.person_name,
                    _("What"): event_name(event.kind),
                    _("Comment"): event.comment or "",
                }
                for event in revealed.events
            ]
        ),
        hide_index=True,
    )
    st.dataframe(
        pd.DataFrame(
            [
                {
                    _("When"): entry.entered_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                    _("Who"): entry.person_name,
                    _("Stage"): stage_name(entry.stage),
                    _("Label"): class_name(entry.label),
                    _("Rests on"): origin_name(entry.origin),
                    _("Confidence"): confidence_name(entry.confidence),
                    _("Comment"): entry.comment,
                }
                for entry in revealed.entries
            ]
        ),
        hide_index=True,
    )

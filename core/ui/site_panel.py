"""The prevalence at this site: what is in force, and for an administrator the form that sets it."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from core.errors import OverreadError
from core.model import (
    SITE_PREVALENCE_RANGE,
    Bundle,
    SitePrevalence,
    prevalence_history,
    prevalence_words,
    set_site_prevalence,
    shift_prior,
)
from core.text import _, percent
from core.trust import Permission, Person, permissions_of
from core.ui import service
from core.ui.site import look_again, site_of, site_words
from core.ui.wording import class_name

_SAID = "site-said"
#: It stays for a while: the second click of a double click runs the page again.
_SAID_SECONDS = 8.0
_NOTHING: tuple[bool | None, str, str, float] = (None, "", "", 0.0)


def site_panel(bundle: Bundle, person: Person) -> None:
    """Show the prevalence that is in force for a task, and let an administrator set it."""
    card = bundle.card
    st.subheader(_("Prevalence at this site"), anchor=False)
    site = site_of(card.task)
    st.markdown(site_words(site))
    if card.prevalence is None or card.calibration.method == "none":
        st.caption(
            _("This version's probabilities cannot be restated: they hold at no known prevalence.")
        )
    elif site.share is not None:
        study = card.prevalence.positive
        st.caption(
            _(
                "Probabilities of this version hold where {study} are {label}. There a calibrated "
                "50% means {shifted} at this site."
            ).format(
                study=percent(study),
                label=class_name(card.positive),
                shifted=percent(shift_prior(0.5, study, site.share), 1),
            )
        )
    if Permission.MANAGE not in permissions_of(person.role):
        return
    try:
        history = prevalence_history(service.store(), person, card.task)
    except OverreadError as error:
        st.error(str(error), icon=":material/database_off:")
        st.caption(_("It can be set again once the database answers."))
        return
    _outcome()
    _form(card.task, class_name(card.positive), person, history)
    _history(history)


def _form(task: str, label: str, person: Person, history: tuple[SitePrevalence, ...]) -> None:
    newest = history[0] if history else None
    in_force = None if newest is None else newest.share
    low, high = SITE_PREVALENCE_RANGE
    # A form of its own for what was seen: after somebody has set it, the next one starts afresh.
    place = f"{task}-{0 if newest is None else newest.id}"
    with st.form(f"site-form-{place}", border=True):
        left, right = st.columns([1, 2], gap="medium")
        share, reason = f"site-share-{place}", f"site-reason-{place}"
        left.number_input(
            # The browser marks a number beyond these, and says no word.
            _("{label} among the scans read here, % ({low:g} to {high:g})").format(
                label=label.capitalize(), low=low * 100, high=high * 100
            ),
            low * 100,
            high * 100,
            value=None if in_force is None else round(in_force * 100, 3),
            step=0.1,
            format="%.1f",
            placeholder="–",
            key=share,
        )
        right.text_input(
            _("Where the number comes from"),
            max_chars=500,
            placeholder=_("for example: audit of 2025, 1,240 examinations"),
            key=reason,
        )
        seen = None if newest is None else newest.id
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                _("Set for everybody"),
                type="primary",
                icon=":material/save:",
                key=f"site-set-{place}",
                on_click=_set,
                args=(task, person, share, reason, seen),
            )
            st.form_submit_button(
                _("Take back"),
                icon=":material/undo:",
                key=f"site-take-back-{place}",
                disabled=in_force is None,
                on_click=_set,
                args=(task, person, None, reason, seen),
            )
    st.caption(
        _(
            "It restates every probability for this site. The operating point and what is flagged "
            "stay as they are; feedback keeps what its sender was shown."
        )
    )


def _set(task: str, person: Person, share: str | None, reason: str, seen: int | None) -> None:
    """Save what stands in the form that was on screen."""
    done, _words, of, _at = st.session_state.get(_SAID, _NOTHING)
    form = f"{task}-{seen}"
    if done and of == form:
        return  # the second click of a double click, on the form that was saved
    value = None if share is None else st.session_state.get(share)
    if share is not None and value is None:
        _say(False, _("Give the prevalence from 0.1 to 99 percent."), form)
        return
    try:
        made = set_site_prevalence(
            service.store(),
            person,
            task,
            None if value is None else round(float(value) / 100, 6),
            str(st.session_state.get(reason) or ""),
            after=seen,
        )
    except OverreadError as error:
        _say(False, str(error), form)
        return
    look_again()
    said = (
        _("Saved: taken back.")
        if made.share is None
        else _("Saved: {share}.").format(share=prevalence_words(made.share))
    )
    _say(True, said, form)


def _say(done: bool, words: str, form: str) -> None:
    st.session_state[_SAID] = (done, words, form, time.monotonic())


def _outcome() -> None:
    done, words, _form, at = st.session_state.get(_SAID, _NOTHING)
    if done is None or time.monotonic() - at > _SAID_SECONDS:
        return
    if done is True:
        st.success(words, icon=":material/check_circle:")
    elif done is False:
        st.error(words, icon=":material/error:")


def _history(history: tuple[SitePrevalence, ...]) -> None:
    if not history:
        return
    with st.expander(_("What was set before"), icon=":material/history:", key="site-history"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        _("When"): entry.at.astimezone().strftime("%Y-%m-%d %H:%M"),
                        _("Who"): entry.person_name,
                        _("Prevalence"): (
                            _("taken back")
                            if entry.share is None
                            else prevalence_words(entry.share)
                        ),
                        _("Reason"): entry.reason,
                    }
                    for entry in history
                ]
            ),
            hide_index=True,
            key="site-history-table",
            alt=_("Every prevalence that was set, newest first"),
        )

"""The versions of a task as an administrator sees them, and the step from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.errors import OverreadError
from core.model import (
    LONGEST_REASON,
    Card,
    Change,
    ModelVersion,
    Switch,
    VersionState,
    auc_words,
    before,
    promote,
    read_switches,
    rollback,
    version_state_name,
    version_state_words,
    where_words,
)
from core.text import _
from core.trust import Person
from core.ui import service

#: Switches shown, the newest first.
_MOST = 50
_KEY = "switch-wish"
#: Why the last one was refused, until it was shown.
_REFUSED = "switch-refused-"


def task_versions(task: str, found: Sequence[ModelVersion], person: Person) -> None:
    """Show the versions of one task, with what can be done with each.

    Parameters
    ----------
    task, found
        The task and its versions, the highest first.
    person
        Who looks; whether they may switch is checked again where it is done.
    """
    st.subheader(task, anchor=False)
    active = next((each for each in found if each.state is VersionState.ACTIVE), None)
    _status(task, found, active)
    _go_back(task, active)
    _confirm(task, person)
    for each in found:
        _version(each, active)
    _history(task)


def _status(task: str, found: Sequence[ModelVersion], active: ModelVersion | None) -> None:
    failed = next((each for each in found if each.state is VersionState.FAILED), None)
    if failed is not None:
        st.error(
            _("Version {version} was made active but cannot be used: {reason}").format(
                version=failed.version, reason=failed.reason or ""
            ),
            icon=":material/error:",
        )
    if active is None:
        st.warning(
            _("No version can be used: scans are viewed and labelled without a model."),
            icon=":material/cloud_off:",
        )
    if task == service.settings().task:
        _running(active)


@st.fragment(run_every=2.0)
def _running(active: ModelVersion | None) -> None:
    """Say what this server answers with right now, and what it is getting ready."""
    status = service.model().status()
    if status.state == "failed":
        st.caption(_("This server has no model loaded."))
        return
    if status.state != "ready":
        st.caption(_("The model is starting."))
        return
    loaded = service.model().get_predictor().bundle
    if status.coming is not None:
        st.caption(
            _("Version {new} is being got ready; until then version {old} answers here.").format(
                new=status.coming, old=loaded.card.version
            )
        )
        return
    st.caption(
        _("This server answers with version {version} (digest {digest}).").format(
            version=loaded.card.version, digest=loaded.digest[:12]
        )
    )
    bundle = None if active is None else active.bundle
    if bundle is None or bundle.digest != loaded.digest:
        st.caption(_("It keeps what it has loaded: after a restart this would be another one."))


def _go_back(task: str, active: ModelVersion | None) -> None:
    try:
        earlier = before(service.settings(), task)
    except OverreadError:
        # Nothing was active before, so there is no button.
        return
    title = _("Go back to version {version}").format(version=earlier.version)
    st.button(
        title,
        icon=":material/undo:",
        key=f"rollback-{task}",
        on_click=_wish,
        args=(_Wish(task, title, None, None, _digest(active)),),
    )


def _digest(version: ModelVersion | None) -> str | None:
    return None if version is None or version.bundle is None else version.bundle.digest


def _version(each: ModelVersion, active: ModelVersion | None) -> None:
    name = f"{each.task}-{each.version}-{'shipped' if each.shipped else 'site'}"
    with st.container(border=True, key=f"version-{name}"):
        left, right = st.columns([5, 2], vertical_alignment="center")
        card = None if each.bundle is None else each.bundle.card
        left.markdown(f"**{each.version}** · {_badge(each)}")
        if card is not None:
            # As plain text: a card may be anybody's.
            left.text(card.title)
        if each.reason:
            left.caption(version_state_words(each))
        digest = each.bundle.digest[:12] if each.bundle else "–"
        left.caption(
            " · ".join(
                [
                    where_words(each),
                    _("digest {digest}").format(digest=digest),
                    _("ROC-AUC on validation scans {auc}").format(auc=auc_words(each)),
                ]
            )
        )
        held = each.state is VersionState.ACTIVE
        if each.bundle is not None and not (held and each.chosen):
            title = _("Make version {version} active")
            if held:
                title = _("Keep version {version} active, whatever is added")
            title = title.format(version=each.version)
            right.button(
                _("Keep active") if held else _("Make active"),
                key=f"promote-{name}",
                width="stretch",
                on_click=_wish,
                args=(_Wish(each.task, title, each.version, _digest(each), _digest(active)),),
            )
        if card is not None:
            more = st.expander(
                _("What it is for, and its limits"), key=f"card-{name}", on_change="rerun"
            )
            if more.open:
                with more:
                    _card(card)


def _badge(each: ModelVersion) -> str:
    colour = {
        VersionState.ACTIVE: "green",
        VersionState.FAILED: "red",
        VersionState.USABLE: "gray",
        VersionState.WITHDRAWN: "orange",
        VersionState.UNUSABLE: "red",
    }[each.state]
    return f":{colour}-badge[{version_state_name(each.state)}]"


def _card(card: Card) -> None:
    st.text(card.intended_use)
    for limit in card.limits:
        st.text("· " + limit)
    calibrated = card.calibration.method != "none"
    st.caption(_("Calibrated") if calibrated else _("Not calibrated: its score is no probability"))
    st.caption(_("Made on {date}").format(date=card.created or "–"))


@dataclass(frozen=True, slots=True)
class _Wish:
    """A switch that was asked for and waits for its reason; ``to`` is None for a rollback.

    ``expected`` is the digest of what was active when it was asked for.
    """

    task: str
    title: str
    to: str | None
    digest: str | None
    expected: str | None


def _wish(wish: _Wish) -> None:
    st.session_state[_KEY] = wish


def _confirm(task: str, person: Person) -> None:
    """Ask for a reason and a confirmation of what was asked for; then switch, or say why not."""
    refused = st.session_state.pop(_REFUSED + task, None)
    if refused is not None:
        st.error(refused, icon=":material/error:")
        st.caption(_("Nothing was switched."))
    wish = st.session_state.get(_KEY)
    if not isinstance(wish, _Wish) or wish.task != task:
        return
    with st.form("switch"):
        st.markdown(f"**{wish.title}**")
        reason = st.text_input(
            _("Reason (kept with the switch; no patient names)"),
            max_chars=LONGEST_REASON,
            key="switch-reason",
        )
        with st.container(horizontal=True, gap="small"):
            sure = st.form_submit_button(wish.title, type="primary", key="switch-confirm")
            left = st.form_submit_button(_("Cancel"), key="switch-cancel")
    if left:
        del st.session_state[_KEY]
        st.rerun()
    if not sure:
        return
    if not reason.strip():
        st.error(_("Give a reason: it is kept with the switch."), icon=":material/edit_note:")
        return
    try:
        with st.spinner(_("Loading it and letting it read phantoms")):
            change = _switch(wish, person, reason)
    except OverreadError as error:
        # What stands below was found before, and may be why: it is looked at again. The wish goes
        # too, so that the second half of a double click decides nothing that nobody looked at.
        st.session_state[_REFUSED + task] = str(error)
        del st.session_state[_KEY]
        st.rerun()
    del st.session_state[_KEY]
    service.follow_active()
    st.toast(
        _("Version {version} is active.").format(version=change.now.version),
        icon=":material/check_circle:",
    )
    st.rerun()


def _switch(wish: _Wish, person: Person, reason: str) -> Change:
    settings = service.settings()
    if wish.to is None:
        return rollback(settings, person, wish.task, None, reason, expected=wish.expected)
    return promote(
        settings,
        person,
        wish.task,
        wish.to,
        reason,
        digest=wish.digest,
        expected=wish.expected,
    )


def _history(task: str) -> None:
    switches = read_switches(service.settings(), task)
    if not switches:
        st.caption(_("Nobody has switched versions yet: the highest that can be used is active."))
        return
    with st.expander(_("History"), icon=":material/history:", key=f"switches-{task}"):
        newest = switches[::-1][:_MOST]
        st.dataframe(
            pd.DataFrame(
                {
                    _("When"): [f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}" for each in newest],
                    _("What"): [_action(each) for each in newest],
                    _("Version"): [each.version for each in newest],
                    _("Before"): [each.before_version or "–" for each in newest],
                    _("Who"): [each.by for each in newest],
                    _("Reason"): [each.reason or "–" for each in newest],
                }
            ),
            hide_index=True,
            key=f"switches-table-{task}",
        )
        if len(switches) > _MOST:
            st.caption(_("The newest {n} are shown.").format(n=_MOST))


def _action(switch: Switch) -> str:
    return {
        "promote": _("Made active"),
        "rollback": _("Gone back"),
        "keep": _("Kept active"),
    }[switch.action]

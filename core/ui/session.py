"""Who sits in front of the browser, and in which language."""

from __future__ import annotations

import streamlit as st

from core.text import LANGUAGES, _, install_session_language
from core.trust import Permission, Person, demo_people, permissions_of
from core.ui import media, service

_PERSON = "person"
_LANGUAGE = "language"
_WISH = "page-wish"
_OF_THE_RUN = "_overread_language"


def person() -> Person | None:
    """Return who is signed in, or none."""
    found = st.session_state.get(_PERSON)
    return found if isinstance(found, Person) else None


def signed_in(permission: Permission) -> Person:
    """Return who is signed in; a page ends here for anybody its permission was not given to.

    The room checks again where the thing is done; this keeps a page from showing what would only
    be refused.
    """
    found = person()
    if found is None or permission not in permissions_of(found.role):
        st.error(_("Sign in with a role that may open this page."), icon=":material/lock:")
        st.stop()
    return found


def sign_in(person_id: str) -> None:
    """Take the part of a demo person."""
    st.session_state[_PERSON] = next(p for p in demo_people() if p.id == person_id)


def sign_out() -> None:
    """Forget the person and everything the session holds, scans included."""
    media.forget()
    chosen = st.session_state.get(_LANGUAGE)
    for key in list(st.session_state):
        del st.session_state[key]
    if chosen is not None:
        st.session_state[_LANGUAGE] = chosen
    # Whoever comes next starts at home, and not on the page that was left.
    st.session_state[_WISH] = ""


def remember_wish(page: str) -> None:
    """Keep the page that an address asked for before anybody had signed in."""
    st.session_state.setdefault(_WISH, page)


def take_wish() -> str:
    """Return the page that was asked for before signing in, once; empty where none was."""
    return str(st.session_state.pop(_WISH, ""))


def session_language() -> str | None:
    """Return the session's language, or none outside a session."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    run = get_script_run_ctx(suppress_warning=True)
    if run is None:
        return None
    # Asked for each of hundreds of texts, and the session's state takes its time to answer: what
    # it said is kept with the run, which no other session has a part in.
    known = getattr(run, _OF_THE_RUN, None)
    if known is None:
        known = _chosen_or_browsers()
        setattr(run, _OF_THE_RUN, known)
    return str(known)


def _chosen_or_browsers() -> str:
    chosen = st.session_state.get(_LANGUAGE)
    if chosen in LANGUAGES:
        return str(chosen)
    locale = (st.context.locale or "").lower()
    return "zh_CN" if locale.startswith("zh") else service.settings().language


def set_language(code: str) -> None:
    """Speak this language (a key of ``core.text.LANGUAGES``) for the rest of the session."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    if code not in LANGUAGES:
        return
    st.session_state[_LANGUAGE] = code
    run = get_script_run_ctx(suppress_warning=True)
    if run is not None:
        setattr(run, _OF_THE_RUN, code)


install_session_language(session_language)

"""Nothing that was entered and not sent is thrown away without asking."""

from __future__ import annotations

import streamlit as st

from core.text import _
from core.ui import session
from core.ui.feedback_form import has_unsent
from core.ui.reading_list import ReadingList

_SCRIPT = """
let guard = null;
export default function (component) {
  const ask = (event) => { event.preventDefault(); event.returnValue = ""; };
  if (guard) window.removeEventListener("beforeunload", guard);
  guard = component.data.unsent ? ask : null;
  if (guard) window.addEventListener("beforeunload", guard);
  return () => {
    if (guard) window.removeEventListener("beforeunload", guard);
    guard = null;
  };
}
"""

_GUARD = st.components.v2.component("overread_leaving", js=_SCRIPT)


def any_unsent(reading: ReadingList) -> bool:
    """Tell whether something on the list was entered or drawn and has not been sent."""
    return any(
        has_unsent(entry, item)
        for entry in reading.entries.values()
        for item in entry.items.values()
    )


def guard_reload(reading: ReadingList) -> None:
    """Let the browser ask before the page is left or loaded anew: the session ends with it."""
    _GUARD(key="leaving", data={"unsent": any_unsent(reading)})


def change_role(reading: ReadingList) -> None:
    """Sign out; where something has not been sent, ask first."""
    if any_unsent(reading):
        st.dialog(_("Change role"))(_ask)()
        return
    session.sign_out()
    st.rerun()


def _ask() -> None:
    st.markdown(_("What you entered or drew has not been sent. It goes when you change your role."))
    if st.button(
        _("Change role and discard it"), on_click=session.sign_out, key="sign-out-discard"
    ):
        st.rerun()

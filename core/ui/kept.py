"""Widgets that show what is kept with a scan or with the session, wherever they come up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def kept(key: str, value: Any, changed: Callable[..., None], *args: Any) -> dict[str, Any]:
    """Return the options of a widget that shows a value kept elsewhere.

    The kept value is the truth, and the widget follows it: on the first run, after the browser
    forgot the widget, and when the value came from elsewhere.

    Parameters
    ----------
    key
        Of the widget.
    value
        What it shall show. Whatever is typed into a field that makes no rerun of its own must
        have been taken over before, or it is lost.
    changed, args
        Called when a person changes the widget; puts its new value where it is kept.

    Returns
    -------
    dict
        Keyword arguments for the widget.
    """
    return {"on_change": changed, "args": args} | show(key, value)


def show(key: str, value: Any) -> dict[str, Any]:
    """Return the options of a widget that shows a value, without those about its changes."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    # A value that was set is told to the browser once. Is that run cut short, or has the browser
    # seen the widget before, the widget comes up empty and the emptiness is sent back as the
    # person's own choice. One that persists is told again until the browser has answered.
    return {"key": key, "persist_state": "session"}

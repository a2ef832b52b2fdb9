"""The card of a model on a page: what it is for, its limits, its data, how it was made.

A card can be anybody's, so all of it is shown as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.model import Bundle, Card
from core.text import _


def show_card(bundle: Bundle, *, in_use: bool) -> None:
    """Show a model's card."""
    card = bundle.card
    with st.container(border=True, gap="small", key="model-card"):
        st.text(card.title)
        st.caption(
            ":material/check_circle: " + _("In use: answers come from this version.")
            if in_use
            else ":material/history: " + _("Not in use: answers come from another version.")
        )
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown("**" + _("What it is for") + "**")
            st.text(card.intended_use or _("The card does not say."))
        with right:
            st.markdown("**" + _("Its limits") + "**")
            for limit in card.limits:
                st.text("· " + limit)
            if not card.limits:
                st.text(_("The card does not say."))
        with st.expander(_("Data, licences and training"), icon=":material/database:"):
            _data(card)
            _training(card)
            _identity(bundle)


def _data(card: Card) -> None:
    st.markdown("**" + _("Learned from") + "**")
    if not card.data:
        st.caption(_("The card does not say."))
    for source in card.data:
        st.text(f"{source.name} · {source.licence}")
        st.text(source.citation)
    if card.prevalence is not None:
        st.text(
            _("Prevalence among the scans that calibrated it: {share} (n = {n}). {source}").format(
                share=f"{card.prevalence.positive:.1%}",
                n="–" if card.prevalence.n is None else card.prevalence.n,
                source=card.prevalence.source,
            )
        )


def _training(card: Card) -> None:
    tried = card.training.get("tried")
    settings = {name: value for name, value in card.training.items() if name != "tried"}
    if settings:
        st.markdown("**" + _("Training") + "**")
        st.dataframe(
            pd.DataFrame(_flat(settings), columns=[_("Setting"), _("Value")]),
            hide_index=True,
            key="model-training",
            alt=_("Settings of the training"),
        )
    if tried:
        st.markdown("**" + _("What was tried") + "**")
        for line in tried if isinstance(tried, list | tuple) else [tried]:
            st.text("· " + (line if isinstance(line, str) else json.dumps(line)))


def _flat(entries: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested settings as names with dots and values in words."""
    lines = []
    for name, value in entries.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{before}{name}.")
        else:
            words = value if isinstance(value, str) else json.dumps(value)
            lines.append((f"{before}{name}", words))
    return lines


def _identity(bundle: Bundle) -> None:
    card = bundle.card
    st.markdown("**" + _("Identity") + "**")
    st.text(f"{card.task} {card.version} · {card.created or '–'}")
    st.text(_("Bundle digest {digest}").format(digest=bundle.digest))
    for source in card.data:
        st.text(_("Data {name}: digest {digest}").format(name=source.name, digest=source.digest))

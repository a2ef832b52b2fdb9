"""How common the positives are at this site, as every page shows it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.errors import StoreError
from core.model import ELSEWHERE, SitePrevalence, prevalence_words, site_prevalence
from core.text import _, percent
from core.ui import service

#: For how long a look-up holds for all sessions; what is set on this server is seen at once.
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of a task's prevalence at this site.

    Attributes
    ----------
    entry
        What is in force; None where nothing is set, or it cannot be looked up.
    known
        Whether it could be looked up.
    """

    entry: SitePrevalence | None
    known: bool = True

    @property
    def share(self) -> float | None:
        """Share of positives at the site, 0..1; None where none is known."""
        return None if self.entry is None else self.entry.share


def site_of(task: str) -> Site:
    """Return what is known of a task's prevalence at this site; never raises.

    Looked up once for all sessions and kept for some seconds, so that a slow or missing database
    does not hold up every move of a slider.
    """
    return _looked_up(task)


@st.cache_data(ttl=_SECONDS, max_entries=32, show_spinner=False)
def _looked_up(task: str) -> Site:
    try:
        return Site(site_prevalence(service.store(), task))
    except StoreError:
        # Reading goes on with the study's prevalence, and the page says so.
        return Site(None, known=False)


def look_again() -> None:
    """Let every session look up what has just been set."""
    _looked_up.clear()


def site_words(site: Site) -> str:
    """Say whose prevalence a page goes by."""
    if not site.known:
        return _("Site prevalence cannot be looked up now: {few} is an example.").format(
            few=percent(ELSEWHERE)
        )
    if site.entry is None or site.share is None:
        return _("Site prevalence not set: {few} is an example.").format(few=percent(ELSEWHERE))
    return _("Site prevalence {few}, set on {day}.").format(
        few=prevalence_words(site.share), day=f"{site.entry.at.astimezone():%Y-%m-%d}"
    )

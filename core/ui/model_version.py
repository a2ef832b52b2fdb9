"""Which version of the model made a result on screen, and what it says of itself.

A switch of versions never changes what is on screen: a result stays with the version that made it,
says so where another one is active, and is read again when a person asks for it.
"""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.model import Card, Prediction, Predictor, find_bundle, kept
from core.text import _
from core.ui import service
from core.ui.open_scan import OpenScan


def card_of(prediction: Prediction) -> Card | None:
    """Return the card of exactly the bundle that made a result; None where it is gone."""
    bundle = find_bundle(
        service.settings(), prediction.task, prediction.version, prediction.bundle_digest
    )
    if bundle is not None:
        return bundle.card
    if service.model().status().state != "ready":
        return None
    # Gone from the disk, it may still be the one that answers.
    loaded = service.model().get_predictor().bundle
    return loaded.card if loaded.digest == prediction.bundle_digest else None


def version_line(item: OpenScan, prediction: Prediction) -> None:
    """Say that a result is another version's than the active one, and offer to read again."""
    if service.model().status().state != "ready":
        return
    active = service.model().get_predictor()
    if active.bundle.digest == prediction.bundle_digest:
        return
    words = {"made": prediction.version, "active": active.card.version}
    if prediction.version == active.card.version:
        words = {"made": prediction.bundle_digest[:12], "active": active.bundle.digest[:12]}
    st.info(
        _(
            "Version {made} of the model made this result; version {active} is active now. "
            "Nothing changes here until you read again."
        ).format(**words),
        icon=":material/update:",
    )
    if st.button(
        _("Read again with version {active}").format(**words),
        icon=":material/refresh:",
        key=f"read-again-{item.widget}",
        help=_("What you said of the result before (accepted or not, its outline) is taken back."),
    ):
        _read_again(item)


def _read_again(item: OpenScan) -> None:
    """Let the active version read; without its answer, the one before stays."""
    try:
        answer = service.model().get_predictor().read(item.scan)
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        return
    if answer.image_digest == item.digest:
        item.answer_again(answer)
    st.rerun()


def stored_version(digest: str) -> Predictor | None:
    """Return the version that made a stored result, if it is in memory."""
    return kept(digest, service.settings().concurrent_reads)


def load_stored_version(task: str, version: str, digest: str) -> None:
    """Offer to load the version that made a stored result, where it is here and not in memory."""
    if find_bundle(service.settings(), task, version, digest) is None:
        st.caption(_("Version {version} is not here any more.").format(version=version))
        return
    if not st.button(
        _("Load version {version}, which made it (some seconds)").format(version=version),
        icon=":material/history:",
        key="load-stored-version",
    ):
        return
    try:
        with st.spinner(_("Version {version} is loading").format(version=version)):
            Predictor.load(task, version, settings=service.settings())
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()

"""What the server process holds once for everybody: settings, store and the warming model.

Opens with a safety choice: demo mode asks for no password, so unless a setting says otherwise the
server neither starts on an address beyond this machine nor answers a request from beyond it,
whichever way it was started.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging

import streamlit as st
from starlette.formparsers import MultiPartParser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import OverreadError, SettingsError, StoreError
from core.jobs import shared_runner
from core.model import WarmUp, warm_up
from core.review import SimilarCases
from core.settings import Settings, load_settings
from core.store import Store
from core.text import _

logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings the server started with."""
    return load_settings()


def _close(opened: Store) -> None:
    opened.close()


@st.cache_resource(show_spinner=False, on_release=_close)
def store() -> Store:
    """Return the store, its tables brought up to date.

    Raises
    ------
    StoreError
        The database cannot be reached or is newer than this version; tried again on next call.
    """
    opened = Store.open(settings())
    opened.migrate()
    return opened


@st.cache_resource(show_spinner=False)
def model() -> WarmUp:
    """Return the handle on the model that loads in the background, and on what comes after it."""
    return warm_up(settings(), set_aside_what_stays, _once_imported)


@st.cache_resource(show_spinner=False)
def similar_cases() -> SimilarCases:
    """Return what finds similar settled cases.

    Raises
    ------
    StoreError
        The database cannot be reached; tried again on next call.
    """
    return SimilarCases(store())


def _once_imported() -> None:
    # Before the model is loaded: a page that waits for it runs each second, and collecting garbage
    # after each of its runs took more of the processor than the loading, which never came to its
    # end on a slow machine.
    keep_what_is_compiled()
    set_aside_what_stays()


def set_aside_what_stays() -> None:
    """Take what is loaded for good, TensorFlow above all, out of the garbage collector's sight.

    Streamlit collects garbage after every run of a page. Looking through the millions of objects
    of TensorFlow takes a quarter of a second each time, in which no other session's page answers.
    What was set aside for a version that is no longer used is let go of first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def keep_what_is_compiled() -> None:
    """Let no run of a page throw away what TensorFlow has prepared for the model.

    Streamlit clears Keras' session after every run, for pages that build their models anew each
    time. It takes the prepared calls of a model that stays along: each first read after a run
    would take a second instead of a twentieth.
    """
    import keras

    keras.backend.clear_session = _leave_as_it_is


def _leave_as_it_is(free_memory: bool = True) -> None:
    """Stand in the place of ``keras.backend.clear_session``."""


#: Importing TensorFlow holds Python's lock; a browser that waits gets its first page before that.
_HEAD_START_SECONDS = 1.5
#: How often a server looks whether another version became active, here or in another process.
_FOLLOW_SECONDS = 2.0


def start() -> None:
    """Do what must be done before the first visitor: checks and migrations.

    Raises
    ------
    SettingsError
        Demo mode would be served beyond this machine without the setting that allows it.
    """
    address = st.get_option("server.address")
    if not settings().demo_on_network and not is_loopback(address):
        raise SettingsError(
            _(
                "Demo mode asks for no password, so it listens on 127.0.0.1 only. "
                "Set server.address to 127.0.0.1, or OVERREAD_DEMO_ON_NETWORK to on."
            )
        )
    keep_uploads_off_the_disk()
    try:
        store()
    except StoreError as error:
        # Reading goes on without it, and every page says that sending does not; it is tried
        # again at each run.
        logger.warning("Started without the database: %s", error)


def warm_soon() -> asyncio.Task[None]:
    """Warm the model in the background once the first page has had a head start, and follow it.

    Cancelling the task ends both.
    """
    return asyncio.create_task(_warm_and_follow())


async def _warm_and_follow() -> None:
    await asyncio.sleep(_HEAD_START_SECONDS)
    model()
    while True:
        await asyncio.sleep(_FOLLOW_SECONDS)
        try:
            # Files are asked, which may take long where they lie on another machine.
            await asyncio.to_thread(follow_active)
        except (OSError, RuntimeError):
            logger.exception("Which version of the model is active could not be looked up")


def follow_active() -> None:
    """Get another version of the model ready, if one became active; see ``WarmUp.follow``."""
    model().follow()
    keep_similar_cases()


def keep_similar_cases() -> None:
    """Get the settled cases ready for the version that answers, in the background."""
    if model().status().state != "ready":
        return
    try:
        similar_cases().keep_up(model().get_predictor(), shared_runner())
    except OverreadError as error:
        # The panel says so to whoever asks; it is tried again.
        logger.info("Similar cases are not kept up: %s", error)


def keep_uploads_off_the_disk() -> None:
    """Let Starlette hold a whole upload in memory; it writes larger ones to a temporary file."""
    limit = (int(st.get_option("server.maxUploadSize")) + 1) * 2**20
    MultiPartParser.spool_max_size = limit


def load_model_again() -> None:
    """Start the model afresh if it failed: a bundle may have been repaired meanwhile."""
    if model().status().state == "failed":
        model.clear()
        model()


def stop() -> None:
    """Let go of the database."""
    similar_cases.clear()
    store.clear()


def is_loopback(address: str | None) -> bool:
    """Tell whether an address (IP or host name) stays on this machine; none means every one."""
    if not address:
        return False
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class LoopbackOnly:
    """ASGI middleware that answers this machine only, unless the setting opens demo mode."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it: pages, uploads, pictures and websockets alike."""
        client = scope.get("client")
        if (
            scope["type"] in ("http", "websocket")
            and not settings().demo_on_network
            and not is_loopback(client[0] if client else None)
        ):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            refusal = PlainTextResponse("Demo mode is open to this machine only.", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

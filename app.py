"""Overread: the script that Streamlit runs and the ASGI application, in one file.

Streamlit loads this file once for ``app`` (no session: only the definitions may run) and then
once per interaction as ``__main__`` with a session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from core.ui import service, shell
from core.ui.media import media_routes
from core.ui.session_watch import session_routes


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Bring the database up to date, then warm the model in the background and keep it current."""
    service.start()
    warming = service.warm_soon()
    yield
    warming.cancel()
    service.stop()


app = st.App(
    __file__,
    lifespan=lifespan,
    routes=[*media_routes(), *session_routes()],
    middleware=[Middleware(service.LoopbackOnly)],
)

# Until the first ``st.navigation`` of the process, Streamlit takes the folder ``pages`` for its
# older kind of pages, and tells the first who comes with a bookmark that there is no such page.
PagesManager.uses_pages_directory = False

if st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True) is not None:
    shell.run()

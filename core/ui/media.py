"""Pixels for the browser, each at an address of our own that only one session knows.

Streamlit's own media addresses are a digest of the content: whoever holds the same picture can
ask a server whether it is there. An address here is ``<base>/overread/media/<token>/<name>.png``:
the token is 256 random bits that belong to one session, and the name is a keyed digest under that
token, so neither says anything about the picture. The address of a picture stays the same for the
whole session, so the browser fetches it once however often the page is drawn again.

Three things have addresses: pictures (``.png``), raw values that the browser works on itself
(``.bin``, sent as they are), and the frames of a loop (``<name>/<frame>.png``), which are made when
the browser asks for one and not before.

Nothing is written to disk. What a session put on the shelf goes when the session ends
(a session-scoped Streamlit resource releases it), when it has been idle for long, or when there is
no room; whoever still shows it publishes it again at the next run of the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.errors import OverreadError
from core.ui.shelf import PREFIX, MediaShelf, new_token

_TOKEN_KEY = "_overread_media_token"  # noqa: S105 - the name of a session state entry

#: The one shelf of this process.
SHELF = MediaShelf()


def publish(identity: str, make: Callable[[], bytes]) -> str:
    """Publish a picture for the session that is running and return its address.

    Parameters
    ----------
    identity
        What tells this picture from the session's others, for example ``"scan:" + digest``.
    make
        Gives the PNG bytes, called only if the session has not published this picture yet.

    Returns
    -------
    str
        An absolute path that begins with ``server.baseUrlPath`` where one is set.
    """
    return base_path() + SHELF.publish(_session_token(), identity, make)


def publish_values(identity: str, make: Callable[[], bytes]) -> str:
    """Publish raw little-endian values for the session that is running; as :func:`publish`.

    They travel as ``application/octet-stream`` without compression: the pixels of a large scan
    would take longer to compress than to send.
    """
    return base_path() + SHELF.publish(_session_token(), identity, make, "bin")


def publish_frames(identity: str, count: int, make: Callable[[int], bytes]) -> str:
    """Give the frames of a loop addresses in the session that is running.

    Parameters
    ----------
    identity
        What tells this loop from the session's others.
    count
        Frames there are.
    make
        Gives the PNG of one frame from 0, when the browser asks for it, in a worker thread.

    Returns
    -------
    str
        A path with ``{frame}`` in it, to be filled in with the number of a frame.
    """
    return base_path() + SHELF.publish_frames(_session_token(), identity, count, make)


def _session_token() -> str:
    token: str = st.session_state.setdefault(_TOKEN_KEY, new_token())
    _lease(token)
    return token


@st.cache_resource(scope="session", on_release=SHELF.close, show_spinner=False)
def _lease(token: str) -> str:
    """Hold the token for as long as the session is connected; its release clears the shelf.

    A session that reconnects keeps its token, so its addresses stay and the browser need not
    fetch again.
    """
    return token


def forget() -> None:
    """Drop everything this session has published; call it at sign-out."""
    token = st.session_state.pop(_TOKEN_KEY, None)
    if token is not None:
        SHELF.close(token)


def base_path() -> str:
    """Return ``server.baseUrlPath`` as a prefix: empty, or ``/like/this``."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def viewer_script_path() -> str:
    """Return the address of the viewer's script; it changes whenever a part of it does."""
    return _viewer_path("viewer.js")


def viewer_script_paths() -> list[str]:
    """Return the addresses of all the viewer's scripts, which one imports from the other."""
    return [_viewer_path(name) for name in _viewer_scripts()[0]]


def _viewer_path(name: str) -> str:
    return f"{base_path()}{PREFIX}/viewer/{_viewer_scripts()[1]}/{name}"


@cache
def _viewer_scripts() -> tuple[dict[str, bytes], str]:
    """Return the viewer's modules by name, and one digest of all: they belong together."""
    paths = sorted(Path(__file__).parent.glob("viewer*.js"))
    scripts = {path.name: path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, data in scripts.items():
        digest.update(f"{name}:{len(data)}:".encode() + data)
    return scripts, digest.hexdigest()[:16]


def media_routes(shelf: MediaShelf = SHELF) -> list[BaseRoute]:
    """Return the routes that ``st.App(routes=…)`` must be given for pictures and the viewer."""
    media = f"{base_path()}{PREFIX}/media/{{token}}"
    viewer = f"{base_path()}{PREFIX}/viewer/{{digest}}/{{name}}"
    return [
        Route(f"{media}/{{name}}", _payload(shelf), methods=["GET"]),
        Route(f"{media}/{{name}}/{{frame:int}}.png", _frame(shelf), methods=["GET"]),
        Route(viewer, _script, methods=["GET"]),
    ]


_HEADERS = {
    # The same address never shows anything else. Private: a shared proxy must not keep it.
    "Cache-Control": "private, max-age=3600, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_ALONE = {"Content-Security-Policy": "default-src 'none'; sandbox"}


def _payload(shelf: MediaShelf) -> Callable[[Request], Awaitable[Response]]:
    async def payload(request: Request) -> Response:
        params = request.path_params
        data = shelf.get(params["token"], params["name"]) if _from_here(request) else None
        if data is None:
            return _not_found()
        if params["name"].endswith(".png"):
            return Response(data, media_type="image/png", headers=_HEADERS | _ALONE)
        # An encoding that is named keeps the server's own compression away.
        headers = _HEADERS | _ALONE | {"Content-Encoding": "identity"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    return payload


def _frame(shelf: MediaShelf) -> Callable[[Request], Awaitable[Response]]:
    async def frame(request: Request) -> Response:
        params = request.path_params
        if not _from_here(request):
            return _not_found()
        try:
            data = await run_in_threadpool(
                shelf.get_frame, params["token"], params["name"], params["frame"]
            )
        except OverreadError:
            # The viewer says that the frame cannot be shown; the reason comes when it is read.
            data = None
        if data is None:
            return _not_found()
        return Response(data, media_type="image/png", headers=_HEADERS | _ALONE)

    return frame


async def _script(request: Request) -> Response:
    scripts, digest = _viewer_scripts()
    data = scripts.get(request.path_params["name"])
    if request.path_params["digest"] != digest or data is None:
        return _not_found()
    return Response(data, media_type="text/javascript", headers=_HEADERS)


def _from_here(request: Request) -> bool:
    """Tell whether the browser asks on behalf of our own page, not of another site's."""
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _not_found() -> Response:
    return Response(status_code=404, headers={"Cache-Control": "no-store"})

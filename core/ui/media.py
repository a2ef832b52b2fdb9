"""Pictures for the browser, each at an address of our own that only one session knows.

Streamlit's own media addresses are a digest of the content: whoever holds the same picture can
ask a server whether it is there. An address here is ``<base>/overread/media/<token>/<name>.png``:
the token is 256 random bits that belong to one session, and the name is a keyed digest under that
token, so neither says anything about the picture. The address of a picture stays the same for the
whole session, so the browser fetches it once however often the page is drawn again.

Nothing is written to disk. What a session put on the shelf goes when the session ends
(a session-scoped Streamlit resource releases it), when it has been idle for long, or when there is
no room; whoever still shows it publishes it again at the next run of the page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PREFIX = "/overread"
_TOKEN_KEY = "_overread_media_token"  # noqa: S105 - the name of a session state entry
_VIEWER_SCRIPT = Path(__file__).with_name("viewer.js")


@dataclass(slots=True)
class _Shelf:
    """What one session has published, least recently used first."""

    pictures: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    size: int = 0
    used: float = 0.0


class MediaShelf:
    """PNG pictures in memory, by session token and name. Safe to share between threads.

    Parameters
    ----------
    session_bytes, total_bytes
        Most bytes kept for one session and for all of them. The least recently used go first;
        the newest picture always stays, so one that is larger than the limit stands alone.
    idle_seconds
        A session that neither published nor fetched for this long loses its pictures.
    clock
        Seconds that only grow; for tests.
    """

    def __init__(
        self,
        *,
        session_bytes: int = 256 * 2**20,
        total_bytes: int = 1024 * 2**20,
        idle_seconds: float = 2 * 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session_bytes = session_bytes
        self._total_bytes = total_bytes
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._lock = threading.Lock()
        # By digest of the token: how long a look-up takes says nothing about a token in use.
        self._shelves: OrderedDict[bytes, _Shelf] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held for all sessions."""
        with self._lock:
            return sum(shelf.size for shelf in self._shelves.values())

    def publish(self, token: str, identity: str, make: Callable[[], bytes]) -> str:
        """Put a picture on the session's shelf unless it is there, and return its path.

        Parameters
        ----------
        token
            The session's token, from :func:`new_token`.
        identity
            What tells this picture from the session's others, such as a kind and a digest.
            It does not appear in the path.
        make
            Gives the PNG bytes; called only when the picture is not on the shelf.

        Returns
        -------
        str
            ``/overread/media/<token>/<name>.png``, without the server's base path.
        """
        name = hmac.new(token.encode(), identity.encode(), hashlib.sha256).hexdigest()[:32]
        path = f"{PREFIX}/media/{token}/{name}.png"
        if self.get(token, name) is None:
            # Encoding takes long and is done outside the lock: two threads of one session may
            # both do it, and either result is the same picture.
            self._put(token, name, make())
        return path

    def get(self, token: str, name: str) -> bytes | None:
        """Return the PNG bytes published under ``token`` and ``name``, or None."""
        with self._lock:
            self._drop_idle()
            key = _key(token)
            shelf = self._shelves.get(key)
            if shelf is None:
                return None
            for known in shelf.pictures:
                if hmac.compare_digest(known.encode(), name.encode()):
                    shelf.used = self._clock()
                    shelf.pictures.move_to_end(known)
                    self._shelves.move_to_end(key)
                    return shelf.pictures[known]
            return None

    def close(self, token: str) -> None:
        """Forget everything published under ``token``."""
        with self._lock:
            self._shelves.pop(_key(token), None)

    def _put(self, token: str, name: str, data: bytes) -> None:
        with self._lock:
            self._drop_idle()
            key = _key(token)
            shelf = self._shelves.setdefault(key, _Shelf())
            self._shelves.move_to_end(key)
            shelf.used = self._clock()
            shelf.size += len(data) - len(shelf.pictures.get(name, b""))
            shelf.pictures[name] = data
            shelf.pictures.move_to_end(name)
            while shelf.size > self._session_bytes and len(shelf.pictures) > 1:
                _drop_oldest(shelf)
            total = sum(each.size for each in self._shelves.values())
            while total > self._total_bytes:
                oldest_key, oldest = next(iter(self._shelves.items()))
                if oldest is shelf and len(shelf.pictures) == 1:
                    break
                total -= _drop_oldest(oldest)
                if not oldest.pictures:
                    del self._shelves[oldest_key]

    def _drop_idle(self) -> None:
        deadline = self._clock() - self._idle_seconds
        while self._shelves:
            key, shelf = next(iter(self._shelves.items()))
            if shelf.used >= deadline:
                return
            del self._shelves[key]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _drop_oldest(shelf: _Shelf) -> int:
    _, data = shelf.pictures.popitem(last=False)
    shelf.size -= len(data)
    return len(data)


def new_token() -> str:
    """Return 256 random bits that are safe in an address."""
    return secrets.token_urlsafe(32)


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
    token: str = st.session_state.setdefault(_TOKEN_KEY, new_token())
    _lease(token)
    return base_path() + SHELF.publish(token, identity, make)


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
    """Return the address of the viewer's script; it changes whenever the script does."""
    return f"{base_path()}{PREFIX}/viewer/{_viewer_script()[1]}.js"


@cache
def _viewer_script() -> tuple[bytes, str]:
    data = _VIEWER_SCRIPT.read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:16]


def media_routes(shelf: MediaShelf = SHELF) -> list[BaseRoute]:
    """Return the routes that ``st.App(routes=…)`` must be given for pictures and the viewer."""
    base = base_path()
    return [
        Route(f"{base}{PREFIX}/media/{{token}}/{{name}}.png", _picture(shelf), methods=["GET"]),
        Route(f"{base}{PREFIX}/viewer/{{digest}}.js", _script, methods=["GET"]),
    ]


_HEADERS = {
    # The same address never shows anything else. Private: a shared proxy must not keep it.
    "Cache-Control": "private, max-age=3600, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def _picture(shelf: MediaShelf) -> Callable[[Request], Awaitable[Response]]:
    async def picture(request: Request) -> Response:
        params = request.path_params
        data = shelf.get(params["token"], params["name"]) if _from_here(request) else None
        if data is None:
            return _not_found()
        policy = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        return Response(data, media_type="image/png", headers=_HEADERS | policy)

    return picture


async def _script(request: Request) -> Response:
    data, digest = _viewer_script()
    if request.path_params["digest"] != digest:
        return _not_found()
    return Response(data, media_type="text/javascript", headers=_HEADERS)


def _from_here(request: Request) -> bool:
    """Tell whether the browser asks on behalf of our own page, not of another site's."""
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _not_found() -> Response:
    return Response(status_code=404, headers={"Cache-Control": "no-store"})

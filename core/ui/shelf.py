"""What sessions have published for their browsers, in memory, with room for only so much."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

PREFIX = "/overread"
#: Most loops one session has addresses for: each holds on to its compressed frames.
MAX_LOOPS = 4
Kind = Literal["png", "bin"]


class _Kept:
    """Bytes by name, least recently used first, and how many there are."""

    __slots__ = ("items", "size")

    def __init__(self) -> None:
        self.items: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def put(self, name: str, data: bytes) -> None:
        self.size += len(data) - len(self.items.get(name, b""))
        self.items[name] = data
        self.items.move_to_end(name)

    def find(self, name: str) -> bytes | None:
        for known in self.items:
            if hmac.compare_digest(known.encode(), name.encode()):
                self.items.move_to_end(known)
                return self.items[known]
        return None

    def drop_oldest(self) -> int:
        _, data = self.items.popitem(last=False)
        self.size -= len(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class _Frames:
    """A loop whose frames are made when they are asked for."""

    count: int
    make: Callable[[int], bytes]


@dataclass(slots=True)
class _Shelf:
    """What one session has published."""

    pictures: _Kept = field(default_factory=_Kept)
    frames: _Kept = field(default_factory=_Kept)
    loops: OrderedDict[str, _Frames] = field(default_factory=OrderedDict)
    used: float = 0.0

    @property
    def size(self) -> int:
        return self.pictures.size + self.frames.size


class MediaShelf:
    """Pictures, values and loops in memory, by session token and name. Threads may share it.

    Parameters
    ----------
    session_bytes, total_bytes
        Most bytes kept for one session (frames of loops aside) and for all of them. The least
        recently used go first; the newest always stays, so one that is larger than the limit
        stands alone.
    frame_bytes
        Most bytes of encoded frames kept for one session; a frame that went is made again.
    idle_seconds
        A session that neither published nor fetched for this long loses everything.
    clock
        Seconds that only grow; for tests.
    """

    def __init__(
        self,
        *,
        session_bytes: int = 256 * 2**20,
        total_bytes: int = 1024 * 2**20,
        frame_bytes: int = 96 * 2**20,
        idle_seconds: float = 2 * 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session_bytes = session_bytes
        self._total_bytes = total_bytes
        self._frame_bytes = frame_bytes
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

    def publish(
        self, token: str, identity: str, make: Callable[[], bytes], kind: Kind = "png"
    ) -> str:
        """Put a picture or values on the session's shelf unless they are there; return the path.

        Parameters
        ----------
        token
            The session's token, from :func:`new_token`.
        identity
            What tells this picture from the session's others, such as a kind and a digest.
            It does not appear in the path.
        make
            Gives the bytes; called only when they are not on the shelf.
        kind
            ``"png"``, or ``"bin"`` for raw little-endian values.

        Returns
        -------
        str
            ``/overread/media/<token>/<name>.<kind>``, without the server's base path.
        """
        name = f"{_name(token, identity)}.{kind}"
        if self.get(token, name) is None:
            # Encoding takes long and is done outside the lock: two threads of one session may
            # both do it, and either result is the same picture.
            self._put(token, name, make())
        return f"{PREFIX}/media/{token}/{name}"

    def publish_frames(
        self, token: str, identity: str, count: int, make: Callable[[int], bytes]
    ) -> str:
        """Put a loop on the session's shelf and return the template of its frames' paths.

        Nothing is made now. A session has at most :data:`MAX_LOOPS` loops here, the ones
        published last.

        Parameters
        ----------
        token, identity
            As for :meth:`publish`.
        count
            Frames there are.
        make
            Gives the PNG of frame ``i`` from 0, in a worker thread; an
            :class:`~core.errors.OverreadError` says that this frame cannot be shown.

        Returns
        -------
        str
            ``/overread/media/<token>/<name>/{frame}.png``, with ``{frame}`` to be filled in.
        """
        name = _name(token, identity)
        with self._lock:
            shelf = self._shelf_of(token)
            shelf.loops[name] = _Frames(count, make)
            shelf.loops.move_to_end(name)
            while len(shelf.loops) > MAX_LOOPS:
                gone, _ = shelf.loops.popitem(last=False)
                for frame in [key for key in shelf.frames.items if key.startswith(gone)]:
                    shelf.frames.size -= len(shelf.frames.items.pop(frame))
        return f"{PREFIX}/media/{token}/{name}/{{frame}}.png"

    def get(self, token: str, name: str) -> bytes | None:
        """Return the bytes published under ``token`` and ``name``, or None."""
        with self._lock:
            shelf = self._find(token)
            return None if shelf is None else shelf.pictures.find(name)

    def get_frame(self, token: str, name: str, frame: int) -> bytes | None:
        """Return the PNG of one frame of a loop, made now if it is not kept, or None.

        Raises
        ------
        OverreadError
            The frame cannot be decoded.
        """
        key = f"{name}/{frame}"
        with self._lock:
            shelf = self._find(token)
            loop = None if shelf is None else shelf.loops.get(name)
            if shelf is None or loop is None or not 0 <= frame < loop.count:
                return None
            kept = shelf.frames.items.get(key)
            if kept is not None:
                shelf.frames.items.move_to_end(key)
                return kept
        data = loop.make(frame)
        with self._lock:
            shelf = self._find(token)
            # The session may have ended meanwhile: nothing of it is kept then.
            if shelf is not None and shelf.loops.get(name) is loop:
                shelf.frames.put(key, data)
                while shelf.frames.size > self._frame_bytes and len(shelf.frames.items) > 1:
                    shelf.frames.drop_oldest()
                self._make_room(shelf)
        return data

    def close(self, token: str) -> None:
        """Forget everything published under ``token``."""
        with self._lock:
            self._shelves.pop(_key(token), None)

    def _put(self, token: str, name: str, data: bytes) -> None:
        with self._lock:
            shelf = self._shelf_of(token)
            shelf.pictures.put(name, data)
            while shelf.pictures.size > self._session_bytes and len(shelf.pictures.items) > 1:
                shelf.pictures.drop_oldest()
            self._make_room(shelf)

    def _shelf_of(self, token: str) -> _Shelf:
        """Return the session's shelf, made if need be, as the one used last; with the lock held."""
        self._drop_idle()
        key = _key(token)
        shelf = self._shelves.setdefault(key, _Shelf())
        self._shelves.move_to_end(key)
        shelf.used = self._clock()
        return shelf

    def _find(self, token: str) -> _Shelf | None:
        self._drop_idle()
        return self._shelf_of(token) if _key(token) in self._shelves else None

    def _make_room(self, newest: _Shelf) -> None:
        total = sum(each.size for each in self._shelves.values())
        while total > self._total_bytes:
            oldest_key, oldest = next(iter(self._shelves.items()))
            if oldest is newest and len(oldest.pictures.items) + len(oldest.frames.items) == 1:
                break
            if oldest.frames.items:
                total -= oldest.frames.drop_oldest()
            elif oldest.pictures.items:
                total -= oldest.pictures.drop_oldest()
            if not oldest.size:
                del self._shelves[oldest_key]

    def _drop_idle(self) -> None:
        deadline = self._clock() - self._idle_seconds
        while self._shelves:
            key, shelf = next(iter(self._shelves.items()))
            if shelf.used >= deadline:
                return
            del self._shelves[key]


def _name(token: str, identity: str) -> str:
    return hmac.new(token.encode(), identity.encode(), hashlib.sha256).hexdigest()[:32]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """Return 256 random bits that are safe in an address."""
    return secrets.token_urlsafe(32)

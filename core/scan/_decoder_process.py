"""Foreign native decoders, each in a process of its own.

GDCM, OpenJPEG and the RLE decoder are native code over bytes that anybody may have made. A fault
in one of them would end the server, with every session and everything unsent in it; here it ends a
process that holds nothing, and the file is told to be damaged. A decoder that never ends is stopped
after :data:`PATIENCE` seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from core.scan._decoder_worker import read_message, write_message
from core.scan._formats import corrupt
from core.settings import ROOT

#: Seconds one frame may take: the largest that are allowed take a few.
PATIENCE = 60.0
#: Processes that decode at once; more frames wait their turn.
_MOST = 4


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.scan._decoder_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        self.fresh = True
        self.stopped = False

    @property
    def pid(self) -> int:
        """Its process, for tests that end it."""
        return self._process.pid

    def ask(self, header: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
        """Let it decode one frame; raise OSError or EOFError where it ended."""
        watchdog = threading.Timer(PATIENCE, self._stop)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_message(cast("BinaryIO", self._process.stdin), header, frame)
            answer = read_message(cast("BinaryIO", self._process.stdout))
        finally:
            watchdog.cancel()
        self.fresh = False
        return answer

    def _stop(self) -> None:
        self.stopped = True
        self._process.kill()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What was still to be written cannot be any more.
            with contextlib.suppress(OSError):
                cast("BinaryIO", pipe).close()


class DecoderPool:
    """A few processes that wait for frames, started when they are first needed."""

    def __init__(self, most: int = _MOST) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def decode(
        self, frame: bytes, *, syntax: str, plugin: str, options: dict[str, Any]
    ) -> tuple[NDArray[np.integer], str]:
        """Decode one compressed frame.

        Parameters
        ----------
        frame
            The whole codestream.
        syntax, plugin, options
            Transfer syntax UID, name of the decoder, and what pydicom's decoder is told.

        Returns
        -------
        samples, photometric
            Whole numbers as stored, and what their colours are.

        Raises
        ------
        CorruptFile
            It could not be decoded, took too long, or ended the decoder.
        """
        header = {"syntax": syntax, "plugin": plugin, "options": options}
        with self._places:
            answer, body = self._asked(header, frame)
        if not answer.get("decoded"):
            raise corrupt()
        stored = np.frombuffer(body, np.dtype(str(answer["dtype"]))).reshape(answer["shape"])
        return stored, str(answer["photometric"])

    def _asked(self, header: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or _Worker()
            try:
                answer = worker.ask(header, frame)
            except (OSError, EOFError, ValueError):
                known_good = not worker.fresh and not worker.stopped
                worker.close()
                if known_good and header.get("again") is None:
                    # It may have ended while it waited: the frame gets one process of its own.
                    header = header | {"again": True}
                    continue
                raise corrupt() from None
            with self._lock:
                self._idle.append(worker)
            return answer

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()


#: The process's one pool.
POOL = DecoderPool()
atexit.register(POOL.close)

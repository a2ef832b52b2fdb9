"""Small pictures of every image of an audit, kept on disk and not in memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import IO

import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.text import _

#: Side of the squares that are compared, in cells: what near-duplicates of ultrasound have been
#: told by before (the traps of BUSI were found at 48 x 48).
SIDE = 48
_BYTES = SIDE * SIDE


class Thumbs:
    """N squares of 48 x 48 uint8 in a nameless temporary file, gone when the process ends.

    2.3 kB an image: 230 MB on disk for 100,000 of them, and in memory only what is asked for.
    Written in order by one thread; read by any.
    """

    def __init__(self) -> None:
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        except OSError as error:
            raise _no_room() from error
        # Goes with the audit that it belongs to.
        self.close = weakref.finalize(self, self._file.close)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def append(self, pixels: NDArray[np.uint8]) -> None:
        """Add one square.

        Raises
        ------
        LearningError
            The disk for temporary files is full.
        """
        try:
            self._file.write(pixels.tobytes())
        except OSError as error:
            raise _no_room() from error
        self._n += 1

    def flush(self) -> None:
        """Make what was added readable.

        Raises
        ------
        LearningError
            The disk for temporary files is full.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room() from error

    def block(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return squares ``start`` to ``stop``, (n, 48, 48) uint8."""
        data = os.pread(self._file.fileno(), (stop - start) * _BYTES, start * _BYTES)
        return np.frombuffer(data, np.uint8).reshape(-1, SIDE, SIDE)

    def at(self, index: int) -> NDArray[np.uint8]:
        """Return one square, (48, 48) uint8."""
        return np.asarray(self.block(index, index + 1)[0], np.uint8)


def _no_room() -> LearningError:
    return LearningError(
        _("The audit cannot keep its small pictures: the disk for temporary files is full.")
    )

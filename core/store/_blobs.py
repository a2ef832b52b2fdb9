"""Stored objects: files named by the SHA-256 of what is in them.

An object is on disk before the transaction that points to it commits. If that transaction fails,
an object that nothing points to is left; it is harmless, because the same bytes sent again land
on the same file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import BlobMissing, StoreUnavailable
from core.store._disk import sync_folder
from core.text import _


class BlobStore:
    """A folder of immutable objects.

    Parameters
    ----------
    folder
        Made on the first write, readable by this account only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep ``data`` and return its SHA-256 as 64 hex digits, once it is safely on disk.

        Raises
        ------
        StoreUnavailable
            The folder cannot be written, for example because the disk is full.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            _make_folder(path.parent)
            if not _holds(path, digest):
                _write(path, data)
            # Also for a file that is there already: whoever renamed it may not have come to this.
            sync_folder(path.parent)
        except OSError:
            raise StoreUnavailable(
                _(
                    "The image could not be stored: the disk may be full or read-only. "
                    "Nothing was saved; free some space and send it again."
                )
            ) from None
        return digest

    def get(self, digest: str) -> bytes:
        """Return the object called ``digest``, checked against it.

        Raises
        ------
        BlobMissing
            It is gone, cannot be read, or is not what was stored.
        """
        try:
            data = self._path(digest).read_bytes()
        except OSError:
            raise BlobMissing(
                _("The stored image is missing. Restore it from a backup, or send the scan again.")
            ) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobMissing(
                _("The stored image is damaged. Restore it from a backup, or send the scan again.")
            )
        return data

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError("a digest is 64 lower-case hex digits")
        return self._folder / digest[:2] / digest


def _holds(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes) -> None:
    # Under its own name only when complete: a crash half-way leaves a temporary file, never half
    # an object. mkstemp gives 0600.
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)

"""Writing a bundle: whole or not at all, whatever ends it."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BundleInvalid, BundleNotSaved
from core.model._bundle import CARD, FILES, MODEL, REFERENCE, Bundle, Reference, read_bundle
from core.model._card import Card
from core.store import sync_file, sync_folder
from core.text import _

#: What a folder is called while a bundle is written into it: no version is called so.
_WORK = ".writing-"
_ASIDE = "replaced"
#: Seconds after which such a folder is what a killed process left; no write takes that long.
_LEFT_BEHIND = 24 * 3600
#: ``renameat2`` of Linux: the working folder as the start of a path, and "exchange the two".
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def write_bundle(
    folder: Path, model: Any, card: Card, reference: Reference, *, replace: bool = False
) -> Bundle:
    """Write a bundle whole or not at all: into a temporary folder that is then renamed.

    A full disk, an error or a process that is killed leaves what was there before: the new bundle
    gets its name only once it is on disk and was read back, and where it replaces another, the two
    change places in one step.

    Parameters
    ----------
    folder
        The bundle's own folder, ``<root>/<task>/<version>`` as the card says.
    model
        A Keras model, or the path of a saved ``.keras`` file.
    card, reference
        What goes beside it.
    replace
        Whether a bundle already there may be replaced; versions are meant to stay as they are.

    Raises
    ------
    BundleInvalid
        The folder contradicts the card, something is already there, there is no such file, or
        what was written cannot be read back.
    BundleNotSaved
        It cannot be written, for example because the disk is full.
    """
    folder = Path(folder)
    if (folder.parent.name, folder.name) != (card.task, card.version):
        raise BundleInvalid(_("The bundle's folder must be named by its card's task and version."))
    if folder.exists() and not replace:
        raise _exists()
    if isinstance(model, str | os.PathLike) and not os.path.isfile(model):
        raise BundleInvalid(_("There is no model file at this path; check how it is written."))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder.parent))
    except OSError as error:
        raise _not_saved() from error
    try:
        fresh = work / "bundle"
        _write_files(fresh, model, card, reference)
        read_bundle(fresh)
        _put_in_place(fresh, folder, replace=replace)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return read_bundle(folder)


def _exists() -> BundleInvalid:
    return BundleInvalid(_("This version of the model exists already: choose a new version."))


def _not_saved() -> BundleNotSaved:
    return BundleNotSaved(
        _(
            "The model could not be saved: the disk may be full or read-only. Nothing was "
            "changed; free some space and try again."
        )
    )


def _sweep(folder: Path) -> None:
    """Remove what killed processes left; it is as large as a bundle."""
    for found in folder.glob(f"{_WORK}*"):
        with suppress(OSError):
            old = time.time() - found.stat().st_mtime > _LEFT_BEHIND
            # Where two folders cannot change places in one step, it may be the only copy.
            if old and not (found / _ASIDE).exists():
                shutil.rmtree(found, ignore_errors=True)


def _write_files(fresh: Path, model: Any, card: Card, reference: Reference) -> None:
    try:
        fresh.mkdir()
        if isinstance(model, str | os.PathLike):
            shutil.copyfile(model, fresh / MODEL)
        else:
            _save(model, fresh / MODEL)
        (fresh / CARD).write_text(card.to_json(), encoding="utf-8")
        np.savez_compressed(
            fresh / REFERENCE,
            allow_pickle=False,
            validation_scores=reference.validation_scores,
            validation_positive=reference.validation_positive,
            **dict(reference.extra),
        )
        for name in FILES:
            sync_file(fresh / name)
        sync_folder(fresh)
    except OSError as error:
        raise _not_saved() from error


def _save(model: Any, path: Path) -> None:
    try:
        model.save(path)
    except RuntimeError as error:
        # HDF5 reports a disk that fills so.
        raise _not_saved() from error


def _put_in_place(fresh: Path, folder: Path, *, replace: bool) -> None:
    try:
        if not folder.exists():
            fresh.rename(folder)
        elif not replace:
            # Somebody else was quicker.
            raise _exists()
        elif not _exchange(fresh, folder):
            aside = fresh.with_name(_ASIDE)
            folder.rename(aside)
            try:
                fresh.rename(folder)
            except OSError:
                aside.rename(folder)
                raise
        sync_folder(folder.parent)
    except OSError as error:
        raise (_exists() if folder.exists() and not replace else _not_saved()) from error


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step, where the system can; else False."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return done == 0

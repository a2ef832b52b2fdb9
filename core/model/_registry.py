"""Which bundles there are, and which one a task means."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from core.errors import BundleInvalid, BundleNotFound
from core.model._bundle import Bundle, read_bundle
from core.model._card import TASK, VERSION
from core.settings import Settings
from core.text import _

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class BundleEntry:
    """A place where a bundle lies: the bundle, or the one-line reason why it cannot be used."""

    task: str
    version: str
    shipped: bool
    bundle: Bundle | None
    reason: str | None


#: Digest of a bundle whose network turned out to be unusable, and why: only loading it tells.
_rejected: dict[str, str] = {}
_rejected_lock = Lock()


def reject(bundle: Bundle, reason: str) -> None:
    """Remember that this bundle's network cannot be used."""
    with _rejected_lock:
        _rejected[bundle.digest] = reason
    logger.warning("Model %s %s is not used: %s", bundle.card.task, bundle.card.version, reason)


def list_bundles(settings: Settings, task: str | None = None) -> tuple[BundleEntry, ...]:
    """List every bundle in the model folders, of one task or of all.

    Returns
    -------
    By task, then the highest version first, then the site's own before what ships; a bundle that
    cannot be used is listed with its reason.
    """
    last = len(settings.model_roots) - 1
    found: list[tuple[str, tuple[int, ...], int, BundleEntry]] = []
    for place, root in enumerate(settings.model_roots):
        for folder in _folders(root, task):
            name, version = folder.parent.name, folder.name
            entry = _entry(folder, name, version, shipped=place == last)
            found.append((name, tuple(-part for part in _number(version)), place, entry))
    return tuple(item[3] for item in sorted(found, key=lambda item: item[:3]))


def candidates(settings: Settings, task: str, version: str | None) -> list[Bundle]:
    """List the usable bundles of a task, best first; never empty.

    Raises
    ------
    BundleNotFound
        There is no such task or version.
    BundleInvalid
        There is, but what there is cannot be used; the message is the first reason.
    """
    entries = list_bundles(settings, task) if TASK.fullmatch(task) else ()
    if version is not None:
        entries = tuple(entry for entry in entries if entry.version == version)
    usable = [entry.bundle for entry in entries if entry.bundle is not None]
    if usable:
        return usable
    reasons = [entry.reason for entry in entries if entry.reason is not None]
    if reasons:
        raise BundleInvalid(reasons[0])
    if version is None:
        raise BundleNotFound(_("There is no model for this task. Ask an administrator for one."))
    raise BundleNotFound(_("This version of the model is not here. Choose one that is listed."))


def resolve(task: str, version: str | None = None, *, settings: Settings) -> Bundle:
    """Find the bundle of a task: the version asked for, else the highest usable one.

    Versions compare number by number (1.10 is above 1.9); of the same version in both places the
    site's own counts.

    Raises
    ------
    BundleNotFound, BundleInvalid
        As in :func:`candidates`.
    """
    return candidates(settings, task, version)[0]


def _folders(root: Path, task: str | None) -> list[Path]:
    try:
        tasks = [p for p in root.iterdir() if TASK.fullmatch(p.name) and task in (None, p.name)]
        return [p for t in tasks if t.is_dir() for p in t.iterdir() if VERSION.fullmatch(p.name)]
    except FileNotFoundError:
        return []


def _entry(folder: Path, task: str, version: str, *, shipped: bool) -> BundleEntry:
    try:
        bundle = read_bundle(folder)
        if (bundle.card.task, bundle.card.version) != (task, version):
            raise BundleInvalid(_("The model card's task and version are not those of its folder."))
    except BundleInvalid as error:
        return BundleEntry(task, version, shipped, None, str(error))
    with _rejected_lock:
        reason = _rejected.get(bundle.digest)
    return BundleEntry(task, version, shipped, None if reason else bundle, reason)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

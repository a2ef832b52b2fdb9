"""Which bundles there are, and which one a task means."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from core.errors import BundleInvalid, BundleNotFound
from core.model._bundle import Bundle, FileState, file_state, read_bundle
from core.model._card import TASK, VERSION
from core.model._switches import RECORD, Approved, Which, approved, read_switches, record_path
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


def forget_rejections(settings: Settings, task: str) -> None:
    """Try the bundles of a task afresh: what kept one from loading may have passed."""
    digests = [state.bundle.digest for state in _looked_at(settings, task) if state.bundle]
    with _rejected_lock:
        for digest in digests:
            _rejected.pop(digest, None)


def list_bundles(settings: Settings, task: str | None = None) -> tuple[BundleEntry, ...]:
    """List every bundle in the model folders, of one task or of all.

    Returns
    -------
    By task, then the highest version first, then the site's own before what ships; a bundle that
    cannot be used is listed with its reason.
    """
    return tuple(
        _entry(state) if state.bundle is not None else state for state in _looked_at(settings, task)
    )


def task_names(settings: Settings) -> list[str]:
    """List the tasks that have a bundle, or a record of which one is active."""
    names = {entry.task for entry in _looked_at(settings, None)}
    try:
        own = list(settings.model_roots[0].iterdir())
    except (FileNotFoundError, NotADirectoryError):
        own = []
    names |= {p.name for p in own if TASK.fullmatch(p.name) and (p / RECORD).is_file()}
    return sorted(names)


def candidates(settings: Settings, task: str, version: str | None) -> list[Bundle]:
    """List the usable bundles of a task, best first; never empty.

    Without a version the first one is active: the one made active last, where that cannot be used
    the one before it, and so on. Where a version was ever chosen, none that nobody chose takes its
    place but one that ships, and none that was taken back. Where none was, the highest is active.

    Raises
    ------
    BundleNotFound
        There is no such task or version.
    BundleInvalid
        There is, but what there is cannot be used; the message is the first reason. Or which one
        is active cannot be read.
    """
    known = bool(TASK.fullmatch(task))
    entries: Sequence[BundleEntry] = list_bundles(settings, task) if known else ()
    reasons: list[str] = []
    if version is not None:
        entries = [entry for entry in entries if entry.version == version]
    elif known:
        said = approved(read_switches(settings, task))
        if said.chosen is not None:
            problem = problem_of(entries, said.chosen)
            if problem is not None:
                _warn_once(settings, task, said.chosen, problem)
                reasons.append(problem)
        entries = _in_order(entries, said)
    usable = [entry.bundle for entry in entries if entry.bundle is not None]
    if usable:
        return usable
    reasons += [entry.reason for entry in entries if entry.reason is not None]
    if reasons:
        raise BundleInvalid(reasons[0])
    if version is None:
        raise BundleNotFound(_("There is no model for this task. Ask an administrator for one."))
    raise BundleNotFound(_("This version of the model is not here. Choose one that is listed."))


def problem_of(entries: Sequence[BundleEntry], which: Which) -> str | None:
    """Say why a version that was made active cannot be used; None where it can."""
    same = [entry for entry in entries if entry.version == which.version]
    if any(entry.bundle is not None and entry.bundle.digest == which.digest for entry in same):
        return None
    if not same:
        return _("The version that was made active is not here any more.")
    return next(
        (entry.reason for entry in same if entry.reason is not None),
        _("Its files have changed since it was made active; check them and promote it again."),
    )


def _in_order(entries: Sequence[BundleEntry], said: Approved) -> list[BundleEntry]:
    if said.chosen is None:
        return list(entries)
    found = [
        entry
        for which in reversed(said.line)
        for entry in entries
        if entry.bundle is not None
        and (entry.version, entry.bundle.digest) == (which.version, which.digest)
    ]
    found += [entry for entry in entries if entry.shipped]
    return [
        entry
        for entry in dict.fromkeys(found)
        if entry.bundle is None or entry.bundle.digest not in said.withdrawn
    ]


#: What was warned of already: a server asks every few seconds.
_warned: set[tuple[Path, Which, str]] = set()


def _warn_once(settings: Settings, task: str, which: Which, problem: str) -> None:
    key = (record_path(settings, task), which, problem)
    with _rejected_lock:
        new = key not in _warned
        _warned.add(key)
    if new:
        logger.warning("Model %s %s is active but not used: %s", task, which.version, problem)


def find_bundle(settings: Settings, task: str, version: str, digest: str) -> Bundle | None:
    """Find exactly the bundle that made a result, active or not; None where it is gone."""
    if not TASK.fullmatch(task):
        return None
    return next(
        (
            state.bundle
            for state in _looked_at(settings, task)
            if state.version == version and state.bundle and state.bundle.digest == digest
        ),
        None,
    )


def resolve(task: str, version: str | None = None, *, settings: Settings) -> Bundle:
    """Find the bundle of a task: the version asked for, else the active one.

    The active one is what was promoted, or as long as nothing was, the highest usable one.
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
    except (FileNotFoundError, NotADirectoryError):
        return []


def _looked_at(settings: Settings, task: str | None) -> list[BundleEntry]:
    """List what lies in the model folders in order, whether its network was rejected or not."""
    last = len(settings.model_roots) - 1
    found: list[tuple[str, tuple[int, ...], int, BundleEntry]] = []
    for place, root in enumerate(settings.model_roots):
        for folder in _folders(root, task):
            name, version = folder.parent.name, folder.name
            entry = _read(folder, shipped=place == last)
            found.append((name, tuple(-part for part in _number(version)), place, entry))
    return [item[3] for item in sorted(found, key=lambda item: item[:3])]


#: By folder: the state of its files, and what was found in them. A page asks at every run, and
#: reading some megabytes each time to say which version they are would be felt.
_seen: dict[Path, tuple[FileState, BundleEntry]] = {}
_seen_lock = Lock()


def _read(folder: Path, *, shipped: bool) -> BundleEntry:
    state = file_state(folder)
    with _seen_lock:
        known = _seen.get(folder)
    if known is not None and known[0] == state and known[1].shipped == shipped:
        return known[1]
    task, version = folder.parent.name, folder.name
    try:
        bundle = read_bundle(folder)
        if (bundle.card.task, bundle.card.version) != (task, version):
            raise BundleInvalid(_("The model card's task and version are not those of its folder."))
        entry = BundleEntry(task, version, shipped, bundle, None)
    except BundleInvalid as error:
        # Not kept: the reason is in the language of whoever asks.
        return BundleEntry(task, version, shipped, None, str(error))
    with _seen_lock:
        _seen[folder] = (state, entry)
    return entry


def _entry(found: BundleEntry) -> BundleEntry:
    """Say of a sound bundle whether its network was rejected."""
    assert found.bundle is not None  # noqa: S101  # asked for sound ones alone
    with _rejected_lock:
        reason = _rejected.get(found.bundle.digest)
    return found if reason is None else replace(found, bundle=None, reason=reason)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

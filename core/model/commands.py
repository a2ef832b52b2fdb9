"""What ``python -m core models``, ``promote`` and ``rollback`` do."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.model._registry import resolve
from core.model._shell import at_the_shell
from core.model._switches import LONGEST_REASON
from core.model._version_words import auc_words, version_state_words, where_words
from core.model._versions import (
    Change,
    ModelVersion,
    VersionState,
    before,
    checked_versions,
    promote,
    rollback,
)
from core.settings import load_settings
from core.text import _, columns, padded


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``models`` takes."""
    parser.add_argument("task", nargs="?", help=_("only this task"))
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a table"))


def add_promote_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``promote`` takes."""
    parser.add_argument("task", help=_("task of the model, as the command models lists it"))
    parser.add_argument("version", help=_("version that becomes active"))
    _add_reason(parser)


def add_rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``rollback`` takes."""
    parser.add_argument("task", help=_("task of the model, as the command models lists it"))
    parser.add_argument("--to", metavar="VERSION", help=_("an earlier version than the last one"))
    _add_reason(parser)


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason",
        default="",
        help=_("why, at most {n} characters; kept with the switch").format(n=LONGEST_REASON),
    )
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a line"))


def run_models(options: argparse.Namespace) -> int:
    """List the versions of each task, and which one is active.

    Raises
    ------
    BundleInvalid
        Which version is active cannot be read.
    """
    settings = load_settings()
    found = checked_versions(settings, options.task)
    if options.json:
        _write(json.dumps([_entry(each) for each in found], ensure_ascii=False, indent=2))
        return 0
    if not found:
        _write(_("No model bundle was found."))
    for line in _table(found):
        _write(line)
    return 0


def run_promote(options: argparse.Namespace) -> int:
    """Make a version active.

    Raises
    ------
    OverreadError
        It cannot be; the active one stays.
    """
    settings = load_settings()
    bundle = resolve(options.task, options.version, settings=settings)
    _note(_("Loading version {version} and letting it read phantoms …"), bundle.card.version)
    with _told_once():
        change = promote(settings, at_the_shell(), options.task, options.version, options.reason)
    return _tell(change, options)


def run_rollback(options: argparse.Namespace) -> int:
    """Make the version before active again.

    Raises
    ------
    OverreadError
        There is none, or it cannot be; the active one stays.
    """
    settings = load_settings()
    which = before(settings, options.task, options.to)
    _note(_("Loading version {version} and letting it read phantoms …"), which.version)
    with _told_once():
        change = rollback(settings, at_the_shell(), options.task, options.to, options.reason)
    return _tell(change, options)


@contextmanager
def _told_once() -> Iterator[None]:
    """Keep the log quiet where the error that follows says the same: both are lines on stderr."""
    logger = logging.getLogger("core.model._registry")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _tell(change: Change, options: argparse.Namespace) -> int:
    if options.json:
        told = {
            "task": change.task,
            "version": change.now.version,
            "digest": change.now.digest,
            "before": None if change.before is None else change.before._asdict(),
            "changed": change.changed,
        }
        _write(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    words = {"task": change.task, "version": change.now.version}
    words |= {"digest": change.now.digest[:12]}
    if not change.changed:
        line = _("{task} {version} (digest {digest}) was active already; nothing changed.")
    elif change.before == change.now:
        line = _(
            "{task} {version} (digest {digest}) was active as the highest one; it stays active "
            "now whatever is added."
        )
    elif change.before is None:
        line = _("{task} {version} (digest {digest}) is active now; none was before.")
    else:
        line = _(
            "{task} {version} (digest {digest}) is active now, {before} was before. Servers that "
            "run take it over by themselves within seconds."
        )
        words["before"] = change.before.version
    _write(line.format(**words))
    return 0


def _entry(version: ModelVersion) -> dict[str, object]:
    auc = version.auc
    return {
        "task": version.task,
        "version": version.version,
        "active": version.state is VersionState.ACTIVE,
        "state": version.state.value,
        "digest": version.bundle.digest if version.bundle else None,
        "where": "shipped" if version.shipped else "site",
        "problem": version.reason,
        "auc": None if auc is None else dict(zip(("value", "low", "high"), auc, strict=True)),
        "title": version.bundle.card.title if version.bundle else None,
    }


def _table(found: Sequence[ModelVersion]) -> list[str]:
    rows = [(_("model"), "", _("from"), _("digest"), _("AUC, validation"), _("state"))]
    rows += [
        (
            f"{each.task} {each.version}",
            "*" if each.state is VersionState.ACTIVE else "",
            where_words(each),
            each.bundle.digest[:12] if each.bundle else "–",
            auc_words(each),
            version_state_words(each),
        )
        for each in found
    ]
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


def _note(line: str, version: str) -> None:
    sys.stderr.write(line.format(version=version) + "\n")

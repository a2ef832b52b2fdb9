"""The texts of a card, in a file of a person's own: held against the card before hours of work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import LearningError
from core.learning.rows import Row
from core.text import _

_ENTRIES = ("title", "intended_use", "limits", "data", "tried")
_OF_SOURCE = ("licence", "citation")


def read_about(path: Path | None) -> dict[str, Any]:
    """Read the card's texts.

    Parameters
    ----------
    path
        A JSON object with any of ``title`` and ``intended_use``, texts; ``limits``, a list of
        texts; ``data``, of each dataset by name its ``licence`` and ``citation``; ``tried``,
        anything. None for no texts.

    Raises
    ------
    LearningError
        It cannot be read, an entry is of the wrong kind, or a card has none of that name.
    """
    if path is None:
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse)
    except OSError as error:
        raise LearningError(
            _("The file with the card's texts cannot be read from disk; check how it is written.")
        ) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(about, dict):
        raise _unreadable()
    # A mistyped name would be found out after hours, by a card that lacks its text.
    _known(about, _ENTRIES)
    texts = [(name, [about[name]]) for name in ("title", "intended_use") if name in about]
    limits = about.get("limits", [])
    texts.append(("limits", limits if isinstance(limits, list) else [None]))
    sources = about.get("data", {})
    for source in sources.values() if isinstance(sources, dict) else [None]:
        of_source = source if isinstance(source, dict) else {"licence": None}
        _known(of_source, _OF_SOURCE)
        texts.append(("data", list(of_source.values())))
    for name, values in texts:
        if not all(isinstance(value, str) for value in values):
            raise LearningError(
                _("In the file with the card's texts, {name} is of the wrong kind.").format(
                    name=name
                )
            )
    return about


def check_sources(about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Refuse texts of a dataset that is not among those that are read.

    Raises
    ------
    LearningError
        There is one: its licence would be missing from the card after hours of work.
    """
    _known(about.get("data", {}), tuple(dict.fromkeys(row.source for row in rows)))


def _known(entries: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in entries:
        if name not in known:
            raise LearningError(
                _(
                    "In the file with the card's texts there is an entry {name}, which has no "
                    "place there. Known are: {known}."
                ).format(name=json.dumps(name[:60], ensure_ascii=False), known=", ".join(known))
            )


def _refuse(_name: str) -> float:
    # A card holds finite numbers only.
    raise ValueError("not a finite number")


def _unreadable() -> LearningError:
    return LearningError(_("The file with the card's texts is not readable JSON."))

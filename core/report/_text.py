"""Typed text as both printers take it."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Turn the direction of text round: with them a line could be made to read backwards.
_DIRECTIONS: Final = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x61C)))


def clean(text: str) -> str:
    """Return text as both printers take it: composed, and without controls.

    Line breaks of all kinds become one kind, control characters become spaces, and marks that
    turn the direction of text are left out.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return (
        "".join(
            " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") and c != "\n" else c
            for c in composed
            if c not in _DIRECTIONS
        )
        .encode("utf-8", "replace")
        .decode("utf-8")
    )

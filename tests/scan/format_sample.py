"""What a format's tests hand to the table of formats."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FormatSample:
    """One file to be read: the group it belongs to, what it is, and its bytes."""

    group: str
    name: str
    data: bytes

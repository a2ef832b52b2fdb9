"""What the table of formats is made of, and what damage is tried on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FormatSample:
    """One file.

    Attributes
    ----------
    group
        Heading it stands under, e.g. ``"TIFF"``.
    name
        What is special about it, e.g. ``"16 bits, grey, LZW"``; unique within its group.
    data
        The whole file, made of phantoms or of numbers.
    """

    group: str
    name: str
    data: bytes = field(repr=False)

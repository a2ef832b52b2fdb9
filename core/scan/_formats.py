"""What every decoder gives and keeps to, and the list of them.

A format is added by a module with one :class:`Format` and one line in :data:`FORMATS`. Reading
is two steps so that no decoder can forget the limits: ``open`` looks at the header only,
:mod:`core.scan._read` compares its size with the limits, and only then ``decode`` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import CorruptFile, FileTooLarge
from core.scan._parts import Depth, Note, Region, Spacing
from core.text import _


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a decoder hands on: upright pixels and the little geometry that may travel.

    Attributes
    ----------
    pixels
        uint8, ``(H, W)`` or ``(H, W, 3)`` RGB, orientation applied.
    modality, spacing, frames, regions, depth, notes
        As in :class:`core.scan.Scan`.
    more
        Gives another frame (from 1) of a file of several, decoded the same way; the pixels above
        are frame 0. Safe to call from several threads. It holds what it needs and not the file.
    starts, held_bytes
        As in :class:`core.scan.Loop`, where there are several frames.
    """

    pixels: NDArray[np.uint8]
    modality: str = "unknown"
    spacing: Spacing | None = None
    frames: int = 1
    regions: tuple[Region, ...] = ()
    depth: Depth | None = None
    notes: tuple[Note, ...] = ()
    more: Callable[[int], Decoded] | None = None
    starts: tuple[float, ...] | None = None
    held_bytes: int = 0


class Opened(Protocol):
    """A file whose header has been read and nothing else."""

    @property
    def width(self) -> int:
        """Columns as stored, from the header."""

    @property
    def height(self) -> int:
        """Rows as stored, from the header."""

    def decode(self) -> Decoded:
        """Decode the whole image.

        Raises
        ------
        UnsupportedFormat
            A variant of the format that would not be read exactly.
        CorruptFile
            It cannot be decoded whole.
        """


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes
    ----------
    name
        As people call it.
    matches
        Whether bytes begin as this format does; cheap, never raises.
    open
        Reads the header; raises :class:`~core.errors.CorruptFile` where it has none and
        :class:`~core.errors.UnsupportedFormat` where it announces what is not read.
    """

    name: str
    matches: Callable[[bytes], bool]
    open: Callable[[bytes], Opened]


def corrupt() -> CorruptFile:
    """Return the error for a file of the right format that cannot be decoded whole."""
    return CorruptFile(
        _("This image file is damaged or was cut off. Export the scan again and upload that.")
    )


def too_large(limit: int) -> FileTooLarge:
    """Return the error for a file of more than ``limit`` bytes."""
    return FileTooLarge(
        _("This file is larger than {limit} MB. Export a single image of the scan.").format(
            limit=limit // 2**20
        )
    )

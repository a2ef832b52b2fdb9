"""A report as content: what PDF and HTML both print, all texts said in one language."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: Where a section stands: beside the image, under it, over the whole width, or in small print.
Place = Literal["side", "under", "below", "small"]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text, plain or bold. Never markup: whoever prints it escapes it."""

    text: str
    strong: bool = False


Words = tuple[Run, ...]


def plain(text: str) -> Words:
    """Return text as it is: for everything that was typed."""
    return (Run(text),)


def strong(text: str) -> Words:
    """Return text in bold."""
    return (Run(text, True),)


def marked(text: str) -> Words:
    """Return one of our own texts, in which ``**`` encloses what is bold. Never for typed text."""
    parts = text.split("**")
    return tuple(Run(part, i % 2 == 1) for i, part in enumerate(parts) if part)


def said(words: Words) -> str:
    """Return the bare text."""
    return "".join(run.text for run in words)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the names of its columns and its rows, as text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One titled part of a report.

    Attributes
    ----------
    name
        A fixed name for tests and style sheets.
    heading
        Its title.
    headline
        What is to be seen first, in large letters; may be empty.
    rows
        Names and what they hold.
    lines
        Paragraphs; a bulleted list where ``bulleted``.
    grid, notes
        A table, and what is to be known about it.
    warning
        A line that must not be missed; framed.
    """

    name: str
    heading: str
    place: Place
    headline: str = ""
    rows: tuple[tuple[str, Words], ...] = ()
    lines: tuple[Words, ...] = ()
    bulleted: bool = False
    grid: Grid | None = None
    notes: tuple[Words, ...] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A line over the image.

    Attributes
    ----------
    kind
        ``outline``, ``chord`` or ``caliper``.
    points
        (N, 2) float64, (x, y) in pixels of the scan, 0 at its left and upper edge.
    closed
        Whether the last point joins the first.
    label
        What stands beside it: a number for a lesion, a letter for a caliper; may be empty.
    """

    kind: Literal["outline", "chord", "caliper"]
    points: NDArray[np.float64]
    closed: bool
    label: str = ""


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of known length beside the image.

    Attributes
    ----------
    pixels
        Its length in pixels of the scan.
    label
        What it stands for.
    upright
        Whether it runs down the image: only where rows and columns have different scales.
    """

    pixels: float
    label: str
    upright: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The image of a report.

    Attributes
    ----------
    pixels
        uint8, ``(h, w)`` or ``(h, w, 3)``: the scan's own unless it was larger than is printed.
    width, height
        Of the scan, in pixels: what shapes and bars refer to.
    about
        What the image is, for those who do not see it.
    shapes, bars
        What is drawn over and beside it.
    captions
        Lines under it.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    width: int
    height: int
    about: str
    shapes: tuple[Shape, ...] = ()
    bars: tuple[ScaleBar, ...] = ()
    captions: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Phrases:
    """What a printer says by itself, in the language of the report; ``{n}`` as named."""

    notice: str
    page: str
    continued: str
    continuation: str
    replaced: str


@dataclass(frozen=True, slots=True, eq=False)
class ReportDocument:
    """A report, ready to be printed.

    Attributes
    ----------
    language
        Key of ``core.text.LANGUAGES`` in which it speaks.
    title, subtitle
        What it is, and when and by whom it was made.
    case_number, image_digest
        Whose it is.
    made_at
        When.
    banner
        What it must be marked with (a synthetic phantom); may be empty.
    thumbnail
        uint8 small picture for recognising the case.
    picture, sections
        Its content, in order.
    phrases
        See :class:`Phrases`.
    """

    language: str
    title: str
    subtitle: Words
    case_number: str
    case_title: str
    image_digest: str
    made_at: datetime
    banner: str
    thumbnail: NDArray[np.uint8] = field(repr=False)
    picture: Picture
    sections: tuple[Section, ...]
    phrases: Phrases

    def text(self) -> str:
        """Return every word, in order, for searching."""
        parts = [self.title, said(self.subtitle), self.case_title, self.banner]
        parts += [said(line) for line in self.picture.captions]
        parts += [bar.label for bar in self.picture.bars]
        for section in self.sections:
            parts += [section.heading, section.headline, section.warning]
            parts += [f"{name}: {said(value)}" for name, value in section.rows]
            parts += [said(line) for line in (*section.lines, *section.notes)]
            if section.grid is not None:
                parts += [" | ".join(row) for row in (section.grid.header, *section.grid.rows)]
        parts.append(self.phrases.notice)
        return "\n".join(part for part in parts if part)

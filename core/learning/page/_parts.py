"""What an evaluation's page is made of: sections, and in them plots and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Tinted:
    """A cell of a matrix: its text, and how dark it is, 0..100."""

    text: str
    tint: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its heading."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot and what stands above it."""

    caption: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class Block:
    """Plots with their legend, and a table beside them; a ``pair`` of plots stands in a row."""

    plots: Sequence[Picture] = ()
    legend: Markup | str = ""
    table: Table | None = None
    pair: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One question of the page; ``side``: its blocks stand beside each other."""

    id: str
    title: str
    lead: Sequence[str]
    blocks: Sequence[Block]
    side: bool = False

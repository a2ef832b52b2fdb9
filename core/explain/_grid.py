"""A scan cut into cells: the grain at which maps are compared and parts of it are hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.model import Geometry


@dataclass(frozen=True, slots=True)
class Grid:
    """``rows`` x ``columns`` nearly square cells over the whole scan, numbered row by row."""

    rows: int
    columns: int

    @classmethod
    def over(cls, geometry: Geometry, across: int) -> Grid:
        """Make at most ``across`` cells along the longer side, none smaller than a pixel."""
        longer = max(geometry.height, geometry.width)
        rows = round(across * geometry.height / longer)
        columns = round(across * geometry.width / longer)
        # A side of the scan, and of what the network sees of it, is at least that many pixels.
        return cls(
            max(1, min(rows, geometry.height, geometry.content_height)),
            max(1, min(columns, geometry.width, geometry.content_width)),
        )

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.rows * self.columns

    def means(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the mean of a map of the scan in each cell, ``(count,)``."""
        size = self.columns, self.rows
        cells = cv2.resize(np.asarray(values, np.float64), size, interpolation=cv2.INTER_AREA)
        return np.asarray(cells, np.float64).ravel()

    def on_input(self, geometry: Geometry) -> NDArray[np.int32]:
        """Return the cell of each pixel of the network's input, ``(S, S)``; -1 in the padding."""
        high, wide = geometry.content_height, geometry.content_width
        row = np.arange(high) * self.rows // high
        column = np.arange(wide) * self.columns // wide
        found = np.full((geometry.size, geometry.size), -1, np.int32)
        rows = slice(geometry.top, geometry.top + high)
        found[rows, geometry.left : geometry.left + wide] = row[:, None] * self.columns + column
        return found

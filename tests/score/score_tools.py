"""Folders of synthetic scans, and tables read back."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from loop_factory import as_jpeg

from core.scan import LesionSpec, PhantomSpec, Scan, encode_png, make_phantom

#: Smaller ones fail the quality check.
SIDE = 300
_DIFFERENT = 12


@cache
def good_scan(index: int) -> Scan:
    """Return a scan that does not fail the quality check."""
    lesion = LesionSpec() if index % 2 else None
    return make_phantom(PhantomSpec(SIDE + index, SIDE, lesion=lesion), index).scan


def folder_of(root: Path, count: int, *, bad: int = 0) -> Path:
    """Write ``count`` scans, every third in a folder of its own, and ``bad`` that are none."""
    for index in range(count):
        scan = good_scan(index % _DIFFERENT)
        inside = root / ("more" if index % 3 else ".")
        inside.mkdir(parents=True, exist_ok=True)
        if index % 2:
            (inside / f"{index:04}.png").write_bytes(encode_png(scan))
        else:
            (inside / f"{index:04}.jpg").write_bytes(as_jpeg(scan.pixels))
    for index in range(bad):
        (root / f"bad{index}.png").write_bytes(b"no picture")
    return root


def failing_scan() -> Scan:
    """Return a scan with too few pixels: it fails the quality check."""
    return Scan.from_pixels(make_phantom(PhantomSpec(100, 90), 1).scan.pixels)


def with_failing(root: Path) -> Path:
    """Add ``failing.png``, which can be decoded and fails the quality check."""
    (root / "failing.png").write_bytes(encode_png(failing_scan()))
    return root


def rows_of(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table, each checked to be whole."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader)
        lines = list(reader)
    assert all(len(line) == len(header) for line in lines)
    return [dict(zip(header, line, strict=True)) for line in lines]

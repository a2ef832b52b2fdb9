"""Folders of synthetic scans, and tables read back."""

from __future__ import annotations

import csv
from pathlib import Path

import bundle_factory
from loop_factory import as_jpeg

from core.scan import encode_png


def folder_of(root: Path, count: int, *, bad: int = 0) -> Path:
    """Write ``count`` scans, every third in a folder of its own, and ``bad`` that are none."""
    for index in range(count):
        scan = bundle_factory.scan(40 + index % 7, 60, seed=index)
        inside = root / ("more" if index % 3 else ".")
        inside.mkdir(parents=True, exist_ok=True)
        if index % 2:
            (inside / f"{index:04}.png").write_bytes(encode_png(scan))
        else:
            (inside / f"{index:04}.jpg").write_bytes(as_jpeg(scan.pixels))
    for index in range(bad):
        (root / f"bad{index}.png").write_bytes(b"no picture")
    return root


def rows_of(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table, each checked to be whole."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader)
        lines = list(reader)
    assert all(len(line) == len(header) for line in lines)
    return [dict(zip(header, line, strict=True)) for line in lines]

"""Making sure that what was written is on disk, where a crash or a power cut leaves it."""

from __future__ import annotations

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until new names in a folder are on disk; Windows has no such call and needs none."""
    if os.name != "nt":
        sync_file(folder)

"""Saves bundles in a process of its own, until it is killed or its disk is full.

Run as ``save_process.py loop|limited ROOT MODEL [BYTES]``.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import bundle_factory

from core.errors import ModelError
from core.model import write_bundle


def save(root: Path, model: Path, title: str, version: str = "1.0") -> None:
    card = bundle_factory.lesion_card("tiny", version, title=title)
    write_bundle(root / "tiny" / version, model, card, bundle_factory.reference(), replace=True)


def main(kind: str, root: Path, model: Path, most: int) -> None:
    if kind == "limited":
        # A write beyond it fails half-way, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            save(root, model, "too large")
        except ModelError as error:
            sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return
    number = 0
    while True:
        number += 1
        save(root, model, f"number {number}")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int((sys.argv[4:] or ["0"])[0]))

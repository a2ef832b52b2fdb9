"""Evaluations that lie beside a bundle's own files: ``evaluation/<name>/report.json`` and others.

Those of its explanations lie in ``explanations/<name>/``, so that neither replaces the other.

They are no part of the bundle's digest, and reading with the bundle never needs them. What counts
is only what was measured with this very bundle: a report that names another digest is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from core.errors import ModelError
from core.model._bundle import Bundle
from core.text import _

#: What was evaluated, and the folder it lies in: the answers, or their explanations.
Evaluated = Literal["evaluation", "explanations"]
_REPORT = "report.json"
#: Bytes of a report at the most; those of a few thousand scans have a tenth of it.
_LARGEST = 16 * 2**20
_LONGEST_NAME = 60


def evaluation_name(data: str, split: str) -> str:
    """Return the name under which an evaluation on some data and split is kept.

    Letters, digits and hyphens; never empty, and never the way out of a folder.
    """
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", f"{data}-{split}").lower())
    return words.strip("-")[:_LONGEST_NAME].strip("-") or "data"


def evaluations(bundle: Bundle, of: Evaluated = "evaluation") -> dict[str, dict[str, Any]]:
    """Return the evaluations of a bundle: name to parsed report, by name.

    Those that are damaged, or were made with another bundle, are left out.
    """
    try:
        folders = sorted((bundle.folder / of).iterdir())
    except OSError:
        return {}
    found = {folder.name: _read(folder / _REPORT, bundle) for folder in folders}
    return {
        name: report
        for name, report in found.items()
        if report is not None and not name.startswith(".")
    }


def _read(path: Path, bundle: Bundle) -> dict[str, Any] | None:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            return None
        report = json.loads(content, parse_constant=_refuse)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(report, dict) or not isinstance(report.get("n"), int):
        return None
    model = report.get("model")
    same = isinstance(model, dict) and model.get("bundle_digest") == bundle.digest
    labels = report.get("labels") == list(bundle.card.labels)
    return report if same and labels and report.get("positive") == bundle.card.positive else None


def _refuse(_name: str) -> float:
    raise ValueError("a report holds finite numbers only")


def attach_evaluation(
    bundle: Bundle, name: str, files: Mapping[str, bytes], of: Evaluated = "evaluation"
) -> None:
    """Put an evaluation beside a bundle's files, whole or not at all.

    Parameters
    ----------
    name
        As :func:`evaluation_name` makes it; one of this name that is there is replaced.
    files
        By file name; ``report.json`` is one of them.

    Raises
    ------
    ModelError
        It cannot be written; what was there before stays.
    """
    folder = bundle.folder / of
    work: Path | None = None
    try:
        folder.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        fresh, before, place = work / "fresh", work / "before", folder / name
        fresh.mkdir()
        for file, content in files.items():
            with (fresh / file).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        if place.exists():
            place.rename(before)
        try:
            fresh.rename(place)
        except OSError:
            if before.exists():
                before.rename(place)
            raise
    except OSError as error:
        raise ModelError(
            _("The evaluation cannot be put beside the model: check the disk and its permissions.")
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)

"""An explanation as a file: its exact values, and back from them.

Opens with a safety choice: a ``.npz`` can hold pickled objects, and loading one runs what is in it.
Nothing here is pickled or unpickled, a file is opened only if it holds exactly the two arrays that
are written here, and never unfolds to more than a map of the largest scan that is read.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import EmptyMap, MapDamaged, NotFinite
from core.explain._explanation import Explanation
from core.text import _

FORMAT = "overread-explanation/1"
NOTICE = "Decision support, not a medical device"
#: Names inside the archive.
_VALUES, _ABOUT = "values.npy", "about.npy"
#: Most bytes of each once unfolded: a map of 200 megapixels, and its text.
_MOST_VALUES, _MOST_ABOUT = 4 * 200_000_000, 8 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class ReadBack:
    """What a file of an explanation holds.

    Attributes
    ----------
    explanation
        The map with what made it, its values exactly as they were.
    case_number, task, version
        Of the scan, and of the model.
    evidence
        As of :func:`core.explain.evidence_figures`; None where none was measured.
    read_despite
        As of :func:`core.explain.caveat_words`.
    """

    explanation: Explanation
    case_number: str
    task: str
    version: str
    evidence: Mapping[str, Any] | None
    read_despite: tuple[str, ...] = ()


def explanation_npz(
    explanation: Explanation,
    case_number: str,
    task: str,
    version: str,
    evidence: Mapping[str, Any] | None = None,
    read_despite: Collection[str] = (),
) -> bytes:
    """Return an explanation as a NumPy archive, the same bytes each time.

    Parameters
    ----------
    explanation
        What is written.
    case_number, task, version
        Of the scan, and of the model that is explained.
    evidence
        As of :func:`core.explain.evidence_figures`.
    read_despite
        As of :func:`core.explain.caveat_words`.

    Returns
    -------
    bytes
        ``values``: ``(H, W)`` float32 at the size of the scan. ``about``: one text, JSON with
        everything else. ``numpy.load(file, allow_pickle=False)`` opens it.
    """
    about = {
        "format": FORMAT,
        "notice": NOTICE,
        "case_number": case_number,
        "task": task,
        "version": version,
        "method": explanation.method,
        "target": explanation.target,
        "signed": explanation.signed,
        "layer": explanation.layer,
        "parameters": dict(explanation.parameters),
        "unit": explanation.unit,
        "base_value": explanation.base_value,
        "output": explanation.output,
        "gap": explanation.gap,
        "bundle_digest": explanation.bundle_digest,
        "image_digest": explanation.image_digest,
        "evidence": None if evidence is None else dict(evidence),
        "read_despite": list(read_despite),
    }
    text = json.dumps(about, ensure_ascii=True, allow_nan=False, indent=1)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, values=explanation.values, about=np.array(text))
    return buffer.getvalue()


def read_explanation(data: bytes) -> ReadBack:
    """Read what :func:`explanation_npz` wrote.

    Raises
    ------
    MapDamaged
        The file is damaged, or was not written here.
    """
    try:
        _check_members(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            values, text = archive["values"], archive["about"]
        if text.ndim or text.dtype.kind != "U" or values.dtype != np.float32:
            raise _damaged()
        return _read_back(values, json.loads(str(text)))
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, TypeError, LookupError,
        NotImplementedError, RuntimeError, MemoryError, EmptyMap, NotFinite,
    ):  # fmt: skip
        raise _damaged() from None


def _check_members(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    if set(sizes) != {_VALUES, _ABOUT}:
        raise _damaged()
    if sizes[_VALUES] > _MOST_VALUES or sizes[_ABOUT] > _MOST_ABOUT:
        raise _damaged()


def _read_back(values: np.ndarray[Any, Any], about: Any) -> ReadBack:
    if about["format"] != FORMAT:
        raise _damaged()
    texts = ("case_number", "task", "version", "method", "target", "bundle_digest", "image_digest")
    if not all(isinstance(about[name], str) for name in texts):
        raise _damaged()
    evidence = about["evidence"]
    if evidence is not None and not isinstance(evidence, dict):
        raise _damaged()
    # Files of earlier versions do not say.
    despite = tuple(map(str, about.get("read_despite", ())))
    made = Explanation(
        method=about["method"],
        target=about["target"],
        values=values,
        signed=bool(about["signed"]),
        layer=about["layer"],
        parameters=about["parameters"],
        unit=about["unit"],
        base_value=about["base_value"],
        output=about["output"],
        bundle_digest=about["bundle_digest"],
        image_digest=about["image_digest"],
    )
    return ReadBack(made, about["case_number"], about["task"], about["version"], evidence, despite)


def _damaged() -> MapDamaged:
    return MapDamaged(
        _("This is no file of an explanation, or it is damaged. Export the explanation again.")
    )

"""What a map is worth of an image that was read although it should not have been."""

from __future__ import annotations

from collections.abc import Collection

from core.model import unknown_scan
from core.scan import untested_words
from core.text import _

#: Stands beside the names of failed checks where the model does not know such a picture.
UNKNOWN_SCAN = "unknown_scan"


def caveat_words(read_despite: Collection[str]) -> str:
    """Say why a map was never tested on such an image; empty where nothing speaks against it.

    Parameters
    ----------
    read_despite
        Names of the quality checks that the image fails (:class:`core.scan.CheckName`), and
        :data:`UNKNOWN_SCAN`: what a person gave a reason to read it in spite of.
    """
    said = []
    failed = [name for name in read_despite if name != UNKNOWN_SCAN]
    if failed:
        said.append(untested_words(failed))
    if len(failed) < len(read_despite):
        said.append(unknown_scan() + ".")
    if said:
        said.append(_("What a map shows of it was never tested either."))
    return " ".join(said)

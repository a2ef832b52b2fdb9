"""The evaluations that lie in a bundle beside its card: what it did on which data."""

from __future__ import annotations

import json
import logging
from typing import Any

from core.model._bundle import Bundle

logger = logging.getLogger(__name__)


def evaluations(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Return the evaluations attached to a bundle: name -> parsed ``report.json``, by name.

    They lie in ``evaluation/<name>/report.json``, are no part of the bundle's digest and are
    never needed to read. Damaged ones are left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(bundle.folder.glob("evaluation/*/report.json")):
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError):
            logger.warning("An evaluation of %s cannot be read.", bundle.card.task)
            continue
        if isinstance(report, dict):
            found[path.parent.name] = report
    return found

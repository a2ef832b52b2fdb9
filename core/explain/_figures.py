"""The figures of the evidence as plain values: what is kept and what leaves in a file."""

from __future__ import annotations

from typing import Any

from core.explain._compare import Agreement, Inside
from core.explain._evidence import Evidence


def evidence_figures(evidence: Evidence | None) -> dict[str, Any] | None:
    """Return the evidence beside a map as JSON values, names as in :class:`Evidence`.

    None where there is none, and in it None for what was not asked for. Shares, areas and
    correlations are as the classes of this room say; no pictures are among them.
    """
    if evidence is None:
        return None
    curves, inside, steady = evidence.curves, evidence.inside, evidence.stability
    return {
        "shares": curves.shares.tolist(),
        "deletion": curves.deletion.tolist(),
        "insertion": curves.insertion.tolist(),
        "random": curves.random.tolist(),
        "deletion_area": curves.deletion_area,
        "insertion_area": curves.insertion_area,
        "random_areas": list(curves.random_areas),
        "faithfulness": curves.faithfulness,
        "beats_random": bool(curves.beats_random),
        "inside": None if inside is None else inside_figures(inside),
        "agreement": None if evidence.agreement is None else _agreement(evidence.agreement),
        "stability": None
        if steady is None
        else {
            "noise": steady.noise,
            "correlation": steady.correlation,
            "lowest": steady.lowest,
            "overlap": steady.overlap,
            "copies": [_agreement(copy) for copy in steady.copies],
        },
    }


def inside_figures(inside: Inside) -> dict[str, Any]:
    """Return where the heat of a map lies as JSON values, names as in :class:`Inside`."""
    return {
        "share": inside.share,
        "area": inside.area,
        "peak": list(inside.peak),
        "peak_inside": inside.peak_inside,
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "correlation": found.correlation,
        "overlap": found.overlap,
        "agree": bool(found.agree),
    }

"""The evidence for or against one map, together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.explain._asked import Model
from core.explain._compare import (
    COPIES,
    Agreement,
    Inside,
    Stability,
    agreement,
    heat_inside,
    stability,
)
from core.explain._curves import Curves, curves
from core.explain._explanation import Explanation
from core.explain._watch import Watch, unwatched
from core.scan import Scan


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for or against a map; None where it was not asked for.

    Attributes
    ----------
    curves
        Deletion and insertion against random orders.
    inside
        Where the heat lies, held against an outline.
    agreement
        With a map of another method.
    stability
        Under noise that nobody sees.
    """

    curves: Curves
    inside: Inside | None
    agreement: Agreement | None
    stability: Stability | None


def evidence(
    model: Model,
    scan: Scan,
    explanation: Explanation,
    *,
    outline: NDArray[np.generic] | None = None,
    beside: Explanation | None = None,
    explain: Callable[[Scan], Explanation] | None = None,
    same: bool = True,
    copies: int = COPIES,
    seed: int = 0,
    watch: Watch = unwatched,
) -> Evidence:
    """Gather the evidence for or against a map.

    Parameters
    ----------
    model, scan
        What the map explains.
    outline
        ``(H, W)``, other than 0 inside the lesion, where there is one.
    beside
        The map of another method of the same class.
    explain
        Makes the map of a noisy copy of the scan; see :func:`stability`.
    same
        Whether it is how ``explanation`` itself was made. A method that takes long is asked for
        something coarser here (expected gradients with :data:`STEADY_SAMPLES`, one copy), which is
        then made of the scan too.
    copies
        Noisy copies of the scan.
    seed
        Of the random orders and the noise.
    watch
        Told after each batch, in forward passes of the curves and copies; may stop it.

    Raises
    ------
    InvalidQuestion
        The map is of another scan or model, or the outline is empty or of another picture.
    NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    # First what costs nothing, so that what cannot be compared is refused at once.
    where = None if outline is None else heat_inside(explanation, outline)
    agreed = None if beside is None else agreement(explanation, beside)
    after = copies if explain is not None else 0
    passes = 0

    def during_curves(done: int, total: int) -> None:
        nonlocal passes
        passes = total
        watch(done, total + after)

    drawn = curves(model, scan, explanation, seed=seed, watch=during_curves)
    steady = None
    if explain is not None:
        steady = stability(
            scan,
            explain,
            explanation=explanation if same else None,
            copies=copies,
            seed=seed,
            watch=lambda done, total: watch(passes + done, passes + total),
        )
    return Evidence(drawn, where, agreed, steady)

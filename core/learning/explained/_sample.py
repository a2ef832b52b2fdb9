"""Which scans are measured where all would take too long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.learning.rows import Row


def stratified(rows: Sequence[Row], limit: int | None, seed: int = 0) -> list[int]:
    """Return the places of at most ``limit`` rows, each label of each source in its share.

    Parameters
    ----------
    limit
        None for all.
    seed
        Of the draw.

    Returns
    -------
    list of int
        In a random order, so that what is done at any moment is a sample too.
    """
    rng = np.random.default_rng(seed)
    kinds: dict[tuple[str, str], list[int]] = {}
    for place in rng.permutation(len(rows)).tolist():
        kinds.setdefault((rows[place].source, rows[place].label), []).append(place)
    most = len(rows) if limit is None else min(limit, len(rows))
    exact = {kind: most * len(places) / max(1, len(rows)) for kind, places in kinds.items()}
    taken = {kind: int(share) for kind, share in exact.items()}
    # What rounding left over goes where most was cut off; between equals by name.
    by_rest = sorted(kinds, key=lambda kind: (taken[kind] - exact[kind], kind))
    for kind in by_rest[: most - sum(taken.values())]:
        taken[kind] += 1
    chosen = [place for kind, places in kinds.items() for place in places[: taken[kind]]]
    return [chosen[at] for at in rng.permutation(len(chosen)).tolist()]

"""Lesion drivers: which pixels the area of the lesion map comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidQuestion
from core.explain._asked import Model, ask
from core.explain._background import Background, background_of
from core.explain._expected_gradients import BATCH, SAMPLES
from core.explain._explanation import THE_LESION, Explanation
from core.explain._integrate import integrate
from core.explain._watch import Watch, unwatched
from core.scan import Scan
from core.text import _


def lesion_drivers(
    model: Model,
    scan: Scan,
    *,
    background: Background | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    batch_size: int = BATCH,
    watch: Watch = unwatched,
) -> Explanation:
    """Explain the area of a model's lesion map, the sum of its probabilities over all pixels.

    Gradients of the area, integrated as in :func:`expected_gradients` (Erion et al., Nature
    Machine Intelligence 2021): a plain gradient says what a small change would do and is all but
    0 where the map is certain; integrated, it says what the lesion that is there comes from.

    Parameters
    ----------
    model, scan
        What is explained.
    background, samples, seed, batch_size, watch
        As for :func:`expected_gradients`.

    Returns
    -------
    Explanation
        Signed, its unit ``area``: what each pixel adds to the lesion's area, as a share of the
        network's input. ``base_value`` and ``output`` are the areas of the background, on
        average, and of the scan; values and base add up to the output but for the ``gap``.

    Raises
    ------
    InvalidQuestion
        The model has no lesion map.
    EmptyMap, NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    asked = ask(model, scan)
    chosen = background_of(asked.bundle) if background is None else background
    backgrounds = chosen.inputs(asked.geometry, asked.spec)
    # As for expected gradients: all of them looked at where this scan is looked at closer.
    seen = asked.pixels
    maps = asked.probe.lesion(np.concatenate([seen[None], backgrounds]), at=seen)
    if maps is None:
        raise InvalidQuestion(_("This model has no lesion map, so nothing drives its area."))
    # Of a map that may be coarser than the input, as a share of all of it: the padding too, where
    # a network may see a lesion as well.
    share = 1 / (maps.shape[1] * maps.shape[2])
    areas = maps.sum(axis=(1, 2), dtype=np.float64) * share

    def gradients(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return asked.probe.lesion_area_gradients(inputs, at=seen)[1]

    found = integrate(
        gradients,
        asked.pixels,
        backgrounds,
        samples=samples,
        seed=seed,
        batch_size=batch_size,
        watch=watch,
    )
    return Explanation(
        method="lesion-drivers",
        target=THE_LESION,
        values=asked.geometry.shared_out(found * share),
        signed=True,
        layer=None,
        parameters={
            "samples": samples,
            "seed": seed,
            "batch_size": batch_size,
            **chosen.parameters,
        },
        unit="area",
        base_value=float(areas[1:].mean()),
        output=float(areas[0]),
        bundle_digest=asked.bundle.digest,
        image_digest=asked.image_digest,
    )

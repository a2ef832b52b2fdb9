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
        Signed, its largest magnitude 1: where above 0 the picture makes the lesion larger. Its
        ``parameters`` keep the contributions' own size: ``area`` and ``base_area`` (of the scan
        and, on average, the background), ``area_gap`` (what the contributions miss) and
        ``scale``, by which the values are multiplied to give contributions, all in pixels of the
        network's input.

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
    maps = asked.probe.lesion(np.concatenate([asked.pixels[None], backgrounds]))
    if maps is None:
        raise InvalidQuestion(_("This model has no lesion map, so nothing drives its area."))
    areas = maps.sum(axis=(1, 2), dtype=np.float64)
    # Pixels of the map, which may be coarser than the input, as pixels of the input.
    share = asked.spec.size**2 / (maps.shape[1] * maps.shape[2])

    def gradients(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return asked.probe.lesion_area_gradients(inputs)[1]

    found = integrate(
        gradients,
        asked.pixels,
        backgrounds,
        samples=samples,
        seed=seed,
        batch_size=batch_size,
        watch=watch,
    )
    area, base = float(areas[0]) * share, float(areas[1:].mean()) * share
    shared = asked.geometry.shared_out(found * share)
    peak = float(np.abs(shared).max())
    return Explanation(
        method="lesion-drivers",
        target=THE_LESION,
        values=shared / np.float32(peak) if peak > 0 else shared,
        signed=True,
        layer=None,
        parameters={
            "samples": samples,
            "seed": seed,
            "batch_size": batch_size,
            **chosen.parameters,
            "area": area,
            "base_area": base,
            "area_gap": abs(base + float(found.sum()) * share - area),
            "scale": peak,
        },
        unit="relative",
        base_value=None,
        output=None,
        bundle_digest=asked.bundle.digest,
        image_digest=asked.image_digest,
    )

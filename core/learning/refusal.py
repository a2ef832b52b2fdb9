"""What a bundle must know to refuse a picture that is no scan it learned from.

The statistics are those of :mod:`core.model._familiarity`. Their limits are set so that scanners
the fit has not seen are not refused: the fit is made once without each source, and every limit is
where nearly all scans of every source left out still pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError, ScanError
from core.learning.foreign import Grey, foreign_pictures
from core.learning.robustness import Change
from core.learning.rows import Row, load_scan
from core.model import (
    Bundle,
    FamiliarityCheck,
    embeddings_of,
    rooted,
    standardised,
    write_bundle,
)
from core.scan import Scan
from core.text import _

Floats = NDArray[np.floating[Any]]

#: Directions of their own that known scans have.
_AXES = 40
#: Weight of the plane's data against the pull of its normal towards 0 (``C`` of scikit-learn).
_FREE = 1.0
#: Share of a left-out source that passes each limit: the plane's and the distance's.
_PASS_PLANE, _PASS_FAR = 0.99, 0.995
#: How far beyond the scans of a fit a limit lies at least, as a share of the way from their
#: average: an unseen scanner is never as alike as scans the fit has seen.
_MARGIN = 1.1
#: Made-up pictures a fit is taught with: as many as scans, within these bounds. Their seed is far
#: from those of tests and benchmarks.
_FEWEST_FOREIGN, _MOST_FOREIGN, _FOREIGN_SEED = 120, 960, 7_001
#: Changes a scan may have gone through before it is read; of each scan one.
_CHANGES = (
    ("brightness", -30.0),
    ("brightness", 30.0),
    ("contrast", 0.75),
    ("contrast", 1.5),
    ("speckle", 0.1),
    ("speckle", 0.2),
    ("blur", 1.0),
    ("blur", 2.0),
    ("jpeg", 25.0),
    ("downsampling", 0.5),
    ("cropping", 0.1),
    ("cropping", 0.2),
    ("border", 0.25),
    ("border", 0.25),
    ("mirror", 0.0),
)


def fit_familiarity(
    embeddings: Floats,
    sources: Sequence[str],
    foreign: Floats,
    *,
    seed: int = 0,
) -> Mapping[str, NDArray[np.float32]]:
    """Fit the statistics of known scans, and limits that hold for scanners not seen.

    Parameters
    ----------
    embeddings
        (N, D) of known scans, changed ones among them; D of 200 to 800 and N of 1,500 are enough.
    sources
        (N,) what each was made with or where it comes from: what is left out together.
    foreign
        (M, D) of pictures that are no such scan.
    seed
        Decides how scans of a single source are parted.

    Returns
    -------
    Mapping
        Arrays for ``Reference.extra``; no row of ``embeddings`` is among them.

    Raises
    ------
    LearningError
        There are too few scans or pictures, or a value is not finite.
    """
    known, outside = np.asarray(embeddings), np.asarray(foreign)
    names = np.asarray(sources, np.str_)
    if known.ndim != 2 or len(known) < 20 or len(names) != len(known):
        raise LearningError(_("Too few known scans to learn what a scan looks like: at least 20."))
    if outside.ndim != 2 or len(outside) < 20 or outside.shape[1] != known.shape[1]:
        raise LearningError(_("Too few foreign pictures to learn a refusal: at least 20."))
    if not (np.isfinite(known).all() and np.isfinite(outside).all()):
        raise LearningError(_("An embedding is not finite: train the network again."))
    check = _fit(known, names, outside)
    left_out = names
    if len(np.unique(names)) < 2:
        # One source says nothing of another; parts of it are better than nothing.
        left_out = np.random.default_rng(seed).integers(0, 5, len(names)).astype(np.str_)
    # In units of each fit's own: 0 where its known scans lie, 1 where its foreign pictures do.
    far, plane = [_MARGIN * _share(check, known, outside, known, 0, _PASS_FAR)], []
    plane.append(_MARGIN * _share(check, known, outside, known, 1, _PASS_PLANE))
    for name in np.unique(left_out):
        out = left_out == name
        if out.all() or (~out).sum() < 20:
            continue
        part = _fit(known[~out], names[~out], outside)
        far.append(_share(part, known[~out], outside, known[out], 0, _PASS_FAR))
        plane.append(_share(part, known[~out], outside, known[out], 1, _PASS_PLANE))
    zero, one = _landmarks(check, known, outside)
    limits = zero + np.array([max(far), max(plane)]) * (one - zero)
    return replace(check, zero=zero, limits=limits).to_arrays()


def _landmarks(
    check: FamiliarityCheck, known: Floats, foreign: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of both figures among known scans and, for the plane, foreign pictures."""
    mine = check.figures(known)
    zero = np.median(mine, axis=0)
    # How far foreign pictures lie says nothing of how far scans spread: there it is their own.
    one = np.array([np.quantile(mine[:, 0], 0.99), np.median(check.figures(foreign)[:, 1])])
    return zero, np.maximum(one, zero + 1e-6)


def _share(
    check: FamiliarityCheck,
    known: Floats,
    foreign: Floats,
    judged: Floats,
    figure: int,
    share: float,
) -> float:
    """Return where a figure of so many of ``judged`` lies, in units of the fit's landmarks."""
    zero, one = _landmarks(check, known, foreign)
    found = float(np.quantile(check.figures(judged)[:, figure], share))
    return float((found - zero[figure]) / (one[figure] - zero[figure]))


def _fit(known: Floats, sources: NDArray[np.str_], foreign: Floats) -> FamiliarityCheck:
    roots = rooted(known)
    mean, spread = roots.mean(0), roots.std(0)
    # A value that never changes among known scans may change wildly elsewhere.
    scale = spread + 1e-3 * max(float(np.abs(roots).mean()), 1e-6)
    values = standardised(known, mean, scale)
    _left, strengths, axes = np.linalg.svd(values, full_matrices=False)
    variances = np.maximum(strengths**2 / len(values), 1e-9)
    kept = min(_AXES, len(variances) - 1)
    others = max(values.shape[1] - kept, 1)
    rest = max(float(variances[kept:].sum()) / others, 1e-6)
    weights = _plane(values, sources, standardised(foreign, mean, scale))
    return FamiliarityCheck(
        mean=mean,
        scale=scale,
        axes=axes[:kept],
        variances=variances[:kept],
        rest=rest,
        weights=weights,
        zero=np.zeros(2),
        limits=np.ones(2),
    )


def _plane(
    known: NDArray[np.float64], sources: NDArray[np.str_], foreign: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit a logistic regression with a quadratic pull; each source weighs the same."""
    from scipy.optimize import minimize

    values = np.concatenate([known, foreign])
    side = np.concatenate([-np.ones(len(known)), np.ones(len(foreign))])
    weight = np.empty(len(values))
    names = np.unique(sources)
    for name in names:
        mine = np.flatnonzero(sources == name)
        weight[mine] = len(known) / (len(names) * len(mine))
    weight[len(known) :] = len(known) / len(foreign)

    def cost(plane: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = side * (values @ plane[:-1] + plane[-1])
        loss = _FREE * float((weight * np.logaddexp(0, -margin)).sum())
        slope = -_FREE * weight * side * np.exp(-np.logaddexp(0, margin))
        gradient = np.append(values.T @ slope + plane[:-1], slope.sum())
        return loss + 0.5 * float(plane[:-1] @ plane[:-1]), gradient

    start = np.zeros(values.shape[1] + 1)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x, np.float64)


def varied(scan: Scan, number: int, seed: int = 0) -> Grey:
    """Return a known scan as it might come: with another gain, blurred, cropped, in a frame."""
    rng = np.random.default_rng([seed, number])
    name, grade = _CHANGES[int(rng.integers(len(_CHANGES)))]
    grey = scan.grey
    if name == "border":
        height, width = grey.shape
        edges = rng.uniform(0, grade, 4) * np.array([height, height, width, width])
        top, bottom, left, right = (int(edge) for edge in edges)
        framed = cv2.copyMakeBorder(grey, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
        return np.asarray(framed, np.uint8)
    if name == "mirror":
        return np.ascontiguousarray(grey[:, ::-1])
    changed, _mask = Change(name, grade, seed)(scan, np.zeros(grey.shape, np.bool_))
    return changed.grey


def with_familiarity(
    bundle: Bundle,
    rows: Sequence[Row],
    folder: Path,
    *,
    seed: int = 0,
    version: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Bundle:
    """Write a bundle anew with the statistics of known scans in its reference.

    Parameters
    ----------
    bundle
        With weights as they ship: the embeddings are taken through the very call that reads.
    rows
        Known scans, best those the network was trained on; each is seen as it is and changed.
        Their ``device`` is what is left out together.
    folder
        Where to: ``<root>/<task>/<version>``; what is there is replaced.
    seed
        Decides changes and foreign pictures.
    version
        Another version for the card; the bundle's own if left out.
    progress
        Called with pictures done and the number of all.

    Raises
    ------
    LearningError
        There are too few scans.
    BundleInvalid
        The network has no embedding, or the bundle cannot be written.
    """
    extra = fit_rows(bundle, rows, seed=seed, progress=progress)
    kept = {k: v for k, v in bundle.reference.extra.items() if k not in extra}
    reference = replace(bundle.reference, extra={**kept, **extra})
    card = bundle.card if version is None else replace(bundle.card, version=version)
    return write_bundle(folder, bundle.model_path, card, reference, replace=True)


def fit_rows(
    bundle: Bundle,
    rows: Sequence[Row],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Mapping[str, NDArray[np.float32]]:
    """Return the statistics for ``Reference.extra``; see :func:`with_familiarity`."""
    count = min(max(len(rows), _FEWEST_FOREIGN), _MOST_FOREIGN)
    total = 2 * len(rows) + count
    sources: list[str] = []

    def known() -> Any:
        for number, row in enumerate(rows):
            try:
                scan = load_scan(row)
            except ScanError:
                # What cannot be read is no known scan.
                continue
            sources.extend([f"{row.source}/{row.device}"] * 2)
            yield scan
            yield Scan.from_pixels(varied(scan, number, seed))

    def counted(scans: Any, before: int) -> Any:
        for done, scan in enumerate(scans, start=before + 1):
            progress(done, total)
            yield scan

    made = foreign_pictures(count, _FOREIGN_SEED + seed)
    inside = embeddings_of(bundle, counted(known(), 0))
    outside = embeddings_of(
        bundle, counted((Scan.from_pixels(grey) for _kind, grey in made), 2 * len(rows))
    )
    return fit_familiarity(inside, sources, outside, seed=seed)

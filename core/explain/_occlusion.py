"""Occlusion: the doctor hides a region, and the model says what it makes of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidQuestion
from core.explain._asked import Model, ask, network_input, parts
from core.explain._explanation import Explanation
from core.explain._watch import Watch, unwatched
from core.scan import Scan
from core.text import _

How = Literal["fill", "blur"]

BATCH = 16
#: Places elsewhere at which the same shape is hidden for comparison.
PLACES = 8
#: Longer side at which a region is filled or blurred: what comes of it is smooth.
_LONGEST = 512
#: Radius in pixels of what a filled pixel is made of.
_RADIUS = 5


def stands_out(fall: float, elsewhere: Sequence[float]) -> bool | None:
    """Tell whether hiding a region did more than hiding the same shape at any place elsewhere.

    Parameters
    ----------
    fall, elsewhere
        As in :class:`Occlusion`. None is returned where the shape fits nowhere else.
    """
    if not elsewhere:
        return None
    return abs(fall) > max(abs(each) for each in elsewhere)


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """What a model says of a scan with a region hidden.

    Attributes
    ----------
    target, how
        The class asked about, and how the region was hidden.
    region
        ``(H, W)`` bool, what was hidden; read-only.
    pixels
        The scan with the region hidden, as the model saw it; uint8, read-only.
    share
        Of the scan's area that was hidden, 0..1.
    before, after
        Calibrated probability of each class with the region and without it.
    elsewhere
        How far the target's probability fell when the same shape was hidden elsewhere, once for
        each place; none where it fits nowhere else. What the region did means something where it
        lies outside of these.
    """

    target: str
    how: How
    region: NDArray[np.bool_] = field(repr=False)
    pixels: NDArray[np.uint8] = field(repr=False)
    share: float
    before: Mapping[str, float]
    after: Mapping[str, float]
    elsewhere: tuple[float, ...]
    parameters: Mapping[str, Any]
    bundle_digest: str
    image_digest: str

    @property
    def fall(self) -> float:
        """How far the target's probability fell, in probability; below 0 where it rose."""
        return self.before[self.target] - self.after[self.target]

    @property
    def stands_out(self) -> bool | None:
        """What :func:`stands_out` says of it."""
        return stands_out(self.fall, self.elsewhere)

    def explanation(self) -> Explanation:
        """Return the same as a map: what the probability fell by, shared evenly over the region.

        The probability and not the score, which may rise where the probability falls, if those of
        other classes rise more: picture and words would then say the opposite.

        Raises
        ------
        EmptyMap
            The probability did not change.
        """
        values = np.zeros(self.region.shape, np.float32)
        values[self.region] = self.fall / np.count_nonzero(self.region)
        return Explanation(
            method="occlusion",
            target=self.target,
            values=values,
            signed=True,
            layer=None,
            # What the words about it are made of, for whoever sees the map later or elsewhere.
            parameters={
                **self.parameters,
                "found": {
                    "before": self.before[self.target],
                    "after": self.after[self.target],
                    "elsewhere": list(self.elsewhere),
                },
            },
            unit="probability",
            base_value=self.after[self.target],
            output=self.before[self.target],
            bundle_digest=self.bundle_digest,
            image_digest=self.image_digest,
        )


def occlude(
    model: Model,
    scan: Scan,
    region: NDArray[np.generic],
    target: str,
    *,
    how: How = "fill",
    places: int = PLACES,
    seed: int = 0,
    watch: Watch = unwatched,
) -> Occlusion:
    """Hide a region and ask the model again, as if the changed picture had been uploaded.

    Zeiler and Fergus, *Visualizing and understanding convolutional networks*, ECCV 2014, with the
    region drawn by a doctor. A hidden region is no longer a scan of anybody, so part of any change
    is the model's surprise: the same shape is hidden at other places for comparison.

    Parameters
    ----------
    model, scan, target
        What is explained.
    region
        ``(H, W)``, other than 0 where it is hidden; of :func:`core.lesion.mask_from_polygon`.
    how
        As for :func:`hide`.
    places, seed
        How many places elsewhere, and what chooses them.
    watch
        Told after each batch; may stop it.

    Raises
    ------
    InvalidQuestion
        No such class or way of hiding, or the region is empty or of another size.
    NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    asked = ask(model, scan)
    index = asked.index(target)
    drawn = _checked(region, scan)
    others = [hide(scan, each, how) for each in _elsewhere(drawn, places, seed)]
    pixels = hide(scan, drawn, how)
    inputs = np.stack(
        [
            asked.pixels,
            *(network_input(Scan.from_pixels(each), asked.spec)[0] for each in (pixels, *others)),
        ]
    )
    probabilities = np.zeros((len(inputs), len(asked.probe.labels)))
    for part in parts(len(inputs), BATCH):
        probabilities[part] = asked.probe.probabilities(inputs[part])
        watch(part.stop, len(inputs))

    def by_label(row: NDArray[np.float64]) -> Mapping[str, float]:
        return MappingProxyType(dict(zip(asked.probe.labels, row.tolist(), strict=True)))

    pixels.flags.writeable = False
    return Occlusion(
        target=target,
        how=how,
        region=drawn,
        pixels=pixels,
        share=float(drawn.mean()),
        before=by_label(probabilities[0]),
        after=by_label(probabilities[1]),
        elsewhere=tuple((probabilities[0, index] - probabilities[2:, index]).tolist()),
        parameters={"how": how, "region": _runs(drawn), "places": places, "seed": seed},
        bundle_digest=asked.bundle.digest,
        image_digest=asked.image_digest,
    )


def hide(scan: Scan, region: NDArray[np.generic], how: How) -> NDArray[np.uint8]:
    """Return the pixels of a scan with a region hidden; outside it they stay as they are.

    Parameters
    ----------
    region
        ``(H, W)``, other than 0 where it is hidden.
    how
        ``fill``: from its surroundings (Telea, *An image inpainting technique based on the fast
        marching method*, J. Graphics Tools 9(1), 2004), so that it is gone: smooth, without
        speckle. ``blur``: by a Gaussian as wide as the region, so that its mean grey stays and
        outline and texture go.

    Raises
    ------
    InvalidQuestion
        The region is empty, of another size, or all of the picture; or there is no such way.
    """
    drawn = _checked(region, scan)
    if how not in get_args(How):
        raise InvalidQuestion(_("A region is hidden by filling or by blurring it."))
    scale = min(1.0, _LONGEST / max(drawn.shape))
    size = max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale))
    small = cv2.resize(scan.pixels, size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(drawn.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    if how == "fill":
        if covered.all():
            raise InvalidQuestion(_("Leave some of the picture: nothing is left to fill it from."))
        smooth = cv2.inpaint(small, covered.astype(np.uint8), _RADIUS, cv2.INPAINT_TELEA)
    else:
        radius = float(np.sqrt(np.count_nonzero(covered) / np.pi))
        smooth = cv2.GaussianBlur(small, (0, 0), max(radius, 1.0))
    whole = cv2.resize(smooth, drawn.shape[::-1], interpolation=cv2.INTER_LINEAR)
    pixels = scan.pixels.copy()
    pixels[drawn] = whole[drawn]
    return pixels


def _checked(region: NDArray[np.generic], scan: Scan) -> NDArray[np.bool_]:
    if region.shape != scan.pixels.shape[:2]:
        raise InvalidQuestion(_("The region was drawn on another picture: draw it again."))
    drawn = np.array(region != 0)
    if not drawn.any():
        raise InvalidQuestion(_("The region is empty or lies outside the picture: draw it again."))
    drawn.flags.writeable = False
    return drawn


def _elsewhere(region: NDArray[np.bool_], places: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return the region moved to other places of the picture, apart from where it is."""
    rows, columns = np.nonzero(region.any(axis=1))[0], np.nonzero(region.any(axis=0))[0]
    top, left = int(rows[0]), int(columns[0])
    shape = region[top : rows[-1] + 1, left : columns[-1] + 1]
    high, wide = shape.shape
    # Far more places than are wanted, evenly spread; those that touch the region are left out.
    tops = np.unique(np.linspace(0, region.shape[0] - high, 12).astype(int))
    lefts = np.unique(np.linspace(0, region.shape[1] - wide, 12).astype(int))
    free = [
        (y, x)
        for y in tops.tolist()
        for x in lefts.tolist()
        if not region[y : y + high, x : x + wide][shape].any()
    ]
    chosen = np.random.default_rng(seed).permutation(len(free))[:places]
    found = []
    for y, x in (free[n] for n in sorted(chosen.tolist())):
        moved = np.zeros_like(region)
        moved[y : y + high, x : x + wide] = shape
        found.append(moved)
    return found


def _runs(region: NDArray[np.bool_]) -> list[int]:
    """Return a region as lengths of runs, row by row: first outside, then inside, and so on."""
    flat = np.concatenate([[False], region.ravel(), [False]])
    edges = np.nonzero(flat[1:] != flat[:-1])[0]
    lengths: list[int] = np.diff(np.concatenate([[0], edges])).tolist()
    return lengths

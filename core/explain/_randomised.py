"""Whether a map depends on what the network has learnt: its weights are shuffled away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import EmptyMap, NotFinite
from core.explain._asked import Model
from core.explain._compare import Agreement, alike
from core.explain._explanation import Explanation
from core.explain._watch import Watch, unwatched
from core.model import Bundle, OwnCopy, Probe
from core.scan import Scan

DEPTHS = 6
#: Pixels along the longer side at which the structure of maps is compared, and the width of the
#: window, in those pixels.
_SIDE, _WINDOW = 64, 4.0
#: Keep the quotients of the structural similarity from dividing by nothing; of maps within -1..1.
_STEADY = 0.01**2, 0.03**2

#: Makes the map of a scan by one method.
Method: TypeAlias = Callable[[Model, Scan], Explanation]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the first map is to the one of the network with shuffled weights.

    Attributes
    ----------
    agreement
        Rank correlation and overlap over cells, with what chance gives; see :class:`Agreement`.
    structure
        Structural similarity, -1..1; 1 is the same.
    """

    agreement: Agreement
    structure: float


#: A map that says nothing any more is like nothing.
_NOTHING = Likeness(Agreement(0.0, 0.0), 0.0)


@dataclass(frozen=True, slots=True)
class Depth:
    """The network with its weights shuffled from the top down to one layer.

    Attributes
    ----------
    layer
        The lowest layer that is shuffled, by name.
    layers
        How many are.
    likeness
        By method: of each scan's map to the map of the network as it was.
    """

    layer: str
    layers: int
    likeness: Mapping[str, tuple[Likeness, ...]]


@dataclass(frozen=True, slots=True)
class Randomised:
    """What became of the maps as the network lost what it has learnt.

    Attributes
    ----------
    depths
        From the top of the network to its bottom; at the last one all its weights are shuffled.
    layers
        Layers with weights in the network.
    seed
        Of the shuffling.
    """

    depths: tuple[Depth, ...]
    layers: int
    seed: int

    def correlation(self, method: str) -> tuple[float, ...]:
        """Mean rank correlation with the first map at each depth, -1..1."""
        return tuple(
            float(np.mean([each.agreement.correlation for each in depth.likeness[method]]))
            for depth in self.depths
        )

    def structure(self, method: str) -> tuple[float, ...]:
        """Mean structural similarity with the first map at each depth, -1..1."""
        return tuple(
            float(np.mean([each.structure for each in depth.likeness[method]]))
            for depth in self.depths
        )

    def unchanged(self, method: str) -> float:
        """Share of scans, 0..1, whose map still agrees with the first one at the last depth.

        It agrees if it fits better than 95 % of its own shifts; see :meth:`Agreement.agree`.
        """
        last = self.depths[-1].likeness[method]
        return float(np.mean([each.agreement.agree for each in last]))

    def depends(self, method: str) -> bool:
        """Whether a method's maps depend on what the network has learnt.

        If not, they show the picture, such as its edges, whatever the model: more than half of the
        scans keep their map with a network that knows nothing.
        """
        return self.unchanged(method) <= 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Shuffled:
    """What is explained in the place of the predictor; its maps name a digest of their own."""

    bundle: Bundle
    copy: OwnCopy = field(repr=False)

    def probe(self) -> Probe:
        return self.copy.probe


def randomised(
    bundle: Bundle,
    scans: Sequence[Scan],
    methods: Mapping[str, Method],
    *,
    depths: int = DEPTHS,
    seed: int = 0,
    watch: Watch = unwatched,
) -> Randomised:
    """Shuffle a network's weights layer by layer from the top and compare each method's maps.

    The cascading randomisation of Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, *Sanity
    checks for saliency maps*, NeurIPS 2018. A map that stays as it was shows the picture and not
    the model. Weights are shuffled within their tensor and not drawn anew, so that the
    activations keep their scale. It is done to a copy of the bundle's network, loaded for it.

    Parameters
    ----------
    bundle
        The model.
    scans
        At least one.
    methods
        By name: what makes a map, of one class that does not depend on the model's answer.
    depths
        How many stages there are, at least 1, evenly spread over the layers.
    seed
        Of the shuffling.
    watch
        Told after each map; may stop it.

    Raises
    ------
    BundleInvalid
        The network cannot be used.
    OverreadError
        What a method raises of the network as it was. With shuffled weights a map may be empty or
        without usable numbers: that is like nothing.
    """
    if not scans or not methods or depths < 1:
        raise ValueError("there must be a scan, a method and a depth")
    copy = OwnCopy(bundle)
    names = copy.layers
    ends = sorted({round(n) for n in np.linspace(0, len(names), depths + 1)[1:]} - {0})
    total = (1 + len(ends)) * len(scans) * len(methods)
    done = 0

    def maps(model: Model) -> dict[tuple[str, int], Explanation | None]:
        nonlocal done
        found: dict[tuple[str, int], Explanation | None] = {}
        for place, scan in enumerate(scans):
            for name, method in methods.items():
                try:
                    found[name, place] = method(model, scan)
                except (EmptyMap, NotFinite):
                    if model is first:
                        raise
                    found[name, place] = None
                done += 1
                watch(done, total)
        return found

    first = _Shuffled(bundle, copy)
    before = maps(first)
    stages = []
    start = 0
    for end in ends:
        for at in range(start, end):
            copy.shuffle(names[at], seed + at)
        start = end
        digest = f"{bundle.digest} shuffled {end} {seed}"
        after = maps(_Shuffled(replace(bundle, digest=digest), copy))
        likeness = {
            name: tuple(_likeness(before[name, n], after[name, n]) for n in range(len(scans)))
            for name in methods
        }
        stages.append(Depth(names[end - 1], end, likeness))
    return Randomised(tuple(stages), len(names), seed)


def _likeness(one: Explanation | None, other: Explanation | None) -> Likeness:
    if one is None or other is None:
        return _NOTHING
    return Likeness(alike(one.values, other.values), _structure(one.values, other.values))


def _structure(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the mean structural similarity of two maps, each by its own largest magnitude.

    Wang, Bovik, Sheikh and Simoncelli, *Image quality assessment: from error visibility to
    structural similarity*, IEEE Trans. Image Processing 13(4), 2004, with a Gaussian window.
    """
    scale = min(1.0, _SIDE / max(one.shape))
    size = max(1, round(one.shape[1] * scale)), max(1, round(one.shape[0] * scale))

    def prepared(values: NDArray[np.float32]) -> NDArray[np.float64]:
        small = cv2.resize(values.astype(np.float64), size, interpolation=cv2.INTER_AREA)
        return np.asarray(small / max(float(np.abs(small).max()), 1e-30), np.float64)

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), _WINDOW), np.float64)

    x, y = prepared(one), prepared(other)
    mean_x, mean_y = around(x), around(y)
    var_x, var_y = around(x * x) - mean_x**2, around(y * y) - mean_y**2
    both = around(x * y) - mean_x * mean_y
    small, large = _STEADY
    found = (2 * mean_x * mean_y + small) * (2 * both + large)
    found /= (mean_x**2 + mean_y**2 + small) * (var_x + var_y + large)
    return float(found.mean())

"""Deletion and insertion: whether the answer hangs on what a map calls important."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidQuestion
from core.explain._asked import Asked, Model, ask, parts
from core.explain._explanation import THE_LESION, Explanation
from core.explain._grid import Grid
from core.explain._watch import Watch, unwatched
from core.scan import Scan
from core.text import _

BATCH = 16
#: Cells along the longer side: the grain at which parts are hidden, the same for every method.
ACROSS = 16
STEPS = 12
#: Orders at random the map's order is held against.
ORDERS = 3
#: Width of the blur that hides, as a share of the input's side: a lesion does not survive it.
_BLUR = 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What the model says as parts of a scan are hidden, or shown, in the order of a map.

    Attributes
    ----------
    method, target
        Of the map.
    shares
        ``(n,)`` share of the cells that are hidden (deletion) or shown (insertion), 0 to 1.
    deletion, insertion
        ``(n,)`` probability of the target, 0..1; for the lesion, its area as a share of the
        scan's own. The part that speaks most for the target goes, or comes, first.
    random
        ``(orders, n)``, the same for cells hidden in random orders, each with the same picture.
    """

    method: str
    target: str
    shares: NDArray[np.float64] = field(repr=False)
    deletion: NDArray[np.float64] = field(repr=False)
    insertion: NDArray[np.float64] = field(repr=False)
    random: NDArray[np.float64] = field(repr=False)

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve; small where the map names what the answer hangs on."""
        return self._area(self.deletion)

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve; large where what the map names is enough."""
        return self._area(self.insertion)

    @property
    def random_areas(self) -> tuple[float, ...]:
        """Area of each random order: for deletion, and turned round for insertion, the same."""
        return tuple(self._area(row) for row in self.random)

    @property
    def faithfulness(self) -> float:
        """Insertion area less deletion area, -1..1: 0 is what an order at random has on average."""
        return self.insertion_area - self.deletion_area

    @property
    def beats_random(self) -> bool:
        """Whether both curves do better than every random order on this scan."""
        return self.deletion_area < min(self.random_areas) and self.insertion_area > max(
            self.random_areas
        )

    def _area(self, values: NDArray[np.float64]) -> float:
        return float(np.trapezoid(values, self.shares))


def curves(
    model: Model,
    scan: Scan,
    explanation: Explanation,
    *,
    steps: int = STEPS,
    orders: int = ORDERS,
    seed: int = 0,
    watch: Watch = unwatched,
) -> Curves:
    """Draw the deletion and insertion curves of a map, and those of random orders.

    Petsiuk, Das and Saenko, *RISE: randomized input sampling for explanation of black-box models*,
    BMVC 2018, with two changes. Whole cells are hidden and not pixels, in the map's order and in
    random ones alike: scattered pixels destroy a picture whatever they hide, so that against them
    any smooth map would look faithful. And what is hidden is blurred beyond recognition and not
    black, which in ultrasound is a finding.

    Costs ``2 + (steps - 1) * (2 + orders)`` forward passes, 57 by default.

    Parameters
    ----------
    model, scan
        What the map explains.
    steps, orders
        Parts the cells are hidden in, at least 2, and random orders.
    seed
        Of the random orders, and of the order of cells that are equally hot.
    watch
        Told after each batch; may stop it.

    Raises
    ------
    InvalidQuestion
        The map is of another scan or model.
    NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    return curves_of(
        model, scan, [explanation], steps=steps, orders=orders, seed=seed, watch=watch
    )[0]


def curves_of(
    model: Model,
    scan: Scan,
    explanations: Sequence[Explanation],
    *,
    steps: int = STEPS,
    orders: int = ORDERS,
    seed: int = 0,
    watch: Watch = unwatched,
) -> tuple[Curves, ...]:
    """Draw the curves of several maps of one scan and target: as :func:`curves` draws each.

    They are held against the same random orders, which are asked for once: the cost is
    ``2 + (steps - 1) * (2 * len(explanations) + orders)`` forward passes.

    Raises
    ------
    InvalidQuestion
        A map is of another scan or model, or the maps are not all of one target.
    NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    asked = ask(model, scan)
    for each in explanations:
        check_same(asked, each)
    if len({each.target for each in explanations}) != 1:
        raise InvalidQuestion(_("Only maps of the same scan, model and class are compared."))
    grid = Grid.over(asked.geometry, ACROSS)
    rng = np.random.default_rng(seed)
    # At random first, and then by heat in a stable order: cells that are equally hot have no order.
    shuffled = rng.permutation(grid.count)
    at_random = [rng.permutation(grid.count) for _each in range(orders)]
    counts = np.round(np.linspace(0, grid.count, steps + 1)).astype(int)
    middle = counts[1:-1]
    hidden = [np.zeros(grid.count, bool), np.ones(grid.count, bool)]
    hidden += [_first(each, count) for each in at_random for count in middle]
    for each in explanations:
        heat = grid.means(each.values)
        order = shuffled[np.argsort(-heat[shuffled], kind="stable")]
        hidden += [_first(order, count) for count in middle]
        hidden += [~_first(order, count) for count in middle]
    values = _answers(asked, explanations[0].target, grid, np.stack(hidden), watch)
    shown, nothing, inner = values[0], values[1], values[2:].reshape(-1, len(middle))

    def whole(first: float, between: NDArray[np.float64], last: float) -> NDArray[np.float64]:
        return np.concatenate([[first], between, [last]])

    random = np.stack([whole(shown, row, nothing) for row in inner[:orders]])
    return tuple(
        Curves(
            method=each.method,
            target=each.target,
            shares=counts / grid.count,
            deletion=whole(shown, inner[orders + 2 * place], nothing),
            insertion=whole(nothing, inner[orders + 2 * place + 1], shown),
            random=random,
        )
        for place, each in enumerate(explanations)
    )


def check_same(asked: Asked, explanation: Explanation) -> None:
    """Refuse a map of another scan or model.

    Raises
    ------
    InvalidQuestion
        It is.
    """
    ours = asked.bundle.digest, asked.image_digest
    if (explanation.bundle_digest, explanation.image_digest) != ours:
        raise InvalidQuestion(_("This explanation is of another scan or model: make it again."))


def _first(order: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Return which cells are the first ``count`` of an order."""
    found = np.zeros(len(order), bool)
    found[order[:count]] = True
    return found


def _answers(
    asked: Asked, target: str, grid: Grid, hidden: NDArray[np.bool_], watch: Watch
) -> NDArray[np.float64]:
    """Return what the model says of the target with cells hidden, one value for each row."""
    cells = grid.on_input(asked.geometry)
    blurred = _blurred(asked)
    found = np.zeros(len(hidden))
    index = None if target == THE_LESION else asked.index(target)
    for part in parts(len(hidden), BATCH):
        # The padding, cell -1, is the last entry: nothing is hidden there.
        covered = np.pad(hidden[part], ((0, 0), (0, 1)))[:, cells]
        inputs = np.where(covered[..., None], blurred, asked.pixels)
        if index is None:
            maps = asked.probe.lesion(inputs)
            if maps is None:
                raise InvalidQuestion(_("This model has no lesion map."))
            found[part] = maps.sum(axis=(1, 2), dtype=np.float64)
        else:
            found[part] = asked.probe.probabilities(inputs)[:, index]
        watch(part.stop, len(hidden))
    if index is None:
        found /= max(found[0], 1e-12)
    return found


def _blurred(asked: Asked) -> NDArray[np.float32]:
    """Return the input blurred beyond recognition; the padding stays as it is."""
    pixels = asked.pixels.copy()
    content = np.ascontiguousarray(pixels[asked.content])
    soft = cv2.GaussianBlur(
        content, (0, 0), _BLUR * asked.spec.size, borderType=cv2.BORDER_REPLICATE
    )
    pixels[asked.content] = soft.reshape(content.shape)
    return pixels

"""The partition explainer: what each region of the picture adds, whatever the model is inside."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.explain._asked import Asked, Model, ask, parts
from core.explain._background import Background, background_of
from core.explain._draws import drawing_from
from core.explain._explanation import Explanation
from core.explain._grid import Grid
from core.explain._watch import Watch, unwatched
from core.scan import Scan

EVALUATIONS = 300
BATCH = 16
#: Cells along the longer side: the finest regions.
ACROSS = 32
#: How much the place counts beside the grey, in deviations of grey over a whole side.
_COMPACT = 3.0


def partition_shap(
    model: Model,
    scan: Scan,
    target: str,
    *,
    background: Background | None = None,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
    batch_size: int = BATCH,
    watch: Watch = unwatched,
) -> Explanation:
    """Explain a class's score by hiding regions of the picture, with ``shap.PartitionExplainer``.

    Owen values over a tree of regions: Owen, *Values of games with a priori unions*, in
    Mathematical Economics and Game Theory, 1977, as in Lundberg and Lee, *A unified approach to
    interpreting model predictions*, NeurIPS 2017. The tree follows the picture: Ward's
    clustering (J. Am. Stat. Assoc. 58, 1963) of neighbouring cells by grey and place, so that what
    is hidden together looks alike. The evaluations go where most of the score is.

    Only scores are asked for, no gradients, so it holds for any model. A hidden region shows the
    average of the background in its place. The values and the score with everything hidden add up
    to the score of the scan.

    Parameters
    ----------
    model, scan, target, background, watch
        As for :func:`expected_gradients`.
    evaluations
        How often the model is asked, at least 4.
    seed
        Decides between regions that matter exactly as much.
    batch_size
        Pictures in one call of the network.

    Returns
    -------
    Explanation
        Signed, in units of the score before softmax and calibration (logits).

    Raises
    ------
    InvalidQuestion, NotFinite, JobCancelled
        As for :func:`expected_gradients`.
    """
    asked = ask(model, scan)
    index = asked.index(target)
    chosen = background_of(asked.bundle) if background is None else background
    hidden = chosen.inputs(asked.geometry, asked.spec).mean(axis=0)
    grid = Grid.over(asked.geometry, ACROSS)
    done = 0

    def scores(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        nonlocal done
        found = np.zeros(len(inputs))
        for part in parts(len(inputs), batch_size):
            found[part] = asked.probe.scores(inputs[part])[:, index]
            done += part.stop - part.start
            watch(min(done, evaluations), evaluations)
        return found

    regions = _Regions(grid.on_input(asked.geometry), hidden, _tree(asked, grid))
    explainer = _explainer()(scores, regions, np.random.RandomState(seed))
    found = explainer.explain_row(
        asked.pixels,
        max_evals=evaluations,
        main_effects=False,
        error_bounds=False,
        outputs=None,
        silent=True,
        batch_size=batch_size,
    )
    values = np.append(found["values"] / regions.sizes, 0.0)[regions.cells]
    base = float(found["expected_values"])
    return Explanation(
        method="partition-shap",
        target=target,
        values=asked.geometry.shared_out(values),
        signed=True,
        layer=None,
        parameters={
            "evaluations": evaluations,
            "seed": seed,
            "batch_size": batch_size,
            "regions": grid.count,
            **chosen.parameters,
        },
        unit="score",
        base_value=base,
        # Of a run of its own: what the values add up to is not asked for the comparison.
        output=float(asked.probe.scores(asked.pixels[None])[0, index]),
        bundle_digest=asked.bundle.digest,
        image_digest=asked.image_digest,
    )


class _Regions:
    """A masker, as shap calls what hides parts of an input: whole cells, by a picture's tree."""

    #: What shap asks of a masker: hiding all gives the same for every input, and what a call
    #: returns is not changed by a later one.
    fixed_background = True
    immutable_outputs = True

    def __init__(
        self,
        cells: NDArray[np.int32],
        hidden: NDArray[np.float32],
        clustering: NDArray[np.float64],
    ) -> None:
        count = len(clustering) + 1
        self.cells = cells
        self.sizes = np.bincount(cells[cells >= 0], minlength=count)
        self.clustering = clustering
        self.shape = (1, count)
        self._hidden = hidden

    def mask_shapes(self, pixels: NDArray[np.float32]) -> list[tuple[int, ...]]:
        """Return the shape of a mask."""
        return [self.shape[1:]]

    def __call__(
        self, mask: NDArray[np.bool_], pixels: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32]]:
        """Return the input with every cell hidden that ``mask`` does not name."""
        # The padding, cell -1, is the last entry: it is the same in both.
        shown = np.append(mask, True)[self.cells]
        return (np.where(shown[..., None], pixels, self._hidden)[None],)


def _tree(asked: Asked, grid: Grid) -> NDArray[np.float64]:
    """Return the tree of a picture's regions: (left, right, distance, cells) of each node."""
    from sklearn.cluster import ward_tree
    from sklearn.feature_extraction.image import grid_to_graph

    grey = asked.pixels[asked.content].mean(axis=2)
    size = grid.columns, grid.rows
    cells = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float64)
    cells = (cells - cells.mean()) / max(float(cells.std()), 1e-6)
    longer = max(size)
    row, column = np.indices(cells.shape) * (_COMPACT / longer)
    points = np.stack([cells, row, column], axis=-1).reshape(-1, 3)
    joined, _, count, _, distances = ward_tree(
        points, connectivity=grid_to_graph(*cells.shape), return_distance=True
    )
    within = np.ones(2 * count - 1)
    for node, (left, right) in enumerate(joined):
        within[count + node] = within[left] + within[right]
    return np.column_stack([joined, distances, within[count:]]).astype(np.float64)


@cache
def _explainer() -> Any:
    """Return shap's explainer with draws of its own; imported when asked for."""
    import shap

    class OwnDraws(shap.PartitionExplainer):  # type: ignore[misc]
        """shap's explainer, which draws to decide between regions that matter as much."""

        def __init__(self, model: Any, masker: Any, draws: np.random.RandomState) -> None:
            super().__init__(model, masker)
            self._owen = drawing_from(shap.PartitionExplainer.owen, draws)

        def owen(self, *args: Any, **options: Any) -> Any:
            return self._owen(self, *args, **options)

    return OwnDraws

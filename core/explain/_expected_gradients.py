"""Expected gradients: what each pixel adds to a class's score, compared with a background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.explain._asked import Model, ask
from core.explain._background import Background, background_of
from core.explain._explanation import Explanation
from core.explain._integrate import integrate
from core.explain._watch import Watch, unwatched
from core.scan import Scan

#: Chosen by measurement; see docs/explanations.md.
SAMPLES = 64
#: A gradient takes about three times the memory and time of a read, and readers wait for a batch.
BATCH = 8
#: Enough to see whether noise changes the map, where each copy has the same samples; see
#: :func:`core.explain.evidence`.
STEADY_SAMPLES = 6


def expected_gradients(
    model: Model,
    scan: Scan,
    target: str,
    *,
    background: Background | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    batch_size: int = BATCH,
    watch: Watch = unwatched,
) -> Explanation:
    """Explain a class's score by expected gradients, SHAP values of a differentiable model.

    Erion, Janizek, Sturmfels, Lundberg and Lee, *Improving performance of deep learning models
    with axiomatic attribution priors and expected gradients*, Nature Machine Intelligence 3,
    620-631, 2021; computed by ``shap.GradientExplainer``'s own loop.

    The values add up: their sum and the mean score of the background are the score of the scan,
    but for the gap that finitely many samples leave, which the explanation shows. For that the
    gradient follows every path from the pixels to the score, also the one through a model's own
    lesion mask, which Grad-CAM holds constant. Where a model chooses a part of the picture to look
    at closer, the background is looked at in the same place: what would be gained or lost by
    looking elsewhere is no pixel's.

    Parameters
    ----------
    model, scan
        What is explained.
    target
        The class.
    background
        What the scan is compared with; the bundle's own, else synthetic normal breasts.
    samples, seed
        Gradients that are averaged, and what chooses their places.
    batch_size
        Inputs in one call of the network, between which readers go first.
    watch
        Told after each batch; may stop it.

    Returns
    -------
    Explanation
        Signed, in units of the score before softmax and calibration (logits).

    Raises
    ------
    InvalidQuestion
        The model has no such class.
    NotFinite
        A gradient is not a number.
    JobCancelled
        ``watch`` stopped it.
    """
    asked = ask(model, scan)
    index = asked.index(target)
    chosen = background_of(asked.bundle) if background is None else background
    backgrounds = chosen.inputs(asked.geometry, asked.spec)
    # The backgrounds too, and all between, looked at where this scan is looked at closer.
    seen = asked.pixels
    scores = asked.probe.scores(np.concatenate([seen[None], backgrounds]), at=seen)[:, index]

    def gradients(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        targets = np.full(len(inputs), index, np.int32)
        return asked.probe.input_gradients(inputs, targets, at=seen)[1]

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
        method="expected-gradients",
        target=target,
        values=asked.geometry.shared_out(found),
        signed=True,
        layer=None,
        parameters={
            "samples": samples,
            "seed": seed,
            "batch_size": batch_size,
            **chosen.parameters,
        },
        unit="score",
        base_value=float(scores[1:].mean(dtype=np.float64)),
        output=float(scores[0]),
        bundle_digest=asked.bundle.digest,
        image_digest=asked.image_digest,
    )

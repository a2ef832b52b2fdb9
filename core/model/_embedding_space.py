"""Where embeddings are compared: what makes two scans similar for a model.

A bundle with statistics of known scans lends their axes: roots of the activations, standardised,
along the directions in which known scans differ most. Their variances are kept as they are.
Dividing by them (Mahalanobis distance) was measured and finds worse neighbours, for it makes
directions that hold little but noise count as much as the first; ``docs/similar.md`` has figures.

Only the direction of an embedding counts, not its length, which grows with contrast and gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.model._familiarity import FamiliarityCheck, Floats, rooted, standardised


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingSpace:
    """The space in which one bundle's embeddings are compared.

    Attributes
    ----------
    statistics
        Of known scans; None where the bundle has none, and then the roots themselves count.
    """

    statistics: FamiliarityCheck | None

    @classmethod
    def of(cls, extra: Mapping[str, NDArray[Any]]) -> EmbeddingSpace:
        """Return the space of a bundle with these arrays in ``Reference.extra``.

        Raises
        ------
        BundleInvalid
            Its statistics cannot be used.
        """
        return cls(FamiliarityCheck.from_arrays(extra))

    def place(self, embeddings: Floats) -> NDArray[np.float32]:
        """Return where embeddings lie.

        Parameters
        ----------
        embeddings
            ``(N, D)``, finite.

        Returns
        -------
        ``(N, K)`` float32 of length 1 each, or all 0 where there is no direction: the Euclidean
        distance of two of them goes from 0 (the same direction) to 2 (opposite ones).
        """
        if self.statistics is None:
            values = rooted(embeddings)
        else:
            known = self.statistics
            values = standardised(embeddings, known.mean, known.scale) @ known.axes.T
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        return np.asarray(
            np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0), np.float32
        )

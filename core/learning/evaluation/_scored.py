"""What a model said about labelled scans, and how a scan that it could not read counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

#: Where a scan that could not be read stands among probabilities: beyond every one of them, on
#: the wrong side at every threshold.
MISSED, FALSE_ALARM = -1.0, 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model said about labelled scans, one entry per scan; none is left out.

    Attributes
    ----------
    truth
        Index of the right label.
    probabilities
        (N, labels) calibrated; NaN where the scan could not be read at all.
    dice, iou
        Overlap at native size and threshold 0.5; NaN where there is no lesion or no map, 0 where
        there is a lesion in a scan that could not be read.
    mask_peak, cam_pointing
        1 where the maximum of the lesion map, or of the Grad-CAM for the likeliest class (malignant
        from .5), lies in the lesion, else 0; NaN and 0 as for the overlap.
    false_outline
        1 where something is outlined at threshold 0.5 though there is no lesion, else 0; NaN where
        there is one, or no map, or nobody knows.
    group
        What is resampled together: a patient, or a set of near-duplicates.
    refused
        Whether the app gives no answer: the scan fails the quality check, is none that the model
        knows, or could not be read. What could be read is scored all the same.
    sure
        Whether the model answers, and not "not sure"; false too where it refuses.
    reason
        Why it is refused, for a person; empty where it is not.
    entry, file, digest
        Number of the scan in its dataset, its file there, and ``Scan.digest``; empty where it
        could not be decoded.
    attributes
        What scans are told apart by, one word per scan and empty where it is not known: ``source``,
        ``device``, ``birads`` and ``lesion size`` (a third of those with a lesion each).
    """

    labels: tuple[str, ...]
    positive: str
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    mask_peak: NDArray[np.float64]
    cam_pointing: NDArray[np.float64]
    false_outline: NDArray[np.float64]
    group: NDArray[np.str_]
    refused: NDArray[np.bool_]
    sure: NDArray[np.bool_]
    reason: NDArray[np.str_]
    entry: NDArray[np.int64]
    file: NDArray[np.str_]
    digest: NDArray[np.str_]
    attributes: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the scans where ``chosen``, (N,), is true."""
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in _PER_SCAN},
            attributes={name: words[chosen] for name, words in self.attributes.items()},
        )

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """(N,) whether the right label is the positive one."""
        return np.asarray(self.truth == self.labels.index(self.positive))

    @property
    def unread(self) -> NDArray[np.bool_]:
        """(N,) whether the scan could not be read at all."""
        return np.isnan(self.probabilities[:, 0])

    @property
    def score(self) -> NDArray[np.float64]:
        """(N,) probability of the positive label, 0..1.

        Where a scan could not be read it is -1 for a positive one and 2 for another: wrong at
        every threshold and behind all others in every ranking, as an answer that nobody got.
        """
        p = self.probabilities[:, self.labels.index(self.positive)]
        wrong = np.where(self.is_positive, MISSED, FALSE_ALARM)
        return np.where(self.unread, wrong, p)


#: What the maps of a scan are judged by, in the order of a table.
MAPS = ("dice", "iou", "mask_peak", "cam_pointing", "false_outline")
_PER_SCAN = (
    "truth",
    "probabilities",
    *MAPS,
    "group",
    "refused",
    "sure",
    "reason",
    "entry",
    "file",
    "digest",
)

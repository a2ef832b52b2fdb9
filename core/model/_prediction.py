"""What a model says about one scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.model._card import OperatingPoint
from core.model._familiarity import Familiarity
from core.model._preprocess import Geometry
from core.model._statistics import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One read: frozen, bound to the digests of its scan and of the bundle that made it.

    Attributes
    ----------
    task, version, bundle_digest
        The model; the digest is the SHA-256 of its bundle.
    image_digest
        ``Scan.digest`` of the scan that was read.
    labels, positive
        Classes in the order of the model, and the one that is looked for.
    probabilities
        Calibrated, by label in label order, summing to 1.
    probability
        The calibrated one of ``positive``.
    operating_point
        The approved one, at which the answer is given.
    flagged, answer
        Whether ``probability`` reaches the threshold; then the answer is ``positive``, else the
        likeliest other label.
    interval
        How often validation scans that scored alike were positive; None without any.
    calibrated
        Whether the card has a calibration; without one the probabilities are the network's own.
    prevalence
        Share of positives the calibration holds for; None where it is not known.
    heat_class
        Class the Grad-CAM explains: the answer unless another was asked for.
    has_lesion_map
        Whether the model has a lesion output; without one, heat is never a lesion.
    heat_available
        Whether there is heat: it was asked for, and the model has a feature map to explain. Else
        the heat is all 0.
    network_heat, network_lesion, geometry
        The maps at the network's resolution, 0..1 and read-only, and what brings them back.
    familiarity
        Whether this is a scan the model knows; None where its bundle cannot say.
    sure
        Whether the answer is the only one possible at the coverage the card promises; None where
        the card promises none. Nothing is promised for a scan the model does not know.
    embedding
        ``(D,)`` float32, read-only: what the network made of the scan, by which ``familiarity`` is
        judged and similar scans are found; None where the bundle gives none.
    """

    task: str
    version: str
    bundle_digest: str
    image_digest: str
    labels: tuple[str, ...]
    positive: str
    probabilities: Mapping[str, float]
    probability: float
    operating_point: OperatingPoint
    flagged: bool
    answer: str
    interval: Interval | None
    calibrated: bool
    prevalence: float | None
    heat_class: str
    has_lesion_map: bool
    heat_available: bool
    network_heat: NDArray[np.float32] = field(repr=False)
    network_lesion: NDArray[np.float32] | None = field(repr=False)
    geometry: Geometry = field(repr=False)
    familiarity: Familiarity | None = None
    sure: bool | None = None
    embedding: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        """Whether the bundle says that this is no scan it knows."""
        return self.familiarity is not None and not self.familiarity.known

    def heat(self, longest: int | None = None) -> NDArray[np.float32]:
        """Return the Grad-CAM at the size of the scan.

        Parameters
        ----------
        longest
            Longer side in pixels at the most: heat is far coarser than a large scan, and a
            smaller map says the same. The scan's own size if left out.

        Returns
        -------
        ``(H, W)`` float32, 0..1, its own maximum 1, or all 0 where nothing speaks for the class.
        Made anew on each call, so keeping a prediction is cheap; read-only.
        """
        place = self.geometry if longest is None else self.geometry.reduced(longest)
        values = place.to_image(self.network_heat)
        np.clip(values, 0, None, out=values)
        peak = float(values.max())
        return _sealed(values / np.float32(peak) if peak > 0 else values)

    def lesion_map(self) -> NDArray[np.float32] | None:
        """Return the lesion probability at the size of the scan: ``(H, W)`` float32, 0..1.

        None where the model has no lesion output; read-only, made anew on each call.
        """
        if self.network_lesion is None:
            return None
        values = self.geometry.to_image(self.network_lesion)
        return _sealed(np.clip(values, 0, 1, out=values))


def _sealed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    values.flags.writeable = False
    return values

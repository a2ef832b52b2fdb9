"""A scan as a model sees it, and the model that questions go to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidQuestion
from core.model import Bundle, Geometry, InputSpec, Probe, preprocess
from core.scan import Scan
from core.text import _


class Model(Protocol):
    """What is explained: a :class:`core.model.Predictor`, or what a test puts in its place."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that is read with."""
        ...

    def probe(self) -> Probe:
        """Return what answers questions about it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One scan put to one model.

    Attributes
    ----------
    probe, bundle
        The model.
    pixels
        ``(S, S, C)`` float32, the network's input.
    geometry
        Where the scan lies in it.
    image_digest
        Of the scan.
    """

    probe: Probe
    bundle: Bundle
    pixels: NDArray[np.float32] = field(repr=False)
    geometry: Geometry
    image_digest: str

    @property
    def spec(self) -> InputSpec:
        """What the network takes."""
        return self.bundle.card.input

    @property
    def content(self) -> tuple[slice, slice]:
        """Rows and columns of the input that the scan covers."""
        place = self.geometry
        return (
            slice(place.top, place.top + place.content_height),
            slice(place.left, place.left + place.content_width),
        )

    def index(self, target: str) -> int:
        """Return the index of a class.

        Raises
        ------
        InvalidQuestion
            The model has no such class.
        """
        if target not in self.probe.labels:
            raise InvalidQuestion(_("The model does not know this class. Choose one it lists."))
        return self.probe.labels.index(target)


def ask(model: Model, scan: Scan) -> Asked:
    """Put a scan to a model; nothing is computed yet."""
    bundle = model.bundle
    pixels, geometry = network_input(scan, bundle.card.input)
    return Asked(model.probe(), bundle, pixels, geometry, scan.digest)


def network_input(scan: Scan, spec: InputSpec) -> tuple[NDArray[np.float32], Geometry]:
    """Return a scan as the network reads it, as :meth:`core.model.Predictor.read` does."""
    return preprocess(scan.pixels if spec.channels == 3 else scan.grey, spec)


def parts(count: int, size: int) -> Iterator[slice]:
    """Cut ``count`` things into parts of ``size``."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))

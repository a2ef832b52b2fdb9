"""Random numbers for `shap`, whose code draws from NumPy's one global stream.

``shap`` seeds that stream before it draws, which every other thread of the process would notice,
and which theirs would disturb in turn: the same seed would not give the same map again. So its
functions are run with a stream of their own in the place of ``np.random``: the code is shap's,
unchanged, and nothing global is read or written. A test holds the result against shap left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Draws(Protocol):
    """What shap's samplers ask of ``np.random``; ``np.random.RandomState`` is one too."""

    def seed(self, seed: int) -> None:
        """Begin again."""
        ...

    def choice(self, count: int) -> int:
        """Draw which background picture, from 0."""
        ...

    def uniform(self) -> float:
        """Draw how far along the way from the background to the scan, 0..1."""
        ...


class EvenDraws:
    """The draws of expected gradients, spread evenly instead of at random.

    Every background picture comes equally often (as near as the counts allow), and the positions
    drawn for one lie one in each of as many equal parts of the way, all shifted by one amount; the
    shifts of the pictures are themselves spread evenly. That is a randomly shifted lattice rule
    (Cranley and Patterson, *Randomization of number theoretic methods for multiple integration*,
    SIAM J. Numer. Anal. 13(6), 1976): each draw alone is uniform, so the expectation is that of
    independent draws, and the error falls faster with their number.

    Parameters
    ----------
    samples, backgrounds
        How many draws there will be, and of how many pictures.
    """

    def __init__(self, samples: int, backgrounds: int) -> None:
        self._samples = samples
        self._backgrounds = backgrounds
        self._pictures: NDArray[np.intp] = np.empty(0, np.intp)
        self._positions: NDArray[np.float64] = np.empty(0)
        self._at = 0

    def seed(self, seed: int) -> None:
        """Begin again: the same seed gives the same draws."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(self._backgrounds)
        self._pictures = np.resize(order, self._samples)
        # The samples of one picture, and the number of each among them.
        often = np.bincount(self._pictures, minlength=self._backgrounds)[self._pictures]
        number = np.arange(self._samples) // self._backgrounds
        shift = (rng.random() + np.arange(self._backgrounds) / self._backgrounds) % 1.0
        rng.shuffle(shift)
        self._positions = (number + shift[self._pictures]) / often
        self._at = 0

    def choice(self, count: int) -> int:
        """Return the background picture of the next draw."""
        if count != self._backgrounds:
            raise ValueError("these draws are for another number of pictures")
        return int(self._pictures[self._at])

    def uniform(self) -> float:
        """Return the position of the same draw, and go on to the next."""
        position = float(self._positions[self._at])
        self._at += 1
        return position


class _NumpyDrawing:
    """NumPy, but for its ``random``."""

    def __init__(self, random: Any) -> None:
        self.random = random

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def drawing_from(function: Callable[..., Any], random: Any) -> Callable[..., Any]:
    """Return a function that draws from ``random`` wherever its code says ``np.random``.

    Parameters
    ----------
    function
        A plain function of a module that imports NumPy as ``np``; it stays as it is.
    random
        What stands in the place of ``np.random``, such as :class:`Draws`.
    """
    if not isinstance(function, FunctionType):
        raise TypeError("only a plain function can be given other draws")
    names = {**function.__globals__, "np": _NumpyDrawing(random)}
    own = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    own.__kwdefaults__ = function.__kwdefaults__
    return own

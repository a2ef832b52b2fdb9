"""Where the heat lies, whether two maps agree, and whether a map survives noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import EmptyMap, InvalidQuestion
from core.explain._explanation import Explanation
from core.explain._grid import Grid
from core.explain._watch import Watch, unwatched
from core.scan import Scan
from core.text import _

#: Cells along the longer side at which maps are compared: a coarse map and a fine one of the same
#: thing differ in every pixel.
ACROSS = 16
#: The hottest tenth.
_HOTTEST = 0.1
#: Width of the blur before the peak is looked for, as a share of the longer side: the peak of a
#: map is a place, not the noise of a pixel.
_PEAK = 0.01
#: Two maps agree where no more than this share of the shifts of one of them fits as well.
CHANCE = 0.05
#: Two maps are one where no pixel differs by more than this share of the peak.
SAME = 1e-3
#: Deviation of noise nobody sees, in grey levels of 255.
NOISE = 2.0
COPIES = 4


@dataclass(frozen=True, slots=True)
class Inside:
    """Where the heat of a map lies, held against an outline.

    Attributes
    ----------
    share
        Of what speaks for the target, 0..1, that lies inside the outline; None where nothing does.
    area
        Share of the scan inside the outline, 0..1: what even heat would have.
    peak
        Row and column of the hottest place.
    peak_inside
        Whether it lies inside.
    """

    share: float | None
    area: float
    peak: tuple[int, int]
    peak_inside: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two maps of a scan say the same.

    Attributes
    ----------
    correlation
        Spearman's rank correlation over cells, -1..1; 0 where one of the maps is the same
        everywhere.
    overlap
        Share of the hottest tenth of cells of one map that is in that of the other, 0..1.
    chance_correlation, chance_overlap
        What chance gives with these two maps: 95 % of the shifts of one of them over the other,
        round the edges, reach no more. Smooth maps resemble each other by chance far more than
        rough ones, so the limit is not the same for every pair.
    same
        Whether the two are one map but for their scale, to :data:`SAME` of the peak: then the
        second is no second opinion. Grad-CAM and HiResCAM are, where the score is linear in the
        features of the layer.
    """

    correlation: float
    overlap: float
    chance_correlation: float = 1.0
    chance_overlap: float = 1.0
    same: bool = False

    @property
    def agree(self) -> bool:
        """Whether the two may be shown as saying the same; if not, a page says so plainly.

        Both figures are above what chance gives. A picture so narrow that it has fewer than 20
        cells has too few shifts to tell: there no two maps agree.
        """
        return self.correlation > self.chance_correlation and self.overlap > self.chance_overlap


@dataclass(frozen=True, slots=True)
class Stability:
    """How a map changes under noise that nobody sees.

    Attributes
    ----------
    noise
        Standard deviation of the noise, in grey levels of 255.
    copies
        Agreement of each noisy copy's map with that of the scan; a copy with nothing to show
        counts as 0.
    """

    noise: float
    copies: tuple[Agreement, ...]

    @property
    def correlation(self) -> float:
        """Mean rank correlation, -1..1."""
        return float(np.mean([each.correlation for each in self.copies]))

    @property
    def lowest(self) -> float:
        """Lowest rank correlation, -1..1."""
        return min(each.correlation for each in self.copies)

    @property
    def overlap(self) -> float:
        """Mean overlap of the hottest tenth, 0..1."""
        return float(np.mean([each.overlap for each in self.copies]))


def hottest_place(values: NDArray[np.float32]) -> tuple[int, int]:
    """Return row and column of the hottest place of a map, ``(H, W)``.

    The one that every figure and every word means: of the map blurred over a hundredth of its
    longer side, since a pixel may be noise.
    """
    soft = cv2.GaussianBlur(values, (0, 0), max(_PEAK * max(values.shape), 0.5))
    row, column = np.unravel_index(int(soft.argmax()), soft.shape)
    return int(row), int(column)


def heat_inside(explanation: Explanation, outline: NDArray[np.generic]) -> Inside:
    """Say how much of a map's heat lies inside an outline, and whether its peak does.

    The peak is that of the pointing game: Zhang et al., *Top-down neural attention by excitation
    backprop*, IJCV 126, 2018.

    Parameters
    ----------
    outline
        ``(H, W)``, other than 0 inside.

    Raises
    ------
    InvalidQuestion
        The outline is empty, or of another picture.
    """
    values = explanation.values
    inside = np.asarray(outline != 0)
    if inside.shape != values.shape:
        raise InvalidQuestion(_("The outline is one of another picture."))
    if not inside.any():
        raise InvalidQuestion(_("There is no outline to compare the heat with."))
    heat = explanation.positive.astype(np.float64)
    total = float(heat.sum())
    row, column = hottest_place(values)
    return Inside(
        share=float(heat[inside].sum()) / total if total > 0 else None,
        area=float(inside.mean()),
        peak=(row, column),
        peak_inside=bool(inside[row, column]),
    )


def agreement(one: Explanation, other: Explanation) -> Agreement:
    """Compare two maps of the same scan and target, and both with what chance gives.

    Neighbouring cells of a map say much the same, so two maps that have nothing to do with each
    other correlate more than independent numbers would. What chance gives is therefore taken from
    the maps themselves: one is shifted over the other by every number of cells, round the edges,
    which keeps all of it but where it lies. That is the toroidal shift test of Lotwick and
    Silverman, *Methods for analysing spatial processes of several types of points*, J. R. Stat.
    Soc. B 44(3), 406-413, 1982, as the spin test is for maps of the brain (Alexander-Bloch et al.,
    *On testing for spatial correspondence between maps of human brain structure and function*,
    NeuroImage 178, 540-551, 2018). All shifts are tried, so nothing is drawn; the few by a cell or
    two, which nearly fit where the maps do, make it stricter.

    Raises
    ------
    InvalidQuestion
        They are not of the same scan, model and target.
    """
    for name in ("image_digest", "bundle_digest", "target"):
        if getattr(one, name) != getattr(other, name):
            raise InvalidQuestion(_("Only maps of the same scan, model and class are compared."))
    return alike(one.values, other.values)


def stability(
    scan: Scan,
    explain: Callable[[Scan], Explanation],
    *,
    explanation: Explanation | None = None,
    copies: int = COPIES,
    noise: float = NOISE,
    seed: int = 0,
    watch: Watch = unwatched,
) -> Stability:
    """Explain noisy copies of a scan and compare the maps with that of the scan itself.

    Parameters
    ----------
    scan
        What is explained.
    explain
        Makes the map of a scan, the same way each time: with the same seed, so that only the
        noise differs. Called once for each copy, and once for the scan itself.
    explanation
        What ``explain`` gives for the scan, if that is known already.
    copies, noise, seed
        How many copies, the standard deviation in grey levels, and what chooses the noise.
    watch
        Told after each copy; may stop it.

    Raises
    ------
    OverreadError
        What ``explain`` raises, but for an EmptyMap of a copy.
    """
    rng = np.random.default_rng(seed)
    first = explain(scan) if explanation is None else explanation
    found = []
    for copy in range(copies):
        noisy = scan.pixels + rng.normal(0, noise, scan.pixels.shape)
        pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        try:
            again = explain(Scan.from_pixels(pixels, modality=scan.modality))
            found.append(alike(first.values, again.values))
        except EmptyMap:
            found.append(Agreement(0.0, 0.0))
        watch(copy + 1, copies)
    return Stability(noise, tuple(found))


def alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> Agreement:
    """Compare two maps of the same size; see :func:`agreement`."""
    from scipy.stats import rankdata

    longer = max(one.shape)
    rows, columns = (max(1, min(round(ACROSS * side / longer), side)) for side in one.shape)
    grid = Grid(rows, columns)
    first, second = grid.means(one), grid.means(other)
    shifts = _shifts(rows, columns)
    correlations = np.zeros(len(shifts))
    if np.ptp(first) > 0 and np.ptp(second) > 0:
        ranked, moved = (_standard(rankdata(cells)) for cells in (first, second))
        # Rounded: a shift that fits as well must not look better by a last digit.
        correlations = np.round(moved[shifts] @ ranked, 9)
    most = max(1, round(_HOTTEST * grid.count))
    here, there = _hottest(first, most), _hottest(second, most)
    overlaps = (there[shifts] & here).sum(axis=1) / most
    # The first shift is none at all.
    return Agreement(
        float(correlations[0]),
        float(overlaps[0]),
        _by_chance(correlations),
        _by_chance(overlaps),
        _one_map(one, other),
    )


def _one_map(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    peaks = float(np.abs(one).max()), float(np.abs(other).max())
    if min(peaks) == 0:
        return False
    return bool(np.abs(one / peaks[0] - other / peaks[1]).max() <= SAME)


@cache
def _shifts(rows: int, columns: int) -> NDArray[np.intp]:
    """Return for every shift (the first by nothing) which cell comes to each place."""
    cells = np.arange(rows * columns).reshape(rows, columns)
    moved = [
        np.roll(cells, (down, right), (0, 1)).ravel()
        for down in range(rows)
        for right in range(columns)
    ]
    found = np.stack(moved)
    found.flags.writeable = False
    return found


def _by_chance(values: NDArray[np.float64]) -> float:
    """Return what at most :data:`CHANCE` of the shifts exceed."""
    return float(np.sort(values)[::-1][int(CHANCE * len(values))])


def _standard(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks with mean 0 and length 1: the product of two is their correlation."""
    centred = ranks - ranks.mean()
    return np.asarray(centred / np.linalg.norm(centred), np.float64)


def _hottest(cells: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
    """Return which cells are the hottest; only those that speak for the target."""
    found = np.zeros(len(cells), bool)
    found[np.argsort(-cells, kind="stable")[:most]] = True
    return found & (cells > 0)

"""Explanations in words: what a method asks, where a map lies, and how far it may be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core import explain
from core.explain import THE_LESION, Agreement, Curves, Explanation, Inside, Occlusion
from core.text import _, ngettext
from core.ui.wording import apart, class_name, percent

#: Share of a side that counts as its middle.
_MIDDLE = (0.38, 0.62)


def method_name(method: str) -> str:
    """Return the name of a method, as on a picture that leaves."""
    return explain.method_name(method)


def what_it_asks(method: str) -> str:
    """Say in one line what a method asks of the model."""
    return {
        "grad-cam": _("Which learned features speak for the class, each weighed as a whole?"),
        "grad-cam++": _("The same as Grad-CAM, so that several small places count too."),
        "hires-cam": _("Which features speak for the class at each very place?"),
        "layer-cam": _("The same as HiResCAM, counting only what would raise the class."),
        "eigen-cam": _("Where does the network look at all? The same map for every class."),
        "expected-gradients": _(
            "How much does each pixel add to the score of the class, or take from it, compared "
            "with a normal breast?"
        ),
        "partition-shap": _(
            "How much does each region add to the score of the class, or take from it, if it is "
            "shown or hidden?"
        ),
        "occlusion": _("What does the model say if a region that you drew is not there?"),
        "lesion-drivers": _("Which pixels make the model's lesion map larger, or smaller?"),
    }[method]


def grain(method: str, cells: tuple[int, int] | None) -> str:
    """Say how fine a map is, which its smooth look hides; empty where it is as fine as it looks."""
    if method.endswith(("cam", "cam++")):
        if cells is None or min(cells) < 2:
            return _("Coarse: it shows roughly where, never a border.")
        return _(
            "Coarse: made on {rows} × {columns} cells, each of which takes in much of what is "
            "around it. It shows roughly where, never a border."
        ).format(rows=cells[0], columns=cells[1])
    if method == "expected-gradients":
        return _("Drawn smoothed: single pixels are noise.")
    return ""


def why(target: str, *, against: bool = False) -> str:
    """Return what is asked about a class, as a doctor would."""
    if target == THE_LESION:
        return _("Why this lesion map")
    words = _("Why not {label}") if against else _("Why {label}")
    return words.format(label=class_name(target))


def speaks(target: str, *, against: bool) -> str:
    """Return the name of one side of a signed map."""
    if target == THE_LESION:
        return _("makes the lesion smaller") if against else _("makes the lesion larger")
    words = _("speaks against {label}") if against else _("speaks for {label}")
    return words.format(label=class_name(target))


def direction(explanation: Explanation) -> str:
    """Return where the hottest place of a map lies in the picture, such as "lower left"."""
    values = explanation.values
    hottest = zip(explain.hottest_place(values), values.shape, strict=True)
    places = ((at + 0.5) / side for at, side in hottest)
    down, across = (int(np.searchsorted(_MIDDLE, place)) for place in places)
    names = (
        (_("upper left"), _("top"), _("upper right")),
        (_("left"), _("middle"), _("right")),
        (_("lower left"), _("bottom"), _("lower right")),
    )
    return names[down][across]


def where_words(explanation: Explanation, inside: Inside | None, *, against: bool) -> str:
    """Say in one sentence where a map's heat lies.

    Parameters
    ----------
    explanation
        With what is asked about above 0.
    inside
        Held against the outline; None where there is none.
    against
        Whether what speaks against the class was turned round.
    """
    what = speaks(explanation.target, against=against)
    place = direction(explanation)
    if explanation.parameters.get("class_specific") is False:
        what = _("draws the network's eye")
    if inside is None or inside.share is None:
        return _("What {what} is hottest at the {place} of the picture.").format(
            what=what, place=place
        )
    text = (
        _(
            "{share} of what {what} lies inside the outline, which covers {area} of the picture; "
            "the hottest place, at the {place}, lies inside too."
        )
        if inside.peak_inside
        else _(
            "{share} of what {what} lies inside the outline, which covers {area} of the picture; "
            "the hottest place, at the {place}, lies outside."
        )
    )
    return text.format(
        share=percent(inside.share), what=what, area=percent(inside.area), place=place
    )


def whole_map_words(target: str) -> str:
    """Say what was measured where a picture shows what speaks against a class alone."""
    return _(
        "What was measured is the whole map, from what speaks most for {label} to what speaks most "
        "against it."
    ).format(label=class_name(target))


def faithful_words(curves: Curves | None, *, against: bool = False) -> str:
    """Say whether the answer hangs on what a map calls important.

    ``against`` where only what speaks against the class is drawn.
    """
    if curves is None:
        return _("How faithful it is to the model has not been measured.")
    whole = whole_map_words(curves.target) + " " if against else ""
    figure = f"{curves.faithfulness:+.2f}"
    n = len(curves.random_areas)
    if curves.beats_random:
        text = ngettext(
            "Measured: the answer hangs on it more than on {n} random order of parts "
            "(faithfulness {figure}, 0 by chance).",
            "Measured: the answer hangs on it more than on any of {n} random orders of parts "
            "(faithfulness {figure}, 0 by chance).",
            n,
        )
    else:
        text = ngettext(
            "Measured: **not better than chance**. {n} random order of parts did as well "
            "(faithfulness {figure}, 0 by chance).",
            "Measured: **not better than chance**. One of {n} random orders of parts did as well "
            "(faithfulness {figure}, 0 by chance).",
            n,
        )
    return whole + text.format(n=n, figure=figure)


def agreement_words(one: str, other: str, found: Agreement) -> str:
    """Say in one sentence whether two methods say the same of a class."""
    names = {"one": method_name(one), "other": method_name(other)}
    if found.same:
        return _("{one} and {other} give one and the same map here: no second opinion.").format(
            **names
        )
    figures = {"correlation": f"{found.correlation:.2f}", "overlap": percent(found.overlap)}
    text = (
        _(
            "{one} and {other} agree (rank correlation {correlation}; {overlap} of the hottest "
            "tenth is the same)."
        )
        if found.agree
        else _(
            "{one} and {other} disagree (rank correlation {correlation}; {overlap} of the hottest "
            "tenth is the same)."
        )
    )
    return text.format(**names, **figures)


def no_class_words(method: str) -> str:
    """Say why a method is held against no other."""
    return _("{method} asks about no class, so it is no second opinion on one.").format(
        method=method_name(method)
    )


def disagreement_means() -> str:
    """Say what follows where two methods disagree."""
    return _("At most one of them shows what the answer came from: go by neither alone.")


def hidden_words(hidden: Occlusion) -> str:
    """Say what hiding a region did, and whether that means anything."""
    target = hidden.target
    return hiding_words(target, hidden.before[target], hidden.after[target], hidden.elsewhere)


def hiding_words(target: str, with_it: float, without: float, elsewhere: Sequence[float]) -> str:
    """Say the same from the figures alone, which are kept with the map.

    Parameters
    ----------
    target
        The class.
    with_it, without
        Its probability with the region and without, 0..1.
    elsewhere
        As in :class:`core.explain.Occlusion`.
    """
    fall = with_it - without
    before, after = apart(with_it, without)
    points = _points(before, after, fall)
    text = _(
        "Without the region the model says {after} for {label}, with it {before}: {points} "
        "percentage points came from there."
    ).format(after=after, label=class_name(target), before=before, points=points)
    found = explain.stands_out(fall, elsewhere)
    if found is None:
        return text + " " + _("The same shape fits nowhere else, so there is nothing to compare.")
    low, high = (f"{100 * f(elsewhere):+.0f}".replace("-", "−") for f in (min, max))
    n = len(elsewhere)
    compared = ngettext(
        "Hidden at {n} other place, the same shape took {low}",
        "Hidden at {n} other places, the same shape took {low} to {high}",
        n,
    ).format(n=n, low=low, high=high)
    verdict = (
        _("the region stands out.")
        if found
        else _("the region does **not** stand out: any change may be the model's surprise.")
    )
    return f"{text} {compared}: {verdict}"


def _points(before: str, after: str, fall: float) -> str:
    """Return a fall in percentage points: the difference of the two figures that stand beside it.

    98 % and 62 % are 36 points apart to whoever reads them, whatever was rounded away.
    """
    try:
        shown = [float(text.rstrip("%")) for text in (before, after)]
    except ValueError:
        return f"{100 * fall:+.0f}".replace("-", "−")
    decimals = max(len(text.rstrip("%").partition(".")[2]) for text in (before, after))
    return f"{shown[0] - shown[1]:+.{decimals}f}".replace("-", "−")

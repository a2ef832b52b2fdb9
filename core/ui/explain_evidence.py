"""What speaks for or against a map, in figures: beside every map, drawn only while it is open."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from core.explain import (
    THE_LESION,
    Agreement,
    Curves,
    Explanation,
    Inside,
    Occlusion,
    Stability,
    asks_about_a_class,
)
from core.scan import Scan
from core.text import _, ngettext
from core.ui.explain_words import agreement_words, no_class_words
from core.ui.performance_charts import LINE, MARK, QUIET
from core.ui.picture import small_picture
from core.ui.wording import class_name, percent

#: What the values may miss of the difference they explain, or of a score of 1 where that is less,
#: to be said to add up.
_SMALL_GAP = 0.05


def curves_figure(curves: Curves, *, against: bool = False) -> go.Figure:
    """Draw what the model says as parts are hidden, and shown, against random orders.

    ``against`` names the order by what it goes by where the other side of the map is drawn.
    """
    figure = go.Figure()
    hidden = [100 * share for share in curves.shares]
    for place, row in enumerate(curves.random):
        figure.add_scatter(
            x=hidden,
            y=[100 * value for value in row],
            mode="lines",
            line={"color": QUIET, "width": 1, "dash": "dot"},
            name=_("random orders"),
            legendgroup="random",
            showlegend=place == 0,
            hoverinfo="skip",
        )
    first = (
        (_("what speaks most for it hidden first"), _("what speaks most for it shown first"))
        if against
        else (_("hottest hidden first"), _("hottest shown first"))
    )
    for values, name, colour, symbol, dash in (
        (curves.deletion, first[0], MARK, "circle", "solid"),
        (curves.insertion, first[1], LINE, "square", "dash"),
    ):
        figure.add_scatter(
            x=hidden,
            y=[100 * value for value in values],
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"symbol": symbol, "size": 6},
            name=name,
            hovertemplate="%{x:.0f}% → %{y:.0f}%<extra></extra>",
        )
    lesion = curves.target == THE_LESION
    answer = (
        _("lesion area, % of the scan's own")
        if lesion
        else _("probability of {label}, %").format(label=class_name(curves.target))
    )
    figure.update_layout(
        height=280,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"title": _("share of the picture hidden, or shown, %"), "range": [-2, 102]},
        yaxis={"title": answer} | ({} if lesion else {"range": [-3, 103]}),
        legend={"orientation": "h", "y": -0.35},
    )
    return figure


def curve_lines(curves: Curves) -> list[str]:
    """Return the areas of the curves in words."""
    areas = curves.random_areas
    low, high = f"{min(areas):.2f}", f"{max(areas):.2f}"
    return [
        _("Area while hiding: {area} (random {low} to {high}; lower is more faithful)").format(
            area=f"{curves.deletion_area:.2f}", low=low, high=high
        ),
        _("Area while showing: {area} (random {low} to {high}; higher is more faithful)").format(
            area=f"{curves.insertion_area:.2f}", low=low, high=high
        ),
        _("Faithfulness: {figure} (their difference; 0 by chance)").format(
            figure=f"{curves.faithfulness:+.2f}"
        ),
    ]


def inside_line(inside: Inside | None) -> str:
    """Return how a map lies to the outline."""
    if inside is None:
        return _("Inside the outline: there is no outline to compare with")
    if inside.share is None:
        return _("Inside the outline: nothing in the map to compare")
    text = (
        _("Inside the outline: {share} (even heat: {area}); hottest place inside")
        if inside.peak_inside
        else _("Inside the outline: {share} (even heat: {area}); hottest place outside")
    )
    return text.format(share=percent(inside.share), area=percent(inside.area))


def stability_line(stability: Stability | None) -> str:
    """Return how a map changes under noise nobody sees."""
    if stability is None:
        return _("Stability under noise: not measured for this method")
    n = len(stability.copies)
    return ngettext(
        "Under noise nobody sees ({noise} of 255 grey levels, {n} copy): rank correlation "
        "{correlation}, {overlap} of the hottest tenth stays",
        "Under noise nobody sees ({noise} of 255 grey levels, {n} copies): rank correlation "
        "{correlation}, {overlap} of the hottest tenth stays",
        n,
    ).format(
        noise=f"{stability.noise:g}",
        n=n,
        correlation=f"{stability.correlation:.2f}",
        overlap=percent(stability.overlap),
    )


def sum_line(explanation: Explanation) -> str | None:
    """Return whether a map adds up to what the model says; None where it does not claim to."""
    base, output, gap = explanation.base_value, explanation.output, explanation.gap
    # A region that was hidden is compared with what is left, which adds up by itself.
    if base is None or output is None or gap is None or explanation.unit == "probability":
        return None
    if explanation.unit == "area":
        return _(
            "The lesion map covers {area} of what the network is shown, that of the background "
            "{base}; what the contributions miss: {gap}"
        ).format(area=percent(output, 1), base=percent(base, 1), gap=percent(gap, 2))
    total = base + float(explanation.values.sum(dtype="float64"))
    text = (
        _(
            "Adds up: background {base} and all values give {total}, the model says {output}; "
            "gap {gap} (score)"
        )
        if gap <= _SMALL_GAP * max(abs(output - base), 1.0)
        else _(
            "Does **not** quite add up: background {base} and all values give {total}, the model "
            "says {output}; gap {gap} (score)"
        )
    )
    parts = {"base": base, "total": total, "output": output, "gap": gap}
    return text.format(**{name: f"{x:.2f}".replace("-", "−") for name, x in parts.items()})


def figures(
    explanation: Explanation,
    inside: Inside | None,
    others: list[tuple[str, Agreement]],
    curves: Curves | None,
    stability: Stability | None,
    *,
    key: str,
    against: bool = False,
) -> None:
    """Show the evidence there is; ``against`` where only what speaks against the class is drawn."""
    lines = [inside_line(inside)]
    lines += [agreement_words(explanation.method, other, found) for other, found in others]
    if not asks_about_a_class(explanation.method):
        lines.append(no_class_words(explanation.method))
    elif not others:
        lines.append(
            _("Agreement: no second method says what speaks against this class. Choose one.")
            if against
            else _(
                "Agreement: no second method has been asked about this class. Choose one to "
                "compare."
            )
        )
    if (adds_up := sum_line(explanation)) is not None:
        lines.append(adds_up)
    if curves is not None:
        lines += [*curve_lines(curves), stability_line(stability)]
        st.plotly_chart(
            curves_figure(curves, against=against),
            config={"displayModeBar": False, "displaylogo": False},
            key=key,
        )
    st.markdown("\n".join(f"- {line}" for line in lines))


def hidden_table(hidden: Occlusion, digest: str) -> None:
    """Show each class with the region and without, and the picture as the model saw it."""
    left, right = st.columns([3, 2])
    left.dataframe(
        {
            _("Class"): [class_name(label) for label in hidden.before],
            _("With the region"): [percent(share) for share in hidden.before.values()],
            _("Without"): [percent(share) for share in hidden.after.values()],
        },
        hide_index=True,
    )
    left.caption(_("Hidden: {share} of the picture.").format(share=percent(hidden.share)))
    with right:
        small_picture(
            f"hidden:{digest}",
            lambda: Scan.from_pixels(hidden.pixels),
            _("The picture without the region, as the model saw it"),
            320,
        )

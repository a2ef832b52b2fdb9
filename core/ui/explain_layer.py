"""A map as it is drawn: its picture over the scan, and the colour bar that belongs to it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from core.explain import (
    PER,
    Explanation,
    asks_about_a_class,
    colour_table,
    colours,
    drawn_limit,
    drawn_values,
    unit_words,
)
from core.text import _
from core.ui.explain_kept import Question
from core.ui.explain_words import method_name, speaks, what_it_asks, why
from core.ui.open_scan import DRAWN_HEAT
from core.ui.picture import Heat


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Values as they are drawn.

    Attributes
    ----------
    values
        ``(h, w)`` float32, at most ``DRAWN_HEAT`` pixels long, in the unit of the map.
    limit
        Above 0: what has the last colour.
    beyond
        Whether values lie beyond it.
    """

    values: NDArray[np.float32]
    limit: float
    beyond: bool


def drawn(explanation: Explanation, *, against: bool = False) -> Drawn:
    """Return a map as it is drawn: at most ``DRAWN_HEAT`` long, only one side of it if asked."""
    values = drawn_values(explanation)
    longer = max(values.shape)
    if longer > DRAWN_HEAT:
        high, wide = (max(1, round(side * DRAWN_HEAT / longer)) for side in values.shape)
        values = cv2.resize(values, (wide, high), interpolation=cv2.INTER_AREA)
    values = np.asarray(values, np.float32)
    peak = float(np.abs(values).max())
    limit = drawn_limit(explanation, values)
    if against:
        values = np.minimum(values, np.float32(0))
    # A peak that was averaged away leaves nothing to draw, and no scale to draw it on.
    return Drawn(values, limit or 1.0, peak > limit)


def map_png(shown: Drawn, *, signed: bool) -> bytes:
    """Return a map as a transparent PNG: its colour by its value, its opacity by its size."""
    rgba = colours(shown.values, signed, shown.limit)
    size = np.abs(shown.values) / np.float32(shown.limit)
    rgba[..., 3] = np.rint(np.clip(size, 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def heat_of(question: Question, explanation: Explanation, *, against: bool = False) -> Heat:
    """Return a map for the viewer; its picture is made once, when it is first shown."""
    side = "against" if against else "all"
    identity = ":".join(
        ["map", question.image, question.bundle, question.method, question.target, side]
    )
    caption = why(explanation.target, against=against)
    if not asks_about_a_class(explanation.method):
        caption = what_it_asks(explanation.method)
    return Heat(
        f"{identity}:{question.parameters}",
        lambda: map_png(drawn(explanation, against=against), signed=explanation.signed),
        _("{method}: {question}").format(method=method_name(explanation.method), question=caption),
    )


def scale_of(explanation: Explanation, *, against: bool = False) -> tuple[float, bool]:
    """Return the limit of a map's colours, and whether values lie beyond it."""
    shown = drawn(explanation, against=against)
    return shown.limit, shown.beyond


def colour_bar(
    explanation: Explanation, scale: tuple[float, bool], *, against: bool = False
) -> None:
    """Show what the colours stand for, in the unit of the map.

    Parameters
    ----------
    scale
        Of :func:`scale_of`, which takes longer than a slider may.
    """
    limit, beyond = scale
    signed = explanation.signed
    table = colour_table(signed)
    if signed and against:
        table = table[:128]
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in table[:: max(1, len(table) // 24)])
    target, most = explanation.target, ("≥ " if beyond else "")
    end = _number(explanation, limit)
    if not signed:
        labels = [_("0: nothing"), _("1: most of this map")]
        if explanation.unit != "relative":
            labels = ["0", most + end]
    else:
        labels = [f"{'≤ ' if beyond else ''}−{end} {speaks(target, against=True)}", "0"]
        if not against:
            labels.append(f"{most}+{end} {speaks(target, against=False)}")
    unit = unit_words(explanation.unit)
    spans = "".join(f"<span>{escape(label)}</span>" for label in labels)
    alt = escape(", ".join([_("Colours of the map"), *labels, unit]))
    st.html(
        f'<div role="img" aria-label="{alt}" style="font-size:0.8rem">'
        f'<div style="height:0.7rem;border-radius:0.2rem;border:1px solid #8888;'
        f'background:linear-gradient(to right,{stops})"></div>'
        '<div style="display:flex;justify-content:space-between;gap:0.5rem;flex-wrap:wrap">'
        f"{spans}</div><div>{escape(unit)}</div></div>"
    )


def _shared_out(explanation: Explanation) -> bool:
    """Tell whether the values add up over pixels, so that one pixel's is of no use to a reader."""
    return explanation.unit != "relative"


def _number(explanation: Explanation, value: float) -> str:
    return f"{value * (PER if _shared_out(explanation) else 1):.2g}"

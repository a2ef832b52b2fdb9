"""The tools that correct an image before it is read, and what was done in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from core.errors import InvalidCorrection
from core.scan import (
    CheckName,
    Correction,
    QualityReport,
    Scan,
    Window,
    contrast,
    correction_words,
    crop,
    flip,
    replay,
    rewindow,
    rotate,
    split_panels,
    thumbnail,
    trim,
)
from core.text import _
from core.ui.picture import small_picture

_THUMBNAIL = 88
_Apply = Callable[[Callable[[], Scan]], None]


def correction_tools(
    scan: Scan, untouched: Scan, report: QualityReport, *, key: str
) -> Scan | None:
    """Offer the corrections, behind one button.

    Parameters
    ----------
    scan
        The scan on screen.
    untouched
        The one it was made from; itself where nothing was done.
    report
        Of the scan on screen: it knows the frame and the pictures.
    key
        Tells these tools from others on the page.

    Returns
    -------
    Scan or None
        What came of a correction, or the untouched scan, in the run in which the person asked
        for it.
    """
    made: list[Scan] = []

    def apply(correct: Callable[[], Scan]) -> None:
        try:
            made.append(correct())
        except InvalidCorrection as error:
            st.error(str(error), icon=":material/error:")

    with st.popover(_("Correct the image"), icon=":material/crop_rotate:", key=f"{key}-tools"):
        # Numbers that were chosen for one image mean nothing for another.
        own = f"{key}-{scan.digest[:16]}"
        _done_so_far(scan, untouched, apply, own)
        _turns(scan, apply, own)
        _pictures(scan, report, apply, own)
        _crop_by_numbers(scan, apply, own)
        if scan.depth is None:
            _contrast(scan, apply, own)
        else:
            _window(scan, apply, own)
    return made[-1] if made else None


def _done_so_far(scan: Scan, untouched: Scan, apply: _Apply, key: str) -> None:
    if not scan.corrections:
        st.caption(_("Nothing was done to this image yet. The untouched one is always kept."))
        return
    st.markdown("**" + _("Done so far") + "**")
    st.markdown("\n".join(f"1. {correction_words(done)}" for done in scan.corrections))
    with st.container(horizontal=True, gap="small"):
        if len(scan.corrections) > 1 and st.button(
            _("Undo the last"), icon=":material/undo:", key=f"{key}-undo"
        ):
            apply(lambda: replay(untouched, scan.corrections[:-1]))
        if st.button(
            _("Back to the untouched image"), icon=":material/restart_alt:", key=f"{key}-untouched"
        ):
            apply(lambda: untouched)


def _turns(scan: Scan, apply: _Apply, key: str) -> None:
    st.markdown("**" + _("Turn and mirror") + "**")
    with st.container(horizontal=True, gap="small"):
        if st.button(_("Turn left"), icon=":material/rotate_left:", key=f"{key}-left"):
            apply(lambda: rotate(scan, 270))
        if st.button(_("Turn right"), icon=":material/rotate_right:", key=f"{key}-right"):
            apply(lambda: rotate(scan, 90))
        if st.button(
            _("Mirror left to right"),
            icon=":material/swap_horiz:",
            key=f"{key}-mirror",
            help=_("Left and right of the body change places on the screen."),
        ):
            apply(lambda: flip(scan, "horizontal"))
        if st.button(
            _("Mirror top to bottom"), icon=":material/swap_vert:", key=f"{key}-upside-down"
        ):
            apply(lambda: flip(scan, "vertical"))


def _pictures(scan: Scan, report: QualityReport, apply: _Apply, key: str) -> None:
    boxes = report[CheckName.PANELS].boxes
    content = report[CheckName.BORDERS].boxes
    framed = bool(content) and content[0] != (0, 0, scan.width, scan.height)
    if framed and st.button(
        _("Crop to the picture"), icon=":material/crop_free:", key=f"{key}-trim"
    ):
        apply(lambda: trim(scan))
    if len(boxes) < 2:
        return
    st.markdown("**" + _("Several pictures in one: keep one of them") + "**")
    try:
        panels = split_panels(scan)
    except InvalidCorrection as error:
        # The report is of another image than the one on screen.
        st.caption(str(error))
        return
    with st.container(horizontal=True, gap="medium"):
        for number, panel in enumerate(panels):
            name = panel_name(panel.corrections[-1], scan, number)
            with st.container(width=_THUMBNAIL + 60, gap="xsmall", key=f"{key}-panel-{number}"):
                kept = partial(_itself, panel)
                small_picture(panel.digest, kept, name, _THUMBNAIL)
                if st.button(name, key=f"{key}-keep-{number}", width="stretch"):
                    apply(kept)


def _itself(scan: Scan) -> Scan:
    return scan


def panel_name(taken: Correction, scan: Scan, number: int) -> str:
    """Return where in the image a picture lies, or its number where that says too little."""
    box = dict(taken.values)
    left, top = int(box["left"]), int(box["top"])
    right, bottom = left + int(box["width"]), top + int(box["height"])
    wide = right - left > 0.55 * scan.width
    high = bottom - top > 0.55 * scan.height
    if not wide and high and right <= 0.55 * scan.width:
        return _("Left picture")
    if not wide and high and left >= 0.45 * scan.width:
        return _("Right picture")
    if wide and not high and bottom <= 0.55 * scan.height:
        return _("Upper picture")
    if wide and not high and top >= 0.45 * scan.height:
        return _("Lower picture")
    return _("Picture {n}").format(n=number + 1)


def _crop_by_numbers(scan: Scan, apply: _Apply, key: str) -> None:
    st.markdown("**" + _("Crop by numbers (px)") + "**")
    columns = st.columns(4)
    left = columns[0].number_input(_("Left"), 0, scan.width, 0, key=f"{key}-crop-left")
    top = columns[1].number_input(_("Top"), 0, scan.height, 0, key=f"{key}-crop-top")
    width = columns[2].number_input(_("Width"), 1, None, scan.width, key=f"{key}-crop-width")
    height = columns[3].number_input(_("Height"), 1, None, scan.height, key=f"{key}-crop-height")
    if st.button(_("Crop"), icon=":material/crop:", key=f"{key}-crop"):
        apply(lambda: crop(scan, (left, top, width, height)))


def _contrast(scan: Scan, apply: _Apply, key: str) -> None:
    st.markdown("**" + _("Contrast") + "**")
    left, right = st.columns([3, 1], vertical_alignment="center")
    low, high = left.slider(_("Black and white point"), 0, 255, (0, 255), key=f"{key}-levels")
    gamma = left.slider(
        _("Gamma"),
        0.2,
        5.0,
        1.0,
        0.05,
        key=f"{key}-gamma",
        help=_("Above 1 the middle becomes brighter."),
    )
    if low < high and (low, high, gamma) != (0, 255, 1.0):
        with right:
            small = contrast(Scan.from_pixels(thumbnail(scan, _THUMBNAIL)), low, high, gamma)
            small_picture(small.digest, lambda: small, _("How it will look"), _THUMBNAIL)
    if st.button(_("Apply the contrast"), icon=":material/contrast:", key=f"{key}-contrast"):
        apply(lambda: contrast(scan, low, high, gamma))


def _window(scan: Scan, apply: _Apply, key: str) -> None:
    depth = scan.depth
    now = depth.window if depth is not None else None
    st.markdown("**" + _("Window of the stored image") + "**")
    left, right = st.columns(2)
    function = now.function if now is not None else "linear"
    centre = left.number_input(
        _("Level"),
        value=float(now.centre) if now is not None else 0.0,
        format="%g",
        key=f"{key}-centre",
    )
    width = right.number_input(
        _("Width"),
        # PS3.3 C.11.2.1.2.1: a linear window is at least 1 wide.
        min_value=1.0 if function == "linear" else 1e-6,
        value=float(now.width) if now is not None else 256.0,
        format="%g",
        key=f"{key}-width",
    )
    if st.button(_("Apply the window"), icon=":material/contrast:", key=f"{key}-window"):
        apply(lambda: rewindow(scan, Window(centre, width, function)))

"""The curve over a loop in words and as a figure: to find frames, and never a verdict."""

from __future__ import annotations

import statistics

import plotly.graph_objects as go

from core.jobs import JobStatus
from core.model import FrameCurve, FramePoint, unknown_scan
from core.scan import check_name
from core.text import _, ngettext
from core.ui.wording import class_name, percent

_FLAGGED, _QUIET, _SHOWN = "#e0a030", "#7f9bb0", "#d4483b"


def progress_text(status: JobStatus) -> str:
    """Say how far a job over frames is, and how long it will take."""
    if status.state == "waiting":
        return _("Waiting for other reads to end")
    text = _("Read {done} of {n} frames").format(done=status.done, n=status.total)
    if status.seconds_left is None:
        return text
    return f"{text} · {about(status.seconds_left)}"


def about(seconds: float) -> str:
    """Return a duration as an estimate in words."""
    if seconds < 90:
        whole = max(1, round(seconds))
        return ngettext("about {n} second", "about {n} seconds", whole).format(n=whole)
    minutes = round(seconds / 60)
    return ngettext("about {n} minute", "about {n} minutes", minutes).format(n=minutes)


def purpose() -> str:
    """Say what the curve is for (Markdown)."""
    return _(
        "**A curve to find frames, not an answer.** Each value holds for its frame alone; the "
        "highest of many is no calibrated probability. The answer is that of the frame on "
        "screen."
    )


def describe(curve: FrameCurve) -> str:
    """Describe the frames that were read, without a verdict on all of them."""
    found = curve.probabilities
    if not found or curve.median is None:
        if not curve.held_back and not curve.unknown:
            return _("No frame could be read.")
        return " · ".join(_without_value(curve)) + "."
    parts = [
        ngettext("{n} of {frames} frame read", "{n} of {frames} frames read", curve.frames).format(
            n=len(found), frames=curve.frames
        ),
        _("median {median}").format(median=percent(curve.median)),
    ]
    if len(found) >= 4:
        low, _middle, high = statistics.quantiles(found, n=4, method="inclusive")
        parts.append(_("middle half {low}–{high}").format(low=percent(low), high=percent(high)))
    parts.append(
        ngettext(
            "{n} frame reaches the threshold of {threshold}",
            "{n} frames reach the threshold of {threshold}",
            curve.flagged,
        ).format(n=curve.flagged, threshold=percent(curve.operating_point.threshold))
    )
    return " · ".join([*parts, *_without_value(curve)]) + "."


def _without_value(curve: FrameCurve) -> list[str]:
    """Say how many frames have no value, and why."""
    parts = []
    if curve.held_back:
        text = ngettext(
            "{n} frame fails the quality check and was not read",
            "{n} frames fail the quality check and were not read",
            curve.held_back,
        )
        parts.append(text.format(n=curve.held_back))
    if curve.unknown:
        text = ngettext(
            "{n} frame is no scan the model knows and has no value",
            "{n} frames are no scans the model knows and have no value",
            curve.unknown,
        )
        parts.append(text.format(n=curve.unknown))
    if curve.failed:
        text = ngettext("{n} frame could not be read", "{n} frames could not be read", curve.failed)
        parts.append(text.format(n=curve.failed))
    return parts


def _not_read(point: FramePoint) -> str:
    """Say why a frame was held back."""
    return _("not read: {checks}").format(checks=", ".join(map(check_name, point.held_back)))


def curve_figure(curve: FrameCurve, shown: int) -> go.Figure:
    """Draw the probability of each frame over time, with the threshold and the frame on screen.

    Parameters
    ----------
    curve
        At least one point. Without times, x is the number of the frame, from 1.
    shown
        The frame on screen, from 0.
    """
    timed = all(point.seconds is not None for point in curve.points)

    def place(point: FramePoint) -> float:
        return point.seconds if timed and point.seconds is not None else point.index + 1

    read = [point for point in curve.points if point.probability is not None]
    figure = go.Figure()
    figure.add_scatter(
        x=[place(point) for point in curve.points],
        # Nothing is drawn across a frame that has no value.
        y=[None if p.probability is None else p.probability * 100 for p in curve.points],
        customdata=[[point.index, point.index + 1] for point in curve.points],
        mode="lines+markers",
        connectgaps=False,
        line={"color": _QUIET, "width": 1.5},
        marker={
            "size": [9 if point.flagged else 6 for point in curve.points],
            "color": [_FLAGGED if point.flagged else _QUIET for point in curve.points],
            "symbol": ["triangle-up" if p.flagged else "circle" for p in curve.points],
        },
        hovertemplate=_("frame %{customdata[1]}: %{y:.0f}%") + "<extra></extra>",
        showlegend=False,
    )
    held_back = [point for point in curve.points if point.held_back]
    if held_back:
        figure.add_scatter(
            x=[place(point) for point in held_back],
            y=[0.0] * len(held_back),
            customdata=[[point.index, point.index + 1, _not_read(point)] for point in held_back],
            mode="markers",
            marker={"symbol": "diamond-open", "size": 8, "color": "#888"},
            name=_("not read: fails the quality check"),
            hovertemplate=_("frame %{customdata[1]}: %{customdata[2]}") + "<extra></extra>",
        )
    unknown = [point for point in curve.points if point.unknown]
    if unknown:
        figure.add_scatter(
            x=[place(point) for point in unknown],
            y=[0.0] * len(unknown),
            customdata=[[point.index, point.index + 1] for point in unknown],
            mode="markers",
            marker={"symbol": "square-open", "size": 8, "color": "#888"},
            name=unknown_scan(),
            hovertemplate=_("frame %{customdata[1]}: not a scan this model knows")
            + "<extra></extra>",
        )
    failed = [p for p in curve.points if p.error is not None and not (p.held_back or p.unknown)]
    if failed:
        figure.add_scatter(
            x=[place(point) for point in failed],
            y=[0.0] * len(failed),
            customdata=[[point.index, point.index + 1] for point in failed],
            mode="markers",
            marker={"symbol": "x", "size": 8, "color": "#888"},
            name=_("could not be read"),
            hovertemplate=_("frame %{customdata[1]}: could not be read") + "<extra></extra>",
        )
    figure.add_hline(
        y=curve.operating_point.threshold * 100,
        line={"color": "#888", "dash": "dash"},
        annotation_text=_("threshold"),
    )
    here = next((point for point in curve.points if point.index == shown), None)
    if here is not None:
        figure.add_vline(
            x=place(here), line={"color": _SHOWN, "width": 2}, annotation_text=_("on screen")
        )
    title = (
        _("calibrated probability of {label}, %")
        if curve.calibrated
        else _("score for {label}, not calibrated, %")
    )
    figure.update_layout(
        height=260,
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        xaxis={"title": _("seconds") if timed else _("frame")},
        yaxis={"title": title.format(label=class_name(curve.positive)), "range": [-3, 103]},
        legend={"orientation": "h", "y": -0.35},
        clickmode="event+select",
        # A click that selects one point must not fade the others.
        hovermode="closest",
    )
    if read:
        figure.update_traces(
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}}
        )
    return figure


def frame_name(point: FramePoint) -> str:
    """Return a frame's number, time and value in words."""
    parts = [_("frame {n}").format(n=point.index + 1)]
    if point.seconds is not None:
        parts.append(_("{seconds} s").format(seconds=f"{point.seconds:.2f}"))
    if point.held_back:
        parts.append(_not_read(point))
    elif point.unknown:
        parts.append(unknown_scan())
    elif point.probability is None:
        parts.append(_("could not be read"))
    else:
        parts.append(percent(point.probability))
        if point.flagged:
            parts.append(_("flagged"))
        if point.sure is False:
            parts.append(_("not sure"))
    return " · ".join(parts)

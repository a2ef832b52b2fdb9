"""Small plots as SVG inside the page: nothing to load, sharp in print, coloured by the theme.

Kinds of lines differ in dash and marker as well as in colour. Every plot is an image with a title
and a description for those who do not see it, and has a table of its numbers beside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

#: Room around the axes for ticks and titles: left, top, right, bottom.
_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 10.0, 20.0, 40.0

Point = tuple[float, float]


@dataclass(slots=True)
class Plot:
    """A plot under construction; draw onto it, then ask for :meth:`markup`.

    Attributes
    ----------
    title, about
        What it shows, and in one or two sentences what is to be seen.
    across, up
        Titles of the axes.
    x, y
        Ends of the axes.
    x_ticks, y_ticks
        Where they are marked, and with what.
    """

    title: str
    about: str
    across: str
    up: str
    x: Point = (0.0, 1.0)
    y: Point = (0.0, 1.0)
    x_ticks: Sequence[tuple[float, str]] | None = None
    y_ticks: Sequence[tuple[float, str]] | None = None
    width: float = 380.0
    height: float = 320.0
    _parts: list[Markup] = field(default_factory=list)

    def line(self, points: Sequence[Point], kind: str) -> None:
        """Join points; ``kind`` is a class of the style sheet."""
        path = "M" + "L".join(f"{_n(self._x(x))} {_n(self._y(y))}" for x, y in points)
        self._add('<path class="line {}" d="{}"/>', kind, path)

    def band(self, low: Sequence[Point], high: Sequence[Point], kind: str) -> None:
        """Fill what lies between two lines over the same places."""
        around = [*low, *reversed(high)]
        path = "M" + "L".join(f"{_n(self._x(x))} {_n(self._y(y))}" for x, y in around) + "Z"
        self._add('<path class="band {}" d="{}"/>', kind, path)

    def dot(self, point: Point, kind: str, about: str = "", size: float = 4.0) -> None:
        """Mark a point; ``about`` is told to whoever points at it."""
        x, y = self._x(point[0]), self._y(point[1])
        shape = {
            "b": f"M{_n(x)} {_n(y - size)}l{size} {size}l{-size} {size}l{-size} {-size}Z",
            "c": f"M{_n(x - size)} {_n(y - size)}h{2 * size}v{2 * size}h{-2 * size}Z",
        }.get(
            kind,
            f"M{_n(x - size)} {_n(y)}a{size} {size} 0 1 0 {2 * size} 0"
            f"a{size} {size} 0 1 0 {-2 * size} 0",
        )
        self._add('<path class="dot {}" d="{}"><title>{}</title></path>', kind, shape, about)

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """Draw an interval upright."""
        place = _n(self._x(x))
        path = f"M{place} {_n(self._y(low))}V{_n(self._y(high))}"
        self._add('<path class="whisker {}" d="{}"/>', kind, path)

    def bar(self, left: float, right: float, top: float, kind: str) -> None:
        """Fill from the lower end of the axis up to ``top``."""
        x, y = self._x(left) + 1, self._y(top)
        wide, tall = self._x(right) - self._x(left) - 2, self._y(self.y[0]) - y
        self._add(
            '<rect class="bar {}" x="{}" y="{}" width="{}" height="{}"/>',
            *(kind, _n(x), _n(y), _n(wide), _n(tall)),
        )

    def word(self, point: Point, text: str, anchor: str = "start", lift: float = 0.0) -> None:
        """Write beside a point."""
        x, y = self._x(point[0]), self._y(point[1]) - lift
        self._add(
            '<text class="word" x="{}" y="{}" text-anchor="{}">{}</text>',
            *(_n(x), _n(y), anchor, text),
        )

    def markup(self) -> Markup:
        """Return the whole image."""
        # The same for the same plot, so that a page made again is the same page.
        name = f"p{zlib.crc32(f'{self.title}|{self.about}'.encode()):08x}"
        return Markup(
            '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-labelledby="{n}t {n}d">'
            '<title id="{n}t">{}</title><desc id="{n}d">{}</desc>{}{}</svg>'
        ).format(
            _n(self.width), _n(self.height), self.title, self.about,
            self._axes(), Markup("").join(self._parts), n=name,
        )  # fmt: skip

    def _add(self, text: str, *values: str) -> None:
        # Values are escaped; the text is ours.
        self._parts.append(Markup(text).format(*values))  # noqa: S704

    def _axes(self) -> Markup:
        left, right = _n(self._x(self.x[0])), _n(self._x(self.x[1]))
        top, bottom = _n(self._y(self.y[1])), _n(self._y(self.y[0]))
        parts = []
        for at, word in self.y_ticks or _quarters(self.y):
            y = _n(self._y(at))
            parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(left, y, right))
            parts.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    _n(_LEFT - 6), _n(self._y(at) + 4), word
                )
            )
        for at, word in self.x_ticks or _quarters(self.x):
            x = _n(self._x(at))
            parts.append(Markup('<path class="grid" d="M{} {}V{}"/>').format(x, bottom, top))
            parts.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    x, _n(self.height - _BOTTOM + 15), word
                )
            )
        parts.append(
            Markup('<path class="axis" d="M{} {}V{}H{}"/>').format(left, top, bottom, right)
        )
        middle = _n((self._x(self.x[0]) + self._x(self.x[1])) / 2)
        parts.append(
            Markup('<text class="name" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                middle, _n(self.height - 6), self.across
            )
        )
        up = _n((self._y(self.y[0]) + self._y(self.y[1])) / 2)
        parts.append(
            Markup(
                '<text class="name" transform="translate(12 {}) rotate(-90)" '
                'text-anchor="middle">{}</text>'
            ).format(up, self.up)
        )
        return Markup("").join(parts)

    def _x(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (value - low) / (high - low) * (self.width - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self.y
        return self.height - _BOTTOM - (value - low) / (high - low) * (self.height - _TOP - _BOTTOM)


def interval_bar(value: float, low: float, high: float) -> Markup:
    """Return a figure from 0 to 1 as a small bar with its interval; the number stands beside."""
    return Markup(
        '<svg class="interval" viewBox="0 0 120 12" aria-hidden="true">'
        '<path class="grid" d="M2 6H118M60 3V9"/><path class="spread" d="M{} 6H{}"/>'
        '<circle class="dot a" cx="{}" cy="6" r="3.2"/></svg>'
    ).format(_n(2 + 116 * low), _n(2 + 116 * high), _n(2 + 116 * value))


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return what the kinds of lines mean, as (kind, words)."""
    items = [
        Markup(
            '<li><svg viewBox="0 0 28 10" aria-hidden="true"><path class="line {}" d="M1 5H27"/>'
            "</svg>{}</li>"
        ).format(kind, words)
        for kind, words in entries
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _quarters(ends: Point) -> list[tuple[float, str]]:
    low, high = ends
    return [(low + i * (high - low) / 4, f"{low + i * (high - low) / 4:g}") for i in range(5)]


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

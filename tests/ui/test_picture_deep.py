"""Deep scans, loops and heat on their way to the browser: the right values under one address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_results import quality

from core.scan import Correction, Depth, Loop, Scan, Window, pixels_from_png
from core.text import use_language
from core.ui import media, picture
from core.ui.figure import Figure, Layers
from core.ui.open_scan import OpenScan

WINDOW = Window(600, 1000)
OTHER = Window(300, 200, "sigmoid")
FULL = Window(2000, 4000, "linear_exact")


class Published:
    """What would be on the shelf, by the address it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.items: dict[str, Any] = {}
        self.made = 0
        monkeypatch.setattr(media, "publish", self.keep)
        monkeypatch.setattr(media, "publish_values", self.keep)
        monkeypatch.setattr(media, "publish_frames", self.frames)

    def keep(self, identity: str, make: Callable[[], bytes]) -> str:
        if identity not in self.items:
            self.items[identity] = make()
            self.made += 1
        return identity

    def frames(self, identity: str, count: int, make: Callable[[int], bytes]) -> str:
        self.items[identity] = (count, make)
        return identity + "/{frame}.png"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(monkeypatch)


def deep(
    values: Any, window: Window | None = WINDOW, presets: Any = (WINDOW, OTHER, FULL), **more: Any
) -> Scan:
    values = np.asarray(values, np.uint16)
    values.flags.writeable = False
    depth = Depth(values, 0.5, -100.0, window, presets, unit="HU")
    pixels = more.pop("pixels", None)
    if pixels is None:
        assert window is not None
        pixels = depth.apply(window)
    return Scan.from_pixels(pixels, depth=depth, **more)


def ramp(width: int = 70, height: int = 60) -> Any:
    return np.arange(width * height).reshape(height, width)


def test_the_browser_gets_every_value_of_a_deep_scan(shelf: Published) -> None:
    scan = deep(ramp())
    sent = picture.deep_of(scan)
    assert sent is not None
    assert scan.depth is not None
    values = np.frombuffer(shelf.items[sent.url], "<u2").reshape(60, 70)
    assert np.array_equal(values, scan.depth.values)
    assert (sent.slope, sent.intercept, sent.unit, sent.read) == (0.5, -100.0, "HU", WINDOW)
    assert sent.table_url is None
    assert picture.deep_of(Scan.from_pixels(scan.pixels)) is None


def test_two_scans_that_look_alike_never_share_their_values(shelf: Published) -> None:
    # Both are white through their window, but not beyond it.
    one = deep(np.full((60, 70), 5000), source_digest="a" * 64)
    two = deep(np.full((60, 70), 6000), source_digest="b" * 64)
    assert one.digest == two.digest
    first, second = picture.deep_of(one), picture.deep_of(two)
    assert first is not None
    assert second is not None
    assert first.url != second.url
    turned = deep(
        np.full((60, 70), 5000),
        source_digest="a" * 64,
        corrections=(Correction.make("flip", axis="horizontal"),),
    )
    third = picture.deep_of(turned)
    assert third is not None
    assert third.url != first.url


def test_every_preset_has_a_name_and_the_full_range_is_the_last(shelf: Published) -> None:
    with use_language("en"):
        sent = picture.deep_of(deep(ramp()))
        assert sent is not None
        assert [(preset.name, preset.window) for preset in sent.presets] == [
            ("Window of the file", WINDOW),
            ("Window 2 of the file", OTHER),
            ("Full range", FULL),
        ]
        bare = picture.deep_of(deep(ramp(), window=WINDOW, presets=()))
        assert bare is not None
        assert [preset.name for preset in bare.presets] == ["Window of the file", "Full range"]
        last = bare.presets[-1].window
        assert (last.centre - last.width / 2, last.centre + last.width / 2) == (-100, 1999.5)


def test_a_table_of_the_file_travels_with_the_values(shelf: Published) -> None:
    values = ramp()
    pixels = (values % 251).astype(np.uint8)
    sent = picture.deep_of(deep(values, None, (FULL,), pixels=pixels))
    assert sent is not None
    assert sent.read is None
    assert sent.table_url is not None
    table = np.frombuffer(shelf.items[sent.table_url], np.uint8)
    assert len(table) == 65536
    assert np.array_equal(table[values], pixels)


def test_a_large_deep_scan_is_never_sent_as_a_picture_of_its_size(shelf: Published) -> None:
    scan = deep(np.zeros((3000, 1000)))
    figure = picture.scan_figure(OpenScan(scan, quality()), None, Layers())
    assert figure.data["image"].startswith("values:")
    beside = picture.beside_of(scan, "Earlier")
    pictures = [png for png in shelf.items.values() if png[:4] == b"\x89PNG"]
    assert len(pictures) == 2
    assert max(max(pixels_from_png(png).shape) for png in pictures) <= 2048
    assert (beside.width, beside.height) == (1000, 3000)
    assert "smaller" in beside.caption


def shown(scan: Scan) -> Figure:
    return picture.scan_figure(OpenScan(scan, quality()), None, Layers(), loop=scan.loop)


def looped(frame: int = 0, source: str = "5" * 64, step: int = 1) -> Scan:
    def decode(index: int) -> Scan:
        pixels = np.full((60, 70), 10 + step * index, np.uint8)
        return Scan.from_pixels(
            pixels, frames=6, frame=index, series="s" * 64, source_digest=source
        )

    loop = Loop(6, tuple(n / 10 for n in range(6)), 0, decode)
    return loop.frame(frame).with_loop(loop)


def test_each_frame_has_one_address_and_its_own_pixels(shelf: Published) -> None:
    figure = shown(looped(4))
    loop = figure.data["loop"]
    assert (loop["count"], loop["frame"], loop["rate"]) == (6, 4, 10)
    assert figure.data["image"] == loop["url"].format(frame=4)
    assert shelf.made == 0
    (count, make) = shelf.items[loop["url"].removesuffix("/{frame}.png")]
    assert count == 6
    assert pixels_from_png(make(2))[0, 0] == 12
    other = shown(looped(1))
    assert other.data["loop"]["url"] == loop["url"]


def test_a_loop_that_begins_alike_is_shown_at_an_address_of_its_own(shelf: Published) -> None:
    one, other = looped(), looped(source="6" * 64, step=2)
    assert one.digest == other.digest
    one_url = shown(one).data["loop"]["url"]
    other_url = shown(other).data["loop"]["url"]
    assert one_url != other_url
    _count, make = shelf.items[other_url.removesuffix("/{frame}.png")]
    assert pixels_from_png(make(3))[0, 0] == 16


def test_a_corrected_frame_no_longer_plays(shelf: Published) -> None:
    whole = looped()
    cropped = Scan.from_pixels(
        whole.pixels[:50],
        frames=6,
        series="s" * 64,
        loop=whole.loop,
        corrections=(Correction.make("crop", left=0, top=0, width=70, height=50),),
    )
    figure = shown(cropped)
    assert figure.data["loop"] is None

"""The viewer's page in a browser: what its tests share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browser_kit import Watched

PAGE = "tests/benchmarks/viewer_app.py"
Open = Callable[..., Watched]

_CANVAS = """(pane) => {
  const canvas = pane.querySelector("canvas");
  if (!canvas) return null;
  const { left, top, scale } = canvas.dataset;
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let bytes = "";
  for (let i = 0; i < data.length; i += 4) bytes += String.fromCharCode(data[i]);
  return { left: +left, top: +top, scale: +scale, width, height, grey: btoa(bytes) };
}"""


def until(page: Any, true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not happen")


def show(open_page: Open, server: str, name: str, query: str = "", **options: Any) -> Watched:
    """Open the page with a scan of a kind, and wait for its viewer."""
    watched = open_page(f"{server}/?show={name}{query}", **options)
    watched.page.wait_for_function(
        "[...document.querySelectorAll('*')].some((e) => e.shadowRoot?.querySelector('.state')"
        "?.textContent)"
    )
    return watched


def state(page: Any) -> str:
    return str(page.locator(".state").inner_text())


def notes(page: Any) -> str:
    return str(page.locator(".notes").inner_text())


def pane(page: Any) -> Any:
    return page.locator(".pane").last


def said(page: Any, name: str) -> Any:
    """What Python made of what the viewer reported."""
    text = page.get_by_text(re.compile(f"^{name}: ")).inner_text().removeprefix(f"{name}: ")
    return json.loads(text) if text[:1] in "[{" else text


def canvas(page: Any) -> tuple[np.ndarray, float, float, float] | None:
    """The greys on the canvas, and where the image lies on it: left, top, scale."""
    import base64

    found = pane(page).evaluate(_CANVAS)
    if found is None:
        return None
    grey = np.frombuffer(base64.b64decode(found["grey"]), np.uint8)
    return (
        grey.reshape(found["height"], found["width"]),
        found["left"],
        found["top"],
        found["scale"],
    )


def seen(pixels: np.ndarray, shape: tuple[int, int], left: float, top: float, scale: float) -> Any:
    """What a canvas should hold: each pixel as a square; 0 beside the image, and where."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    column = np.floor((x + 0.5 - left) / scale).astype(int)
    row = np.floor((y + 0.5 - top) / scale).astype(int)
    height, width = pixels.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    out = np.zeros(shape, np.uint8)
    out[inside] = pixels[row[inside], column[inside]]
    return out


def drag(
    page: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    before_release: Callable[[], None] = lambda: None,
    **how: Any,
) -> None:
    """Drag inside the last pane, from and to shares of its width and height."""
    pane(page).scroll_into_view_if_needed()
    box = pane(page).bounding_box()

    def spot(share: tuple[float, float]) -> tuple[float, float]:
        return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]

    page.mouse.move(*spot(start))
    page.mouse.down(**how)
    for step in range(1, 9):
        at = [a + (b - a) * step / 8 for a, b in zip(start, end, strict=True)]
        page.mouse.move(*spot((at[0], at[1])))
    before_release()
    page.mouse.up(**how)

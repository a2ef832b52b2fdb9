"""The page of an evaluation in a real browser: on a desk, a phone and paper, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Watched
from first_line_kit import TEXT_COLOURS, contrast
from test_learning_page import CARD, REPORT

from core.learning.page import report_html

_CUT_OFF = """() => [...document.querySelectorAll("table")]
  .filter((table) => table.getBoundingClientRect().right > window.innerWidth + 1)
  .map((table) => table.caption.textContent)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    figure = REPORT["accuracy"]
    names = ("accuracy", "roc_auc", "recall", "specificity", "ece", "dice_mean")
    changes: list[dict[str, Any]] = [
        {"change": "downsampling", "grade": grade, "refused": 5} | dict.fromkeys(names, figure)
        for grade in (0.5, 0.33, 0.25)
    ]
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(report_html(REPORT | {"robustness": changes}, CARD))
    return path.as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_is_read_on_a_desk_and_on_a_phone(
    open_page: Callable[..., Watched], address: str, scheme: str
) -> None:
    for width in (1280, 390):
        viewport = {"width": width, "height": 900}
        watched = open_page(address, viewport=viewport, color_scheme=scheme)
        page = watched.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        texts = page.evaluate(TEXT_COLOURS.replace("[data-testid=stApp]", "body"))
        said = " ".join(text["text"] for text in texts)
        assert "not a medical device" in said
        assert "Under each change" in said
        assert [t for t in texts if contrast(t["ink"], t["ground"]) < 4.5] == []
        plot = page.locator("svg.plot").first.bounding_box()
        assert plot["width"] > 200
        assert watched.errors == []
        if width == 1280:
            assert page.evaluate(_CUT_OFF) == []


@pytest.mark.browser
def test_no_table_is_cut_off_on_paper(open_page: Callable[..., Watched], address: str) -> None:
    # A4 less its margins, at 96 dots to the inch.
    watched = open_page(address, viewport={"width": 703, "height": 1032}, color_scheme="dark")
    page = watched.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf(prefer_css_page_size=True)) > 10_000

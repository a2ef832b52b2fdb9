"""A printed report: one page, exact pixels, no unconfirmed outline, nothing that runs."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pytest
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image
from report_factory import (
    CONTEXT,
    MADE_AT,
    full,
    image_in,
    images_of,
    in_colour,
    lesion,
    pages_of,
    phantom,
    picture_of,
    pngs_of,
    prediction,
    squeezed,
)

from core.report import make_report, to_html, to_pdf
from core.report._fonts import BOLD, REGULAR, _letters, lacks, shown
from core.review import CaseContext
from core.scan import Scan
from core.settings import ROOT
from core.text import use_language

FONTS = ROOT / "assets" / "fonts"
CYAN = (86, 180, 233)
NOTICE = {"en": "Decision support, not a medical device", "zh_CN": "仅供决策参考，不是医疗器械"}


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_a_usual_read_is_one_page(language: str) -> None:
    with use_language(language):
        (page,) = pages_of(to_pdf(make_report(full())))
    assert squeezed(NOTICE[language]) in page


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_long_texts_go_on_over_further_pages_and_lose_no_word(language: str) -> None:
    words = [f"w{i:04d}" for i in range(1400)]
    with use_language(language):
        given = full(
            comment=" ".join(words[:900]) + "\n建议活检。" * 90, override_reason=" ".join(words)
        )
        pages = pages_of(to_pdf(make_report(given)))
    assert len(pages) >= 2
    whole = "".join(pages)
    assert whole.count("建议活检。") == 90
    for word in words[:900]:
        assert whole.count(word) == 2
    assert all(squeezed(NOTICE[language]) in page for page in pages)
    assert all(given.scan.case_number in page for page in pages)
    if language == "en":
        for number, page in enumerate(pages, start=1):
            assert f"Page{number}of{len(pages)}" in page
            assert ("Continuedonpage" in page) == (number < len(pages))


def test_what_is_too_tall_to_stand_beside_the_image_is_printed_all_the_same() -> None:
    scan = phantom()
    labels = tuple(f"class number {i:03d} of a very large model" for i in range(300))
    many = replace(
        prediction(scan), labels=labels, positive=labels[0], answer=labels[1],
        probabilities=dict.fromkeys(labels, 1 / 300),
    )  # fmt: skip
    pages = pages_of(to_pdf(make_report(full(scan=scan, prediction=many))))
    # One may be torn apart by the end of each page but the last, and by nothing else.
    torn = [label for label in labels if squeezed(label) not in "".join(pages)]
    assert len(torn) < len(pages)


def test_a_table_of_many_lesions_goes_on_over_the_page() -> None:
    scan = phantom()
    box = ((60.0, 40.0), (100.0, 40.0), (100.0, 80.0), (60.0, 80.0))
    given = full(scan=scan, lesions=(lesion(scan, box),) * 20)
    pages = pages_of(to_pdf(make_report(given)))
    assert "".join(pages).count("28.6mm28.6mm") == 20, "41 pixels of half a millimetre, diagonally"


def test_the_image_in_the_file_is_the_scan_pixel_for_pixel() -> None:
    scan = phantom()
    document = make_report(full(scan=scan))
    large, small = images_of(to_pdf(document))
    assert np.array_equal(large, scan.pixels), "grey stays grey, and nothing is drawn into it"
    assert small.size < large.size
    pngs = [np.array(Image.open(io.BytesIO(png))) for png in pngs_of(to_html(document))]
    assert any(np.array_equal(pixels, scan.pixels) for pixels in pngs)


def test_colour_stays_colour() -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    scan = Scan.from_pixels(pixels)
    given = full(scan=scan, outline="none", lesions=(), measures=())
    large = images_of(to_pdf(make_report(given)))[0]
    assert np.array_equal(large[..., ::-1], pixels) or np.array_equal(large, pixels)


def test_an_image_too_large_for_paper_is_reduced_and_says_so() -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (1500, 3000)).astype(np.uint8)
    given = full(scan=Scan.from_pixels(pixels), outline="none", lesions=(), measures=())
    document = make_report(given)
    assert images_of(to_pdf(document))[0].shape == (1000, 2000)
    assert "3000 × 1500 px shown as 2000 × 1000" in document.text()


def test_an_unconfirmed_outline_is_not_printed() -> None:
    with_outline, without = (
        make_report(full(outline=outline, measures=())) for outline in ("accepted", "none")
    )
    assert in_colour(picture_of(to_pdf(with_outline)), CYAN) > 200
    assert in_colour(picture_of(to_pdf(without)), CYAN) == 0
    assert b'class="outline"' in to_html(with_outline)
    assert b'class="outline"' not in to_html(without)
    assert b"<path" not in to_html(without)


def test_the_printed_outline_lies_where_the_lesion_is() -> None:
    scan = Scan.from_pixels(np.full((240, 320), 90, np.uint8), spacing=(0.5, 0.5))
    picture = picture_of(to_pdf(make_report(full(scan=scan, measures=()))))
    left, top, right, bottom = image_in(picture, 90)
    scale = (right - left) / 320
    assert (bottom - top) / 240 == pytest.approx(scale, rel=0.02)
    # The number beside the lesion has the colour of its outline: only what is left of it counts.
    part = picture[top:bottom, left : int(left + 158 * scale)].astype(int)
    ys, xs = np.nonzero(np.abs(part - CYAN).max(axis=2) < 40)
    # An outline runs through the middles of its pixels, at half a pixel.
    for edge, place in ((xs.min(), 60.5), (ys.min(), 40.5), (ys.max(), 99.5)):
        assert edge == pytest.approx(place * scale, abs=2.5)


def test_the_bar_on_paper_is_as_long_as_it_says() -> None:
    scan = Scan.from_pixels(np.full((240, 320), 90, np.uint8), spacing=(0.5, 0.5))
    document = make_report(full(scan=scan, measures=()))
    picture = picture_of(to_pdf(document))
    left, _top, right, bottom = image_in(picture, 90)
    scale = (right - left) / 320
    dark = picture[bottom + 2 : bottom + 26, left - 3 : right].max(axis=2) < 110
    longest = max(_run(row) for row in dark)
    (bar,) = document.picture.bars
    assert bar.label == "50 mm"
    assert longest == pytest.approx(100 * scale, abs=4)


def _run(row: NDArray[np.bool_]) -> int:
    return max(map(len, "".join("x" if dark else " " for dark in row).split()), default=0)


def test_the_same_report_is_the_same_file_and_the_time_is_its_own() -> None:
    first, again = to_pdf(make_report(full())), to_pdf(make_report(full()))
    later = to_pdf(make_report(full(made_at=MADE_AT + timedelta(minutes=1))))
    assert first == again
    assert first != later
    assert to_html(make_report(full())) == to_html(make_report(full()))


def test_the_entries_of_the_file_name_the_case_and_nobody() -> None:
    given = full()
    document = pdfium.PdfDocument(to_pdf(make_report(given)))
    entries = document.get_metadata_dict()
    document.close()
    assert entries["Title"] == given.scan.case_number
    assert entries["Author"] == ""
    assert entries["CreationDate"] == "D:20261125093000+08'00'"
    joined = " ".join(entries.values())
    for personal in ("Dr.", "李", CONTEXT.pseudonym, "clinician"):
        assert personal not in joined


NASTY = (
    "<b>bold</b>", "a & b &amp; c", '<img src="http://x.example/y.png" onerror="a()">',
    "</para><script>alert(1)</script>", "12 < 15 > 3", '<a href="javascript:x">', "{{ 7 * 7 }}",
    "<!-- c -->", "**not ours**", "]]>", "&#60;", "%s %(a)s \\n {0}",
)  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_typed_markup_is_printed_as_it_was_typed(text: str) -> None:
    given = full(
        comment=text, author=text, role=text, override_reason=text, intended_use=text,
        limits=(text,), context=typed_context(text), no_prediction=text,
    )  # fmt: skip
    document = make_report(given)
    pdf = "".join(pages_of(to_pdf(document)))
    assert pdf.count(squeezed(text)) >= 7
    words = Reader.read(to_html(document))
    assert squeezed("".join(words.text)).count(squeezed(text)) >= 7
    assert not {"script", "a", "b", "iframe"} & words.tags


def typed_context(text: str) -> CaseContext:
    return replace(CONTEXT, indication=text, history=text)


class Reader(HTMLParser):
    """What a browser would make of a file: its text, its tags, and every address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    @classmethod
    def read(cls, html: bytes) -> Reader:
        reader = cls()
        reader.feed(html.decode("utf-8"))
        reader.close()
        return reader

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(("language", "lang"), [("en", "en"), ("zh_CN", "zh-CN")])
def test_the_html_needs_nothing_from_outside_and_runs_nothing(language: str, lang: str) -> None:
    with use_language(language):
        html = to_html(make_report(full()))
    read = Reader.read(html)
    assert ("lang", lang) in read.attributes
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & read.tags
    for name, value in read.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value.startswith("data:image/png;base64,")
    # The letters of an image may spell anything.
    bare = re.sub(rb"data:image/png;base64,[A-Za-z0-9+/=]+", b"", html)
    assert not re.search(rb"https?:|//|@import|url\(", bare)
    assert b"default-src 'none'" in bare
    assert b"@media print" in bare


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\x00b\x07c\x1bd", "a b c d"),
        ("line\r\nbreak\ttab", "line\nbreak tab"),
        ("e\u0301", "é"),
        ("\u202eevil\u202c", "evil"),
        ("soft\u00adhyphen", "softhyphen"),
        ("smile 😀.", "smile □."),
        ("שלום", "□□□□"),
        ("\ud800", "?"),
        ("± 2 °, 3 mm², µ × – …", "± 2 °, 3 mm², µ × – …"),
        ("喆珺琤 癌瘤鈣", "喆珺琤 癌瘤鈣"),
    ],
)
def test_characters_that_cannot_be_printed_are_seen_to_be_missing(text: str, printed: str) -> None:
    assert shown(text) == printed


def test_a_report_with_letters_that_are_missing_says_so() -> None:
    pdf = "".join(pages_of(to_pdf(make_report(full(comment="Seen 😀 by שלום")))))
    assert "Seen□by□□□□" in pdf
    assert squeezed("□ stands for a character this print has no letter for.") in pdf
    assert "□" not in "".join(pages_of(to_pdf(make_report(full()))))
    html = to_html(make_report(full(comment="Seen 😀 by שלום"))).decode()
    assert "Seen 😀 by שלום" in html


def test_every_letter_of_everyday_chinese_can_be_printed() -> None:
    codes = range(0xB0A1, 0xF7FF)
    both = [bytes((code >> 8, code & 0xFF)) for code in codes if code & 0xFF >= 0xA1]
    letters = {t for t in (b.decode("gb2312", "ignore") for b in both) if len(t) == 1}
    assert len(letters) == 6763
    assert not [letter for letter in letters if lacks(letter)]
    latin = [*range(0x20, 0x7F), *range(0xA1, 0x100), *range(0x391, 0x3A2), *range(0x410, 0x450)]
    assert not lacks("".join(map(chr, latin)))
    assert not lacks("Łukasz Wiśniewski Dvořák Růžička Yıldız Şahin őűąęğ")
    assert {ord(c) for c in "恶性良性正常报告仅供决策参考不是医疗器械"} <= _letters(BOLD)
    assert _letters(BOLD) <= _letters(REGULAR)


def test_the_fonts_come_with_their_licence_and_another_name() -> None:
    for name in (REGULAR, BOLD):
        font = TTFont(FONTS / f"{name}.ttf")
        called = {font["name"].getDebugName(n) for n in (1, 4, 6)}
        assert all(each and each.replace(" ", "").startswith("OverreadSansSC") for each in called)
        font.close()
    licence = (FONTS / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in licence
    assert "Adobe" in licence


def test_a_bold_text_whose_letter_is_only_in_the_regular_font_is_printed_whole() -> None:
    rare = next(c for c in "喆珺鑫淼癌瘘" if ord(c) not in _letters(BOLD))
    scan = phantom()
    made = replace(
        prediction(scan), labels=("benign", f"x{rare}"), positive=f"x{rare}",
        probabilities={"benign": 0.8, f"x{rare}": 0.2},
    )  # fmt: skip
    text = "".join(pages_of(to_pdf(make_report(full(scan=scan, prediction=made)))))
    assert squeezed(f"Not flagged as x{rare}") in text


def test_the_example_of_the_documentation_makes_a_report() -> None:
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)
    assert squeezed(NOTICE["zh_CN"]) in pages_of(made["pdf"])[0]
    assert b'lang="zh-CN"' in made["html"]

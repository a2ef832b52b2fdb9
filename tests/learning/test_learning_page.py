"""The page of an evaluation says what its report says, alone, to everybody, and runs nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import bundle_factory
import numpy as np
import pytest
from evaluation_factory import scored
from test_learning_report import POINTS, made

from core.learning.evaluation import Scored
from core.learning.page import report_html
from core.learning.page._words import number
from core.learning.report import full_report
from core.text import use_language

ORIGIN: dict[str, Any] = {
    "model": {"task": "breast-ultrasound", "version": "900.0", "bundle_digest": "d" * 64},
    "data": {"name": "ward", "split": "val", "fingerprint": "f" * 64},
    "made": "2026-01-02T03:04:05+00:00",
    "software": "0.1.0",
}
CARD = replace(
    bundle_factory.lesion_card(),
    intended_use="For <tests> & nobody else.",
    limits=("Phantoms only.",),
)


#: What most tests look at, measured once.
DATA = made()[0]
REPORT = full_report(DATA, POINTS, "balanced") | ORIGIN


def page(report: dict[str, Any], **others: Any) -> str:
    return report_html(report | others, CARD).decode()


def measured(data: Scored) -> dict[str, Any]:
    return full_report(data, POINTS, "balanced") | ORIGIN


class Outline(HTMLParser):
    """Tags in order, words, and whether every tag that was opened is closed again."""

    VOID = frozenset({"meta", "path", "rect", "circle", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_file_needs_nothing_else_and_nothing_in_it_runs() -> None:
    text = page(REPORT)
    outline = Outline(text)
    assert outline.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "foreignobject"} & {
        tag for tag, _attrs in outline.tags
    }
    for _tag, attrs in outline.tags:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href"):
            assert (attrs.get(name) or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert len(text) < 300_000


def test_every_figure_stands_on_the_page_as_the_report_tells_it() -> None:
    report = REPORT
    words = " ".join(Outline(page(report)).words)
    told = [value for value in report.values() if isinstance(value, dict) and "value" in value]
    told += [point[name] for point in report["operating_points"] for name in ("ppv", "npv")]
    told += [group["roc_auc"] for group in report["subgroups"]]
    told += [entry["accuracy"] for entry in report["selective"]]
    assert len(told) >= 25
    for entry in told:
        assert number(entry["value"]) in words
        assert f"[{number(entry['low'])}, {number(entry['high'])}]" in words
    for row in report["confusion"]["counts"]:
        total = sum(row)
        for count in row if total else ():
            assert f"{count} (" in words
    for entry in report["calibration"]["bins"]:
        assert str(entry["n"]) in words
    assert words.count("Decision support, not a medical device") >= 2
    for origin in ("900.0", "d" * 64, "f" * 64, "2026-01-02", "Phantoms only."):
        assert origin in words


def test_nobody_has_to_see_the_plots() -> None:
    outline = Outline(page(REPORT))
    plots = [attrs for attrs in outline.of("svg") if attrs.get("class") == "plot"]
    assert len(plots) >= 5
    ids = [attrs["id"] for _tag, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for plot in plots:
        assert plot["role"] == "img"
        assert set((plot["aria-labelledby"] or "").split()) <= set(ids)
    others = [attrs for attrs in outline.of("svg") if attrs.get("class") != "plot"]
    assert all(attrs.get("aria-hidden") == "true" for attrs in others)
    # Each table says what it is, and each of its cells what it belongs to.
    assert len(outline.of("caption")) == len(outline.of("table")) >= 7
    assert all(attrs.get("scope") in ("col", "row") for attrs in outline.of("th"))
    links = [(attrs["href"] or "")[1:] for attrs in outline.of("a")]
    assert len(links) >= 7
    assert set(links) <= set(ids)


def test_words_from_the_data_are_words_and_nothing_else() -> None:
    data = made()[0]
    evil = "<script>alert(1)</script>\"'&"
    data.attributes["source"] = np.where(data.truth == 2, evil, "ward")  # type: ignore[index]
    data = replace(data, refused=np.arange(240) == 3, reason=np.full(240, evil))
    text = page(measured(data), data={**ORIGIN["data"], "name": evil, "split": evil})
    assert "<script" not in text
    outline = Outline(text)
    assert " ".join(outline.words).count("<script>alert(1)") >= 4
    assert "For <tests> & nobody else." in " ".join(outline.words)


@pytest.mark.parametrize(
    ("p", "positive"),
    [
        ([0.2], [False]),
        ([0.9], [True]),
        ([0.2, 0.4, 0.9] * 4, [False] * 12),
        ([0.2, 0.4, 0.9] * 4, [True] * 12),
        ([0.5] * 12, [True, False] * 6),
        ([0.0, 1.0] * 6, [False, True] * 6),
        ([float("nan"), 0.3, 0.8], [True, False, True]),
    ],
)
def test_whatever_the_data_lack_there_is_a_page(p: list[float], positive: list[bool]) -> None:
    text = page(measured(scored(p, positive)))
    assert Outline(text).open == []
    assert not re.search(r"\b(nan|inf|none)\b", text.partition("<main>")[2].lower())


def test_what_the_data_cannot_give_is_said_and_not_drawn() -> None:
    words = " ".join(Outline(page(measured(scored([0.2, 0.4] * 6, [False] * 12)))).words)
    assert "These data cannot give" in words
    assert "ROC curve" not in words


def test_scans_that_were_refused_are_told_before_any_figure() -> None:
    words = " ".join(
        Outline(page(measured(scored([float("nan"), 0.3, 0.8], [True, False, True])))).words
    )
    # Only of what it read does the model say anything.
    assert "those that could be read count in every figure by what the model says" in words
    assert "could not be read at all and count as answered wrongly" in words
    assert words.index("count as answered wrongly") < words.index("Balanced accuracy")
    assert "not read" in words


def test_changes_are_drawn_from_mild_to_strong_with_none_among_them() -> None:
    figure = REPORT["accuracy"]
    changes = [
        {"change": name, "grade": grade, "n": 240, "refused": 5, "accuracy": figure}
        for name, grades in (("brightness", (-30, 30)), ("jpeg", (50, 10)))
        for grade in grades
    ]
    text = page(REPORT, robustness=changes)
    drawn = text[text.index('<section id="robustness">') :].partition("<table")[0]
    ticks = [word for word in Outline(drawn).words if word in ("-30", "30", "none", "50", "10")]
    assert ticks == ["-30", "none", "30", "none", "50", "10"]


def test_no_figure_is_rounded_to_certainty() -> None:
    assert [number(v) for v in (1.0, 0.9996, 0.0, 0.0004, -0.0002, 0.9994)] == [
        "1.000",
        ">0.999",
        "0.000",
        "<0.001",
        ">-0.001",
        "0.999",
    ]


def test_the_page_speaks_the_language_that_was_asked_for() -> None:
    with use_language("zh_CN"):
        text = page(REPORT)
    assert '<html lang="zh-CN">' in text
    # Numbers are the same in every language.
    assert number(REPORT["roc_auc"]["value"]) in text


def test_a_page_made_again_is_the_same_page() -> None:
    assert page(REPORT) == page(REPORT)

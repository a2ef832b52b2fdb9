"""The result of many scans: complete, countable, and without anything that names a person."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from report_factory import BOX, MADE_AT, lesion, pages_of, phantom, prediction, squeezed

from core.errors import ReportError
from core.model import Familiarity
from core.report import (
    BatchRow,
    BatchState,
    batch_csv,
    batch_summary_html,
    batch_summary_pdf,
)
from core.scan import Scan, check_quality
from core.text import use_language

FAILED = {"checks": [{"name": "blur", "outcome": "fail", "value": 0.1, "threshold": 0.3}]}
PASSED = {"checks": [{"name": "blur", "outcome": "pass", "value": 0.9, "threshold": 0.3}]}


def rows() -> list[BatchRow]:
    one, two, three, four = (phantom(seed, frame=1, frames=9) for seed in range(4))
    flagged = prediction(two, flagged=True, answer="malignant", probability=0.62)
    small = lesion(one, ((10.0, 10.0), (20.0, 10.0), (20.0, 20.0)))
    return [
        BatchRow.of(one, prediction(one), quality=PASSED, lesions=(small, lesion(one, BOX))),
        BatchRow.of(two, flagged, quality=FAILED, reason="The only image"),
        BatchRow.of(three, quality=FAILED),
        BatchRow.of(four, reason="The model is down."),
        BatchRow.not_decoded("Not a format that is read here."),
    ]


def of_a_model_that_can_tell() -> list[BatchRow]:
    """A scan it is not sure of, a picture it does not know, and one read for a reason."""
    one, two, three = (phantom(seed) for seed in range(3))
    known, unknown = Familiarity(True, 0.4, 1.0), Familiarity(False, 2.5, 1.0, "no_scan")
    unsure = prediction(one, familiarity=known, sure=False)
    seen = prediction(three, familiarity=unknown, sure=True)
    return [
        BatchRow.of(one, unsure, quality=PASSED),
        BatchRow.of(two, quality=PASSED, familiarity=unknown),
        BatchRow.of(three, seen, quality=PASSED, reason="For teaching"),
    ]


def test_what_a_model_does_not_know_has_no_number_in_the_table_unless_somebody_said_why() -> None:
    unsure, held_back, seen = table(batch_csv(of_a_model_that_can_tell()))
    assert (held_back["state"], held_back["known_scan"]) == ("not_known", "0")
    for name in ("answer", "flagged", "probability", "interval_95_low", "sure"):
        assert held_back[name] == "", name
    assert (seen["state"], seen["known_scan"], seen["reason"]) == ("read", "0", "For teaching")
    assert seen["probability"] == "0.2"
    assert (seen["interval_95_low"], seen["interval_n"]) == ("", "")
    assert (unsure["sure"], unsure["known_scan"], unsure["flagged"]) == ("0", "1", "0")


def test_a_summary_says_not_known_and_not_sure_before_any_number() -> None:
    html = batch_summary_html(of_a_model_that_can_tell(), made_at=MADE_AT).decode()
    cells = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    assert "Not sure" in cells[0]
    assert "Its threshold alone says: Not flagged as malignant." in cells[0]
    assert "20%" in cells[0]
    assert "Not a scan this model knows" in cells[1]
    assert "20%" not in cells[1]
    assert cells[2].index("Not a scan this model knows") < cells[2].index("20%")
    assert "no validation scan was like this" in cells[2]
    pdf = squeezed(
        " ".join(pages_of(batch_summary_pdf(of_a_model_that_can_tell(), made_at=MADE_AT)))
    )
    assert squeezed("Not a scan this model knows") in pdf


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_scan_has_its_answer_and_what_made_it() -> None:
    one, two, three, four, five = table(batch_csv(rows()))
    assert [r["state"] for r in (one, two, three, four, five)] == [
        "read", "read", "quality_failed", "not_read", "not_decoded",
    ]  # fmt: skip
    scan = phantom(0)
    assert one["case_number"] == scan.case_number
    assert one["image_digest"] == scan.digest
    assert (one["frame"], one["frames"]) == ("2", "9")
    assert (one["answer"], one["flagged"], two["flagged"]) == ("benign", "0", "1")
    assert float(one["probability"]) == 0.2
    assert (one["interval_95_low"], one["interval_95_high"], one["interval_n"]) == (
        "0.12", "0.31", "41",
    )  # fmt: skip
    assert one["prevalence"] == "0.3"
    assert one["model_version"] == "7.0"
    assert one["bundle_digest"] == "d" * 64
    assert one["notice"] == "Decision support, not a medical device"
    # The larger of the two.
    assert float(one["longest_chord"]) == pytest.approx(58.05, abs=0.01)
    assert one["unit"] == "mm"
    assert one["outline"] == "AI outline, unconfirmed"
    assert two["outline"] == ""
    assert two["reason"] == "The only image"
    assert three["quality"] == "fail"
    assert three["quality_failed"].startswith("Sharpness")
    assert four["reason"] == "The model is down."
    assert five["reason"] == "Not a format that is read here."
    assert five["image_digest"] == ""


def test_file_names_are_in_the_csv_only_where_they_are_handed_in() -> None:
    assert "file" not in table(batch_csv(rows()))[0]
    named = table(batch_csv(rows(), ["a.png", "=1+1", "+x\ny", "", "e,f.dcm"]))
    assert [r["file"] for r in named] == ["a.png", "'=1+1", "'+x y", "", "e,f.dcm"]
    with pytest.raises(ValueError, match="zip"):
        batch_csv(rows(), ["a.png"])


@pytest.mark.parametrize("typed", ["=cmd()", "+1", "-1", "@x", "\t=1", "＝1"])
def test_no_cell_is_run_by_a_spreadsheet(typed: str) -> None:
    (row,) = table(batch_csv([BatchRow.not_decoded(typed)], [typed]))
    assert row["reason"].lstrip().startswith("'")
    assert row["file"].lstrip().startswith("'")


def test_no_scans_is_a_table_without_rows() -> None:
    assert table(batch_csv([])) == []
    assert "case_number" in batch_csv([])
    assert pages_of(batch_summary_pdf([], made_at=MADE_AT))


def test_the_answer_to_another_image_is_not_listed_under_this_one() -> None:
    with pytest.raises(ReportError, match="another image"):
        BatchRow.of(phantom(1), prediction(phantom(2)))


def test_heat_is_not_measured() -> None:
    scan = phantom()
    row = BatchRow.of(scan, prediction(scan, has_lesion_map=False), lesions=(lesion(scan),))
    assert row.longest is None


def test_a_blank_picture_is_given_no_interval_here_either() -> None:
    scan = Scan.from_pixels(np.full((120, 160), 9, np.uint8))
    for quality in (None, check_quality(scan).to_dict()):
        row = BatchRow.of(scan, prediction(scan), quality=quality)
        assert (row.low, row.high, row.n) == (None, None, None)
        assert "blank" in row.failed
        text = "".join(pages_of(batch_summary_pdf([row], made_at=MADE_AT)))
        assert squeezed("Hardly a breast ultrasound image") in text
        assert squeezed("Such images were never tested.") in text


def test_an_image_that_fails_any_check_is_given_no_interval() -> None:
    scan = phantom()
    row = BatchRow.of(scan, prediction(scan), quality=FAILED, reason="The only image")
    (line,) = table(batch_csv([row]))
    assert line["interval_95_low"] == line["interval_95_high"] == line["interval_n"] == ""
    text = "".join(pages_of(batch_summary_pdf([row], made_at=MADE_AT)))
    assert squeezed("Read although the image fails: Sharpness. Such images were never") in text
    assert squeezed("No interval is given") in text
    assert squeezed("Hardly a breast") not in text, "it is a scan all the same"


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_summary_lists_every_scan_and_counts_them(language: str) -> None:
    many = [row for _ in range(9) for row in rows()]
    with use_language(language):
        pages = pages_of(batch_summary_pdf(many, made_at=MADE_AT, author="Dr. Li 李明"))
        html = squeezed(batch_summary_html(many, made_at=MADE_AT, author="Dr. Li 李明").decode())
    assert len(pages) > 1
    notice = "Decision support, not a medical device" if language == "en" else "不是医疗器械"
    assert all(squeezed(notice) in page for page in pages)
    for text in ("".join(pages), html):
        for row in rows():
            assert not row.case_number or text.count(row.case_number) == 9
        assert text.count("12%–31%") == 9, "the other answer is of an image that fails"
        assert text.count(squeezed("58.1 mm × 34.8 mm")) == 9
        assert "Dr.Li李明" in text
        assert "d" * 64 in text
    if language == "en":
        text = "".join(pages)
        assert "".join(pages).startswith("Summaryofmanyscans")
        assert text.count("Benigndoesnotexcludecancer.") == 9
        assert text.count("AIoutline,unconfirmed") == 9
        assert text.count("Reasongiven:Theonlyimage") == 9
        facts = "".join(pages)[:200]
        assert "45918999" in facts, "in all, flagged, read, quality failed, not read, not decoded"


def test_the_summary_has_a_picture_of_every_scan_and_nothing_from_outside() -> None:
    html = batch_summary_html(rows(), made_at=MADE_AT).decode()
    assert html.count("data:image/png;base64,") == 4
    bare = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?:|//", bare)
    assert "<script" not in bare
    typed = batch_summary_html([BatchRow.not_decoded("<b>x</b>")], made_at=MADE_AT).decode()
    assert "&lt;b&gt;x" in typed


def test_every_state_a_row_may_have_has_its_words() -> None:
    found = {row.state for row in (*rows(), *of_a_model_that_can_tell())}
    assert found == set(BatchState)


def test_the_same_summary_is_the_same_file() -> None:
    made = [batch_summary_pdf(rows(), made_at=MADE_AT) for _ in range(2)]
    assert made[0] == made[1]
    with pytest.raises(ReportError, match="time zone"):
        batch_summary_pdf(rows(), made_at=MADE_AT.replace(tzinfo=None))


def test_the_sites_prevalence_stands_in_both_files_where_it_is_set() -> None:
    one, two = phantom(1), phantom(2)
    listed = [
        BatchRow.of(one, prediction(one), quality=PASSED, site_prevalence=0.02),
        BatchRow.of(two, prediction(two), quality=FAILED, site_prevalence=0.02),
    ]
    first, second = table(batch_csv(listed))
    # By hand: odds .2/.8 at 30 %, times (.02/.98)/(.3/.7).
    odds = 0.25 * (0.02 / 0.98) / (0.3 / 0.7)
    assert float(first["site_prevalence"]) == 0.02
    assert float(first["probability_at_site"]) == pytest.approx(odds / (1 + odds))
    low, high = (float(first[f"interval_95_{end}_at_site"]) for end in ("low", "high"))
    assert low < float(first["probability_at_site"]) < high
    # What fails its check has no interval and no restated number either.
    assert (second["site_prevalence"], second["probability_at_site"]) == ("", "")
    page = batch_summary_html(listed, made_at=MADE_AT).decode()
    assert page.count("At this site (2% malignant): 1% (") == 1
    assert "At this site" not in batch_summary_html(rows(), made_at=MADE_AT).decode()

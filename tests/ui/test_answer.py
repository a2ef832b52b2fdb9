"""The numbers beside the image are the ones they claim to be."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from made_results import INTERVAL, phantom, prediction, quality
from streamlit.testing.v1 import AppTest

from core.model import (
    Familiarity,
    Interval,
    Prediction,
    Reference,
    SitePrevalence,
    outlined_all_the_same,
)
from core.scan import CheckName, Scan
from core.ui.scores import histogram, score_figure
from core.ui.site import Site
from core.ui.wording import apart, percent

pytestmark = pytest.mark.usefixtures("site")


def _page(prediction, scan, quality, reason, site):
    # Streamlit takes this apart and runs its body as a script.
    from core.ui.answer import show_answer

    show_answer(prediction, scan, quality, reason, site)


def shown(
    answer: Prediction,
    scan: Scan,
    failed: tuple[CheckName, ...] = (),
    site: Site | None = None,
) -> str:
    """Return every word of the answer as a page shows it."""
    reason = "<b>For teaching</b>" if failed else ""
    kwargs = {"prediction": answer, "scan": scan, "quality": quality(*failed), "reason": reason}
    kwargs["site"] = site
    app = AppTest.from_function(_page, kwargs=kwargs, default_timeout=30).run()
    assert not app.exception
    kinds = ("subheader", "markdown", "caption", "warning", "text")
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [f"{metric.label} = {metric.value}" for metric in app.metric]
    parts += [bar.proto.text for bar in app.get("progress")]
    return "\n".join(parts)


def test_the_answer_stands_with_its_own_interval_and_what_it_means_elsewhere() -> None:
    scan = phantom()
    said = shown(prediction(scan), scan)
    assert f"AI result · case {scan.case_number}" in said
    assert "Flagged: malignant" in said
    assert "Probability of malignant, calibrated = 40%" in said
    assert (
        "Of 24 validation scans scored 35%–45%, 9 were malignant: 38%, 95% interval **21%–57%**."
    ) in said
    # By hand: odds .4/.6 at 30 %, so times (.05/.95)/(.3/.7) = .12281 where 5 % are; in the same
    # way .21 gives .0316 and .57 gives .1400.
    assert "Holds where 30% are malignant" in said
    assert "where 5% are, the same image means **8% (3%–14%)**." in said
    for bar in ("malignant · 40%", "benign · 45%", "normal · 15%"):
        assert bar in said
    assert (
        "Flags from 35% (“balanced”): found 81% [70–88] of the malignant validation scans, "
        "spared 74% [66–80] of the others"
    ) in said
    assert "breast-ultrasound 7.0" in said
    assert "does not exclude cancer" not in said


def at_site(share: float) -> Site:
    return Site(SitePrevalence(1, "breast-ultrasound", share, "Audit", "p", "P", datetime.now(UTC)))


def test_the_sites_own_prevalence_takes_the_place_of_the_example() -> None:
    scan = phantom()
    said = shown(prediction(scan), scan, site=at_site(0.02))
    # By hand: odds .4/.6 at 30 %, so times (.02/.98)/(.3/.7) = .0476 where 2 % are: 3.08 %; in
    # the same way .21 gives 1.25 % and .57 gives 5.94 %.
    assert "at this site 2% are, and there the same image means **3% (1%–6%)**." in said
    assert "At this site (2% malignant) = 3%" in said
    # The study's probability stays: it is the one that is held against the threshold.
    assert "Probability of malignant, calibrated = 40%" in said
    assert "where 5% are" not in said
    assert "Site prevalence 2%, set on" in said


def test_outside_its_interval_the_number_at_the_site_is_the_interval_too() -> None:
    scan = phantom()
    said = shown(prediction(scan, probability=0.98), scan, site=at_site(0.02))
    assert "At this site (2% malignant) = 1%–6%" in said


def test_no_prevalence_is_claimed_for_a_score_that_is_none_or_a_scan_that_fails() -> None:
    scan = phantom()
    for answer, failed in (
        (prediction(scan, calibrated=False), ()),
        (prediction(scan, prevalence=None), ()),
        (prediction(scan), (CheckName.BLUR,)),
    ):
        said = shown(answer, scan, failed, at_site(0.02))
        assert "this site" not in said.lower()
        assert "Site prevalence" not in said


def test_a_prevalence_that_is_not_set_and_one_that_is_not_known_are_told_apart() -> None:
    scan = phantom()
    not_set = shown(prediction(scan), scan, site=Site(None))
    unknown = shown(prediction(scan), scan, site=Site(None, known=False))
    assert "Site prevalence not set: 5% is an example." in not_set
    assert "Site prevalence cannot be looked up now: 5% is an example." in unknown
    for said in (not_set, unknown):
        assert "where 5% are, the same image means **8% (3%–14%)**." in said


def test_a_picture_that_is_not_known_says_so_before_its_number_and_borrows_no_interval() -> None:
    scan = phantom()
    unknown = Familiarity(False, 3.0, 1.0, "no_scan")
    said = shown(prediction(scan, familiarity=unknown, sure=True), scan, site=at_site(0.02))
    assert "Not a scan this model knows" in said
    assert "more like a photograph, a document or noise" in said
    assert "Reason given:" in said
    assert "No interval is given" in said
    assert "Flagged: malignant" not in said
    assert "21%–57%" not in said
    assert "this site" not in said.lower()
    assert "Score for malignant, not calibrated = 40%" in said


def test_an_answer_that_is_not_sure_is_not_read_as_flagged_or_not_and_keeps_its_number() -> None:
    scan = phantom()
    said = shown(prediction(scan, familiarity=Familiarity(True, 0.3, 1.0), sure=False), scan)
    titles = [line for line in said.splitlines() if line.startswith(":material")]
    assert titles == [":material/help: Not sure"]
    assert "Its threshold alone says: Flagged: malignant." in said
    assert "Probability of malignant, calibrated = 40%" in said
    assert "95% interval **21%–57%**" in said


def test_a_model_says_whether_it_checks_that_a_picture_is_a_scan() -> None:
    scan = phantom()
    nothing = "whether this is a breast ultrasound is not checked"
    assert nothing in shown(prediction(scan), scan)
    known = shown(prediction(scan, familiarity=Familiarity(True, 0.3, 1.0)), scan)
    assert nothing not in known
    assert "that does not prove it is one" in known


@pytest.mark.parametrize(
    ("probability", "outside"), [(0.2099, True), (0.21, False), (0.57, False), (0.5701, True)]
)
def test_a_probability_outside_its_interval_says_so_and_no_other_does(
    probability: float, outside: bool
) -> None:
    scan = phantom()
    said = shown(prediction(scan, probability=probability), scan)
    assert ("lies outside this interval" in said) is outside


def test_a_number_outside_its_interval_is_not_shown_as_the_middle_of_it_where_few_are_ill() -> None:
    scan = phantom()
    said = shown(prediction(scan, probability=0.98), scan)
    # .21 and .57 at 30 % are .0316 and .1400 where 5 % are; .98 would be .86, far outside.
    assert "where 5% are, the same image means **3%–14%**." in said
    assert "86%" not in said


def test_an_answer_that_was_not_flagged_never_reads_as_all_clear() -> None:
    scan = phantom()
    said = shown(prediction(scan, flagged=False, answer="benign", probability=0.3), scan)
    assert "Not flagged as malignant" in said
    assert "Benign does not exclude cancer." in said


def test_a_score_that_nobody_calibrated_is_called_no_probability() -> None:
    scan = phantom()
    said = shown(prediction(scan, calibrated=False), scan)
    assert "Score for malignant, not calibrated = 40%" in said
    assert "its score is no probability" in said
    assert "Probability of" not in said
    assert "where 5%" not in said
    assert "The prevalence this number holds for is not known." in said


def test_a_model_without_validation_scans_is_given_no_certainty() -> None:
    scan = phantom()
    said = shown(prediction(scan, interval=None), scan)
    assert "no interval can be given" in said
    assert "95% interval" not in said
    assert "the same image means **8%**." in said


@pytest.mark.parametrize("failed", [CheckName.BLANK, CheckName.COLOUR])
def test_a_picture_that_is_hardly_a_scan_is_doubted_before_it_is_answered(
    failed: CheckName,
) -> None:
    scan = phantom()
    said = shown(prediction(scan), scan, (failed,))
    assert "Hardly a breast ultrasound" in said
    assert "Flagged: malignant" not in said
    assert "95% interval" not in said


def test_a_scan_read_in_spite_of_its_quality_says_so_and_why_and_borrows_no_interval() -> None:
    scan = phantom()
    said = shown(prediction(scan), scan, (CheckName.BLUR, CheckName.EXPOSURE))
    assert "Read although the image fails: Sharpness, Brightness." in said
    assert "Reason given: <b>For teaching</b>" in said
    assert "95% interval" not in said
    assert "No interval is given" in said
    assert "Read although" not in shown(prediction(scan), scan)


def test_a_blank_picture_that_comes_in_is_not_read_before_a_reason_is_given() -> None:
    from core.ui.reading_list import ReadingList

    reading = ReadingList()
    blank = reading.add(Scan.from_pixels(np.full((300, 300), 7, np.uint8))).shown
    good = reading.add(phantom(width=640, height=480)).shown
    assert [blank.qualifies, good.qualifies] == [False, True]
    assert reading.unread == [good]
    blank.reason = "For teaching or research only"
    assert reading.unread == [blank, good]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0%"), (1.0, "100%"), (1e-9, "<1%"), (0.0099, "<1%"), (0.01, "1%"),
        (0.344, "34%"), (0.346, "35%"), (0.99, "99%"), (0.994, ">99%"), (1 - 1e-9, ">99%"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_certainty(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("probability", "threshold", "words"),
    [
        (0.3361, 0.3396, ("33.6%", "34.0%")),
        (0.33961, 0.33957, ("33.961%", "33.957%")),
        (0.4, 0.35, ("40%", "35%")),
        (0.34, 0.34, ("34%", "34%")),
        (0.9, 0.004, ("90%", "<1%")),
        (0.9999, 0.6, (">99%", "60%")),
        (0.9999, 0.995, (">99.9%", "99.5%")),
        (0.00001, 0.002, ("<0.1%", "0.2%")),
    ],
)
def test_a_probability_just_below_the_threshold_does_not_look_like_it(
    probability: float, threshold: float, words: tuple[str, str]
) -> None:
    assert apart(probability, threshold) == words


def test_a_figure_counts_every_validation_scan_in_its_tenth() -> None:
    scores = np.array([0.0, 0.05, 0.1, 0.55, 0.5999, 0.6, 0.95, 1.0], np.float32)
    sick = np.array([False, False, True, True, False, True, True, True])
    positive, others = histogram(Reference(scores, sick))
    assert positive == [0, 1, 0, 0, 0, 1, 1, 0, 0, 2]
    assert others == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    figure = score_figure(positive, others, prediction(phantom()))
    assert [list(bar.y) for bar in figure.data] == [others, positive]
    assert [bar.name for bar in figure.data] == ["not malignant", "malignant"]
    assert [line.x0 for line in figure.layout.shapes] == pytest.approx([40, 35])


def test_an_outline_beside_the_answer_normal_is_not_passed_over() -> None:
    scan = phantom()
    said = outlined_all_the_same(prediction(scan, answer="normal", flagged=False), 1)
    assert "“normal”" in said
    assert "outlines something" in said
    assert not outlined_all_the_same(prediction(scan, answer="normal", flagged=False), 0)
    assert not outlined_all_the_same(prediction(scan, answer="benign", flagged=False), 1)


def test_an_interval_of_another_model_is_not_borrowed() -> None:
    scan = phantom()
    other = Interval(0.5, 0.9, 31, 22, 0.45, 0.6)
    said = shown(prediction(scan, interval=other), scan)
    assert "Of 31 validation scans scored 45%–60%, 22 were malignant: 71%" in said
    assert f"**{percent(INTERVAL.low)}–" not in said

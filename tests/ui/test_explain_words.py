"""What is said of a map: where it lies, whether it may be trusted, and whether two agree."""

from __future__ import annotations

import numpy as np
import pytest

from core.explain import (
    Agreement,
    Curves,
    Explanation,
    Occlusion,
    agreement,
    asked_name,
    heat_inside,
    hottest_place,
)
from core.ui.explain_choice import METHODS, Choice, hidden_region
from core.ui.explain_evidence import curve_lines, curves_figure, sum_line
from core.ui.explain_kept import Found, Kept, Question
from core.ui.explain_layer import drawn, heat_of, map_png
from core.ui.explain_words import (
    agreement_words,
    direction,
    faithful_words,
    grain,
    hidden_words,
    hiding_words,
    method_name,
    what_it_asks,
    where_words,
)
from core.ui.explain_work import turned

SIZE = (60, 80)


def explanation(values: np.ndarray, *, signed: bool = False, **changes: object) -> Explanation:
    """Return a map of a scan that is not there."""
    facts = {
        "method": "expected-gradients" if signed else "grad-cam",
        "target": "malignant",
        "values": values.astype(np.float32),
        "signed": signed,
        "layer": None,
        "parameters": {},
        "unit": "score" if signed else "relative",
        "base_value": None,
        "output": None,
        "bundle_digest": "b" * 64,
        "image_digest": "i" * 64,
    }
    return Explanation(**facts | changes)  # type: ignore[arg-type]


def spot(rows: slice, columns: slice, value: float = 1.0) -> np.ndarray:
    values = np.zeros(SIZE)
    values[rows, columns] = value
    return values


LOW_LEFT = spot(slice(48, 56), slice(4, 12))


def curves(deletion: float, insertion: float, *at_random: float) -> Curves:
    """Return curves that are level, so that their areas are what they are given."""
    shares = np.linspace(0, 1, 3)
    level = [np.full(3, value) for value in (deletion, insertion, *at_random)]
    return Curves("grad-cam", "malignant", shares, level[0], level[1], np.stack(level[2:]))


def test_a_map_is_said_to_lie_where_it_lies() -> None:
    assert direction(explanation(LOW_LEFT)) == "lower left"
    assert direction(explanation(spot(slice(26, 34), slice(36, 44)))) == "middle"
    assert direction(explanation(spot(slice(2, 8), slice(36, 44)))) == "top"


def test_the_place_that_is_named_is_the_place_that_is_held_against_the_outline() -> None:
    # Much that is weak lies below, and the one hottest place above: rough cells would name the
    # first while the second is judged.
    heat = spot(slice(48, 56), slice(4, 12), 0.5) + spot(slice(4, 7), slice(40, 43))
    made = explanation(heat, signed=True)
    found = heat_inside(made, spot(slice(2, 9), slice(38, 45), 255))
    assert found.peak_inside
    assert found.peak == hottest_place(made.values)
    said = where_words(made, found, against=False)
    assert "at the top, lies inside too" in said


def test_the_share_of_heat_in_the_outline_is_the_share_of_heat_in_the_outline() -> None:
    heat = LOW_LEFT + spot(slice(4, 8), slice(60, 68), 0.5)  # 64 and 16
    outline = spot(slice(40, 60), slice(0, 20), 255)
    made = explanation(heat)
    said = where_words(made, heat_inside(made, outline), against=False)
    assert said.startswith("80% of what speaks for malignant lies inside the outline")
    assert "at the lower left, lies inside too" in said
    other = spot(slice(0, 20), slice(50, 80), 255)
    said = where_words(made, heat_inside(made, other), against=False)
    assert said.startswith("20% of")
    assert "lies outside" in said
    assert "outline" not in where_words(made, None, against=False)


def test_why_not_speaks_of_what_speaks_against() -> None:
    made = explanation(LOW_LEFT - 2 * spot(slice(2, 8), slice(60, 70)), signed=True)
    said = where_words(turned(made), None, against=True)
    assert said == "What speaks against malignant is hottest at the upper right of the picture."
    alone = drawn(made, against=True)
    assert alone.values.max() == 0
    assert alone.values.min() < 0


def test_a_map_no_better_than_chance_is_not_called_faithful() -> None:
    assert "not been measured" in faithful_words(None)
    assert "more than on any of 3 random orders" in faithful_words(curves(0.2, 0.8, 0.5, 0.4, 0.6))
    assert "not better than chance" in faithful_words(curves(0.2, 0.55, 0.5, 0.4, 0.6))


def test_two_methods_that_disagree_are_said_to_plainly() -> None:
    said = agreement_words("grad-cam", "expected-gradients", Agreement(0.1, 0.5))
    assert said.startswith("Grad-CAM and SHAP by pixels disagree")
    together = Agreement(0.6, 0.5, chance_correlation=0.3, chance_overlap=0.3)
    assert " agree (" in agreement_words("grad-cam", "hires-cam", together)


def test_a_method_that_gives_the_same_map_is_not_sold_as_a_second_opinion() -> None:
    rng = np.random.default_rng(3)
    values = rng.random(SIZE)
    first = explanation(values, signed=True)
    scaled = explanation(7 * values, signed=True)
    other = explanation(values + 0.1 * rng.random(SIZE), signed=True)
    said = agreement_words("grad-cam", "hires-cam", agreement(first, scaled))
    assert said == "Grad-CAM and HiResCAM give one and the same map here: no second opinion."
    assert " agree (" in agreement_words("grad-cam", "hires-cam", agreement(first, other))


@pytest.mark.parametrize(
    ("elsewhere", "verdict"),
    [((0.1, 0.3), "not** stand"), ((0.01,), "stands out"), ((), "nowhere else")],
)
def test_hiding_a_region_means_something_only_where_it_stands_out(
    elsewhere: tuple[float, ...], verdict: str
) -> None:
    region = LOW_LEFT.astype(bool)
    hidden = Occlusion(
        "malignant", "fill", region, np.zeros(SIZE, np.uint8), 0.1,
        {"benign": 0.2, "malignant": 0.8}, {"benign": 0.4, "malignant": 0.6},
        elsewhere, {}, "b" * 64, "i" * 64,
    )  # fmt: skip
    said = hidden_words(hidden)
    assert "says 60% for malignant, with it 80%: +20 percentage points" in said
    assert verdict in said
    # The reviewer's words are made of what is kept with the map, and are the same.
    kept = hidden.explanation().parameters["found"]
    assert said == hiding_words("malignant", kept["before"], kept["after"], kept["elsewhere"])


def test_next_to_nothing_is_not_drawn_as_if_it_were_much() -> None:
    def seen(before: float, after: float) -> float:
        hidden = Occlusion(
            "malignant", "fill", LOW_LEFT.astype(bool), np.zeros(SIZE, np.uint8), 0.1,
            {"malignant": before}, {"malignant": after}, (), {}, "b" * 64, "i" * 64,
        )  # fmt: skip
        made = hidden.explanation()
        return float(np.abs(drawn(made).values).max() / drawn(made).limit)

    assert seen(0.5, 0.49) == pytest.approx(0.05)
    assert seen(0.3, 0.4) == pytest.approx(0.5)
    assert seen(0.9, 0.2) == 1


def test_a_method_that_asks_about_no_class_is_not_named_as_if_it_did() -> None:
    assert asked_name("eigen-cam", "malignant") == "Eigen-CAM"
    assert asked_name("grad-cam", "malignant") == "Grad-CAM for “malignant”"
    assert "against “benign”" in asked_name("partition-shap", "benign", against=True)
    question = Question("i" * 64, "b" * 64, "eigen-cam", "malignant")
    shown = heat_of(question, explanation(LOW_LEFT, method="eigen-cam"))
    assert "malignant" not in shown.caption


def test_the_gap_of_shap_values_stands_beside_their_sum() -> None:
    made = explanation(LOW_LEFT / 64, signed=True, base_value=0.5, output=1.75)
    said = str(sum_line(made))
    assert "give 1.50, the model says 1.75; gap 0.25" in said
    assert said.startswith("Does **not** quite add up"), "a fifth is missing"
    close = explanation(LOW_LEFT / 64, signed=True, base_value=-0.5, output=0.51)
    assert str(sum_line(close)).startswith("Adds up: background −0.50")
    assert sum_line(explanation(LOW_LEFT)) is None


def test_the_chart_holds_the_map_against_random_orders_with_symbols_and_dashes() -> None:
    made = curves(0.2, 0.8, 0.5, 0.4)
    figure = curves_figure(made)
    assert [trace.line.dash for trace in figure.data] == ["dot", "dot", "solid", "dash"]
    assert "0.20 (random 0.40 to 0.50" in curve_lines(made)[0]
    names = [trace.name for trace in curves_figure(made, against=True).data]
    assert names[-2:] == [f"what speaks most for it {way} first" for way in ("hidden", "shown")]


def test_the_picture_of_a_map_is_as_opaque_as_it_is_strong() -> None:
    import io

    from PIL import Image

    values = np.array([[0.0, 0.5, 1.0]])
    rgba = np.asarray(Image.open(io.BytesIO(map_png(drawn(explanation(values)), signed=False))))
    assert list(rgba[0, :, 3]) == [0, 128, 255]


def test_every_method_says_what_it_asks() -> None:
    assert len({what_it_asks(method) for method in METHODS}) == len(METHODS)
    assert len({method_name(method) for method in METHODS}) == len(METHODS)
    assert "20 × 20" in grain("grad-cam", (20, 20))
    assert grain("lesion-drivers", None) == ""


def test_a_question_changes_with_all_that_the_answer_depends_on() -> None:
    regions = [((0, 0), (9, 0), (9, 9)), ((5, 5), (9, 5), (9, 9))]
    asked = {
        Choice(**changes).question(image, "b", "benign", regions)  # type: ignore[arg-type]
        for image in ("i", "j")
        for changes in (
            {},
            {"method": "hires-cam"},
            {"target": "malignant"},
            {"method": "occlusion"},
            {"method": "occlusion", "region": 0},
            {"method": "occlusion", "how": "blur"},
        )
    }
    assert len(asked) == 12
    assert Choice(method="occlusion").question("i", "b", "benign") is None
    last = Choice(method="occlusion").question("i", "b", "benign", regions)
    assert last is not None
    assert hidden_region(last) == ("fill", list(regions[1]))


def test_a_map_is_never_kept_as_that_of_another_scan_and_the_oldest_goes_first() -> None:
    made = explanation(LOW_LEFT)
    questions = [Question("i" * 64, "b" * 64, f"method-{n}", "malignant") for n in range(3)]
    shelf = Kept(most=2 * Found(made).held_bytes)
    with pytest.raises(ValueError, match="scan"):
        shelf.put(Question("other", "b" * 64, "grad-cam", "malignant"), Found(made))
    for question in questions[:2]:
        shelf.put(question, Found(made))
    assert shelf.get(questions[0]) is not None
    shelf.put(questions[2], Found(made))
    assert shelf.get(questions[1]) is None, "the one looked at longest ago stayed"
    assert shelf.get(questions[0]) is not None
    shelf.add(questions[0], curves(0.2, 0.8, 0.5), None)
    kept = shelf.get(questions[0])
    assert kept is not None
    assert kept.curves is not None
    assert kept.explanation is made


@pytest.mark.parametrize(
    ("before", "after", "points"),
    [(0.984, 0.629, "+35"), (0.976, 0.6249, "+36"), (0.30, 0.62, "−32"), (0.999, 0.1, "+90")],
)
def test_the_points_that_came_from_a_region_are_the_difference_of_the_figures_beside_them(
    before: float, after: float, points: str
) -> None:
    assert f": {points} percentage points" in hiding_words("malignant", before, after, ())

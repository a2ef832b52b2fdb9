"""A card that contradicts itself must never become a model someone trusts."""

from __future__ import annotations

import json
from typing import Any

import bundle_factory
import pytest

from core.errors import BundleInvalid
from core.model import Calibration, Card, OperatingPoint


def changed(*path: str, to: Any) -> str:
    value = json.loads(bundle_factory.lesion_card().to_json())
    node = value
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = to
    return json.dumps(value)


def without(*path: str) -> str:
    value = json.loads(bundle_factory.lesion_card().to_json())
    node = value
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    return json.dumps(value)


def test_a_card_says_the_same_after_it_was_written_and_read() -> None:
    card = bundle_factory.lesion_card()
    assert Card.from_json(card.to_json()) == card
    assert Card.from_json(card.to_json()).to_json() == card.to_json()
    plain = bundle_factory.classifier_card(prevalence=None)
    assert Card.from_json(plain.to_json()) == plain


def test_the_answer_is_given_at_the_approved_operating_point() -> None:
    card = bundle_factory.lesion_card()
    assert card.approved.name == "balanced"
    assert card.approved.threshold == 0.35
    assert card.positive_index == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("not json", "JSON"),
        ("[]", "card.json must be an object"),
        (changed("format", to=2), "format must be 1"),
        (without("labels"), "labels is missing"),
        (without("outputs"), "outputs is missing"),
        (without("approved_operating_point"), "approved_operating_point is missing"),
        (changed("positive", to="cancer"), "positive is not one of the labels"),
        (changed("labels", to=["a", "a", "malignant"]), "different names"),
        (changed("labels", to=["malignant"]), "two or more"),
        (changed("labels", to="malignant"), "labels has a value of the wrong kind"),
        (changed("approved_operating_point", to="x"), "is not among the operating_points"),
        (changed("operating_points", to={}), "is not among the operating_points"),
        (changed("operating_points", "balanced", "threshold", to=1.5), "between 0 and 1"),
        (changed("operating_points", "balanced", "threshold", to=None), "threshold is missing"),
        (changed("operating_points", "balanced", "sensitivity", to=2), "from 0 to 1"),
        (changed("operating_points", "balanced", "sensitivity_interval", to=[0.9, 0.1]), "low, hi"),
        (changed("operating_points", "balanced", "sensitivity_interval", to=[0.9]), "wrong kind"),
        (changed("calibration", "temperature", to=-1), "temperature must be above 0"),
        (changed("calibration", "temperature", to=0), "temperature must be above 0"),
        (changed("calibration", "temperature", to=float("nan")), "not finite"),
        (changed("calibration", "bias", to=[0, 0]), "one number per label"),
        (changed("calibration", "bias", to=[0, 0, "x"]), "list of numbers"),
        (changed("calibration", "method", to="platt"), "calibration method"),
        (changed("input", "size", to=True), "wrong kind"),
        (changed("input", "size", to=0), "input size"),
        (changed("input", "channels", to=2), "input channels"),
        (changed("preprocessing", "resize", to="crop"), "resize"),
        (changed("preprocessing", "intensity", to="log"), "intensity"),
        (changed("preprocessing", "intensity", to="caffe"), "needs 3 input channels"),
        (changed("preprocessing", "pad", to=float("inf")), "not finite"),
        (changed("prevalence", "positive", to=1.0), "prevalence"),
        (changed("metrics", "auc", "value", to=float("nan")), "not finite"),
        (changed("version", to="1.0-beta"), "version"),
        (changed("task", to="../escape"), "task"),
        (changed("outputs", "probabilities", to="p"), "not both"),
        (changed("outputs", "lesion_map", to="lesion"), "outputs.lesion_map is not an entry"),
        (changed("tresholds", to=1), "tresholds is not an entry"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line_that_names_the_entry(text: str, part: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        Card.from_json(text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_somebody_typed_into_a_card_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BundleInvalid) as caught:
        Card.from_json(changed("Mrs Example 1970", to=1))
    assert "Example" not in str(caught.value)


def test_a_card_made_in_code_is_held_to_the_same_rules() -> None:
    with pytest.raises(BundleInvalid, match="temperature"):
        bundle_factory.lesion_card(calibration=Calibration("vector-temperature", -1.0, (0, 0, 0)))
    with pytest.raises(BundleInvalid, match="threshold"):
        bundle_factory.lesion_card(operating_points=(OperatingPoint("balanced", float("nan")),))
    with pytest.raises(BundleInvalid, match="finite"):
        bundle_factory.lesion_card(metrics={"auc": float("nan")})

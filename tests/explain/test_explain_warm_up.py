"""Getting explanations ready in the background changes nothing but the wait."""

import logging

import bundle_factory
import numpy as np
import pytest
from explain_fakes import formula_model

from core.errors import JobCancelled
from core.explain import grad_cam, warm_up
from core.model import Predictor


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("warm"))
    return Predictor.load(settings.task, settings=settings)


def test_after_the_warm_up_no_question_is_compiled_and_no_answer_is_another(predictor):
    scan = bundle_factory.scan(seed=3)
    read = predictor.read(scan)
    told = []
    assert warm_up(predictor, watch=lambda *step: told.append(step)) == 5
    assert told == [(done, 5) for done in range(1, 6)]
    known = set(predictor.probe()._calls)
    assert len(known) == 4  # scores are asked by two kinds of question, with one call
    found = grad_cam(predictor, scan, "malignant")
    assert set(predictor.probe()._calls) == known
    again = predictor.read(scan)
    assert again.probabilities == read.probabilities
    assert np.array_equal(again.network_heat, read.network_heat)
    assert found.values.max() == 1


def test_what_a_model_cannot_be_asked_is_left_out_and_not_fatal(monkeypatch, caplog):
    model = formula_model()
    model.answers.broken = True
    with caplog.at_level(logging.INFO, logger="core.explain"):
        # Features are no part of this model at all, and its scores are not numbers.
        assert warm_up(model) == 1
    assert "not a number" in caplog.text


def test_the_warm_up_can_be_stopped_between_two_questions(predictor):
    def stop(_done, _total):
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        warm_up(predictor, watch=stop)

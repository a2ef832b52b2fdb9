"""A classifier without a mask output: its heat is shaped, and is never taken for a lesion."""

from __future__ import annotations

from pathlib import Path

import bundle_factory
import pytest
import streamlit as st
from page_tools import key, scan_bytes, set_, shown, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.lesion import HeatRegionResult
from core.model import InputSpec
from core.review import Verdict
from core.ui import service


def classifier() -> object:
    """Build a small convolutional classifier: no mask, one softmax output."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    return bundle_factory.seeded(model)


@pytest.fixture
def read(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """A clinician whose site brought a plain classifier, with one scan on screen."""
    folder = tmp_path / "own"
    card = bundle_factory.classifier_card("own-classifier", input=InputSpec(size=32))
    bundle_factory.import_tensorflow()
    bundle_factory.write(folder / "models", classifier(), card)
    monkeypatch.setenv("OVERREAD_VAR", str(folder))
    monkeypatch.setenv("OVERREAD_TASK", "own-classifier")
    st.cache_resource.clear()
    service.model().get_predictor(timeout=120)
    return upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))


def test_heat_is_shaped_but_has_no_table_no_millimetres_and_cannot_be_accepted(
    read: AppTest,
) -> None:
    set_(read, "shape", "threshold", 0.05)
    item = shown(read)
    assert item.prediction is not None
    assert not item.prediction.has_lesion_map
    assert isinstance(item.shaped, HeatRegionResult)
    said = words(read)
    assert "made from heat, not an outline of a lesion" in said
    assert "AI outline, unconfirmed" not in said
    assert not read.dataframe
    names = [str(button.proto.label) for button in read.get("download_button")]
    assert names == ["Overlay PNG", "Mask PNG"]
    with pytest.raises(KeyError):
        read.get_by_key(key(read, "feedback", "outline"))


def test_feedback_on_a_heat_region_says_that_it_was_heat(read: AppTest) -> None:
    set_(read, "feedback", "verdict", Verdict.ACCEPT)
    read.button(key=f"send-{shown(read).widget}").click().run()
    assert "Saved: your feedback" in words(read)
    with service.store().reading() as connection:
        row = connection.exec_driver_sql("SELECT map_kind, measurements FROM reads").one()
    assert row[0] == "heat"
    assert str(row[1]) in ("[]", "None")

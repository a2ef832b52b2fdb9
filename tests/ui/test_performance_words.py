"""Words of the performance page: what the report calls by key has a name in each language."""

from __future__ import annotations

import pytest

from core.learning.evaluated import Figure, Group
from core.text import use_language
from core.ui.performance_parts import groups_figure
from core.ui.performance_words import data_words, group_value, in_order

DATA = {"name": "ward-7", "split": "val", "fingerprint": "0123456789abcdef" * 4}


def group(by: str, value: str) -> Group:
    return Group(by, value, 40, 15, {"roc_auc": Figure(0.8, 0.7, 0.9)})


def test_the_data_of_an_evaluation_are_named_in_the_readers_language() -> None:
    with use_language("en"):
        said = data_words(DATA)
    assert said.startswith("Dataset: ward-7 · Split: val · Fingerprint of the data: 0123")
    assert len(said) < 120
    with use_language("zh_CN"):
        said = data_words(DATA)
    assert said.startswith("数据集")
    assert not {"name", "split", "fingerprint"} & set(said.lower().replace("：", " ").split())


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_a_size_is_named_in_the_readers_language(size: str) -> None:
    with use_language("zh_CN"):
        (label,) = groups_figure([group("lesion size", size)], "roc_auc", None).data[0].y
    assert size not in label
    assert "三分之一" in label


def test_what_the_data_call_a_group_stays_the_datas_own_word() -> None:
    with use_language("zh_CN"):
        assert group_value("device", "small") == "small"
        assert group_value("lesion size", "of another program") == "of another program"


def test_sizes_are_read_from_small_to_large_and_other_groups_as_they_come() -> None:
    sizes = [group("lesion size", value) for value in ("large", "odd", "medium", "small")]
    order = [each.value for each in in_order("lesion size", sizes)]
    assert order == ["small", "medium", "large", "odd"]
    devices = [group("device", value) for value in ("b", "a")]
    assert in_order("device", devices) == devices

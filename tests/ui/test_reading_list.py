"""The reading list: one bad file or one wrong answer costs nothing but itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from made_results import phantom, prediction

from core.errors import PredictionFailed
from core.model import Prediction, Predictor
from core.scan import Scan, encode_png
from core.settings import Settings, load_settings
from core.ui.reading_list import ReadingList, read_all, take_in


@dataclass
class File:
    """A file as the uploader hands it over."""

    name: str
    data: bytes
    file_id: str

    def getvalue(self) -> bytes:
        return self.data


class Reader:
    """A model whose answers were agreed beforehand: an answer, or an error."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def read(self, scan: Scan) -> Prediction:
        self.asked.append(scan.digest)
        answer = self.answers.get(scan.digest, prediction(scan))
        if isinstance(answer, Exception):
            raise answer
        return cast(Prediction, answer)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return load_settings({"OVERREAD_VAR": str(tmp_path)})


@pytest.fixture
def reading() -> ReadingList:
    """Three scans, the first on screen."""
    made = ReadingList()
    for seed in (1, 2, 3):
        made.add(phantom(seed))
    return made


def read(reading: ReadingList, reader: Reader) -> list[int]:
    done: list[int] = []
    read_all(reading, cast(Predictor, reader), done.append)
    return done


def test_an_answer_for_another_scan_is_never_shown(reading: ReadingList) -> None:
    first, second, third = reading.scans.values()
    reader = Reader(**{first.digest: prediction(second.scan)})
    assert read(reading, reader) == [1, 2, 3]
    assert first.prediction is None
    assert "for another scan" in (first.problem or "")
    assert second.prediction is not None
    assert third.prediction is not None
    assert third.prediction.image_digest == third.digest


def test_a_read_that_fails_leaves_its_reason_and_the_others_their_answers(
    reading: ReadingList,
) -> None:
    first, second, _third = reading.scans.values()
    reader = Reader(**{second.digest: PredictionFailed("No usable answer.")})
    assert read(reading, reader) == [1, 2, 3]
    assert (second.prediction, second.problem) == (None, "No usable answer.")
    assert first.prediction is not None
    assert reading.unread == []
    again = Reader()
    assert read(reading, again) == []
    assert again.asked == [], "a scan was read twice"


def test_stepping_stops_at_the_ends(reading: ReadingList) -> None:
    order = list(reading.scans)
    seen = []
    for by in (-1, 1, 1, 1, -1):
        reading.step(by)
        seen.append(order.index(str(reading.current)))
    assert seen == [0, 1, 2, 2, 1]


@pytest.mark.parametrize(("at", "removed", "then"), [(0, 0, 1), (1, 1, 2), (2, 2, 1), (0, 2, 0)])
def test_closing_a_scan_brings_its_neighbour_on_screen(
    reading: ReadingList, at: int, removed: int, then: int
) -> None:
    order = list(reading.scans)
    reading.show(order[at])
    reading.remove(order[removed])
    assert reading.current == order[then]
    assert order[removed] not in reading.scans


def test_closing_the_last_scan_leaves_an_empty_list(reading: ReadingList) -> None:
    for digest in list(reading.scans):
        reading.remove(digest)
    assert (reading.current, reading.shown, reading.unread) == (None, None, [])
    reading.step(1)
    reading.add(phantom(4))
    assert reading.shown is not None


def test_a_scan_off_screen_keeps_its_answer_but_not_its_maps(reading: ReadingList) -> None:
    read(reading, Reader())
    first, second, _third = reading.scans.values()
    assert first.region_map() is not None
    assert first.heat() is not None
    reading.show(second.digest)
    assert (first._map, first._heat, first.shaped) == (None, None, None)
    assert first.prediction is not None
    reading.show("no such scan")
    assert reading.shown is second


def test_heat_stands_in_for_a_lesion_map_only_where_there_is_none(reading: ReadingList) -> None:
    item = reading.shown
    assert item is not None
    assert item.region_map() is None
    heat = np.zeros((item.scan.height, item.scan.width), np.float32)
    heat[5:9, 5:9] = 1
    item.prediction = prediction(item.scan, heat)
    lesion = item.region_map()
    assert lesion is not None
    assert not lesion.any()
    item.release()
    item.prediction = replace(item.prediction, network_lesion=None, has_lesion_map=False)
    shaped = item.region_map()
    assert shaped is not None
    assert (shaped == heat).all()


def test_a_file_that_is_no_scan_is_named_with_its_reason_and_the_rest_opens(
    settings: Settings,
) -> None:
    reading = ReadingList()
    files = [
        File("one.png", encode_png(phantom(1)), "1"),
        File("Müller, Anna.png", b"no picture", "2"),
        File("empty.png", b"", "3"),
        File("two.png", encode_png(phantom(2)), "4"),
        File("one again.png", encode_png(phantom(1)), "5"),
    ]
    done: list[int] = []
    take_in(files, reading, settings, done.append)
    assert done == [1, 2, 3, 4, 5]
    assert len(reading.scans) == 2
    assert [name for name, _ in reading.refused] == ["Müller, Anna.png", "empty.png"]
    assert all(reason and "Müller" not in reason for _, reason in reading.refused)
    assert reading.again == 1
    reading.forget_refusals()
    assert (reading.refused, reading.again) == ([], 0)
    assert len(reading.scans) == 2


def test_an_upload_that_was_cut_off_goes_on_without_counting_twice(settings: Settings) -> None:
    class CutOff(Exception):
        pass

    def stop(done: int) -> None:
        if done == 2:
            raise CutOff

    reading = ReadingList()
    files = [
        File("bad.png", b"no picture", "a"),
        *[File(f"{seed}.png", encode_png(phantom(seed)), str(seed)) for seed in (1, 2, 3)],
    ]
    with pytest.raises(CutOff):
        take_in(files, reading, settings, stop)
    assert len(reading.scans) == 1
    take_in(files, reading, settings, lambda _done: None)
    assert (len(reading.scans), len(reading.refused), reading.again) == (3, 1, 0)

"""The reading list: one bad file or one wrong answer costs nothing but itself."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from made_results import phantom, prediction

from core.errors import CorruptFile, OverreadError, PredictionFailed
from core.model import BatchRead
from core.scan import Depth, Loop, Scan, Window, contrast, encode_png, flip
from core.settings import Settings, load_settings
from core.ui.open_scan import Entry, OpenScan
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

    def read_many(self, scans: Iterable[Scan]) -> Iterator[BatchRead]:
        for scan in scans:
            self.asked.append(scan.digest)
            answer = self.answers.get(scan.digest, prediction(scan))
            if isinstance(answer, OverreadError):
                yield BatchRead(scan, None, answer)
            else:
                yield BatchRead(scan, answer, None)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return load_settings({"OVERREAD_VAR": str(tmp_path)})


def large(seed: int) -> Scan:
    """Return a synthetic scan that passes the quality check."""
    return phantom(seed, 400, 300)


@pytest.fixture
def reading() -> ReadingList:
    """Three scans, the first on screen."""
    made = ReadingList()
    for seed in (1, 2, 3):
        made.add(large(seed))
    return made


def items(reading: ReadingList) -> list[OpenScan]:
    return [entry.shown for entry in reading.entries.values()]


def read(reading: ReadingList, reader: Reader) -> int:
    return len(list(read_all(reading.unread, reader)))


def test_an_answer_for_another_scan_is_never_shown(reading: ReadingList) -> None:
    first, second, third = items(reading)
    reader = Reader(**{first.digest: prediction(second.scan)})
    assert read(reading, reader) == 3
    assert first.prediction is None
    assert "for another scan" in (first.problem or "")
    assert second.prediction is not None
    assert third.prediction is not None
    assert third.prediction.image_digest == third.digest


def test_a_read_that_fails_leaves_its_reason_and_the_others_their_answers(
    reading: ReadingList,
) -> None:
    first, second, _third = items(reading)
    reader = Reader(**{second.digest: PredictionFailed("No usable answer.")})
    assert read(reading, reader) == 3
    assert (second.prediction, second.problem) == (None, "No usable answer.")
    assert first.prediction is not None
    assert reading.unread == []
    again = Reader()
    assert read(reading, again) == 0
    assert again.asked == [], "a scan was read twice"


def test_stepping_stops_at_the_ends(reading: ReadingList) -> None:
    order = list(reading.entries)
    seen = []
    for by in (-1, 1, 1, 1, -1):
        reading.step(by)
        seen.append(order.index(str(reading.current)))
    assert seen == [0, 1, 2, 2, 1]


@pytest.mark.parametrize(("at", "removed", "then"), [(0, 0, 1), (1, 1, 2), (2, 2, 1), (0, 2, 0)])
def test_closing_a_scan_brings_its_neighbour_on_screen(
    reading: ReadingList, at: int, removed: int, then: int
) -> None:
    order = list(reading.entries)
    reading.show(order[at])
    reading.remove(order[removed])
    assert reading.current == order[then]
    assert order[removed] not in reading.entries


def test_closing_the_last_scan_leaves_an_empty_list(reading: ReadingList) -> None:
    for digest in list(reading.entries):
        reading.remove(digest)
    assert (reading.current, reading.shown, reading.unread) == (None, None, [])
    reading.step(1)
    reading.add(large(4))
    assert reading.shown is not None


def test_a_scan_off_screen_keeps_its_answer_but_not_its_maps(reading: ReadingList) -> None:
    read(reading, Reader())
    first, second, _third = items(reading)
    assert first.region_map() is not None
    assert first.heat() is not None
    reading.show(second.digest)
    kept = (first._map, first._heat, first.shaped)
    assert kept == (None, None, None)
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
        File("one.png", encode_png(large(1)), "1"),
        File("Müller, Anna.png", b"no picture", "2"),
        File("empty.png", b"", "3"),
        File("two.png", encode_png(large(2)), "4"),
        File("one again.png", encode_png(large(1)), "5"),
    ]
    done: list[tuple[int, int]] = []
    take_in(files, reading, settings, lambda images, files: done.append((images, files)))
    assert done[-1] == (5, 5)
    assert [images for images, _files in done] == sorted(images for images, _files in done)
    assert len(reading.entries) == 2
    assert [name for name, _ in reading.refused] == ["Müller, Anna.png", "empty.png"]
    assert all(reason and "Müller" not in reason for _, reason in reading.refused)
    assert reading.again == 1
    reading.forget_refusals()
    assert (reading.refused, reading.again) == ([], 0)
    assert len(reading.entries) == 2


def test_an_upload_that_was_cut_off_goes_on_without_counting_twice(settings: Settings) -> None:
    class CutOff(Exception):
        pass

    def stop(images: int, _done: int) -> None:
        if images == 2:
            raise CutOff

    reading = ReadingList()
    files = [
        File("bad.png", b"no picture", "a"),
        *[File(f"{seed}.png", encode_png(large(seed)), str(seed)) for seed in (1, 2, 3)],
    ]
    with pytest.raises(CutOff):
        take_in(files, reading, settings, stop)
    assert len(reading.entries) == 1
    take_in(files, reading, settings, nothing)
    assert (len(reading.entries), len(reading.refused), reading.again) == (3, 1, 0)


def nothing(_images: int, _files: int) -> None:
    """Show no progress."""


def archive(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return made.getvalue()


def test_an_archive_is_taken_in_image_by_image_and_names_what_it_could_not_open(
    settings: Settings,
) -> None:
    reading = ReadingList()
    data = archive(
        ("exam/1.png", encode_png(large(1))),
        ("exam/notes.txt", b"nothing to see"),
        ("exam/2.png", encode_png(large(2))),
    )
    take_in([File("exam.zip", data, "z")], reading, settings, nothing)
    assert len(reading.entries) == 2
    ((name, reason),) = reading.refused
    assert name == "exam.zip › exam/notes.txt"
    assert "notes" not in reason


def test_a_broken_archive_is_one_line_and_the_other_files_open(settings: Settings) -> None:
    reading = ReadingList()
    data = archive(("1.png", encode_png(large(1))))
    files = [File("exam.zip", data[:-30], "z"), File("2.png", encode_png(large(2)), "p")]
    take_in(files, reading, settings, nothing)
    assert len(reading.entries) == 1
    assert [name for name, _reason in reading.refused] == ["exam.zip"]


def test_a_full_list_refuses_more_with_a_line_and_keeps_what_it_has(settings: Settings) -> None:
    reading = ReadingList()
    small = replace(settings, session_bytes=large(1).pixels.nbytes - 1)
    files = [File(f"{seed}.png", encode_png(large(seed)), str(seed)) for seed in (1, 2)]
    take_in(files, reading, small, nothing)
    assert len(reading.entries) == 1
    ((name, reason),) = reading.refused
    assert name == "2.png"
    assert "The list is full" in reason


@pytest.fixture
def loop() -> Entry:
    """A loop of 40 frames, as it comes in."""
    frames = [large(seed) for seed in range(3)]

    def decode(index: int) -> Scan:
        scan = frames[index % 3]
        return replace(scan, frames=40, frame=index, series=frames[0].digest)

    made = Loop(40, None, 0, decode)
    return Entry.of(made.frame(0).with_loop(made))


def test_each_frame_has_its_own_answer_and_its_own_form(loop: Entry) -> None:
    first = loop.shown
    first.drafts["label"] = "benign"
    loop.show_frame(1)
    second = loop.shown
    assert second is not first
    assert (second.scan.frame, second.drafts) == (1, {})
    loop.show_frame(0)
    assert loop.shown is first
    assert loop.shown.drafts == {"label": "benign"}


def test_frames_that_were_worked_on_are_never_forgotten() -> None:
    frames = [large(seed) for seed in range(30)]
    made = Loop(30, None, 0, lambda i: replace(frames[i], frames=30, frame=i))
    entry = Entry.of(made.frame(0).with_loop(made))
    entry.show_frame(3)
    entry.shown.regions.append(((1, 1), (20, 1), (20, 20)))
    worked = entry.shown
    for index in range(29, 0, -1):
        entry.show_frame(index)
    assert len(entry.items) < 29, "every frame looked at stays in memory"
    entry.show_frame(3)
    assert entry.shown is worked
    assert frames[0].digest in entry.items, "the first frame names the file"


def test_a_frame_that_cannot_be_decoded_leaves_the_one_before_on_screen() -> None:
    frame = large(1)

    def decode(index: int) -> Scan:
        if index:
            raise CorruptFile("This frame is damaged.")
        return replace(frame, frames=2)

    made = Loop(2, None, 0, decode)
    entry = Entry.of(made.frame(0).with_loop(made))
    with pytest.raises(CorruptFile):
        entry.show_frame(1)
    assert (entry.frame, entry.shown.digest) == (0, frame.digest)


def test_a_corrected_copy_has_an_answer_of_its_own_and_leads_back_to_the_untouched_image() -> None:
    entry = Entry.of(large(1))
    untouched = entry.shown
    untouched.prediction = prediction(untouched.scan)
    entry.bring(flip(untouched.scan, "horizontal"))
    assert entry.shown.prediction is None, "the answer on the untouched image was shown on another"
    assert entry.untouched().digest == untouched.digest
    entry.bring(entry.untouched())
    assert entry.shown is untouched


def loop_of(frames: list[Scan], source: str) -> Scan:
    made = Loop(
        len(frames),
        None,
        0,
        lambda i: replace(
            frames[i], frames=len(frames), frame=i, series=frames[0].digest, source_digest=source
        ),
    )
    return made.frame(0).with_loop(made)


def test_a_loop_that_begins_like_another_file_is_not_taken_for_it() -> None:
    first, second, third = large(1), large(2), large(3)
    reading = ReadingList()
    reading.add(first)
    reading.add(loop_of([first, second], "a" * 64))
    reading.add(loop_of([first, third], "b" * 64))
    assert (len(reading.entries), reading.again) == (3, 0)
    reading.add(loop_of([first, third], "b" * 64))
    assert (len(reading.entries), reading.again) == (3, 1)


def test_deep_images_that_look_alike_through_their_windows_are_two() -> None:
    values = np.full((300, 400), 900, np.uint16)
    other = np.full((300, 400), 950, np.uint16)
    reading = ReadingList()
    for array in (values, other):
        array.flags.writeable = False
        depth = Depth(array, window=Window(250, 500))
        pixels = depth.apply(Window(250, 500))
        source = str(array[0, 0]) * 16
        reading.add(Scan.from_pixels(pixels, depth=depth, source_digest=source))
    assert len(reading.entries) == 2


def test_a_still_and_a_loop_that_look_alike_do_not_share_a_form() -> None:
    first, second = large(1), large(2)
    reading = ReadingList()
    still = reading.add(first)
    loop = reading.add(loop_of([first, second], "a" * 64))
    assert still.shown.digest == loop.shown.digest
    assert still.shown.widget != loop.shown.widget
    corrected = flip(first, "horizontal")
    still.bring(corrected)
    other = reading.add(Scan.from_pixels(corrected.pixels, spacing=corrected.spacing))
    assert still.shown.digest == other.shown.digest
    assert still.shown.widget != other.shown.widget


def test_a_corrected_copy_keeps_what_the_doctor_said_and_not_what_lay_on_other_pixels() -> None:
    entry = Entry.of(large(1))
    entry.shown.drafts = {"label": "benign", "comment": "seen", "outline": True, "verdict": "x"}
    entry.shown.regions.append(((1, 1), (20, 1), (20, 20)))
    untouched = entry.shown
    entry.bring(flip(untouched.scan, "horizontal"))
    assert entry.shown.drafts == {"label": "benign", "comment": "seen"}
    assert entry.shown.regions == []
    entry.bring(untouched.scan)
    entry.bring(contrast(untouched.scan, 10, 240))
    assert entry.shown.regions == untouched.regions
    assert entry.shown.regions is not untouched.regions

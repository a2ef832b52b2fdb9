"""Many scans at once: none is lost, none waits for ever, and the whole list can be taken away."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from page_tools import (
    SENT,
    loop_bytes,
    open_panel,
    press,
    read_in_background,
    reading,
    scan_bytes,
    send,
    shown,
    sign_in,
    upload,
    words,
)
from streamlit.testing.v1 import AppTest

from core.scan import PhantomSpec, encode_png, make_phantom
from core.ui import reading_list, service


def small(seed: int) -> bytes:
    return encode_png(make_phantom(PhantomSpec(260, 220), seed).scan)


def archive(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return made.getvalue()


def exam(count: int) -> bytes:
    """An archive of ``count`` scans with two members that are none."""
    scans = [(f"exam/{seed:03}.png", small(seed)) for seed in range(count)]
    return archive(*scans[:3], ("exam/MUSTERMANN.txt", b"notes"), *scans[3:], ("bad.png", b"x"))


def put(app: AppTest, name: str, data: bytes) -> AppTest:
    """Upload without waiting for the model."""
    app.file_uploader[0].upload(name, data)
    app.run()
    assert not app.exception
    return app


def wait_for_jobs() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("job-"):
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def held(clinician: AppTest) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Hold the model up after the third scan it reads in the background: reached, and may go on."""
    reached, may = threading.Event(), threading.Event()
    whole = reading_list.read_all

    def slowly(items: Any, predictor: Any) -> Iterator[Any]:
        for at, item in enumerate(whole(items, predictor)):
            if at == 3:
                reached.set()
                assert may.wait(60)
            yield item

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.ui.reading.read_all", slowly)
        yield reached, may
        may.set()
        wait_for_jobs()


def test_an_archive_of_thirty_scans_is_read_to_the_end_and_names_its_bad_members(
    clinician: AppTest,
) -> None:
    upload(clinician, ("exam.zip", exam(30)))
    entries = list(reading(clinician).entries.values())
    assert len(entries) == 30
    assert all(entry.shown.prediction is not None for entry in entries)
    for entry in entries:
        answer = entry.shown.prediction
        assert answer is not None
        assert answer.image_digest == entry.shown.digest
    said = words(clinician)
    assert "2 files could not be opened" in said
    assert "exam.zip › exam/MUSTERMANN.txt: " in said
    assert "exam.zip › bad.png: " in said
    assert "1 of 30" in said
    assert "in the background" not in said


def test_the_page_answers_while_the_rest_is_read_and_says_how_far_it_is(
    clinician: AppTest, held: tuple[threading.Event, threading.Event]
) -> None:
    reached, may = held
    put(clinician, "exam.zip", exam(8))
    assert shown(clinician).prediction is not None, "the scan on screen waits for the others"
    assert reached.wait(60)
    clinician.run()
    bars = [bar.proto.text for bar in clinician.get("progress")]
    assert any(text.startswith("Read 3 of 7 in the background") for text in bars), bars
    press(clinician, "next")
    press(clinician, "previous")
    may.set()
    wait_for_jobs()
    clinician.run()
    assert all(item.prediction is not None for item in reading(clinician).items)
    assert not [bar for bar in clinician.get("progress") if "background" in bar.proto.text]


def test_a_scan_chosen_while_it_waits_is_read_at_once(
    clinician: AppTest, held: tuple[threading.Event, threading.Event]
) -> None:
    reached, may = held
    put(clinician, "exam.zip", exam(8))
    assert reached.wait(60)
    last = list(reading(clinician).entries)[-1]
    reading(clinician).show(last)
    clinician.run()
    assert shown(clinician).prediction is not None
    assert f"AI result · case {shown(clinician).scan.case_number}" in words(clinician)
    may.set()


def test_scans_that_come_while_others_are_read_are_read_too(
    clinician: AppTest, held: tuple[threading.Event, threading.Event]
) -> None:
    reached, may = held
    put(clinician, "exam.zip", exam(5))
    assert reached.wait(60)
    put(clinician, "late.png", small(77))
    may.set()
    for _ in range(2):
        wait_for_jobs()
        clinician.run()
    assert len(reading(clinician).entries) == 6
    assert all(item.prediction is not None for item in reading(clinician).items)


def test_signing_out_ends_the_reading(
    clinician: AppTest, held: tuple[threading.Event, threading.Event]
) -> None:
    reached, may = held
    put(clinician, "exam.zip", exam(30))
    assert reached.wait(60)
    items = list(reading(clinician).items)
    press(clinician, "sign-out")
    may.set()
    wait_for_jobs()
    assert sum(item.prediction is not None for item in items) < 30


def test_a_job_that_breaks_is_said_and_not_started_for_ever(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reading_list.read_all
    begun = []

    def breaks(items: Any, predictor: Any) -> Iterator[Any]:
        begun.append(len(items))
        if len(items) > 1:
            raise ValueError("a fault of ours")
        return whole(items, predictor)

    monkeypatch.setattr("core.ui.reading.read_all", breaks)
    put(clinician, "exam.zip", exam(5))
    for _ in range(4):
        wait_for_jobs()
        clinician.run()
    assert not clinician.exception
    assert begun.count(4) == 1, "a job that fails is started again and again"
    press(clinician, "next")
    assert "No AI result" in words(clinician)
    monkeypatch.setattr("core.ui.reading.read_all", whole)
    press(clinician, "read-again")
    service.model().get_predictor(timeout=60)
    clinician.run()
    read_in_background(clinician)
    assert all(item.prediction is not None for item in reading(clinician).items)


def test_an_upload_cut_off_by_a_rerun_goes_on_and_loses_nothing(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = reading_list.read_scan, []

    def cut_off(data: bytes, **options: Any) -> Any:
        calls.append(data)
        if len(calls) == 4:
            # As Streamlit does it when somebody presses a button meanwhile.
            st.rerun()
        return whole(data, **options)

    monkeypatch.setattr(reading_list, "read_scan", cut_off)
    upload(clinician, ("exam.zip", exam(10)))
    clinician.run()
    assert len(reading(clinician).entries) == 10
    assert len(reading(clinician).refused) == 2
    assert reading(clinician).again == 0


def test_the_opened_files_are_counted_while_they_open(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    whole = st.progress

    def progress(share: float, text: str = "", **options: Any) -> Any:
        bar = whole(share, text, **options)
        shows = bar.progress

        def note(share: float, text: str = "") -> Any:
            said.append(text)
            return shows(share, text)

        bar.progress = note  # type: ignore[method-assign]
        return bar

    monkeypatch.setattr("core.ui.intake.st.progress", progress)
    upload(clinician, ("exam.zip", exam(3)), ("one.png", small(50)))
    opened = [text for text in said if text.startswith("Opened")]
    assert opened[0] == "Opened 1 image · 0 of 2 files"
    assert opened[-1] == "Opened 6 images · 2 of 2 files"


def taken(offered: dict[str, Callable[[], bytes]], ending: str) -> bytes:
    (name,) = [name for name in offered if name.startswith("scans-") and name.endswith(ending)]
    return offered[name]()


def test_the_whole_list_is_a_table_and_files_to_take_away(
    clinician: AppTest, offered: dict[str, Any]
) -> None:
    upload(clinician, ("exam.zip", exam(6)))
    open_panel(clinician, "summary")
    items = list(reading(clinician).items)
    (table,) = [t.value for t in clinician.dataframe if "AI result" in t.value.columns]
    assert list(table["Case"]) == [item.scan.case_number for item in items]
    assert not (table["AI result"] == "–").any()
    rows = list(csv.DictReader(io.StringIO(taken(offered, ".csv").decode("utf-8-sig"))))
    assert len(rows) == 8, "what could not be opened is not in the file"
    assert [row["case_number"] for row in rows[:6]] == [item.scan.case_number for item in items]
    for row, item in zip(rows, items, strict=False):
        assert item.prediction is not None
        assert float(row["probability"]) == pytest.approx(item.prediction.probability, abs=1e-4)
    assert b"MUSTERMANN" not in taken(offered, ".csv")
    assert taken(offered, ".pdf").startswith(b"%PDF")
    html = taken(offered, ".html").decode()
    assert all(item.scan.case_number in html for item in items)
    assert "MUSTERMANN" not in html


def test_one_scan_alone_has_no_table_of_all(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    assert not [e for e in clinician.expander if e.label == "All scans on the list"]


def test_the_same_archive_again_adds_nothing_and_says_so(clinician: AppTest) -> None:
    data = exam(4)
    upload(clinician, ("exam.zip", data))
    upload(clinician, ("renamed.zip", data))
    assert len(reading(clinician).entries) == 4
    assert "4 scans were on the list already" in words(clinician)


def test_a_loop_in_an_archive_is_one_entry_with_its_frames(clinician: AppTest) -> None:
    upload(clinician, ("exam.zip", archive(("IM1", loop_bytes(3)), ("a.png", small(1)))))
    loops = [entry.loop for entry in reading(clinician).entries.values()]
    assert [loop and loop.count for loop in loops] == [3, None]


def test_a_scan_sent_before_is_recognised_and_leads_to_what_was_sent(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    case = shown(clinician).scan.case_number
    send(clinician, comment="the first time")
    assert "Seen before" not in words(clinician), "the receipt says it already"
    press(clinician, "sign-out")
    sign_in(clinician, "clinician")
    upload(clinician, ("renamed.png", scan_bytes(1)))
    assert f"Seen before: you sent feedback on case {case}" in words(clinician)
    links = [link for link in clinician.get("page_link") if link.proto.label == "Show what I sent"]
    assert len(links) == 1
    assert links[0].proto.query_string == f"case={case}"
    upload(clinician, ("other.png", scan_bytes(2)))
    reading(clinician).step(1)
    clinician.run()
    assert "Seen before" not in words(clinician)


def test_the_page_of_what_was_sent_shows_one_case_when_asked_and_all_on_request(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    first = shown(clinician).scan.case_number
    send(clinician)
    press(clinician, "next")
    second = shown(clinician).scan.case_number
    send(clinician)
    clinician.switch_page(SENT)
    clinician.query_params["case"] = first
    clinician.run()
    assert list(clinician.dataframe[0].value["Case"]) == [first]
    press(clinician, "sent-all")
    assert set(clinician.dataframe[0].value["Case"]) == {first, second}


def test_a_case_nobody_sent_is_said_to_be_none_instead_of_an_empty_table(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    send(clinician)
    clinician.switch_page(SENT)
    clinician.query_params["case"] = "<b>nothing</b>"
    clinician.run()
    assert not clinician.exception
    assert not clinician.dataframe
    assert "You have sent nothing on this case" in words(clinician)
    press(clinician, "sent-all")
    assert len(clinician.dataframe[0].value) == 1

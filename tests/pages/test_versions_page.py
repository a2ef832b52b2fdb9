"""Switching versions from the page: who may, what is asked, and what is on screen meanwhile."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
import streamlit as st
from page_tools import (
    VERSIONS,
    loop_bytes,
    open_panel,
    press,
    scan_bytes,
    set_,
    shown,
    sign_in,
    stored,
    upload,
    words,
)
from streamlit.testing.v1 import AppTest

from core.model import active_bundle, promote, read_switches
from core.trust import demo_people
from core.ui import service

TASK = "breast-ultrasound"
CLINICIAN, _REVIEWER, ADMINISTRATOR = demo_people()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: versions 901.0 and 902.0, which answer differently."""
    root = tmp_path_factory.mktemp("two") / "models"
    for seed, version in enumerate(("901.0", "902.0"), start=1):
        card = bundle_factory.lesion_card(version=version, limits=(f"Limit of {version}.",))
        bundle_factory.write(root, bundle_factory.lesion_net(seed=seed), card)
    return root


@pytest.fixture
def site(two: Path, tmp_path: Path, app: AppTest) -> Path:
    """A site with both versions, of which 901.0 was promoted, and its server."""
    (tmp_path / "models").unlink()
    shutil.copytree(two, tmp_path / "models")
    st.cache_resource.clear()
    promote(service.settings(), ADMINISTRATOR, TASK, "901.0", "first")
    assert service.model().get_predictor(120).card.version == "901.0"
    return tmp_path


def go_to(app: AppTest) -> AppTest:
    sign_in(app, "administrator")
    app.switch_page(VERSIONS).run()
    assert not app.exception
    return app


def confirm(app: AppTest, button: str, reason: str = "because") -> AppTest:
    press(app, button)
    app.text_input(key="switch-reason").input(reason)
    return press(app, "switch-confirm")


def answers_with(version: str) -> None:
    service.model().follow(timeout=60)
    assert service.model().get_predictor().card.version == version


def test_an_administrator_switches_and_goes_back_without_a_shell(site: Path, app: AppTest) -> None:
    go_to(app)
    assert "902.0" in words(app)
    confirm(app, f"promote-{TASK}-902.0-site", "better on our scanner")
    answers_with("902.0")
    last = read_switches(service.settings(), TASK)[-1]
    assert (last.action, last.version, last.before_version) == ("promote", "902.0", "901.0")
    assert (last.by, last.reason) == ("demo-administrator", "better on our scanner")
    app.run()
    assert "This server answers with version 902.0" in words(app)
    confirm(app, f"rollback-{TASK}", "it was not")
    answers_with("901.0")
    app.run()
    (table,) = [frame.value for frame in app.dataframe]
    assert list(table["Version"]) == ["901.0", "902.0", "901.0"]
    assert list(table["Reason"]) == ["it was not", "better on our scanner", "first"]


def test_nothing_is_switched_without_a_reason_and_a_second_click(site: Path, app: AppTest) -> None:
    go_to(app)
    press(app, f"promote-{TASK}-902.0-site")
    assert len(read_switches(service.settings(), TASK)) == 1
    press(app, "switch-confirm")
    assert "Give a reason" in words(app)
    assert len(read_switches(service.settings(), TASK)) == 1


def test_two_administrators_do_not_overrule_each_other_unseen(site: Path, app: AppTest) -> None:
    go_to(app)
    press(app, f"promote-{TASK}-902.0-site")
    # Meanwhile somebody else.
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "quicker")
    app.text_input(key="switch-reason").input("mine")
    press(app, "switch-confirm")
    assert "Another version is active by now" in words(app)
    assert [s.reason for s in read_switches(service.settings(), TASK)] == ["first", "quicker"]


def test_a_refused_switch_shows_what_is_active_now(site: Path, app: AppTest) -> None:
    go_to(app)
    press(app, f"promote-{TASK}-902.0-site")
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "quicker")
    answers_with("902.0")
    app.text_input(key="switch-reason").input("mine")
    press(app, "switch-confirm")
    said = words(app)
    assert "Another version is active by now" in said
    assert "Go back to version 901.0" in [button.label for button in app.button]
    assert f"promote-{TASK}-902.0-site" not in [button.key for button in app.button]
    assert "after a restart" not in said
    # The second half of a double click finds nothing to confirm.
    assert "switch-confirm" not in [button.key for button in app.button]


def test_a_version_that_turns_out_unusable_is_said_and_the_other_stays(
    site: Path, app: AppTest
) -> None:
    spoil(site, "902.0")
    go_to(app)
    confirm(app, f"promote-{TASK}-902.0-site")
    assert "weights cannot be read" in words(app)
    assert len(read_switches(service.settings(), TASK)) == 1
    answers_with("901.0")


def spoil(site: Path, version: str) -> None:
    path = site / "models" / TASK / version / "model.keras"
    path.write_bytes(path.read_bytes()[:2000])


def test_files_that_rot_under_a_running_server_are_said_and_reading_goes_on(
    site: Path, app: AppTest
) -> None:
    spoil(site, "901.0")
    service.model().follow(timeout=60)
    go_to(app)
    said = words(app)
    assert "Version 901.0 was made active but cannot be used" in said
    assert "This server answers with version 901.0" in said
    assert "after a restart" in said
    # What was active before it would take its place.
    active = active_bundle(service.settings(), TASK)
    assert active is not None
    assert active.card.version == "902.0"


@pytest.mark.parametrize("role", ["clinician", "reviewer"])
def test_only_an_administrator_finds_the_page(app: AppTest, role: str) -> None:
    sign_in(app, role)
    with pytest.raises(ValueError, match="page"):
        app.switch_page(VERSIONS)


def test_a_result_on_screen_stays_until_somebody_asks_for_another(site: Path, app: AppTest) -> None:
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    before = shown(app).prediction
    assert before is not None
    assert before.version == "901.0"
    set_(app, "feedback", "verdict", "accept")
    set_(app, "feedback", "label", "benign")
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    app.run()
    assert shown(app).prediction is before
    said = words(app)
    assert "Version 901.0 of the model made this result; version 902.0 is active now." in said
    # The words of its own card, not of the other.
    assert "Limit of 901.0." in said
    assert "Limit of 902.0." not in said
    # A scan that comes now is read with the new one, beside the old result.
    upload(app, ("b.png", scan_bytes(2)))
    made = {i.prediction.version for i in app.session_state["reading-list"].items if i.prediction}
    assert made == {"901.0", "902.0"}
    press(app, f"read-again-{shown(app).widget}")
    after = shown(app).prediction
    assert after is not None
    assert (after.version, after.image_digest) == ("902.0", before.image_digest)
    assert "is active now" not in words(app)
    # What was said of the old result is not said of the new one; the doctor's own label is kept.
    assert shown(app).drafts.get("verdict") is None
    assert app.get_by_key(f"feedback-verdict-{shown(app).widget}").value is None
    assert shown(app).drafts["label"] == "benign"


def test_feedback_names_the_version_that_was_on_screen_and_not_the_active_one(
    site: Path, app: AppTest
) -> None:
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    digest = service.model().get_predictor().bundle.digest
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    set_(app, "feedback", "verdict", "accept")
    press(app, f"send-{shown(app).widget}")
    assert stored("version, bundle_digest", "reads") == [("901.0", digest)]
    # Sent on the old answer; said of the new one it is another entry.
    press(app, f"read-again-{shown(app).widget}")
    set_(app, "feedback", "verdict", "accept")
    assert "Changed since it was sent" in words(app)
    press(app, f"send-{shown(app).widget}")
    assert [version for (version,) in stored("version", "reads")] == ["901.0", "902.0"]


def test_a_read_that_fails_leaves_the_result_before(
    site: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import PredictionFailed
    from core.model import Predictor

    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    before = shown(app).prediction
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    app.run()

    def broken(*_args: Any) -> None:
        raise PredictionFailed("The model stopped.")

    monkeypatch.setattr(Predictor, "read", broken)
    press(app, f"read-again-{shown(app).widget}")
    assert "The model stopped." in words(app)
    assert shown(app).prediction is before


def test_a_version_that_does_not_know_the_picture_withholds_its_answer_as_ever(
    site: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.model import Familiarity, Predictor

    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    app.run()
    read = Predictor.read

    def unknown(self: Predictor, scan: Any) -> Any:
        return replace(read(self, scan), familiarity=Familiarity(False, 2.0, 1.0, "unlike"))

    monkeypatch.setattr(Predictor, "read", unknown)
    press(app, f"read-again-{shown(app).widget}")
    item = shown(app)
    assert item.prediction is None
    assert item.withheld is not None
    assert item.withheld.version == "902.0"
    assert "made this result" not in words(app)


def test_results_of_a_version_that_is_gone_keep_its_name_everywhere(
    site: Path, app: AppTest, offered: dict[str, Any]
) -> None:
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    digest = service.model().get_predictor().bundle.digest
    case = shown(app).scan.case_number
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    shutil.rmtree(site / "models" / TASK / "901.0")
    app.run()
    assert not app.exception
    assert "The version that made this answer is not here any more." in words(app)
    set_(app, "feedback", "verdict", "reject")
    set_(app, "feedback", "label", "benign")
    set_(app, "feedback", "confidence", 3)
    press(app, f"send-{shown(app).widget}")
    open_panel(app, f"report-panel-{shown(app).widget}")
    assert not app.exception
    from core.ui.case_report import report_input

    entry = app.session_state["reading-list"].entry
    made = report_input(entry, entry.shown, CLINICIAN)
    assert made.prediction is not None
    assert (made.prediction.version, made.prediction.bundle_digest) == ("901.0", digest)
    # The words of another version's card are not put under its answer.
    assert (made.intended_use, made.limits) == ("", ())
    # A reviewer sees it too, after a restart of the server.
    st.cache_resource.clear()
    from core.model._predictor import _loaded

    for key in [key for key in _loaded if key[0] == digest]:
        del _loaded[key]
    assert service.model().get_predictor(120).card.version == "902.0"
    press(app, "sign-out")
    sign_in(app, "reviewer")
    press(app, f"open-{case}")
    app.get_by_key(f"review-blind-label-{case}").set_value("benign").run()
    app.get_by_key(f"review-blind-confidence-{case}").set_value(3).run()
    press(app, "review-save-blind")
    said = words(app)
    assert f"{TASK} 901.0 · {digest[:12]}" in said
    assert "Version 901.0 is not here any more." in said


def test_a_curve_over_a_loop_stays_until_it_is_read_again(site: Path, app: AppTest) -> None:
    upload(sign_in(app, "clinician"), ("a.dcm", loop_bytes(3)))
    entry = app.session_state["reading-list"].entry
    key = f"loop-{entry.key[:16]}"
    press(app, f"{key}-read")
    for each in app.session_state["loop-reads"].entries.values():
        each.job.wait(60)
    app.run()
    promote(service.settings(), ADMINISTRATOR, TASK, "902.0", "new")
    answers_with("902.0")
    app.run()
    said = words(app)
    assert "Version 901.0 of the model made this curve; version 902.0 is active now." in said
    press(app, f"{key}-read-again")
    for each in app.session_state["loop-reads"].entries.values():
        if each.job:
            each.job.wait(60)
    app.run()
    assert "made this curve" not in words(app)
    ways = {each.bundle.card.version: len(each.points) for each in
            app.session_state["loop-reads"].entries.values()}  # fmt: skip
    assert ways == {"901.0": 3, "902.0": 3}

"""What holds on every page: both languages, what it says it is, who may open it."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from page_tools import QUEUE, READ, SENT, VERSIONS, scan_bytes, shown, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.errors import ModelError
from core.text import use_language
from core.ui import service
from core.ui.service import is_loopback

PAGES = [("clinician", READ), ("clinician", SENT), ("reviewer", QUEUE), ("administrator", READ),
         ("administrator", VERSIONS)]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("code", ["en", "zh_CN"])
@pytest.mark.parametrize(("role", "page"), PAGES)
def test_a_page_opens_in_this_language_with_the_notice(
    app: AppTest, role: str, page: str, code: str
) -> None:
    app.context = {"locale": "en-US"}
    app.get_by_key("language-switch").set_value(code).run()
    sign_in(app, role)
    app.switch_page(page).run()
    assert not app.exception
    notice = "Decision support, not a medical device."
    from core.text import _

    with use_language(code):
        assert code == "en" or _(notice) != notice
    assert ("不是医疗器械" in words(app)) is (code == "zh_CN") or "医疗器械" in words(app)
    assert (notice in words(app)) is (code == "en")


def test_a_browser_in_chinese_gets_chinese_without_asking() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.context = {"locale": "zh-CN"}
    app.run()
    assert "医疗器械" in words(app)


@pytest.mark.parametrize("page", [READ, SENT, QUEUE, VERSIONS])
def test_a_deep_link_without_sign_in_shows_nothing_of_the_page(app: AppTest, page: str) -> None:
    before = words(app)
    app.switch_page(page).run()
    assert not app.exception
    assert words(app) == before
    keys = {str(button.key) for button in app.button}
    assert {key for key in keys if not key.startswith("sign-in-")} == set()


@pytest.mark.parametrize("page", [READ, SENT, QUEUE, VERSIONS])
def test_a_page_opened_past_the_app_guards_itself(page: str) -> None:
    direct = AppTest.from_file(str(ROOT / page), default_timeout=60).run()
    assert not direct.exception
    assert [str(e.value) for e in direct.error] == ["Sign in with a role that may open this page."]
    assert not direct.button


def test_changing_role_forgets_the_scans_of_the_last_one(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    case = shown(clinician).scan.case_number
    clinician.button(key="sign-out").click().run()
    assert "reading-list" not in clinician.session_state
    sign_in(clinician, "administrator")
    assert case not in words(clinician)


def test_reading_goes_on_without_a_usable_model(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_TASK", "a-task-nobody-trained")
    st.cache_resource.clear()
    status = service.model()
    with pytest.raises(Exception, match=r".+"):
        status.get_predictor(timeout=60)
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    item = shown(app)
    assert item.prediction is None
    assert "No AI result" in words(app)
    app.get_by_key(f"feedback-label-{item.widget}").set_value("benign").run()
    app.get_by_key(f"feedback-confidence-{item.widget}").set_value(3).run()
    app.button(key=f"send-{item.widget}").click().run()
    assert f"Saved: your feedback on case {item.scan.case_number}" in words(app)
    app.button(key="sign-out").click().run()
    sign_in(app, "reviewer")
    assert item.scan.case_number in words(app)


def test_trying_again_uses_a_model_that_was_brought_meanwhile(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bundle_factory

    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "site"))
    monkeypatch.setenv("OVERREAD_TASK", "own-task")
    st.cache_resource.clear()
    with pytest.raises(ModelError):
        service.model().get_predictor(timeout=120)
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    assert shown(app).prediction is None
    card = bundle_factory.lesion_card("own-task")
    bundle_factory.write(tmp_path / "site" / "models", card=card)
    app.button(key="read-again").click().run()
    service.model().get_predictor(timeout=120)
    app.run()
    assert not app.exception
    assert shown(app).prediction is not None
    assert "No AI result" not in words(app)


def test_reading_goes_on_without_a_database(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:9/none")
    st.cache_resource.clear()
    service.model().get_predictor(timeout=120)
    upload(sign_in(app, "clinician"), ("a.png", scan_bytes(1)))
    item = shown(app)
    assert item.prediction is not None
    assert "sending feedback needs the database" in words(app)
    app.get_by_key(f"feedback-verdict-{item.widget}").set_value("accept").run()
    app.get_by_key(f"feedback-comment-{item.widget}").set_value("kept").run()
    app.button(key=f"send-{item.widget}").click().run()
    assert "Saved" not in words(app)
    assert "Not saved" in words(app)
    assert app.get_by_key(f"feedback-comment-{item.widget}").value == "kept"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.8.8.8", True),
        ("0.0.0.0", False), ("", False), (None, False), ("192.168.1.5", False),
        ("example.org", False), ("::", False),
    ],
)  # fmt: skip
def test_demo_mode_knows_which_addresses_stay_on_this_machine(
    address: str | None, expected: bool
) -> None:
    assert is_loopback(address) is expected

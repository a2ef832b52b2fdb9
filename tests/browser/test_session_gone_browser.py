"""After a restart of the server or a broken connection no click is dropped in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser_kit import Server, Watched
from first_line_kit import COMMENT, fill_in, idle, phantom, read_a_scan, receipt, start_app, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Lets a test break the page's connection, as a network does.
_KEEP_SOCKETS = """() => {
  const Plain = window.WebSocket;
  window.sockets = [];
  window.WebSocket = class extends Plain {
    constructor(...given) { super(...given); window.sockets.push(this); }
  };
}"""


def test_a_doctor_whose_server_was_started_anew_is_told_before_clicking_send(
    open_page: Callable[..., Watched], models: Path, tmp_path: Path
) -> None:
    server = start_app(tmp_path / "var", models)
    # Not watched for errors: the page complains, rightly, that its server is gone.
    page = open_page(server.address).page
    try:
        read_a_scan(page, phantom(3))
        fill_in(page)
        idle(page)
        assert page.get_by_role("alert").filter(has_text="nothing can be sent").count() == 0
    finally:
        server.process.kill()
        server.process.wait(20)
    again = start_app(tmp_path / "var", models, port=int(server.address.rpartition(":")[2]))
    try:
        told = page.get_by_role("alert").filter(has_text="The server was started anew")
        told.wait_for()
        if "signed out" in told.inner_text():
            # Streamlit ran the page anew by itself, as it does where a run was under way.
            told.get_by_role("button", name="Close").click()
        else:
            # What was typed can still be copied.
            assert page.get_by_role("textbox", name="Comment").input_value() == COMMENT
            page.on("dialog", lambda dialog: dialog.accept())
            told.get_by_role("button", name="Load the page anew").click()
        page.get_by_role("button", name="Go on as Clinician").wait_for()
        assert told.count() == 0
    finally:
        again.stop()


def test_a_connection_that_breaks_for_a_moment_costs_nothing_and_alarms_nobody(
    open_page: Callable[..., Watched], server: Server
) -> None:
    page = open_page(server.address).page
    page.add_init_script(f"({_KEEP_SOCKETS})()")
    page.reload()
    read_a_scan(page, phantom(4))
    fill_in(page)
    asked: list[int] = []
    page.on(
        "response",
        lambda answer: asked.append(answer.status) if "/session/" in answer.url else None,
    )
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")
    until(page, lambda: bool(asked), "asking for its session")
    assert asked == [204]
    page.get_by_role("button", name="Send feedback").click()
    receipt(page).wait_for()
    assert page.get_by_role("alert").filter(has_text="The server was started anew").count() == 0


def test_a_bookmark_of_a_page_leads_there_once_somebody_has_signed_in(
    open_page: Callable[..., Watched], models: Path, tmp_path: Path
) -> None:
    # A server of its own: the first page that anybody opens there is the bookmark's.
    server = start_app(tmp_path / "var", models)
    try:
        # Not watched for errors: below a page's address Streamlit's browser looks for its server
        # in vain before it finds it above.
        page = open_page(f"{server.address}/performance").page
        page.get_by_role("button", name="Go on as Reviewer").click()
        page.get_by_role("heading", name="Model performance").wait_for()
        page.reload()
        page.get_by_role("button", name="Go on as Clinician").click()
        page.get_by_role("heading", name="Model performance").wait_for()
        # Nobody is led to where another one was before.
        page.get_by_role("button", name="Change role").click()
        page.get_by_role("button", name="Go on as Reviewer").click()
        page.get_by_role("heading", name="Review queue").wait_for()
        # And a page that is not one's own stays shut.
        page.goto(f"{server.address}/versions")
        page.get_by_role("button", name="Go on as Clinician").click()
        page.get_by_role("button", name="Change role").wait_for()
        assert page.get_by_role("heading", name="Model versions").count() == 0
    finally:
        server.stop()

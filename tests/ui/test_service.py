"""Who gets an answer from demo mode, when the server refuses to start, and what it survives."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
import streamlit as st
from running import run
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from streamlit import config
from streamlit.testing.v1 import AppTest

from core.errors import BundleNotFound, SettingsError
from core.model import Predictor, import_tensorflow
from core.ui import service

pytestmark = pytest.mark.usefixtures("site")
HERE, ELSEWHERE = ("127.0.0.1", 50000), ("192.168.1.5", 50000)


@pytest.fixture(autouse=True)
def streamlit_as_found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give back what starting the server changes for the whole process."""
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    address = st.get_option("server.address")
    yield
    config.set_option("server.address", address)


def ask(client: tuple[str, int] | None, kind: str = "http", **headers: str) -> list[Any]:
    """Return what somebody at ``client`` gets: ``"passed"`` where the app itself was asked."""
    sent: list[Any] = []

    async def app(*_asked: object) -> None:
        sent.append("passed")

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "client": client,
        "method": "GET",
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    run(service.LoopbackOnly(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_person_at_this_machine_gets_the_app(host: str, kind: str) -> None:
    assert ask((host, 50000), kind) == ["passed"]


@pytest.mark.parametrize("client", [ELSEWHERE, ("2001:db8::5", 1), ("unknown", 1), None])
def test_nobody_beyond_this_machine_gets_past_a_mode_without_passwords(
    client: tuple[str, int] | None,
) -> None:
    start, body = ask(client)
    assert start["status"] == 403
    assert body["body"] == b"Demo mode is open to this machine only."


def test_nobody_gets_in_by_saying_that_they_are_here() -> None:
    claims = {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1", "host": "127.0.0.1"}
    assert ask(ELSEWHERE, **claims)[0]["status"] == 403


def test_no_session_opens_from_beyond_this_machine() -> None:
    assert ask(ELSEWHERE, "websocket") == [{"type": "websocket.close", "code": 1008}]


def test_the_server_itself_still_starts_and_stops() -> None:
    assert ask(None, "lifespan") == ["passed"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_site_that_opens_demo_mode_is_reached_from_elsewhere(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_DEMO_ON_NETWORK", "on")
    st.cache_resource.clear()
    assert ask(ELSEWHERE, kind) == ["passed"]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "", None])
def test_demo_mode_never_starts_where_others_could_reach_it(
    address: str | None, site: Path
) -> None:
    config.set_option("server.address", address)
    with pytest.raises(SettingsError, match=r"server\.address to 127\.0\.0\.1"):
        service.start()
    assert not (site / "overread.db").exists(), "it went on before it looked"


@pytest.mark.parametrize("address", ["0.0.0.0", None])
def test_a_site_that_opens_demo_mode_starts_on_any_address(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_DEMO_ON_NETWORK", "on")
    config.set_option("server.address", address)
    service.start()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_starting_brings_the_database_up_to_date(address: str, site: Path) -> None:
    config.set_option("server.address", address)
    service.start()
    with service.store().reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one() == 0
    assert (site / "overread.db").exists()
    service.stop()


def test_a_database_that_is_down_does_not_keep_anybody_from_reading(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://nobody:secret-word@127.0.0.1:9/none")
    st.cache_resource.clear()
    with caplog.at_level(logging.WARNING, "core.ui.service"):
        service.start()
    (record,) = [r for r in caplog.records if r.name == "core.ui.service"]
    assert "Started without the database" in record.getMessage()
    assert "secret-word" not in caplog.text
    assert record.exc_info is None


def spooled(size: int) -> bool:
    """Upload ``size`` bytes as the app does, and tell whether they were written to a file."""
    mark = b"--edge"
    body = b"\r\n".join(
        [
            mark,
            b'Content-Disposition: form-data; name="file"; filename="a.png"',
            b"Content-Type: image/png",
            b"",
            bytes(size),
            mark + b"--",
            b"",
        ]
    )

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> bool:
        kind = (b"content-type", b"multipart/form-data; boundary=edge")
        scope = {"type": "http", "method": "PUT", "path": "/", "headers": [kind]}
        async with Request(scope, receive).form() as form:
            upload: Any = form["file"]
            assert upload.size == size
            return bool(upload.file._rolled)

    return run(read())


def test_no_uploaded_scan_is_written_to_the_disk_on_its_way_in() -> None:
    assert spooled(2 * 2**20), "this test looks at nothing: Starlette keeps uploads in memory now"
    service.start()
    assert not spooled(2 * 2**20)
    assert MultiPartParser.spool_max_size > int(st.get_option("server.maxUploadSize")) * 2**20


def test_running_a_page_does_not_make_the_next_read_wait_for_the_model_to_be_prepared_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_tensorflow()
    import keras

    cleared: list[bool] = []
    monkeypatch.setattr(keras.backend, "clear_session", lambda: cleared.append(True))

    def page() -> None:
        import streamlit

        streamlit.write("a page")

    AppTest.from_function(page).run()
    assert cleared, "Streamlit does not do so any more: the mend can go"
    del cleared[:]
    service.keep_what_is_compiled()
    AppTest.from_function(page).run()
    assert not cleared


def test_a_page_that_waits_does_not_keep_the_model_from_being_loaded(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Garbage is collected after each run of a page: TensorFlow must be out of its sight by then.
    import_tensorflow()
    import keras

    when: list[tuple[str, bool]] = []
    load, freeze = Predictor.load, gc.freeze

    def loading(*given: Any, **named: Any) -> Predictor:
        when.append(("load", keras.backend.clear_session is service._leave_as_it_is))
        return load(*given, **named)

    monkeypatch.setattr(keras.backend, "clear_session", keras.backend.clear_session)
    monkeypatch.setattr(Predictor, "load", loading)
    monkeypatch.setattr(gc, "freeze", lambda: when.append(("set aside", True)) or freeze())
    monkeypatch.setenv("OVERREAD_TASK", "own-task")
    bundle_factory.write(site / "models", card=bundle_factory.lesion_card("own-task"))
    service.model().get_predictor(timeout=120)
    assert when[0][0] == "set aside"
    assert ("load", True) in when


def test_a_model_that_was_repaired_is_loaded_without_a_restart(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_TASK", "own-task")
    with pytest.raises(BundleNotFound):
        service.model().get_predictor(timeout=120)
    bundle_factory.write(site / "models", card=bundle_factory.lesion_card("own-task"))
    assert service.model().status().state == "failed"
    service.load_model_again()
    assert service.model().get_predictor(timeout=120).card.task == "own-task"
    ready = service.model()
    service.load_model_again()
    assert service.model() is ready, "a model that works was thrown away"

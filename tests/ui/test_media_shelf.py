"""Pictures by address: nobody else's, never more than there is room for, gone with the session."""

from __future__ import annotations

import re
from typing import Any

import pytest
from running import run
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from streamlit.testing.v1 import AppTest

from core.errors import CorruptFile
from core.ui import media
from core.ui.media import MediaShelf, media_routes, new_token, viewer_script_path

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 92


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fetch(
    shelf: MediaShelf, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask the routes as a browser would, without a server, but behind its compression."""
    app = Starlette(routes=media_routes(shelf), middleware=[Middleware(GZipMiddleware)])
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    run(app(scope, receive, send))
    answer = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], answer, b"".join(m.get("body", b"") for m in sent[1:])


def test_a_picture_is_served_privately_and_exactly() -> None:
    shelf = MediaShelf()
    path = shelf.publish(new_token(), "scan:1", lambda: PNG)
    status, headers, body = fetch(shelf, path)
    assert (status, body) == (200, PNG)
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "private, max-age=3600, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_nobody_reaches_a_picture_with_another_token_or_name() -> None:
    shelf = MediaShelf()
    mine, other = new_token(), new_token()
    path = shelf.publish(mine, "scan:1", lambda: PNG)
    shelf.publish(other, "scan:2", lambda: PNG)
    name = path.rsplit("/", 1)[1]
    for wrong in (
        f"/overread/media/{other}/{name}",
        f"/overread/media/{mine[:-1]}/{name}",
        f"/overread/media/{mine}/{'0' * 32}.png",
        f"/overread/media/{mine}/../{mine}/{name}",
        f"/overread/media/{mine}/é.png",
        f"/overread/media/{mine}/",
        "/overread/media/",
    ):
        assert fetch(shelf, wrong)[0] == 404
    assert fetch(shelf, path, "POST")[0] == 405


def test_an_address_says_nothing_about_the_picture_and_cannot_be_guessed() -> None:
    shelf = MediaShelf()
    digest = "ab12" * 16
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 for token in tokens)
    paths = {shelf.publish(token, f"scan:{digest}", lambda: PNG) for token in tokens}
    names = {path.rsplit("/", 1)[1] for path in paths}
    assert len(names) == 100
    assert not any(digest[:8] in name for name in names)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_show_a_patients_picture(site: str) -> None:
    shelf = MediaShelf()
    path = shelf.publish(new_token(), "scan:1", lambda: PNG)
    assert fetch(shelf, path, sec_fetch_site=site)[0] == 404
    assert fetch(shelf, path, sec_fetch_site="same-origin")[0] == 200


def test_a_picture_is_encoded_once_and_keeps_its_address() -> None:
    shelf, token, made = MediaShelf(), new_token(), []

    def make() -> bytes:
        made.append(1)
        return PNG

    assert len({shelf.publish(token, "scan:1", make) for _ in range(5)}) == 1
    assert len(made) == 1


def test_one_session_cannot_fill_the_memory() -> None:
    shelf, token = MediaShelf(session_bytes=350), new_token()
    paths = [shelf.publish(token, f"scan:{n}", lambda: PNG) for n in range(3)]
    assert fetch(shelf, paths[0])[0] == 200
    paths.append(shelf.publish(token, "scan:3", lambda: PNG))
    assert shelf.size == 300
    # The least recently used went, which is the second: the first has just been looked at.
    assert [fetch(shelf, path)[0] for path in paths] == [200, 404, 200, 200]


def test_many_sessions_cannot_fill_the_memory() -> None:
    shelf = MediaShelf(session_bytes=350, total_bytes=500)
    for _ in range(20):
        token = new_token()
        for n in range(2):
            path = shelf.publish(token, f"scan:{n}", lambda: PNG)
        assert fetch(shelf, path)[0] == 200
        assert shelf.size <= 500


def test_a_picture_larger_than_the_limit_is_still_shown() -> None:
    shelf = MediaShelf(session_bytes=50, total_bytes=60)
    path = shelf.publish(new_token(), "scan:1", lambda: PNG)
    assert fetch(shelf, path)[0] == 200
    shelf.publish(new_token(), "scan:1", lambda: PNG)
    assert shelf.size == 100


def test_pictures_of_an_idle_session_go() -> None:
    clock = Clock()
    shelf = MediaShelf(idle_seconds=60, clock=clock)
    idle, busy = new_token(), new_token()
    left = shelf.publish(idle, "scan:1", lambda: PNG)
    kept = shelf.publish(busy, "scan:1", lambda: PNG)
    clock.now += 50
    assert fetch(shelf, kept)[0] == 200
    clock.now += 50
    assert (fetch(shelf, left)[0], fetch(shelf, kept)[0]) == (404, 200)
    assert shelf.size == len(PNG)


def test_what_was_dropped_comes_back_under_the_same_address() -> None:
    shelf, token = MediaShelf(), new_token()
    path = shelf.publish(token, "scan:1", lambda: PNG)
    shelf.close(token)
    assert (shelf.size, fetch(shelf, path)[0]) == (0, 404)
    assert shelf.publish(token, "scan:1", lambda: PNG) == path
    assert fetch(shelf, path)[0] == 200


def test_the_viewers_script_and_all_it_imports_are_served_under_their_digest_only() -> None:
    path = viewer_script_path()
    status, headers, body = fetch(MediaShelf(), path)
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/javascript")
    assert b"export function render" in body
    folder = path.rsplit("/", 1)[0]
    left, seen = ["viewer.js"], set()
    while left:
        name = left.pop()
        status, _, body = fetch(MediaShelf(), f"{folder}/{name}")
        assert status == 200
        seen.add(name)
        left += set(re.findall(r'from "\./([^"]+)"', body.decode())) - seen
    assert len(seen) > 5
    assert fetch(MediaShelf(), "/overread/viewer/0123456789abcdef/viewer.js")[0] == 404
    for name in ("viewer.py", "../viewer.py", "media.js", ""):
        assert fetch(MediaShelf(), f"{folder}/{name}")[0] == 404


def test_values_travel_as_they_are_without_compression() -> None:
    shelf = MediaShelf()
    values = bytes(range(256)) * 40
    path = shelf.publish(new_token(), "values:1", lambda: values, "bin")
    assert path.endswith(".bin")
    status, headers, body = fetch(shelf, path, accept_encoding="gzip")
    assert (status, body) == (200, values)
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-encoding"] == "identity"
    assert headers["x-content-type-options"] == "nosniff"
    assert fetch(shelf, path, sec_fetch_site="cross-site")[0] == 404
    # The same name is no picture.
    assert fetch(shelf, path.replace(".bin", ".png"))[0] == 404


def frames(shelf: MediaShelf, token: str, identity: str = "loop:1", count: int = 9) -> Any:
    made: list[int] = []

    def make(index: int) -> bytes:
        made.append(index)
        if index == 5:
            raise CorruptFile("This frame cannot be decoded.")
        return PNG + bytes([index])

    return shelf.publish_frames(token, identity, count, make), made


def test_a_frame_is_made_when_it_is_asked_for_and_once() -> None:
    shelf, token = MediaShelf(), new_token()
    address, made = frames(shelf, token)
    assert (made, shelf.size) == ([], 0)
    for _ in range(3):
        status, headers, body = fetch(shelf, address.format(frame=4))
        assert (status, body) == (200, PNG + b"\x04")
    assert made == [4]
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "private, max-age=3600, immutable"
    # Publishing again, as every run of the page does, keeps what was made.
    assert frames(shelf, token)[0] == address
    assert fetch(shelf, address.format(frame=4))[0] == 200


def test_nobody_reaches_a_frame_with_another_token_name_or_number() -> None:
    shelf = MediaShelf()
    mine, other = new_token(), new_token()
    address, made = frames(shelf, mine)
    frames(shelf, other, "loop:2")
    name = address.split("/")[-2]
    for wrong in (
        f"/overread/media/{other}/{name}/1.png",
        f"/overread/media/{mine}/{'0' * 32}/1.png",
        f"/overread/media/{mine}/{name}/9.png",
        f"/overread/media/{mine}/{name}/-1.png",
        f"/overread/media/{mine}/{name}/1.bin",
        f"/overread/media/{mine}/{name}/x.png",
    ):
        assert fetch(shelf, wrong)[0] == 404
    assert fetch(shelf, address.format(frame=1), sec_fetch_site="cross-site")[0] == 404
    assert made == []
    assert fetch(shelf, address.format(frame=1))[0] == 200
    shelf.close(mine)
    assert fetch(shelf, address.format(frame=1))[0] == 404


def test_a_frame_that_cannot_be_decoded_is_not_found_and_breaks_nothing() -> None:
    shelf = MediaShelf()
    address, _ = frames(shelf, new_token())
    status, headers, _ = fetch(shelf, address.format(frame=5))
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert fetch(shelf, address.format(frame=6))[0] == 200


def test_frames_cannot_fill_the_memory_nor_push_pictures_out() -> None:
    shelf, token = MediaShelf(session_bytes=150, frame_bytes=250), new_token()
    path = shelf.publish(token, "scan:1", lambda: PNG)
    address, made = frames(shelf, token)
    for frame in (0, 1, 2, 3, 4):
        assert fetch(shelf, address.format(frame=frame))[0] == 200
    assert shelf.size == 100 + 2 * 101
    assert fetch(shelf, path)[0] == 200
    fetch(shelf, address.format(frame=0))
    assert made == [0, 1, 2, 3, 4, 0]


def test_loops_of_many_sessions_cannot_fill_the_memory() -> None:
    shelf = MediaShelf(total_bytes=450)
    for _ in range(6):
        address, _ = frames(shelf, new_token())
        for frame in (0, 1):
            assert fetch(shelf, address.format(frame=frame))[0] == 200
        assert shelf.size <= 450


def test_a_session_holds_on_to_few_loops() -> None:
    shelf, token = MediaShelf(), new_token()
    addresses = [frames(shelf, token, f"loop:{n}")[0] for n in range(3)]
    for address in addresses:
        fetch(shelf, address.format(frame=0))
    addresses += [frames(shelf, token, f"loop:{n}")[0] for n in range(3, 6)]
    found = [fetch(shelf, address.format(frame=0))[0] for address in addresses]
    assert found == [404, 404, 200, 200, 200, 200]
    assert shelf.size == 4 * 101


def _publishing_page() -> None:
    import streamlit as st

    from core.ui import media as shelf

    st.text(shelf.publish("scan:1", lambda: b"\x89PNG test"))
    if st.button("out"):
        shelf.forget()


def test_a_session_has_one_address_for_a_picture_until_it_signs_out() -> None:
    page = AppTest.from_function(_publishing_page).run()
    assert not page.exception
    first = page.text[0].value
    assert page.run().text[0].value == first
    other = AppTest.from_function(_publishing_page).run()
    assert other.text[0].value != first
    assert fetch(media.SHELF, first)[0] == 200
    page.button[0].click().run()
    assert fetch(media.SHELF, first)[0] == 404
    assert page.run().text[0].value != first


def test_pictures_go_when_the_session_ends() -> None:
    from streamlit.runtime.caching import clear_session_resource_cache

    page = AppTest.from_function(_publishing_page).run()
    path = page.text[0].value
    assert fetch(media.SHELF, path)[0] == 200
    # What Streamlit calls when a session disconnects or is shut down.
    for session in list(_sessions()):
        clear_session_resource_cache(session)
    assert fetch(media.SHELF, path)[0] == 404


def _sessions() -> list[str]:
    from streamlit.runtime.caching.cache_resource_api import _resource_caches

    return [name for name in _resource_caches._function_caches if name is not None]

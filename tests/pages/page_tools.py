"""What the page tests share: scans, and looking at what a page says."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from core.scan import PhantomSpec, encode_png, make_phantom
from core.ui.open_scan import OpenScan
from core.ui.reading_list import ReadingList

READ = "pages/clinic/read.py"
SENT = "pages/clinic/sent.py"
QUEUE = "pages/review/queue.py"


def sign_in(app: AppTest, role: str) -> AppTest:
    """Choose a part on the welcome page."""
    app.button(key=f"sign-in-{role}").click().run()
    assert not app.exception
    return app


def scan_bytes(seed: int = 1) -> bytes:
    """Return a synthetic scan as a PNG file."""
    return encode_png(make_phantom(PhantomSpec(), seed).scan)


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Put files into the uploader and let the page take them in."""
    for name, data in files:
        app.file_uploader[0].upload(name, data)
    app.run()
    assert not app.exception
    return read_in_background(app)


def read_in_background(app: AppTest) -> AppTest:
    """Wait until the model has read every scan on the list, as the page's own polling does."""
    state = app.session_state
    job = state["reading-job"] if "reading-job" in state else None  # noqa: SIM401
    if job is not None:
        job.wait(60)
        app.run()
        assert not app.exception
    return app


def reading(app: AppTest) -> ReadingList:
    """Return the session's reading list."""
    found = app.session_state["reading-list"]
    assert isinstance(found, ReadingList)
    return found


def shown(app: AppTest) -> OpenScan:
    """Return the scan on screen."""
    item = reading(app).shown
    assert item is not None
    return item


def key(app: AppTest, kind: str, name: str) -> str:
    """Return the key of a control that belongs to the scan on screen."""
    return f"{kind}-{name}-{shown(app).digest[:16]}"


def set_(app: AppTest, kind: str, name: str, value: Any) -> AppTest:
    """Move a control that belongs to the scan on screen."""
    app.get_by_key(key(app, kind, name)).set_value(value).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Return everything the page says, to look whether something is on it."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning",
             "info", "success")  # fmt: skip
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [f"{metric.label} {metric.value}" for metric in app.metric]
    return "\n".join(parts)


def viewer(app: AppTest) -> dict[str, Any]:
    """Return what goes to the viewer on screen: what its script in the browser draws."""
    (component,) = app.get("bidi_component")
    data = json.loads(component.proto.json)
    assert isinstance(data, dict)
    return data

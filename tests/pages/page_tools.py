"""What the page tests share: scans, and looking at what a page says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
from dicom_factory import make_dicom
from streamlit.testing.v1 import AppTest

from core.scan import LesionSpec, PhantomSpec, encode_png, make_phantom
from core.ui import service
from core.ui.open_scan import OpenScan
from core.ui.reading_list import ReadingList

READ = "pages/clinic/read.py"
SENT = "pages/clinic/sent.py"
QUEUE = "pages/review/queue.py"
VERSIONS = "pages/models/versions.py"


def sign_in(app: AppTest, role: str) -> AppTest:
    """Choose a part on the welcome page."""
    app.button(key=f"sign-in-{role}").click().run()
    assert not app.exception
    return app


@cache
def scan_bytes(seed: int = 1) -> bytes:
    """Return a synthetic scan as a PNG file."""
    return encode_png(make_phantom(PhantomSpec(), seed).scan)


def loop_bytes(frames: int = 4, **options: Any) -> bytes:
    """Return a DICOM loop of phantoms, of which no frame is like another."""
    return make_dicom(np.stack([_picture(seed) for seed in range(frames)]), **options)


def deep_bytes(**options: Any) -> bytes:
    """Return a DICOM image of 12 bits."""
    fine = np.random.default_rng(0).integers(0, 16, (300, 400)).astype(np.uint16)
    deep = (_picture(0).astype(np.uint16) << 4) + fine
    return make_dicom(deep, bits=12, **options)


@cache
def _picture(seed: int) -> np.ndarray:
    spec = PhantomSpec(400, 300, lesion=LesionSpec())
    return make_phantom(spec, seed).scan.grey


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Put files into the uploader and let the page take them in."""
    for name, data in files:
        app.file_uploader[0].upload(name, data)
    app.run()
    assert not app.exception
    return read_in_background(app)


def read_in_background(app: AppTest) -> AppTest:
    """Wait until the model has read every scan on the list, as the page's own polling does."""
    if "reading-job" in app.session_state:
        app.session_state["reading-job"].job.wait(60)
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
    return f"{kind}-{name}-{shown(app).widget}"


def set_(app: AppTest, kind: str, name: str, value: Any) -> AppTest:
    """Move a control that belongs to the scan on screen."""
    app.get_by_key(key(app, kind, name)).set_value(value).run()
    assert not app.exception
    return app


def press(app: AppTest, name: str) -> AppTest:
    """Press a button by its key."""
    app.button(key=name).click().run()
    assert not app.exception
    return app


def open_panel(app: AppTest, name: str) -> AppTest:
    """Open an expander that is drawn only while it is open."""
    app.session_state[name] = True
    app.run()
    assert not app.exception
    return app


def send(app: AppTest, **said: Any) -> AppTest:
    """Fill in what the form lacks (or ``said``) and send it; it must have been saved."""
    for name, value in ({"verdict": "accept"} | said).items():
        set_(app, "feedback", name, value)
    press(app, f"send-{shown(app).widget}")
    assert f"Saved: your feedback on case {shown(app).scan.case_number}" in words(app)
    return app


def stored(columns: str, tables: str = "feedback") -> list[Any]:
    """Return rows of the database, in the order they came."""
    with service.store().reading() as connection:
        return list(connection.exec_driver_sql(f"SELECT {columns} FROM {tables}").all())


def words(app: AppTest) -> str:
    """Return everything the page says, to look whether something is on it."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning",
             "info", "success")  # fmt: skip
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [f"{metric.label} {metric.value}" for metric in app.metric]
    return "\n".join(parts)


def viewer(app: AppTest) -> dict[str, Any]:
    """Return what goes to the viewer on screen: what its script in the browser draws."""
    (data,) = [data for data in _components(app) if "image" in data]
    return data


def saved_files(app: AppTest) -> list[dict[str, Any]]:
    """Return the files that the page hands to the browser to be saved."""
    return [data for data in _components(app) if "bytes" in data]


def _components(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(component.proto.json) for component in app.get("bidi_component")]


class Hand:
    """A person at the viewer: hands over what the browser would report, once."""

    def __init__(self, component: Any) -> None:
        self._component = component
        self._next: dict[str, Any] = {}

    def __call__(self, **options: Any) -> dict[str, Any]:
        self._component(**options)
        said, self._next = self._next, {}
        return said

    def does(self, app: AppTest, **reported: Any) -> AppTest:
        """Let the page run with what was reported: ``frame``, ``window``, ``regions``, …"""
        data = viewer(app)
        about = {"image": data["image"]}
        if data["loop"] is not None:
            about["loop"] = data["loop"]["url"]
        self._next = {name: about | value for name, value in reported.items()}
        app.run()
        assert not app.exception
        assert not self._next, "the viewer was not on the page"
        return read_in_background(app)

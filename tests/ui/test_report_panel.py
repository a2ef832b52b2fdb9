"""The panel offers the report as it stands, says what it lacks, and makes none unasked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from made_results import lesions, phantom, prediction
from streamlit.testing.v1 import AppTest

from core.errors import ReportError
from core.report import BatchRow, ReportInput
from core.text import language
from core.ui import report_panel

pytestmark = pytest.mark.usefixtures("site")
MADE_AT = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def _page(make, case_number):
    # Streamlit takes this apart and runs its body as a script.
    from core.ui.report_panel import report_downloads

    report_downloads(make, case_number, key="report")


def _many(make_rows, files):
    from core.ui.report_panel import batch_downloads

    batch_downloads(make_rows, key="batch", files=files)


def given(**changes: Any) -> ReportInput:
    scan = phantom()
    return ReportInput(
        **{"scan": scan, "made_at": MADE_AT, "prediction": prediction(scan), **changes}
    )


def shown(page: Any, **kwargs: Any) -> AppTest:
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=30).run()
    assert not app.exception
    return app


def captions(app: AppTest) -> str:
    return "\n".join(str(caption.value) for caption in app.caption)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Catch what the buttons would make, by the name of the file."""
    found: dict[str, Any] = {}
    whole = report_panel.st.download_button

    def button(title: str, make: Any, name: str, *rest: Any, **more: Any) -> Any:
        found[name] = make
        return whole(title, make, name, *rest, **more)

    monkeypatch.setattr(report_panel.st, "download_button", button)
    return found


def saved(app: AppTest, name: str) -> bytes:
    """Ask for a file, and return what the browser is given to save."""
    app.button(key=f"report-{name}").click().run()
    assert not app.exception
    (component,) = app.get("bidi_component")
    file = json.loads(component.proto.json)
    assert file["name"] == name
    return base64.b64decode(file["bytes"])


def test_what_the_report_will_lack_is_said_before_it_is_made() -> None:
    scan = phantom()
    app = shown(_page, make=given, case_number=scan.case_number)
    assert "none will be printed" in captions(app)
    assert "BI-RADS" in captions(app)
    assert "written in English" in captions(app)
    names = [f"{scan.case_number}-report.{ending}" for ending in ("pdf", "html")]
    assert [each.key for each in app.button] == [f"report-{name}" for name in names]
    assert not app.get("bidi_component"), "nobody asked for a file yet"
    found = lesions(scan, slice(30, 60), slice(40, 90)).lesions
    accepted = given(outline="accepted", lesions=found)
    assert "printed" not in captions(
        shown(_page, make=lambda: accepted, case_number=scan.case_number)
    )


def test_a_file_is_made_of_what_is_entered_when_it_is_asked_for() -> None:
    typed = {"comment": "first"}
    case = phantom().case_number
    app = shown(_page, make=lambda: given(comment=typed["comment"]), case_number=case)
    typed["comment"] = "second thoughts"
    assert b"second thoughts" in saved(app, f"{case}-report.html")
    assert saved(app, f"{case}-report.pdf").startswith(b"%PDF")
    app.run()
    # Handed over again under the same identity, which the browser does not save twice; then gone.
    for _run in range(3):
        app.run()
    assert not app.get("bidi_component"), "it would be sent at every run"


def test_a_file_speaks_the_language_of_the_page_that_offered_it() -> None:
    case = phantom().case_number
    made = report_panel.in_language("zh_CN", lambda: language().encode())
    assert made() == b"zh_CN"
    assert language() == "en"
    app = shown(_page, make=given, case_number=case)
    assert b'lang="en"' in saved(app, f"{case}-report.html")


def test_a_report_that_cannot_be_made_is_explained_instead_of_offered() -> None:
    def make() -> ReportInput:
        raise ReportError("The AI result belongs to another image.")

    app = shown(_page, make=make, case_number="AAAAA-AAAAA")
    assert [str(error.value) for error in app.error] == ["The AI result belongs to another image."]
    assert not list(app.button)


def test_the_rows_of_many_scans_are_made_only_when_a_file_is_asked_for(
    offered: dict[str, Any],
) -> None:
    scan, asked = phantom(), []

    def make_rows() -> list[BatchRow]:
        asked.append(1)
        return [BatchRow.of(scan, prediction(scan))]

    app = shown(_many, make_rows=make_rows, files=lambda: ["mine.png"])
    assert asked == []
    assert "The CSV names your files" in captions(app)
    by_end = {name.rpartition(".")[2]: make for name, make in offered.items()}
    table = by_end["csv"]().decode("utf-8-sig")
    assert "mine.png" in table
    assert scan.case_number in table
    assert by_end["pdf"]().startswith(b"%PDF")
    assert b"mine.png" not in by_end["html"]()
    assert len(asked) == 3

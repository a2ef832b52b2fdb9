"""Reports to take away: one scan as PDF or HTML, many as a CSV or a printed summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import streamlit as st

from core.errors import OverreadError
from core.report import (
    BatchRow,
    ReportInput,
    batch_csv,
    batch_summary_html,
    batch_summary_pdf,
    make_report,
    missing,
    to_html,
    to_pdf,
)
from core.text import LANGUAGES, _, language, use_language
from core.ui.saved_file import save_file

#: Title, end of the file's name, type, and what makes it.
_Offer = tuple[str, str, str, Callable[[], bytes]]


def report_downloads(make: Callable[[], ReportInput], case_number: str, *, key: str) -> None:
    """Offer the report of one scan; what it will lack is said before.

    Parameters
    ----------
    make
        Gives the read as it stands, once whatever was typed has been taken over. Called when the
        panel is drawn, to tell what is missing; it may raise an
        :class:`~core.errors.OverreadError`, whose line is then shown instead of the buttons. A
        report is made in the very run that its button asks for, of what that run was given.
    case_number
        Names the files.
    key
        Unique among the panels of a page.
    """
    with st.container(border=True, gap="small", key=key):
        st.markdown("**" + _("Report · case {case}").format(case=case_number) + "**")
        try:
            given = make()
            lacks = missing(given)
        except OverreadError as error:
            st.error(str(error), icon=":material/error:")
            return
        for line in lacks:
            st.caption(":material/info: " + line)
        offers: list[_Offer] = [
            (
                _("Report PDF"),
                f"{case_number}-report.pdf",
                "application/pdf",
                lambda: to_pdf(make_report(given)),
            ),
            (
                _("Report HTML"),
                f"{case_number}-report.html",
                "text/html",
                lambda: to_html(make_report(given)),
            ),
        ]
        with st.container(horizontal=True, gap="small", key=f"{key}-files"):
            for title, name, _mime, _make in offers:
                # A plain button, for it runs the page and takes along what was typed before.
                st.button(
                    title,
                    key=f"{key}-{name}",
                    icon=":material/download:",
                    on_click=_ask,
                    args=(key, name),
                )
        _language_note()
        for offer in offers:
            _save(offer, key)


@dataclass(slots=True)
class _Asked:
    """A file that was asked for: made once, and handed over until the browser must have it."""

    name: str
    identity: str = field(default_factory=lambda: uuid4().hex)
    data: bytes | None = None
    runs_left: int = 3


def _ask(key: str, name: str) -> None:
    # Noted before the page runs: whatever cuts that run short, the next one makes the file.
    st.session_state[f"{key}-asked"] = _Asked(name)


def _save(offer: _Offer, key: str) -> None:
    title, name, mime, make = offer
    asked = st.session_state.get(f"{key}-asked")
    if not isinstance(asked, _Asked) or asked.name != name or asked.runs_left == 0:
        return
    if asked.data is None:
        try:
            with st.spinner(title):
                asked.data = make()
        except OverreadError as error:
            del st.session_state[f"{key}-asked"]
            st.error(str(error), icon=":material/error:")
            return
    # A run can be taken back before the browser has seen it, so it is handed over again; the
    # browser knows by the identity what it has saved.
    asked.runs_left -= 1
    save_file(asked.data, name, mime, asked.identity, key=f"{key}-saved-{name}")
    if asked.runs_left == 0:
        asked.data = None


def batch_downloads(
    make_rows: Callable[[], Sequence[BatchRow]],
    *,
    key: str,
    files: Callable[[], Sequence[str]] | None = None,
    author: str = "",
    role: str = "",
) -> None:
    """Offer the result of many scans.

    Parameters
    ----------
    make_rows
        Gives the rows; called only when a file is asked for.
    key
        Unique among the panels of a page.
    files
        Gives what the person calls each file, for the CSV only; None leaves them out.
    author, role
        Who makes the summary, as they want to be named.
    """

    def table() -> bytes:
        names = None if files is None else files()
        # With the mark that lets a spreadsheet take it for UTF-8.
        return batch_csv(make_rows(), names).encode("utf-8-sig")

    def summary(made: Callable[..., bytes]) -> Callable[[], bytes]:
        return lambda: made(
            make_rows(), made_at=datetime.now().astimezone(), author=author, role=role
        )

    code = language()
    day = datetime.now().astimezone().strftime("%Y-%m-%d")
    with st.container(border=True, gap="small", key=key):
        st.markdown("**" + _("Result of all scans") + "**")
        st.caption(_("Outlines in it are the AI’s and unconfirmed."))
        if files is not None:
            st.caption(_("The CSV names your files; the summary does not."))
        _buttons(
            [
                (_("Result CSV"), f"scans-{day}.csv", "text/csv", in_language(code, table)),
                (
                    _("Summary PDF"),
                    f"scans-{day}.pdf",
                    "application/pdf",
                    in_language(code, summary(batch_summary_pdf)),
                ),
                (
                    _("Summary HTML"),
                    f"scans-{day}.html",
                    "text/html",
                    in_language(code, summary(batch_summary_html)),
                ),
            ],
            key,
        )
        _language_note()


def _language_note() -> None:
    st.caption(
        _("It is written in {language}, the language of this page.").format(
            language=LANGUAGES[language()]
        )
    )


def in_language(code: str, make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what makes a file in the language of the page that offered it."""

    def made() -> bytes:
        # The download is made outside the run of the page, where no session tells the language.
        with use_language(code):
            return make()

    return made


def _buttons(offers: list[_Offer], key: str) -> None:
    with st.container(horizontal=True, gap="small", key=f"{key}-files"):
        for title, name, mime, make in offers:
            options: dict[str, Any] = {"on_click": "ignore", "icon": ":material/download:"}
            st.download_button(title, make, name, mime, key=f"{key}-{name}", **options)

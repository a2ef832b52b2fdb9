"""What stands around every page: sign-in, navigation by role, banner, and the standing notice."""

from __future__ import annotations

import streamlit as st

from core.errors import StoreError
from core.settings import ROOT
from core.text import LANGUAGES, _, language
from core.trust import Permission, Person, permissions_of
from core.ui import service, session
from core.ui.session_watch import watch_session
from core.ui.wording import role_name

#: Page files and the permission that opens each, in the order of the navigation.
_PAGES = (
    ("pages/clinic/read.py", Permission.READ_SCANS),
    ("pages/clinic/sent.py", Permission.SEND_FEEDBACK),
    ("pages/review/queue.py", Permission.SEE_QUEUE),
    ("pages/models/performance.py", Permission.SEE_MODELS),
    ("pages/models/versions.py", Permission.MANAGE),
)
_WELCOME = "pages/start/welcome.py"
#: A chosen button has a tinted ground and a frame; letters in the same blue would be too faint to
#: read in the dark, and a lighter blue would be too light under the white letters of other buttons.
#: Wide margins would be taken from the picture.
_STYLE = """<style>
.stApp .stButtonGroup button[data-selected="true"],
.stApp .stSlider [data-testid="stSliderThumbValue"] { color: inherit; }
@media (min-width: 1000px) {
  .stApp .stMainBlockContainer { padding-left: 2rem; padding-right: 2rem; }
}
</style>"""


def _page(path: str, *, hidden: bool = False) -> st.Page:
    title, icon = {
        _WELCOME: (_("Welcome"), ":material/waving_hand:"),
        "pages/clinic/read.py": (_("Read"), ":material/radiology:"),
        "pages/clinic/sent.py": (_("Sent feedback"), ":material/outbox:"),
        "pages/review/queue.py": (_("Review queue"), ":material/inbox:"),
        "pages/models/performance.py": (_("Model performance"), ":material/monitoring:"),
        "pages/models/versions.py": (_("Versions"), ":material/deployed_code_history:"),
    }[path]
    return st.Page(
        str(ROOT / path), title=title, icon=icon, visibility="hidden" if hidden else "visible"
    )


def pages_for(person: Person | None) -> list[str]:
    """Return the page files this person may open, the first one being home."""
    if person is None:
        return [_WELCOME]
    permitted = permissions_of(person.role)
    allowed = [page for page, permission in _PAGES if permission in permitted]
    return allowed or [_WELCOME]


def _sections(paths: list[str]) -> dict[str, list[st.Page]]:
    """Return the pages under the title of their section; those everybody knows have none."""
    titles = {"models": _("Models")}
    sections: dict[str, list[st.Page]] = {}
    for path in paths:
        sections.setdefault(titles.get(path.split("/")[1], ""), []).append(_page(path))
    return sections


def run() -> None:
    """Show the page that was asked for, with everything that stands around it."""
    st.set_page_config(
        page_title="Overread",
        page_icon=str(ROOT / "assets/brand/mark.png"),
        layout="wide",
        initial_sidebar_state="auto",
        menu_items={"About": _("Overread gives a second reading of medical images.")},
    )
    st.html(_STYLE)
    st.logo(str(ROOT / "assets/brand/logo.svg"), icon_image=str(ROOT / "assets/brand/mark.svg"))
    watch_session()
    person = session.person()
    if "reading-list" in st.session_state:
        from core.ui.feedback_form import keep_comments
        from core.ui.reading_list import reading_list

        keep_comments(reading_list())
    mine = pages_for(person)
    sections = _sections(mine)
    # A bookmark or a page loaded anew, before anybody has signed in.
    waiting = {} if person else {path: _page(path, hidden=True) for path, _permission in _PAGES}
    if waiting:
        sections[""] = [*sections[""], *waiting.values()]
    page = st.navigation(sections, position="sidebar")
    for path, hidden in waiting.items():
        if page is hidden:
            session.remember_wish(path)
            st.switch_page(_WELCOME)
    wish = session.take_wish() if person else ""
    if wish in mine[1:]:
        st.switch_page(wish)
    with st.sidebar:
        _sidebar(person)
    try:
        service.store()
    except StoreError as error:
        st.error(str(error), icon=":material/database_off:")
        st.caption(_("Reading goes on; sending feedback needs the database."))
    _banner(person)
    page.run()


def _banner(person: Person | None) -> None:
    # Above the page and not below it: a page may end early, and this stands on every one.
    line = ":material/info: " + _("Decision support, not a medical device.")
    if person is not None:
        demo = _("Demo mode: you are the {role}. No password protects this; use no patient names.")
        line += " " + demo.format(role=f"**{role_name(person.role)}**")
    st.caption(line)


def _sidebar(person: Person | None) -> None:
    codes = list(LANGUAGES)
    chosen = st.segmented_control(
        _("Language"),
        codes,
        default=language(),
        format_func=LANGUAGES.__getitem__,
        key="language-switch",
        label_visibility="collapsed",
        required=True,
    )
    if chosen and chosen != language():
        session.set_language(chosen)
        st.rerun()
    if person is not None:
        st.caption(_("Signed in as {name}").format(name=role_name(person.role)))
        if st.button(_("Change role"), icon=":material/logout:", width="stretch", key="sign-out"):
            _change_role()


def _change_role() -> None:
    if "reading-list" not in st.session_state:
        session.sign_out()
        st.rerun()
    from core.ui.leaving import change_role
    from core.ui.reading_list import reading_list

    change_role(reading_list())

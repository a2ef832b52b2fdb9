"""What the read page needs is fetched while a person still chooses a file."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.ui.media import viewer_script_paths
from core.ui.preload import WIDGETS, widget_scripts


def test_the_first_picture_does_not_wait_for_scripts_streamlit_has_moved() -> None:
    found = widget_scripts()
    names = {Path(path).name.split(".")[0] for path in found}
    assert set(WIDGETS) <= names
    # What they import comes along, and every address is a file that Streamlit serves.
    assert len(found) > len(WIDGETS)
    static = Path(st.__file__).parent / "static"
    assert all((static / path.removeprefix("/")).is_file() for path in found)


def test_every_script_of_the_viewer_is_among_those_fetched_ahead() -> None:
    written = {path.name for path in Path("core/ui").glob("viewer*.js")}
    assert {Path(path).name for path in viewer_script_paths()} == written

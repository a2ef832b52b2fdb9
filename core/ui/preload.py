"""Scripts that the read page needs, fetched while a person still chooses a file.

Streamlit fetches the script of each kind of widget when the first one appears, and the viewer's own
come after those: in a browser that opens the app for the first time, dozens of fetches stand
between an upload and its picture.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import streamlit as st

from core.ui.media import base_path, viewer_script_paths

#: Streamlit's scripts behind what the read page shows, by the name before their hash.
WIDGETS = (
    "BidiComponent",
    "ButtonGroup",
    "Checkbox",
    "DataFrame",
    "DownloadButton",
    "Metric",
    "NumberInput",
    "Selectbox",
    "Slider",
    "TextArea",
    "TextInput",
)
_SCRIPTS = Path(st.__file__).parent / "static" / "static" / "js"
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.$-]+\.js)["']""")
#: What the browser is told; the page's own scripts are there already and not fetched again.
_LOADER = """
export default function (component) {
  const links = [...document.querySelectorAll("link[rel=modulepreload]")];
  const known = new Set(links.map((link) => link.href));
  for (const path of component.data.scripts) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = new URL(path, window.location.origin).href;
    if (!known.has(link.href)) document.head.append(link);
  }
}
"""

_COMPONENT = st.components.v2.component("overread_preload", js=_LOADER)


@cache
def widget_scripts() -> tuple[str, ...]:
    """Return the paths of Streamlit's scripts for :data:`WIDGETS` and of what these import.

    Empty where this Streamlit keeps them elsewhere: nothing is lost then but time.
    """
    found: dict[str, None] = {}
    waiting = [path.name for name in WIDGETS for path in _SCRIPTS.glob(f"{name}.*.js")]
    while waiting:
        name = waiting.pop()
        script = _SCRIPTS / name
        if name in found or not script.is_file():
            continue
        found[name] = None
        waiting += _IMPORT.findall(script.read_text(encoding="utf-8"))
    return tuple(f"{base_path()}/static/js/{name}" for name in found)


def preload_read_page() -> None:
    """Let the browser fetch what the read page will need; call it on a page that waits."""
    _COMPONENT(key="preload", data={"scripts": [*viewer_script_paths(), *widget_scripts()]})

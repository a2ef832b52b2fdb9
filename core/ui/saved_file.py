"""A file that is made when it is asked for, and saved by the browser in the same click.

Streamlit's own download button hands over what was made before the click, or calls back without
taking along what was typed since the last run. A button that runs the page takes it along; the
file that is made in that run is handed to the browser here.
"""

from __future__ import annotations

import base64
from uuid import uuid4

import streamlit as st

_SCRIPT = """
const saved = new Set();
export default function (component) {
  const { id, name, mime, bytes } = component.data;
  // Drawn again it is still the same file, which the person has already.
  if (saved.has(id)) return;
  saved.add(id);
  const raw = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([raw], { type: mime }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
"""

_COMPONENT = st.components.v2.component("overread_saved_file", js=_SCRIPT)


def save_file(data: bytes, name: str, mime: str, *, key: str) -> None:
    """Let the browser save a file now.

    Parameters
    ----------
    data
        The file.
    name
        What it is called; never what a person called their own file.
    mime
        Its type.
    key
        Unique on the page. Call this only in the run in which the file was asked for.
    """
    _COMPONENT(
        key=key,
        data={
            "id": uuid4().hex,
            "name": name,
            "mime": mime,
            "bytes": base64.b64encode(data).decode("ascii"),
        },
    )

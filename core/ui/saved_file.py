"""A file that is made when it is asked for, and saved by the browser in the same click.

Streamlit's own download button hands over what was made before the click, or calls back without
taking along what was typed since the last run. A button that runs the page takes it along; the
file that is made in that run is handed to the browser here.
"""

from __future__ import annotations

import base64

import streamlit as st

_SCRIPT = """
// Of the window and not of this module, which is loaded anew where the component is mounted anew.
const saved = (window.overreadSaved ??= new Set());
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


def save_file(data: bytes, name: str, mime: str, identity: str, *, key: str) -> None:
    """Let the browser save a file now.

    Parameters
    ----------
    data
        The file.
    name
        What it is called; never what a person called their own file.
    mime
        Its type.
    identity
        Of this request: a file that is handed over again under it is not saved again.
    key
        Unique on the page.
    """
    _COMPONENT(
        key=key,
        data={
            "id": identity,
            "name": name,
            "mime": mime,
            "bytes": base64.b64encode(data).decode("ascii"),
        },
    )

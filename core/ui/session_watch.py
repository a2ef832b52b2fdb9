"""A page whose session is gone says so: nothing could be sent from it any more.

When a server is started anew, or a browser was cut off for longer than the server waits, Streamlit
connects the page again to a session that knows nothing of it. Often the page looks as before, and
what is clicked inside a fragment is dropped in silence: what was typed is still there to be copied,
so the page is not loaded anew by itself. Where Streamlit has run the page anew, which it does when
a run was under way, everybody is signed out, and is told why.
"""

from __future__ import annotations

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from streamlit import runtime

from core.text import _
from core.ui.media import base_path
from core.ui.shelf import PREFIX

_SCRIPT = """
const BAR = "overread-session-gone";
// On the window: it outlives the page's parts, which are made anew with a new session.
const state = (window.overreadSession ??= { address: null, lost: false, watch: null });

function tell(words, label, act) {
  document.getElementById(BAR)?.remove();
  const bar = document.createElement("div");
  bar.id = BAR;
  bar.setAttribute("role", "alert");
  bar.style.cssText = "position:fixed;inset:0 0 auto 0;z-index:1000000;display:flex;gap:1rem;"
    + "align-items:center;justify-content:center;flex-wrap:wrap;padding:.75rem 1rem;"
    + "background:#8a1c1c;color:#fff;font:600 1rem/1.4 sans-serif";
  const text = document.createElement("span");
  text.textContent = words;
  const button = document.createElement("button");
  button.textContent = label;
  button.style.cssText = "background:#fff;color:#8a1c1c;border:0;border-radius:.4rem;"
    + "padding:.4rem .9rem;font:inherit;cursor:pointer";
  button.addEventListener("click", () => act(bar));
  bar.append(text, button);
  document.body.append(bar);
}

export default function (component) {
  const { address, gone, again, replaced, close } = component.data;
  const app = document.querySelector("[data-test-connection-state]");
  state.watch?.disconnect();
  // The page was run anew already, by a session that knows nothing of the one before.
  if (state.address !== null && state.address !== address) {
    tell(replaced, close, (bar) => bar.remove());
  }
  state.address = address;
  if (!app) return;
  state.watch = new MutationObserver(async () => {
    if (app.getAttribute("data-test-connection-state") !== "CONNECTED") {
      state.lost = true;
      return;
    }
    if (!state.lost) return;
    state.lost = false;
    const answer = await fetch(address, { cache: "no-store" }).catch(() => null);
    if (answer && answer.status === 410 && state.address === address) {
      tell(gone, again, () => window.location.reload());
    }
  });
  state.watch.observe(app, { attributes: true, attributeFilter: ["data-test-connection-state"] });
}
"""

_COMPONENT = st.components.v2.component("overread_session_watch", js=_SCRIPT)


def watch_session() -> None:
    """Let the page tell its person when the session behind it is gone."""
    run = runtime.scriptrunner.get_script_run_ctx(suppress_warning=True)
    if run is None:
        return
    _COMPONENT(
        key="session-watch",
        data={
            "address": f"{base_path()}{PREFIX}/session/{run.session_id}",
            "gone": _(
                "The server was started anew or the connection was lost for too long: nothing can "
                "be sent from this page any more. Copy what you typed, then load the page anew."
            ),
            "again": _("Load the page anew"),
            "replaced": _(
                "The server was started anew or the connection was lost for too long: you are "
                "signed out, and what had not been sent is gone. Saved feedback is safe."
            ),
            "close": _("Close"),
        },
    )


def session_routes() -> list[BaseRoute]:
    """Return the route by which a page asks for its session, for ``st.App(routes=…)``."""
    return [Route(f"{base_path()}{PREFIX}/session/{{session}}", _known, methods=["GET"])]


async def _known(request: Request) -> Response:
    """Answer 204 where the session is connected, else 410: gone."""
    session = request.path_params["session"]
    alive = runtime.exists() and runtime.get_instance().is_active_session(session)
    return Response(status_code=204 if alive else 410, headers={"Cache-Control": "no-store"})

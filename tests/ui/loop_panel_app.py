"""A page with nothing but the panel: the test hands the loop over in the session's state."""

import streamlit as st

from core.ui.loop_panel import loop_panel

shown = st.session_state.get("shown", 0)
jump = loop_panel(
    st.session_state["loop"], st.session_state.get("digest", "5" * 64), shown=shown, key="panel"
)
if jump is not None:
    st.session_state["shown"] = jump
    st.session_state.setdefault("jumps", []).append(jump)
    st.rerun()
st.text(f"on screen: {shown}")

"""Where everybody starts: choose a role."""

import streamlit as st

from core.text import _
from core.trust import Role, demo_people
from core.ui import session
from core.ui.wording import role_name

st.title(_("A second reading of your scan"), anchor=False)
st.markdown(
    _(
        "Upload a breast ultrasound image. A network gives its reading with its uncertainty, shows "
        "where it looked, and outlines what it takes for a lesion. You decide, and send what you "
        "decided to review."
    )
)
tasks = {
    Role.CLINICIAN: (
        ":material/radiology:",
        _("Read scans, shape the outline, send feedback."),
    ),
    Role.REVIEWER: (
        ":material/rate_review:",
        _("Label what came in, without seeing the AI's answer first."),
    ),
    Role.ADMINISTRATOR: (
        ":material/admin_panel_settings:",
        _("Try the model and watch the queue, without opening a case."),
    ),
}
st.subheader(_("Demo mode: choose your part"), anchor=False)
for column, person in zip(st.columns(3), demo_people(), strict=True):
    icon, task = tasks[person.role]
    with column.container(border=True):
        st.markdown(f"#### {icon} {role_name(person.role)}")
        st.write(task)
        if st.button(
            _("Go on as {role}").format(role=role_name(person.role)),
            key=f"sign-in-{person.role}",
            type="primary",
            width="stretch",
        ):
            session.sign_in(person.id)
            st.rerun()
st.caption(
    _(
        "No password protects demo mode, so it is open to this machine only. "
        "Use no real patient names."
    )
)

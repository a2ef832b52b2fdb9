"""Read scans: upload, see the answer and where it comes from, shape the outline, send feedback."""

import streamlit as st

from core.text import _
from core.trust import Permission, permissions_of
from core.ui import intake, session
from core.ui.case_panel import case_panel
from core.ui.case_report import report_panel
from core.ui.feedback_form import feedback_form, forget_panels
from core.ui.list_summary import list_summary
from core.ui.preload import preload_read_page
from core.ui.reading import let_the_model_read
from core.ui.reading_list import reading_list
from core.ui.reading_room import reading_room
from core.ui.seen import seen_before_line
from core.ui.similar_panel import similar_panel

person = session.signed_in(Permission.READ_SCANS)
reading = reading_list()
entry = reading.entry
if entry is None:
    st.title(_("Read a scan"), anchor=False)
    st.markdown(
        _(
            "Upload breast ultrasound images to get a second reading. Nothing is stored until you "
            "send feedback; file names never are."
        )
    )
    intake.refusals(reading)
    preload_read_page()
    intake.add_scans(reading)
    st.stop()

top = st.container()
# In places of their own: what comes and goes must not move the form below, which the browser would
# show twice for a moment.
with st.container():
    let_the_model_read(reading)
with top:
    # Drawn when the image on screen has been read: the strip says where each scan stands.
    intake.strip(reading)
    intake.refusals(reading)
with st.container():
    seen_before_line(entry, person)
forget_panels(entry)
reading_room(entry, person)
similar_panel(entry, person)
if Permission.SEND_FEEDBACK in permissions_of(person.role):
    case_panel(entry, person)
    feedback_form(entry, person)
else:
    st.info(_("Your role may read scans, but not send feedback."))
report_panel(entry, person)
list_summary(reading, person)

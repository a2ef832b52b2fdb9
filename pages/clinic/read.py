"""Read scans: upload, see the answer and where it comes from, shape the outline, send feedback."""

import streamlit as st

from core.text import _
from core.trust import Permission, permissions_of
from core.ui import intake, session
from core.ui.feedback_form import feedback_form
from core.ui.reading_list import reading_list
from core.ui.reading_room import reading_room

person = session.signed_in(Permission.READ_SCANS)
reading = reading_list()
item = reading.shown
if item is None:
    st.title(_("Read a scan"), anchor=False)
    st.markdown(
        _(
            "Upload breast ultrasound images to get a second reading. Nothing is stored until you "
            "send feedback; file names never are."
        )
    )
    intake.refusals(reading)
    intake.add_scans(reading)
    st.stop()

intake.strip(reading)
intake.refusals(reading)
intake.let_the_model_read(reading)
reading_room(item)
if Permission.SEND_FEEDBACK in permissions_of(person.role):
    feedback_form(item, person)
else:
    st.info(_("Your role may read scans, but not send feedback."))

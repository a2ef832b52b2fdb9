"""What a clinician has sent, and where it stands."""

import pandas as pd
import streamlit as st

from core.errors import OverreadError
from core.review import my_submissions
from core.text import _
from core.trust import Permission
from core.ui import service, session
from core.ui.wording import state_name, urgency_name

#: Entries shown; the newest come first.
_MOST = 200

person = session.signed_in(Permission.SEND_FEEDBACK)
st.title(_("Sent feedback"), anchor=False)
try:
    sent = my_submissions(service.store(), person, limit=_MOST)
except OverreadError as error:
    st.error(str(error), icon=":material/error:")
    st.stop()
if not sent:
    st.info(
        _("You have not sent any feedback yet. Open a scan on the page “Read” and send yours."),
        icon=":material/outbox:",
    )
    st.stop()
asked = st.query_params.get("case")
if asked is not None:
    # A scan that was recognised on the page “Read”: its entries come alone.
    sent = tuple(entry for entry in sent if entry.case_number == asked)
    if sent:
        st.caption(_("Only the entries on one case are shown."))
    else:
        st.info(_("You have sent nothing on this case."), icon=":material/outbox:")
    if st.button(_("Show all"), key="sent-all"):
        del st.query_params["case"]
        st.rerun()
if not sent:
    st.stop()
st.dataframe(
    pd.DataFrame(
        {
            _("Case"): [entry.case_number for entry in sent],
            _("Sent"): [entry.submitted_at.astimezone() for entry in sent],
            _("Urgency"): [urgency_name(entry.urgency) for entry in sent],
            _("State"): [state_name(entry.state) for entry in sent],
        }
    ),
    hide_index=True,
    column_config={_("Sent"): st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
)
if len(sent) == _MOST:
    st.caption(_("The newest {n} are shown.").format(n=_MOST))

"""Model versions: which one answers, what others there are, and switching between them."""

import streamlit as st

from core.errors import OverreadError
from core.model import checked_versions
from core.text import _
from core.trust import Permission
from core.ui import service, session
from core.ui.version_list import task_versions

person = session.signed_in(Permission.MANAGE)
st.title(_("Model versions"), anchor=False)
st.markdown(
    _(
        "One version of each task answers. Another one is loaded whole and reads phantoms before "
        "it takes over; nobody is interrupted, and every result keeps the name of the version "
        "that made it."
    )
)
try:
    with st.spinner(_("Looking at the versions …")):
        found = checked_versions(service.settings())
except OverreadError as error:
    st.error(str(error), icon=":material/error:")
    st.stop()
if not found:
    st.info(_("There is no model here. Import one from a shell: python -m core import-model."))
for task in dict.fromkeys(version.task for version in found):
    task_versions(task, [version for version in found if version.task == task], person)

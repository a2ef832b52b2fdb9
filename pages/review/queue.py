"""The review queue: what came in, a blind read, then the answers, then the settled label."""

import streamlit as st

from core.errors import OverreadError
from core.review import CaseState, QueueFilter, Urgency, list_queue
from core.text import _, ngettext
from core.trust import Permission, permissions_of
from core.ui import case_review, service, session
from core.ui.wording import state_name, urgency_name

_PAGE = 20

person = session.signed_in(Permission.SEE_QUEUE)
# In the address, so that the browser's back button leads to the list. A case number says nothing
# of an answer.
case = st.query_params.get("case")
if case is not None and Permission.REVIEW in permissions_of(person.role):
    case_review.review_case(case, person)
    st.stop()
case_review.forget()

st.title(_("Review queue"), anchor=False)
waiting = [CaseState.OPEN, CaseState.READ, CaseState.REVEALED]
first, second, third, fourth = st.columns([9, 6, 4, 4], vertical_alignment="bottom")
states = first.pills(
    _("State"),
    list(CaseState),
    default=waiting,
    format_func=state_name,
    selection_mode="multi",
    wrap=True,
    key="queue-states",
)
urgencies = second.pills(
    _("Urgency"),
    list(Urgency),
    default=list(Urgency),
    format_func=urgency_name,
    selection_mode="multi",
    wrap=True,
    key="queue-urgencies",
)
mine = third.segmented_control(
    _("My read"),
    [False, True],
    format_func=lambda read: _("Done") if read else _("To do"),
    key="queue-mine",
)
number = fourth.text_input(_("Case number"), key="queue-number", max_chars=11).strip().upper()
shown = QueueFilter(
    states=frozenset(states),
    urgencies=frozenset(urgencies),
    read_by_me=mine,
    case_number=number,
)
try:
    total = list_queue(service.store(), person, shown, limit=1, offset=0).total
    pages = max(1, -(-total // _PAGE))
    at = st.pagination(pages, key="queue-page") if pages > 1 else 1
    page = list_queue(service.store(), person, shown, limit=_PAGE, offset=(at - 1) * _PAGE)
except OverreadError as error:
    st.error(str(error), icon=":material/error:")
    st.stop()

st.caption(
    ngettext(
        "{n} case, most urgent and oldest first",
        "{n} cases, most urgent and oldest first",
        page.total,
    ).format(n=page.total)
)
may_open = Permission.REVIEW in permissions_of(person.role)
if not may_open:
    st.info(_("Administrators see how long the queue is; only reviewers open a case."))
if not page.items:
    st.info(
        _(
            "Nothing waits here. Feedback that clinicians send appears at once; widen the filters "
            "to see settled cases."
        ),
        icon=":material/inbox:",
    )
for item in page.items:
    with st.container(border=True, key=f"case-{item.case_number}"):
        left, middle, right = st.columns([3, 4, 2], vertical_alignment="center")
        left.markdown(f"**{item.case_number}** · {case_review.urgency_badge(item.urgency)}")
        middle.caption(
            " · ".join(
                [
                    item.received_at.astimezone().strftime("%Y-%m-%d %H:%M"),
                    state_name(item.state),
                    ngettext("{n} entry", "{n} entries", item.feedback_count).format(
                        n=item.feedback_count
                    ),
                    *([_("read by you")] if item.read_by_me else []),
                ]
            )
        )
        if item.sent_by_me:
            right.caption(_("You sent this one; somebody else reviews it."))
        elif right.button(
            _("Open {case}").format(case=item.case_number),
            key=f"open-{item.case_number}",
            width="stretch",
            disabled=not may_open,
        ):
            st.query_params["case"] = item.case_number
            st.rerun()

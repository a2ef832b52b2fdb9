"""A scan that was sent before is recognised, and what was sent is one click away."""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.review import Relation, seen_before
from core.settings import ROOT
from core.text import _
from core.trust import Permission, Person, permissions_of
from core.ui import service
from core.ui.open_scan import Entry
from core.ui.wording import state_name


def seen_before_line(entry: Entry, person: Person) -> None:
    """Say so when this scan, its untouched image or a frame of its loop was sent before."""
    if Permission.SEND_FEEDBACK not in permissions_of(person.role):
        return
    scan = entry.shown.scan
    digests = {digest for digest in (scan.digest, scan.origin, scan.series) if digest}
    try:
        found = seen_before(service.store(), person, sorted(digests))
    except OverreadError:
        # The page says at its top that the database is down.
        return
    # What was sent from this very form a moment ago is said by the form.
    receipt = entry.shown.receipt
    before = {
        relation: one
        for one in reversed(found)
        if receipt is None or one.last_sent_at < receipt.submitted_at
        if (relation := one.relation_to(scan.digest, scan.origin, scan.series)) is not None
    }
    if not before:
        return
    # The latest of the nearest kind: the very image before a frame beside it.
    relation = next(each for each in Relation if each in before)
    last = before[relation]
    when = last.last_sent_at.astimezone().strftime("%Y-%m-%d %H:%M")
    said = {
        True: _("you sent feedback on case {case} on {when} ({state})."),
        False: _("a colleague sent feedback on case {case} on {when} ({state})."),
    }[last.by_me].format(case=last.case_number, when=when, state=state_name(last.state))
    said = _("{head}: {rest}").format(head=_relation_name(relation), rest=said)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="seen-before"):
        st.markdown(":material/history: " + said)
        if last.by_me:
            st.page_link(
                str(ROOT / "pages/clinic/sent.py"),
                label=_("Show what I sent"),
                query_params={"case": last.case_number},
                width="content",
            )


def _relation_name(relation: Relation) -> str:
    return {
        Relation.SAME: _("Seen before"),
        Relation.ORIGIN: _("The untouched image was seen before"),
        Relation.CORRECTED: _("A corrected copy was seen before"),
        Relation.FRAME: _("Another frame of this loop was seen before"),
    }[relation]

"""The earlier scans of a pseudonym, one click away, and never those of another patient."""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.review import EarlierScan, earlier_scans, place_name
from core.store import Store
from core.text import _, ngettext
from core.trust import Person
from core.ui.wording import class_name

#: Shown at first; a patient of many years has more.
_FIRST = 6


def earlier_panel(
    store: Store,
    person: Person,
    pseudonym: str,
    *,
    key: str,
    before_digest: str | None = None,
) -> str | None:
    """List the earlier scans of a pseudonym.

    Parameters
    ----------
    store, person
        Where from, and who asks; whether they may is checked where it is read.
    pseudonym
        As it stands in the form.
    key
        Different for every case on screen.
    before_digest
        The scan on screen, as for :func:`core.review.earlier_scans`.

    Returns
    -------
    str or None
        Case number of the scan to be opened beside, until it is closed or the pseudonym is
        another one.
    """
    pseudonym = pseudonym.strip()
    if not pseudonym:
        st.caption(_("Enter the patient's pseudonym to see the earlier scans under it."))
        return None
    try:
        found = earlier_scans(store, person, pseudonym, before_digest=before_digest)
    except OverreadError as error:
        st.caption(str(error))
        return None
    if not found:
        st.caption(_("There are no earlier scans under this pseudonym."))
        return None
    # The list names whose it is: for a moment it is older than the field.
    st.markdown(
        f"**`{pseudonym}`** · "
        + ngettext(
            "{n} earlier scan under this pseudonym",
            "{n} earlier scans under this pseudonym",
            len(found),
        ).format(n=len(found))
    )
    chosen = f"earlier-chosen-{key}"
    more = len(found) > _FIRST and st.toggle(_("Show all"), key=f"earlier-all-{key}")
    for earlier in found if more else found[:_FIRST]:
        _row(earlier, key, chosen)
    number = st.session_state.get(chosen)
    # A scan of the pseudonym that was typed before is not this patient's.
    return number if any(number == earlier.case_number for earlier in found) else None


def _row(earlier: EarlierScan, key: str, chosen: str) -> None:
    number = earlier.case_number
    is_open = st.session_state.get(chosen) == number

    def choose() -> None:
        st.session_state[chosen] = None if is_open else number

    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            _("Close {case}").format(case=number) if is_open else number,
            key=f"earlier-{number}-{key}",
            icon=":material/close:" if is_open else ":material/splitscreen_right:",
            type="primary" if is_open else "secondary",
            on_click=choose,
        )
        st.caption(earlier_text(earlier))
        if earlier.disputed:
            st.caption(
                ":material/warning: "
                + _("A colleague put this image to another patient. Check whose it is.")
            )


def earlier_text(earlier: EarlierScan) -> str:
    """Return when, where and what was said of an earlier scan."""
    parts = [earlier.sent_at.astimezone().strftime("%Y-%m-%d %H:%M")]
    place = place_name(earlier.laterality, earlier.clock)
    if place:
        parts.append(place)
    if earlier.birads is not None:
        parts.append(f"BI-RADS {earlier.birads}")
    if earlier.label is not None:
        parts.append(class_name(earlier.label))
    parts.append(_("by you") if earlier.by_me else _("by a colleague"))
    if earlier.spacing is None:
        parts.append(_("{width} × {height} px").format(width=earlier.width, height=earlier.height))
    else:
        row, column = earlier.spacing
        parts.append(
            _("{width} × {height} mm").format(
                width=f"{earlier.width * column:.0f}", height=f"{earlier.height * row:.0f}"
            )
        )
    if earlier.frame:
        parts.append(_("frame {n}").format(n=earlier.frame + 1))
    if earlier.synthetic:
        parts.append(_("synthetic phantom"))
    return " · ".join(parts)

"""Earlier scans in the page: those of this patient, one click away, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_results import phantom
from streamlit.testing.v1 import AppTest

from core.review import (
    BiRads,
    CaseContext,
    Feedback,
    Laterality,
    Origin,
    image_facts,
    submit_feedback,
)
from core.scan import encode_png
from core.settings import Settings
from core.store import Store
from core.trust import Person, Role, demo_people

CLINICIAN, REVIEWER, _ADMINISTRATOR = demo_people()
COLLEAGUE = Person("second-clinician", "Second clinician", Role.CLINICIAN)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(var=tmp_path, database_url=f"sqlite:///{tmp_path / 'o.db'}"))
    opened.migrate()
    yield opened
    opened.close()


def send(store: Store, seed: int, pseudonym: str, person: Person = CLINICIAN) -> str:
    """Send feedback under a pseudonym and return the case number."""
    scan = phantom(seed)
    context = CaseContext(
        pseudonym=pseudonym, laterality=Laterality.LEFT, clock=3, birads=BiRads.PROBABLY_BENIGN
    )
    form = Feedback(
        f"key-{seed}-{person.id}",
        image_facts(scan),
        encode_png(scan),
        "breast-ultrasound",
        label="benign",
        origin=Origin.OPINION,
        context=context,
    )
    return submit_feedback(store, person, form).case_number


def _page(store, person):
    # Streamlit takes this apart and runs its body as a script.
    import streamlit as st

    from core.ui.earlier import earlier_panel

    typed = st.text_input("pseudonym", key="typed")
    st.session_state["opened"] = earlier_panel(store, person, typed, key="a")


def panel(store: Store, typed: str, person: Person = CLINICIAN) -> AppTest:
    """Show the panel for what was typed."""
    kwargs = {"store": store, "person": person}
    app = AppTest.from_function(_page, kwargs=kwargs, default_timeout=30).run()
    return type_(app, typed)


def type_(app: AppTest, typed: str) -> AppTest:
    """Type a pseudonym."""
    app.text_input(key="typed").set_value(typed).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Return everything the panel says."""
    said = [str(each.value) for kind in ("markdown", "caption") for each in app.get(kind)]
    return "\n".join(said + [button.label for button in app.button])


def test_an_earlier_scan_opens_with_one_click_and_closes_with_another(kept: Store) -> None:
    number = send(kept, 1, "P-1")
    send(kept, 2, "P-2")
    app = panel(kept, " P-1 ")
    assert "1 earlier scan under this pseudonym" in words(app)
    assert "Left, 3 o'clock · BI-RADS 3 · benign · by you" in words(app)
    assert app.session_state["opened"] is None
    app.button(key=f"earlier-{number}-a").click().run()
    assert app.session_state["opened"] == number
    app.run()
    assert app.session_state["opened"] == number
    app.button(key=f"earlier-{number}-a").click().run()
    assert app.session_state["opened"] is None


def test_another_pseudonym_closes_the_scan_of_the_patient_before(kept: Store) -> None:
    number = send(kept, 1, "P-1")
    send(kept, 2, "P-2")
    app = panel(kept, "P-1")
    app.button(key=f"earlier-{number}-a").click().run()
    assert app.session_state["opened"] == number
    for typed in ("P-2", "P-3", ""):
        type_(app, typed)
        assert app.session_state["opened"] is None
        assert number not in words(app)


def test_a_reviewer_is_shown_no_earlier_scan(kept: Store) -> None:
    number = send(kept, 1, "P-1")
    app = panel(kept, "P-1", REVIEWER)
    assert not app.button
    assert number not in words(app)
    assert "role does not allow" in words(app)


def test_a_colleagues_doubt_whose_scan_it_is_is_seen(kept: Store) -> None:
    send(kept, 1, "P-1")
    assert "another patient" not in words(panel(kept, "P-1"))
    send(kept, 1, "P-2", COLLEAGUE)
    assert "another patient" in words(panel(kept, "P-1"))


def test_of_many_scans_the_newest_come_first_and_all_can_be_seen(kept: Store) -> None:
    numbers = [send(kept, seed, "P-1") for seed in range(1, 9)]
    app = panel(kept, "P-1")
    assert [button.label for button in app.button] == numbers[:1:-1]
    app.toggle(key="earlier-all-a").set_value(True).run()
    assert [button.label for button in app.button] == numbers[::-1]


def test_empty_states_say_what_to_do(kept: Store) -> None:
    assert "Enter the patient's pseudonym" in words(panel(kept, ""))
    assert "no earlier scans" in words(panel(kept, "P-9"))
    refused = words(panel(kept, "Jane Roe"))
    assert "never a name" in refused
    assert "Jane" not in refused

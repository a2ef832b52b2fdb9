"""How well a model does: its card, its figures with intervals, and the site's prevalence."""

import streamlit as st

from core.errors import ModelError
from core.learning.performance import performance
from core.model import list_bundles, resolve
from core.text import _
from core.trust import Permission
from core.ui import service, session
from core.ui.explained_panel import show_explained
from core.ui.model_card import show_card
from core.ui.performance_panels import show_evaluation
from core.ui.performance_words import evaluation_name
from core.ui.site_panel import site_panel

person = session.signed_in(Permission.SEE_MODELS)
st.title(_("Model performance"), anchor=False)
settings = service.settings()
entries = list_bundles(settings)
bundles = [entry.bundle for entry in entries if entry.bundle is not None]
for entry in entries:
    if entry.bundle is None:
        st.warning(
            _("{task} {version} cannot be used: {reason}").format(
                task=entry.task, version=entry.version, reason=entry.reason
            ),
            icon=":material/broken_image:",
        )
if not bundles:
    st.info(_("There is no usable model. Ask an administrator for one."), icon=":material/info:")
    st.stop()

try:
    used = resolve(settings.task, settings=settings).digest
except ModelError:
    used = ""
# The model that answers on the read page comes first; of one that lies in both places, the site's
# copy counts, with the evaluations attached to it.
bundles.sort(key=lambda bundle: bundle.digest != used)
by_digest = {bundle.digest: bundle for bundle in reversed(bundles)}
by_digest = {bundle.digest: by_digest[bundle.digest] for bundle in bundles}
left, right = st.columns(2, gap="medium")
chosen = left.selectbox(
    _("Model"),
    list(by_digest),
    format_func=lambda digest: f"{by_digest[digest].card.task} {by_digest[digest].card.version}",
    key="performance-model",
)
bundle = by_digest.get(chosen, bundles[0])
known = performance(bundle)
by_name = {evaluation.name: evaluation for evaluation in known.evaluations}
if by_name:
    name = right.selectbox(
        _("Evaluated on"),
        list(by_name),
        format_func=lambda name: evaluation_name(by_name[name]),
        key=f"performance-evaluation-{bundle.digest[:12]}",
    )
show_card(bundle, in_use=bundle.digest == used)
if known.left_out:
    st.warning(
        _("Attached evaluations that are damaged or of another model are not shown:"),
        icon=":material/link_off:",
    )
    # The names of folders are somebody's own words: as plain text.
    st.text(", ".join(known.left_out))
if by_name:
    show_evaluation(by_name.get(name, known.evaluations[0]), bundle)
else:
    st.info(
        _("This model came without any figures and without validation scores."),
        icon=":material/info:",
    )
show_explained(bundle)
site_panel(bundle, person)

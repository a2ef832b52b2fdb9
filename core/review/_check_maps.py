"""What an explanation must be before it is kept with feedback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import InvalidFeedback
from core.review import _check
from core.text import _

if TYPE_CHECKING:
    from core.review._forms import Feedback, SentExplanation

#: Explanations kept with one feedback.
MAX_EXPLANATIONS = 8
MAX_NAME = 64
#: A region that was hidden is among the parameters, as lengths of runs.
MAX_PARAMETERS_BYTES = 262_144
MAX_EVIDENCE_BYTES = 16_384


def explanations(form: Feedback) -> None:
    """Refuse maps of another scan or model than the answer they stand beside."""
    if len(form.explanations) > MAX_EXPLANATIONS:
        raise InvalidFeedback(
            _("At most {n} explanations are kept with one feedback.").format(n=MAX_EXPLANATIONS)
        )
    size = form.image.height, form.image.width
    for sent in form.explanations:
        made = sent.explanation
        bound = (
            form.ai is not None
            and made.bundle_digest == form.ai.bundle_digest
            and made.image_digest == form.image.digest
            and made.values.shape == size
        )
        if not bound:
            raise InvalidFeedback(
                _("An explanation is not of this scan and this answer. Explain it again.")
            )
        if not can_be_kept(sent):
            raise InvalidFeedback(_("An explanation cannot be kept as it is. Explain it again."))


def can_be_kept(sent: SentExplanation) -> bool:
    """Tell whether an explanation is small enough and its texts are ones a database keeps."""
    made = sent.explanation
    names = (made.method, made.target, made.layer or "")
    return (
        all(len(name) <= MAX_NAME and _check.can_be_stored(name) for name in names[:2])
        and len(names[2]) <= 4 * MAX_NAME
        and _check.can_be_stored(names[2])
        and _fits(made.parameters, MAX_PARAMETERS_BYTES)
        and (sent.evidence is None or _fits(sent.evidence, MAX_EVIDENCE_BYTES))
    )


def _fits(values: Mapping[str, Any], most: int) -> bool:
    try:
        text = json.dumps(dict(values), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError):
        return False
    return len(text) <= most and _check.can_be_stored(text) and "\\u0000" not in text

"""From feedback to a settled label: the form, the queue, the blind read, and the closing.

Everything is appended in one transaction per step, and a function returns only when its step is
on disk. Each step that saves takes a ``submission_key``: the same step sent twice is saved once.
"""

from core.review._case import (
    add_comment,
    close_case,
    open_case,
    record_blind_read,
    reveal,
    revise_label,
    settled_label,
)
from core.review._choices import CaseState, EventKind, Origin, Problem, Stage, Urgency, Verdict
from core.review._context import (
    BiRads,
    CaseContext,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    PosteriorFeatures,
    check_pseudonym,
)
from core.review._convert import ai_result, image_facts, stored_scan
from core.review._earlier import (
    EarlierScan,
    Relation,
    SeenBefore,
    earlier_scans,
    open_earlier,
    seen_before,
)
from core.review._forms import (
    DEFAULT_LABELS,
    AIResult,
    Feedback,
    ImageFacts,
    LabelDraft,
    Polygon,
    QueueFilter,
)
from core.review._names import (
    birads_name,
    confidence_name,
    origin_name,
    problem_name,
    term_name,
    verdict_name,
)
from core.review._projection import rebuild_projection
from core.review._queue import list_queue
from core.review._submit import my_submissions, submit_feedback
from core.review._suggest import (
    Clue,
    Suggestion,
    Suggestions,
    Withheld,
    suggest_terms,
)
from core.review._views import (
    CaseEvent,
    CaseFacts,
    CaseView,
    FeedbackEntry,
    Label,
    LabelEntry,
    QueueItem,
    QueuePage,
    Receipt,
    Revealed,
    Submission,
)

__all__ = [
    "DEFAULT_LABELS",
    "AIResult",
    "BiRads",
    "CaseContext",
    "CaseEvent",
    "CaseFacts",
    "CaseState",
    "CaseView",
    "Clue",
    "EarlierScan",
    "EchoPattern",
    "EventKind",
    "Feedback",
    "FeedbackEntry",
    "ImageFacts",
    "Label",
    "LabelDraft",
    "LabelEntry",
    "Laterality",
    "LesionMargin",
    "LesionOrientation",
    "LesionShape",
    "Origin",
    "Polygon",
    "PosteriorFeatures",
    "Problem",
    "QueueFilter",
    "QueueItem",
    "QueuePage",
    "Receipt",
    "Relation",
    "Revealed",
    "SeenBefore",
    "Stage",
    "Submission",
    "Suggestion",
    "Suggestions",
    "Urgency",
    "Verdict",
    "Withheld",
    "add_comment",
    "ai_result",
    "birads_name",
    "check_pseudonym",
    "close_case",
    "confidence_name",
    "earlier_scans",
    "image_facts",
    "list_queue",
    "my_submissions",
    "open_case",
    "open_earlier",
    "origin_name",
    "problem_name",
    "rebuild_projection",
    "record_blind_read",
    "reveal",
    "revise_label",
    "seen_before",
    "settled_label",
    "stored_scan",
    "submit_feedback",
    "suggest_terms",
    "term_name",
    "verdict_name",
]

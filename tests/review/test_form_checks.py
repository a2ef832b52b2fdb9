"""A form that cannot be understood later is refused now, with one line that says what to change."""

import dataclasses
import math
import struct
import zlib

import numpy as np
import pytest
from review_forms import ai, draft, form, scan

from core.errors import InvalidFeedback
from core.review import Origin, Problem, Verdict, ai_result, image_facts
from core.scan import encode_png

SQUARE = ((1, 1), (9, 1), (9, 9), (1, 9))
OWN = {"label": "benign", "origin": Origin.OPINION, "confidence": 3}


def drawn(*regions, seed=0):
    return {"regions": regions, "region_image": scan(seed).digest}


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"label": "malignant", "origin": Origin.BIOPSY},
        {"problems": (Problem.POOR_IMAGE,)},
        {"outline_accepted": True},
        {"verdict": Verdict.REJECT, **OWN},
        {"verdict": Verdict.REJECT, "problems": (Problem.FALSE_ALARM,)},
        {"verdict": Verdict.SUPPLEMENT, "comment": "look at the margin"},
        {"verdict": Verdict.SUPPLEMENT, **drawn(SQUARE)},
        {"verdict": None, "ai": None, **OWN},
        {"comment": "c" * 4000},
        {"comment": "左乳 — <script>alert(1)</script> 🩻\n\ttab"},
        {"verdict": Verdict.SUPPLEMENT, **drawn(((0, 0), (32, 0), (32, 24)))},
    ],
)
def test_every_way_to_fill_in_the_form_is_taken(entries):
    form(**entries)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"verdict": None}, "accept, reject or supplement"),
        ({"verdict": Verdict.REJECT}, "own label, or say what was wrong"),
        (
            {"verdict": Verdict.REJECT, "label": "malignant", "origin": Origin.OPINION},
            "own label, or say what was wrong",
        ),
        ({"verdict": Verdict.SUPPLEMENT}, "add a label"),
        ({"verdict": Verdict.SUPPLEMENT, "comment": "  \n"}, "add a label"),
        ({**OWN}, "accept the AI result but give another label"),
        ({"problems": (Problem.WRONG_CLASS,)}, "accept the AI result but say it was wrong"),
        ({"verdict": Verdict.REJECT, "problems": (Problem.OTHER,)}, "say in the comment"),
        ({"verdict": Verdict.REJECT, "label": "benign"}, "names its origin"),
        ({"origin": Origin.BIOPSY}, "no label"),
        ({"verdict": Verdict.REJECT, **OWN, "label": "cyst"}, "not one of the classes"),
        ({"confidence": 0}, "1 .guess. to 5"),
        ({"confidence": 6}, "1 .guess. to 5"),
        ({"confidence": True}, "1 .guess. to 5"),
        ({"comment": "c" * 4001}, "shorten it to 4000"),
        ({"comment": "a\x00b"}, "cannot be stored"),
        ({"comment": "half \ud83d"}, "cannot be stored"),
        ({"verdict": "agree"}, "does not exist"),
        ({"urgency": "now"}, "does not exist"),
        ({"problems": ("ugly",)}, "does not exist"),
        ({"verdict": None, "ai": None}, "own label"),
        ({"ai": None, **OWN}, "no AI result to accept"),
        ({"ai": None, "verdict": None, **OWN, "outline_accepted": True}, "no AI result"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (2, 2)))}, "three points"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (2, 2), (1, 1)))}, "three points"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (33, 2), (5, 5)))}, "outside"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (-1, 2), (5, 5)))}, "outside"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (math.nan, 2), (5, 5)))}, "again"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(((1, 1), (2, 2), (3,)))}, "again"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(*[SQUARE] * 51)}, "Too much"),
        ({"verdict": Verdict.SUPPLEMENT, **drawn(SQUARE, seed=1)}, "another image"),
        ({"verdict": Verdict.SUPPLEMENT, "regions": (SQUARE,)}, "another image"),
        ({"outline_accepted": True, **drawn(SQUARE)}, "Choose one of the two"),
        ({"ai": ai(scan(), map_kind="heat"), "outline_accepted": True}, "heat region"),
        ({"ai": ai(scan(1))}, "another image"),
        ({"labels": ("benign", "malignant")}, "another question"),
        ({"submission_key": ""}, "submission key"),
        ({"submission_key": "k" * 65}, "submission key"),
        ({"submission_key": "../k"}, "submission key"),
        ({"png": b""}, "pixels"),
        ({"png": encode_png(scan(0, 8, 8))}, "pixels"),
    ],
)
def test_what_is_missing_or_contradicts_is_named(entries, says):
    with pytest.raises(InvalidFeedback, match=says) as refused:
        form(**entries)
    assert "\n" not in str(refused.value)


def test_a_refusal_does_not_repeat_what_was_typed():
    with pytest.raises(InvalidFeedback) as refused:
        form(comment="Jane Roe " * 1000)
    assert "Jane" not in str(refused.value)


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"iCCP"])
def test_a_png_that_could_name_the_patient_is_never_stored(kind):
    png = encode_png(scan())
    body = b"Author\x00Jane Roe"
    crc = struct.pack(">I", zlib.crc32(kind + body))
    named = png[:33] + struct.pack(">I", len(body)) + kind + body + crc + png[33:]
    with pytest.raises(InvalidFeedback, match="pixels"):
        form(png=named)


@pytest.mark.parametrize("change", [lambda p: p + b"Jane Roe", lambda p: p[:-12], lambda p: p[:40]])
def test_a_png_with_something_behind_it_or_cut_short_is_never_stored(change):
    with pytest.raises(InvalidFeedback, match="pixels"):
        form(png=change(encode_png(scan())))


@pytest.mark.parametrize(
    "changed",
    [
        {"probability": math.nan},
        {"probability": 1.5},
        {"threshold": -0.1},
        {"probabilities": {}},
        {"answer": "cyst"},
        {"positive": "cyst"},
        {"version": ""},
        {"bundle_digest": ""},
        {"image_digest": "x"},
        {"controls": None},
        {"measurements": ({"area": math.inf},)},
        {"controls": {"threshold": np.float32(0.5)}},
    ],
)
def test_an_ai_result_that_could_not_be_made_again_is_refused(changed):
    with pytest.raises(InvalidFeedback, match="AI result"):
        ai(scan(), **changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"origin": None}, "origin"),
        ({"confidence": None}, "1 .guess. to 5"),
        ({"confidence": 9}, "1 .guess. to 5"),
        ({"comment": "\x00"}, "cannot be stored"),
        ({"regions": (((1, 1), (2, 2)),)}, "three points"),
        ({"origin": "rumour"}, "does not exist"),
    ],
)
def test_a_reviewers_label_needs_origin_and_confidence(changed, says):
    with pytest.raises(InvalidFeedback, match=says):
        draft(**changed)
    with pytest.raises(InvalidFeedback, match="Choose a label"):
        draft("")


def test_a_region_drawn_in_the_browser_becomes_plain_numbers():
    points = np.array([[1, 1], [9, 1], [9, 9]], np.int32)
    sent = form(verdict=Verdict.SUPPLEMENT, **drawn(points))
    assert sent.regions == (((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)),)


@dataclasses.dataclass(frozen=True)
class Point:
    name: str = "screening"
    threshold: float = 0.4


@dataclasses.dataclass(frozen=True)
class Range:
    low: float = 0.1
    high: float = 0.4
    n: int = 20


@dataclasses.dataclass(frozen=True)
class Measures:
    area: float = 4.0
    spacing: tuple = (0.1, 0.2)
    depth_to_width: float = math.nan


class Controls:
    def to_dict(self):
        return {"threshold": np.float64(0.5), "size": np.int64(5), "method": "fixed"}


class Answer:
    """What the model room answers, as far as this room looks at it."""

    task, version, bundle_digest = "breast-ultrasound", "1.0", "c" * 64
    labels = ("normal", "benign", "malignant")
    positive, answer, heat_class = "malignant", "benign", "benign"
    # Another order than the labels, and NumPy's numbers.
    probabilities = {  # noqa: RUF012
        "malignant": np.float32(0.25),
        "benign": np.float32(0.5),
        "normal": np.float32(0.25),
    }
    probability, prevalence = np.float32(0.25), np.float64(0.3)
    flagged = np.bool_(False)
    operating_point, interval = Point(), Range()
    image_digest = scan().digest
    familiarity, sure = None, np.bool_(True)


def test_the_models_answer_is_kept_with_what_made_it():
    result = ai_result(
        Answer(),
        map_kind="lesion",
        controls=Controls(),
        lesion_threshold=np.float32(0.5),
        measurements=[Measures()],
        explored_threshold=0.2,
    )
    assert result.labels == Answer.labels
    assert (result.probability, result.flagged, result.threshold) == (0.25, False, 0.4)
    assert type(result.flagged) is bool
    assert (type(result.sure), result.familiarity) == (bool, None)
    assert result.interval == {"low": 0.1, "high": 0.4, "n": 20}
    assert result.controls == {"threshold": 0.5, "size": 5, "method": "fixed"}
    assert result.measurements == ({"area": 4.0, "spacing": [0.1, 0.2], "depth_to_width": None},)


def test_the_facts_of_a_scan_hold_nothing_of_the_uploaded_file():
    of = scan()
    facts = dataclasses.asdict(image_facts(of))
    assert facts == {
        "digest": of.digest,
        "case_number": of.case_number,
        "width": 32,
        "height": 24,
        "channels": 1,
        "modality": "US",
        "spacing": (0.1, 0.2),
        "frames": 1,
        "synthetic": True,
        "frame": 0,
        "series": None,
        "regions": (),
        "corrections": (),
        "origin": None,
        "notes": (),
        "window": None,
    }

"""Forms as a clinician and a reviewer fill them in, on small synthetic scans."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import select

from core.review import (
    AIResult,
    Feedback,
    LabelDraft,
    Origin,
    Verdict,
    image_facts,
    rebuild_projection,
)
from core.scan import Scan, encode_png
from core.store import Store, schema
from core.trust import Person, Role, demo_people

CLINICIAN, REVIEWER, ADMINISTRATOR = demo_people()
COLLEAGUE = Person("second-clinician", "Second clinician", Role.CLINICIAN)
SECOND = Person("second-reviewer", "Second reviewer", Role.REVIEWER)
LABELS = ("normal", "benign", "malignant")


def key() -> str:
    return uuid4().hex


def scan(seed: int = 0, width: int = 32, height: int = 24) -> Scan:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return Scan.from_pixels(pixels, modality="US", spacing=(0.1, 0.2), synthetic=True)


def ai(of: Scan, **changed: object) -> AIResult:
    values: dict[str, object] = {
        "task": "breast-ultrasound",
        "version": "1.0",
        "bundle_digest": "c" * 64,
        "image_digest": of.digest,
        "probabilities": {"normal": 0.1, "benign": 0.2, "malignant": 0.7},
        "positive": "malignant",
        "probability": 0.7,
        "operating_point": "screening",
        "threshold": 0.4,
        "flagged": True,
        "answer": "malignant",
        "interval": {"low": 0.6, "high": 0.8, "n": 40, "positives": 28},
        "prevalence": 0.3,
        "heat_class": "malignant",
        "map_kind": "lesion",
        "controls": {"method": "fixed", "threshold": 0.5},
        "lesion_threshold": 0.5,
        "measurements": ({"number": 1, "area": 12.5, "orientation": None},),
        "explored_threshold": 0.25,
    }
    return AIResult(**values | changed)  # type: ignore[arg-type]


def form(seed: int = 0, /, **changed: object) -> Feedback:
    of = scan(seed)
    values: dict[str, object] = {
        "submission_key": key(),
        "image": image_facts(of),
        "png": encode_png(of),
        "task": "breast-ultrasound",
        "labels": LABELS,
        "ai": ai(of),
        "verdict": Verdict.ACCEPT,
    }
    return Feedback(**values | changed)  # type: ignore[arg-type]


def draft(label: str = "benign", /, **changed: object) -> LabelDraft:
    values: dict[str, object] = {"label": label, "origin": Origin.OPINION, "confidence": 4}
    return LabelDraft(**values | changed)  # type: ignore[arg-type]


def run_at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run ``jobs`` in threads that start together; return results and errors in order."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(n: int) -> None:
        gate.wait()
        try:
            results[n] = jobs[n]()
        except Exception as error:  # noqa: BLE001
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_projection_equals_history(store: Store) -> None:
    """What is kept for speed says what the history says."""
    query = select(schema.cases).order_by(schema.cases.c.image_digest)
    with store.reading() as connection:
        kept = connection.execute(query).all()
    rebuild_projection(store)
    with store.reading() as connection:
        assert connection.execute(query).all() == kept != []

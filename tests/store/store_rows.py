"""One valid row of every table that people and the model write to."""

from datetime import UTC, datetime

from sqlalchemy import insert

from core.store import Store, schema

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PERSON = {"id": "p1", "name": "Zoë 张", "role": "clinician", "created_at": NOW}
IMAGE = {
    "digest": "a" * 64,
    "case_number": "AAAAA-AAAAA",
    "width": 4,
    "height": 3,
    "channels": 1,
    "modality": "US",
    "spacing_row": 0.1,
    "spacing_column": 0.2,
    "frames": 1,
    "synthetic": True,
    "blob": "b" * 64,
    "created_at": NOW,
}
READ = {
    "image_digest": "a" * 64,
    "task": "breast-ultrasound",
    "version": "1.0",
    "bundle_digest": "c" * 64,
    "probabilities": {"normal": 0.25, "benign": 0.25, "malignant": 0.5},
    "positive": "malignant",
    "probability": 0.5,
    "operating_point": "screening",
    "threshold": 0.4,
    "flagged": True,
    "answer": "malignant",
    "interval": None,
    "prevalence": 0.3,
    "heat_class": "malignant",
    "map_kind": "none",
    "controls": None,
    "lesion_threshold": None,
    "measurements": [],
    "explored_threshold": None,
    "created_at": NOW,
}
FEEDBACK = {
    "submission_key": "k",
    "fingerprint": "f" * 64,
    "image_digest": "a" * 64,
    "read_id": 1,
    "person_id": "p1",
    "task": "breast-ultrasound",
    "labels": ["normal", "benign", "malignant"],
    "verdict": "accept",
    "problems": [],
    "urgency": "routine",
    "comment": "",
    "regions": [],
    "outline_accepted": False,
    "submitted_at": NOW,
}
EXPLANATION = {
    "feedback_id": 1,
    "image_digest": "a" * 64,
    "bundle_digest": "c" * 64,
    "method": "grad-cam",
    "target": "malignant",
    "layer": "block5",
    "parameters": {"class_specific": True},
    "signed": False,
    "unit": "relative",
    "blob": "d" * 64,
    "kept_at": NOW,
}
LABEL = {
    "submission_key": "k",
    "fingerprint": "f" * 64,
    "image_digest": "a" * 64,
    "person_id": "p1",
    "stage": "blind",
    "label": "benign",
    "origin": "opinion",
    "confidence": 3,
    "comment": "",
    "regions": [],
    "entered_at": NOW,
}
OVERRIDE = {
    "image_digest": "a" * 64,
    "person_id": "p1",
    "reason": "for teaching",
    "quality": {"checks": []},
    "at": NOW,
}
EVENT = {"image_digest": "a" * 64, "kind": "received", "person_id": "p1", "at": NOW}
PREVALENCE = {
    "task": "breast-ultrasound",
    "share": 0.05,
    "reason": "our register",
    "person_id": "p1",
    "at": NOW,
}
EMBEDDING = {
    "image_digest": "a" * 64,
    "bundle_digest": "c" * 64,
    "vector": bytes(8),
    "known": True,
    "at": NOW,
}


def fill(store: Store) -> None:
    """Write them all, each after those it points to."""
    with store.writing() as connection:
        for table, row in (
            (schema.people, PERSON),
            (schema.images, IMAGE),
            (schema.reads, READ),
            (schema.feedback, FEEDBACK),
            (schema.explanations, EXPLANATION),
            (schema.label_entries, LABEL),
            (schema.case_events, EVENT),
            (schema.overrides, OVERRIDE),
            (schema.site_prevalences, PREVALENCE),
            (schema.embeddings, EMBEDDING),
        ):
            connection.execute(insert(table).values(**row))

"""Run as a program: send feedback again and again, and say which was acknowledged.

Prints ``<submission key> <feedback id>`` right after each ``submit_feedback`` returned. The
process that started it kills it without warning.
"""

import sys
from pathlib import Path

from review_forms import CLINICIAN, form

from core.review import submit_feedback
from core.settings import Settings
from core.store import Store

store = Store.open(Settings(var=Path(sys.argv[1]), database_url=sys.argv[2]))
base = int(sys.argv[3])
for n in range(10_000):
    sent = form(base + n)
    receipt = submit_feedback(store, CLINICIAN, sent)
    print(sent.submission_key, receipt.feedback_id, flush=True)

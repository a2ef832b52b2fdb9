"""An evaluation as one HTML file, for people: plots, tables, and what they mean.

Nothing outside the file is needed and nothing in it runs. It is made from the report alone, so
that it can be made again, and holds no image and no file name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.learning.html_template import html_template
from core.learning.page._sections import sections
from core.learning.page._words import facts, headline, notes, subtitle
from core.model import Card
from core.text import _, language

_HERE = Path(__file__).resolve().parent


def report_html(report: dict[str, Any], card: Card) -> bytes:
    """Return the page of an evaluation in the language in force, in UTF-8.

    Parameters
    ----------
    report
        As :func:`core.learning.report.full_report` gives it, with ``model``, ``data`` and
        ``made``.
    card
        The model's: what it is for, and its limits.
    """
    text: str = html_template(_HERE / "evaluation.html").render(
        lang=language().replace("_", "-"),
        title=_("Evaluation of {task} {version}").format(task=card.task, version=card.version),
        subtitle=subtitle(report, card),
        banner=_("Decision support, not a medical device."),
        tiles=headline(report),
        notes=notes(report),
        contents=_("Contents"),
        sections=sections(report, card),
        facts_title=_("What was evaluated"),
        facts=facts(report, card),
        use_title=_("What the model is for"),
        use=card.intended_use,
        limits_title=_("Limits"),
        limits=card.limits,
        # The one text that is not escaped: our own file.
        style=Markup((_HERE / "evaluation.css").read_text(encoding="utf-8")),  # noqa: S704
    )
    return text.encode("utf-8")


__all__ = ["report_html"]

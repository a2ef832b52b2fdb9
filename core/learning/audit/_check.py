"""One check of an audit: what it found, in a line and in figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from core.text import _


class Verdict(IntEnum):
    """What a check comes to, from good to bad."""

    OK = 0
    #: A person should look: it may be meant, or it may spoil the training.
    LOOK = 1
    #: Figures on a split of these data would be too good.
    LEAK = 2

    @property
    def code(self) -> str:
        """The word a program reads."""
        return self.name.lower()

    @property
    def word(self) -> str:
        """The word a person reads."""
        return {Verdict.OK: _("ok"), Verdict.LOOK: _("look"), Verdict.LEAK: _("LEAK")}[self]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes
    ----------
    name
        Its code, for programs.
    title, line
        What was checked and what was found, for people.
    verdict
        What it comes to.
    figures
        What the line was made of, ready for JSON.
    """

    name: str
    title: str
    verdict: Verdict
    line: str
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "verdict": self.verdict.code,
            "line": self.line,
            "figures": self.figures,
        }

"""Strict reading of a card's entries: each is taken once, checked, and none may be left over."""

from __future__ import annotations

import math
import re
from typing import Any, TypeVar

from core.errors import BundleInvalid
from core.text import _

T = TypeVar("T", int, str, list[Any], dict[str, Any])
_PLAIN = re.compile(r"[a-z_.]{1,60}")


def invalid(problem: str) -> BundleInvalid:
    """Make the one-line error of a card that cannot be used."""
    return BundleInvalid(_("The model card cannot be used: {problem}.").format(problem=problem))


class Fields:
    """The entries of one JSON object that are still to be read; ``path`` names it in errors."""

    def __init__(self, value: object, path: str) -> None:
        self._path = path
        if not isinstance(value, dict):
            raise invalid(_("{entry} must be an object").format(entry=path or "card.json"))
        self._left: dict[str, Any] = dict(value)

    def names(self) -> list[str]:
        """Return the entries not read yet, in their order."""
        return list(self._left)

    def take(self, name: str, kind: type[T]) -> T:
        """Take an entry that must be there, of exactly this JSON type."""
        if name not in self._left:
            raise invalid(_("{entry} is missing").format(entry=self._full(name)))
        value = self._left.pop(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong_type(name)
        return value

    def optional(self, name: str, kind: type[T]) -> T | None:
        """Take an entry that may be missing or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.take(name, kind)

    def number(self, name: str, default: float | None = None) -> float:
        """Take a finite number, or ``default`` where there is one and the entry is missing."""
        found = self.optional_number(name)
        if found is None and default is None:
            raise invalid(_("{entry} is missing").format(entry=self._full(name)))
        return found if found is not None else float(default or 0.0)

    def optional_number(self, name: str) -> float | None:
        """Take a finite number that may be missing or null."""
        value = self._left.pop(name, None)
        return None if value is None else self._finite(name, value)

    def interval(self, name: str) -> tuple[float, float] | None:
        """Take a pair of finite numbers that may be missing or null."""
        value = self.optional(name, list)
        if value is None:
            return None
        if len(value) != 2:
            raise self._wrong_type(name)
        return self._finite(name, value[0]), self._finite(name, value[1])

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts."""
        value = self.take(name, list)
        if not all(isinstance(text, str) for text in value):
            raise self._wrong_type(name)
        return tuple(value)

    def child(self, name: str) -> Fields:
        """Take an object that must be there."""
        if name not in self._left:
            raise invalid(_("{entry} is missing").format(entry=self._full(name)))
        return Fields(self._left.pop(name), self._full(name))

    def optional_child(self, name: str) -> Fields | None:
        """Take an object that may be missing or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.child(name)

    def children(self, name: str) -> list[Fields]:
        """Take a list of objects."""
        return [Fields(entry, self._full(name)) for entry in self.take(name, list)]

    def nothing_left(self) -> None:
        """Refuse entries that nobody read: a misspelt name must not be ignored in silence."""
        for name in self._left:
            problem = _("{entry} is not an entry it may have").format(entry=self._full(name))
            raise invalid(problem)

    def _finite(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong_type(name)
        if not math.isfinite(value):
            raise invalid(_("{entry} must be finite").format(entry=self._full(name)))
        return float(value)

    def _wrong_type(self, name: str) -> BundleInvalid:
        return invalid(_("{entry} has a value of the wrong kind").format(entry=self._full(name)))

    def _full(self, name: str) -> str:
        # Only names that look like ours are repeated: an error holds nothing a person typed.
        plain = name if _PLAIN.fullmatch(name) else "…"
        return f"{self._path}.{plain}" if self._path else plain

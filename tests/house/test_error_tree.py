"""The drawing in core/errors.py is what a developer catches by: it must be the real tree."""

import inspect
import re

import pytest

from core import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]


def drawn() -> dict[str, str | None]:
    """Return each drawn class with the class it hangs from."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:│   |    |├── |└── )*)(\w+)(?:\s{2,}.*)?$", line)
        if found:
            depth, name = len(found.group(1)) // 4, found.group(2)
            path[depth:] = [name]
            parents[name] = path[depth - 1] if depth else None
    return parents


def test_the_drawing_shows_every_error_where_it_is():
    real = {
        c.__name__: c.__bases__[0].__name__ if c is not errors.OverreadError else None
        for c in CLASSES
    }
    assert drawn() == real


def test_one_except_catches_everything_raised_on_purpose():
    assert {c.__name__ for c in CLASSES if not issubclass(c, errors.OverreadError)} == set()


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_every_error_says_what_it_is(error):
    assert error.__doc__
    assert error.__doc__ != Exception.__doc__
    assert len(error.__bases__) == 1

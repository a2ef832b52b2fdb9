"""Fixtures that several rooms share; each kind lives in a file of its own."""

import pytest
from store_fixtures import (  # noqa: F401
    empty_settings,
    postgresql,
    settings,
    sqlite_template,
    store,
    store_kind,
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, in whatever order they came.

    One that is begun last keeps a process busy for minutes while the other has nothing left.
    """
    long = {
        item.path
        for item in items
        if item.get_closest_marker("slow") or item.get_closest_marker("browser")
    }
    items.sort(key=lambda item: item.path not in long)

"""Fixtures that several rooms share; each kind lives in a file of its own."""

from store_fixtures import (  # noqa: F401
    empty_settings,
    postgresql,
    settings,
    sqlite_template,
    store,
    store_kind,
)

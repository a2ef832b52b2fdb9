"""From what a database driver raises to one line that a person can use.

The driver's own text never gets through: it can hold SQL, values, paths and the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import StoreError, StoreUnavailable
from core.text import _

# Primary result codes of SQLite, https://www.sqlite.org/rescode.html
_SQLITE = {
    5: "busy",
    6: "busy",
    8: "read-only",
    10: "failing",
    11: "damaged",
    13: "full",
    14: "unreachable",
    23: "unreachable",
    26: "damaged",
}
# SQLSTATE classes and codes, https://www.postgresql.org/docs/15/errcodes-appendix.html
_POSTGRESQL = {
    "25006": "read-only",
    "53100": "full",
    "53300": "busy",
    "55P03": "busy",
    "57014": "busy",
    "40001": "busy",
    "40P01": "busy",
    "58030": "failing",
    "XX001": "damaged",
    "XX002": "damaged",
    "3D000": "refused",
    "42501": "refused",
}
_POSTGRESQL_CLASSES = {"08": "unreachable", "57": "unreachable", "28": "refused", "53": "busy"}


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database failure inside the block into a :class:`StoreError`."""
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError) as error:
        raise translate(error) from None


def translate(error: Exception) -> StoreError:
    """Return the store's error for the driver's ``error``."""
    if isinstance(error, PoolTimeout):
        return _unavailable("busy")
    if isinstance(error, IntegrityError):
        return StoreError(
            _("This contradicts what is already stored, so nothing was saved. Load it again.")
        )
    if not isinstance(error, DBAPIError):
        return StoreError(_("This cannot be stored as it is. Nothing was saved."))
    return _unavailable(_cause(error.orig))


def _cause(original: BaseException | None) -> str:
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF, "other")
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL_CLASSES.get(state[:2], "other")
    # psycopg gives no SQLSTATE when there was no server to give one.
    return "unreachable" if type(original).__name__ == "OperationalError" else "other"


def _unavailable(cause: str) -> StoreError:
    lines = {
        "busy": _("The database is busy. Nothing was saved; try again in a moment."),
        "read-only": _(
            "The database is read-only, so nothing was saved. Ask an administrator to make it "
            "writable."
        ),
        "full": _("The disk of the database is full. Nothing was saved; free some space."),
        "failing": _("The disk of the database fails. Nothing was saved; ask an administrator."),
        "damaged": _("The database is damaged. Stop, and restore it from a backup."),
        "unreachable": _(
            "The database cannot be reached. Nothing was saved; check that it runs and that "
            "OVERREAD_DATABASE_URL is right, then try again."
        ),
        "refused": _(
            "The database refuses this account. Check OVERREAD_DATABASE_URL and the rights in it."
        ),
        "other": _("The database failed. Nothing was saved; try again or ask an administrator."),
    }
    return StoreUnavailable(lines[cause])

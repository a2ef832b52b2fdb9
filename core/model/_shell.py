"""Who works at a command line."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.trust import Person


def at_the_shell() -> Person:
    """Return who works at a command line.

    They may do what an administrator may: whoever can run it can change the files themselves.
    """
    from core.trust import Person, Role

    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = "unknown"
    return Person(f"shell:{account}"[:64], account, Role.ADMINISTRATOR)

"""People, roles and permissions: who may do what.

A permission is checked in the room that does the thing, with :func:`require`, never only where a
button is drawn.
"""

from core.trust._people import (
    Permission,
    Person,
    Role,
    demo_people,
    permissions_of,
    remember,
    require,
)

__all__ = [
    "Permission",
    "Person",
    "Role",
    "demo_people",
    "permissions_of",
    "remember",
    "require",
]

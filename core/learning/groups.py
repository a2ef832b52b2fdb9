"""What must stay together: keys that belong to one another, directly or through others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)


def joined(keys: Iterable[Sequence[K]]) -> list[K | None]:
    """Return for each list of keys the first in order of all that hang together with it.

    Two keys hang together where one list holds both, and so on from there: a disjoint-set forest
    (Galler B. A., Fisher M. J., *An improved equivalence algorithm*, Communications of the ACM
    7:301, 1964). The answer does not depend on the order of the lists.

    Parameters
    ----------
    keys
        Lists of keys that can be ordered; an empty one hangs together with nothing.

    Returns
    -------
    list
        As many as there are lists; None for an empty one.
    """
    above: dict[Any, Any] = {}

    def top(key: Any) -> Any:
        while (over := above.get(key, key)) != key:
            # Half of the way is cut short each time, so long chains do not stay long.
            above[key] = above.get(over, over)
            key = over
        return key

    lists = [list(each) for each in keys]
    for found in lists:
        for other in found[1:]:
            one, two = sorted((top(found[0]), top(other)))
            if one != two:
                above[two] = one
    return [top(found[0]) if found else None for found in lists]

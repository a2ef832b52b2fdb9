"""What a model sees in the images of an audit: a second opinion on which are alike.

The network's embedding is nearer to what is shown than to how it is shown, so it proposes pairs
that crops and brightness hide from the eye. What it proposes is checked as every other candidate
is. Pairs across splits that are no copies, but as alike to the model as copies are, are said, too:
they may be one lesion in two pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

import core.model
from core.errors import LearningError
from core.learning.audit._check import Check, Verdict
from core.learning.audit._facts import Facts
from core.learning.audit._listing import Listing
from core.learning.audit._pairs import Pairs, Search
from core.learning.rows import load_scan
from core.scan import Scan
from core.settings import load_settings
from core.text import _

#: Copies it takes to know how alike copies are to the model.
_ENOUGH = 10
_EXAMPLES = 20


def embeddings(
    listing: Listing,
    facts: Facts,
    task: str,
    version: str | None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.float32]:
    """Return what a bundle makes of every image: (N, D) float32 of length 1, 0 where unreadable.

    Parameters
    ----------
    listing, facts
        The images, and which of them can be read.
    task, version
        The bundle; the newest of the task for None.
    progress
        Called with the number of images done and of all.

    Raises
    ------
    OverreadError
        The bundle cannot be used, or has no embedding.
    """
    embed = getattr(core.model, "embeddings_of", None)
    if embed is None:
        raise LearningError(_("The models of this version have no embeddings to compare by."))
    bundle = core.model.resolve(task, version, settings=load_settings())
    readable = np.flatnonzero(facts.readable)

    def scans() -> Iterator[Scan]:
        for done, index in enumerate(readable.tolist(), 1):
            yield load_scan(listing.rows[index])
            progress(done, len(readable))

    found = np.asarray(embed(bundle, scans()), np.float32)
    # Averages of what is never below 0: what they have in common would make all of them alike.
    found = found - found.mean(axis=0)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
    every = np.zeros((len(listing.rows), found.shape[1]), np.float32)
    every[readable] = found
    return every


def embedding_check(listing: Listing, search: Search, pairs: Pairs) -> Check:
    """Return the check of what is as alike to the model as copies are, in two splits."""
    title = _("Alike to the model")
    known = search.seen
    alike = search.likeness(pairs.first[~pairs.exact], pairs.second[~pairs.exact])
    if len(alike) < _ENOUGH:
        line = _("fewer than {n} near duplicates to tell by how alike copies are").format(n=_ENOUGH)
        return Check("embeddings", title, Verdict.OK, line, {"compared": len(known.first)})
    limit = float(np.median(alike))
    copies = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    likeness = search.likeness(known.first, known.second)
    splits = listing.splits
    found = sorted(
        (-float(value), a, b)
        for a, b, value in zip(known.first.tolist(), known.second.tolist(), likeness, strict=True)
        if value >= limit and splits[a] != splits[b] and (min(a, b), max(a, b)) not in copies
    )
    examples = [
        [
            {
                "source": listing.sources[int(listing.of[index])].name,
                "entry": listing.rows[index].entry,
            }
            for index in (a, b)
        ]
        for _value, a, b in found[:_EXAMPLES]
    ]
    line = (
        _("{n} pairs in two splits are as alike to the model as copies are: one lesion twice?")
        if found
        else _("no two images in two splits are as alike as copies are")
    ).format(n=len(found))
    return Check(
        "embeddings",
        title,
        Verdict.LOOK if found else Verdict.OK,
        line,
        {"pairs": len(found), "from_cosine": limit, "examples": examples},
    )

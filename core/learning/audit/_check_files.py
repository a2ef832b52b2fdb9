"""Checks of the files: what cannot be read, what is there twice, and masks nobody would read."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np

from core.learning.audit._check import Check, Verdict
from core.learning.audit._facts import Facts, MaskState
from core.learning.audit._listing import Listing
from core.learning.audit._pairs import Search
from core.text import _, ngettext, percent

#: Share of the images of a label with a mask from which one is expected of all of them.
_EXPECTED = 0.5
#: Share of the smaller of two datasets that lies in the other, too, from which it is the same.
_SAME_SHARE = 0.5
_EXAMPLES = 20


def file_checks(listing: Listing, facts: Facts, search: Search) -> list[Check]:
    """Return the checks of the files."""
    return [
        _readable(listing, facts),
        _given_twice(listing, facts),
        _masks(listing, facts),
        _blank(listing, search),
    ]


def _readable(listing: Listing, facts: Facts) -> Check:
    listed = sum(len(source.problems) for source in listing.sources)
    undecoded = int((~facts.readable).sum())
    bad_masks = int((facts.masks == MaskState.BROKEN).sum())
    unlisted = sum(source.unlisted for source in listing.sources)
    said = []
    if listed:
        said.append(
            ngettext(
                "{n} entry of the manifest cannot be used",
                "{n} entries of the manifest cannot be used",
                listed,
            ).format(n=listed)
        )
    if undecoded:
        said.append(
            ngettext(
                "{n} image cannot be decoded", "{n} images cannot be decoded", undecoded
            ).format(n=undecoded)
        )
    if bad_masks:
        said.append(
            ngettext("{n} mask cannot be used", "{n} masks cannot be used", bad_masks).format(
                n=bad_masks
            )
        )
    if unlisted:
        said.append(
            ngettext(
                "{n} image lies in the folder and not in the manifest",
                "{n} images lie in the folder and not in the manifest",
                unlisted,
            ).format(n=unlisted)
        )
    return Check(
        "readable",
        _("Unreadable files"),
        Verdict.LOOK if said else Verdict.OK,
        "; ".join(said)
        or _("all {n} images and their masks can be read").format(n=len(listing.rows)),
        {
            "entries_not_usable": listed,
            "images_not_decoded": undecoded,
            "masks_not_usable": bad_masks,
            "images_not_in_manifest": unlisted,
        },
    )


def _given_twice(listing: Listing, facts: Facts) -> Check:
    names = [source.name for source in listing.sources]
    digests: dict[int, set[str]] = defaultdict(set)
    for of, digest in zip(listing.of.tolist(), facts.digests, strict=True):
        if digest is not None:
            digests[of].add(digest)
    shared = {(a, b): len(digests[a] & digests[b]) for a, b in combinations(range(len(names)), 2)}
    said = [
        _("{name} was given more than once and is counted once").format(name=name)
        for name in sorted(set(listing.repeated))
    ]
    for (a, b), n in shared.items():
        if n and n >= _SAME_SHARE * min(len(digests[a]), len(digests[b])):
            said.append(
                _("{n} images of {one} are those of {other}").format(
                    n=n, one=names[a], other=names[b]
                )
            )
    said += [
        _(
            "two datasets are called {name}: training takes their cases for the same, so rename one"
        ).format(name=name)
        for name in listing.same_name
    ]
    return Check(
        "given_twice",
        _("Same dataset twice"),
        Verdict.LOOK if said else Verdict.OK,
        "; ".join(said) or _("no"),
        {
            "repeated": listing.repeated,
            "same_name": listing.same_name,
            "shared_images": [
                {"one": names[a], "other": names[b], "images": n}
                for (a, b), n in shared.items()
                if n
            ],
        },
    )


def _masks(listing: Listing, facts: Facts) -> Check:
    misnamed = sum(len(source.masks.misnamed) for source in listing.sources)
    without_image = sum(source.masks.without_image for source in listing.sources)
    among = sum(len(source.masks.among_images) for source in listing.sources)
    tally: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for i, (of, row) in enumerate(zip(listing.of.tolist(), listing.rows, strict=True)):
        # Of an image that cannot be decoded, which is said by itself, nobody knows the mask.
        if facts.readable[i]:
            tally[listing.sources[of].name, row.label][int(facts.masks[i])] += 1
    missing, black, counts = {}, {}, []
    for (source, label), states in sorted(tally.items()):
        n, drawn = states.total(), states[MaskState.LESION]
        counts.append(
            {
                "source": source,
                "label": label,
                "images": n,
                "lesion": drawn,
                "black": states[MaskState.BLACK],
                "none": states[MaskState.NONE],
                "not_usable": states[MaskState.BROKEN],
            }
        )
        if drawn >= _EXPECTED * n:
            if states[MaskState.NONE]:
                missing[f"{source}/{label}"] = states[MaskState.NONE]
            if states[MaskState.BLACK]:
                black[f"{source}/{label}"] = states[MaskState.BLACK]
    said = []
    if misnamed:
        said.append(
            _(
                "{n} masks have a name or format that is not read (wanted: the image's name, .png)"
            ).format(n=misnamed)
        )
    if without_image:
        said.append(
            ngettext(
                "{n} mask belongs to no image", "{n} masks belong to no image", without_image
            ).format(n=without_image)
        )
    if among:
        said.append(
            ngettext(
                "{n} image looks like a mask of another",
                "{n} images look like masks of others",
                among,
            ).format(n=among)
        )
    for where, n in missing.items():
        said.append(_("{n} of {where} have no mask where most have one").format(n=n, where=where))
    for where, n in black.items():
        said.append(_("{n} masks of {where} are all black").format(n=n, where=where))
    any_mask = bool((facts.masks != MaskState.NONE).any())
    return Check(
        "masks",
        _("Masks"),
        Verdict.LOOK if said else Verdict.OK,
        "; ".join(said)
        or (_("every image that should have one has it") if any_mask else _("there are none")),
        {
            "misnamed": misnamed,
            "without_image": without_image,
            "among_images": among,
            "by_label": counts,
        },
    )


def _blank(listing: Listing, search: Search) -> Check:
    blank = search.blank()
    n = len(blank)
    return Check(
        "blank",
        _("Blank images"),
        Verdict.LOOK if n else Verdict.OK,
        _("{n} of {all} images ({share}) show nothing").format(
            n=n, all=len(listing.rows), share=percent(n / len(listing.rows))
        )
        if n
        else _("none"),
        {"images": n, "examples": np.asarray(blank[:_EXAMPLES]).tolist()},
    )

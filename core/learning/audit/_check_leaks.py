"""Checks for leaks: the same patient or the same picture on both sides of a split."""

from __future__ import annotations

from collections import Counter, defaultdict

from core.learning.audit._check import Check, Verdict
from core.learning.audit._listing import Listing
from core.learning.audit._pairs import Pairs
from core.text import _, ngettext


def leak_checks(listing: Listing, pairs: Pairs) -> list[Check]:
    """Return the checks for leaks."""
    return [
        _groups(listing),
        _pairs(listing, pairs, exact=True),
        _pairs(listing, pairs, exact=False),
        _two_labels(listing, pairs),
        _two_cases(listing, pairs),
    ]


def _groups(listing: Listing) -> Check:
    splits: dict[tuple[int, str], set[str]] = defaultdict(set)
    held: Counter[tuple[int, str]] = Counter()
    for of, row in zip(listing.of.tolist(), listing.rows, strict=True):
        if row.grouped:
            splits[of, row.group].add(row.split)
            held[of, row.group] += 1
    parted = [key for key, sides in splits.items() if len(sides) > 1]
    images = sum(held[key] for key in parted)
    told = {of for of, _group in held}
    alone = sum(not row.grouped for row in listing.rows)
    unsaid = [source.name for i, source in enumerate(listing.sources) if i not in told]
    if parted:
        verdict = Verdict.LEAK
        line = _("{n} cases or groups ({images} images) lie in more than one split").format(
            n=len(parted), images=images
        )
    elif unsaid:
        verdict = Verdict.LOOK
        line = _("nothing says which images are of one patient in {names}").format(
            names=", ".join(unsaid)
        )
    elif alone:
        verdict = Verdict.LOOK
        line = ngettext(
            "{n} of {total} images says nothing of its case or patient",
            "{n} of {total} images say nothing of their case or patient",
            alone,
        ).format(n=alone, total=len(listing.rows))
    else:
        verdict = Verdict.OK
        line = _("all {n} cases and groups lie in one split each").format(n=len(splits))
    return Check(
        "groups",
        _("Case or group in two splits"),
        verdict,
        line,
        {
            "groups": len(splits),
            "parted": len(parted),
            "images": images,
            "not_told": unsaid,
            "ungrouped": alone,
        },
    )


def _pairs(listing: Listing, pairs: Pairs, *, exact: bool) -> Check:
    chosen = pairs.exact if exact else ~pairs.exact
    across = int((chosen & pairs.across(listing.splits)).sum())
    total = int(chosen.sum())
    if across:
        line = _("{across} of {n} pairs lie in two splits").format(across=across, n=total)
    elif total:
        line = _("{n} pairs, each inside one split").format(n=total)
    else:
        line = _("none")
    return Check(
        "exact_duplicates" if exact else "near_duplicates",
        _("Exact duplicates") if exact else _("Near duplicates"),
        Verdict.LEAK if across else Verdict.OK,
        line,
        {"pairs": total, "across_splits": across},
    )


def _two_labels(listing: Listing, pairs: Pairs) -> Check:
    n = int(pairs.across(listing.labels).sum())
    return Check(
        "two_labels",
        _("Same picture, two labels"),
        Verdict.LOOK if n else Verdict.OK,
        _("{n} pairs of the same picture have two labels").format(n=n) if n else _("none"),
        {"pairs": n},
    )


def _two_cases(listing: Listing, pairs: Pairs) -> Check:
    told = [row.grouped for row in listing.rows]
    apart = pairs.across(listing.groups)
    n = sum(
        told[a] and told[b]
        for a, b in zip(pairs.first[apart].tolist(), pairs.second[apart].tolist(), strict=True)
    )
    return Check(
        "two_cases",
        _("Same picture, two cases"),
        Verdict.LOOK if n else Verdict.OK,
        _(
            "{n} pairs of the same picture are of two cases or groups: a split by these parts them"
        ).format(n=n)
        if n
        else _("none"),
        {"pairs": n},
    )

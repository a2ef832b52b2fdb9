"""Checks for shortcuts: what tells the label, or the split, and is no sign of disease."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learning.audit._check import Check, Verdict
from core.learning.audit._facts import FIGURES, Facts
from core.learning.audit._listing import Listing, table_of_counts
from core.learning.audit._statistics import chi_square, kolmogorov_smirnov, odds_ratio
from core.text import _, percent

#: Odds ratio that the 95 % interval must lie beyond before lettering is said to tell the label.
_STRONG = 1.5
#: Distance between two distributions from which a shift is said, and the p it needs.
_SHIFT, _SHIFT_P = 0.15, 0.001
#: Images of a scanner below which a label that is missing there means nothing.
_FEW = 20


def balance_checks(listing: Listing, facts: Facts) -> list[Check]:
    """Return the checks for shortcuts."""
    return [
        _splits(listing),
        _sources(listing),
        _devices(listing),
        _lettering(listing, facts),
        _shifts(listing, facts),
    ]


def _splits(listing: Listing) -> Check:
    tally = Counter((row.split, row.label) for row in listing.rows)
    splits = sorted({row.split for row in listing.rows})
    labels = sorted({row.label for row in listing.rows})
    missing = [(s, label) for s in splits for label in labels if not tally[s, label]]
    own = [source.name for source in listing.sources if source.own_split]
    said = [
        _("{split} has no {label}").format(split=split, label=label) for split, label in missing
    ]
    if len(splits) == 1:
        said.append(_("there is only one split, {split}").format(split=splits[0]))
    if len(labels) == 1:
        said.append(_("there is only one label, {label}").format(label=labels[0]))
    shares = "; ".join(
        f"{split}: "
        + ", ".join(
            f"{label} {tally[split, label]} "
            f"({percent(tally[split, label] / sum(tally[split, each] for each in labels))})"
            for label in labels
        )
        for split in splits
    )
    return Check(
        "balance",
        _("Labels by split"),
        Verdict.LOOK if said else Verdict.OK,
        "; ".join([*said, shares]),
        {
            "counts": table_of_counts(listing),
            "missing": [{"split": split, "label": label} for split, label in missing],
            "split_by_name": own,
        },
    )


def _only_in_one(tally: Counter[tuple[str, str]], least: int) -> list[tuple[str, str]]:
    """Return place and label of what is found in one place only, of places with enough images."""
    places = {
        place
        for place in {place for place, _label in tally}
        if sum(n for (of, _label), n in tally.items() if of == place) >= least
    }
    if len(places) < 2:
        return []
    labels = sorted({label for _place, label in tally})
    where = {
        label: [place for place in sorted({p for p, _l in tally}) if tally[place, label]]
        for label in labels
    }
    return [(found[0], label) for label, found in where.items() if len(found) == 1]


def _sources(listing: Listing) -> Check:
    tally = Counter(
        (listing.sources[of].name, row.label)
        for of, row in zip(listing.of.tolist(), listing.rows, strict=True)
    )
    names = [source.name for source in listing.sources]
    alone = _only_in_one(tally, 1)
    labels = sorted({row.label for row in listing.rows})
    _value, p, v = chi_square([[tally[name, label] for label in labels] for name in names])
    if len(names) < 2:
        line = _("one dataset")
    elif alone:
        line = "; ".join(
            _(
                "{label} exists in {source} only: a model can learn the look of {source} instead"
            ).format(label=label, source=source)
            for source, label in alone
        )
    else:
        line = _("every label in more than one dataset (Cramér's V {v})").format(v=f"{v:.2f}")
    return Check(
        "label_by_source",
        _("Labels by dataset"),
        Verdict.LOOK if alone else Verdict.OK,
        line,
        {
            "alone": [{"source": source, "label": label} for source, label in alone],
            "cramers_v": v,
            "p": p,
        },
    )


def _devices(listing: Listing) -> Check:
    found: list[dict[str, str]] = []
    told = 0
    for number, source in enumerate(listing.sources):
        tally = Counter(
            (row.device, row.label)
            for of, row in zip(listing.of.tolist(), listing.rows, strict=True)
            if of == number
        )
        devices = {device for device, _label in tally}
        told += len(devices) > 1
        found += [
            {"source": source.name, "device": device, "label": label}
            for device, label in _only_in_one(tally, _FEW)
        ]
    if found:
        line = "; ".join(
            _("{label} of {source} comes from {device} only").format(**each) for each in found
        )
    else:
        line = _("no label is of one scanner only") if told else _("no scanners are told apart")
    return Check(
        "label_by_device",
        _("Labels by scanner"),
        Verdict.LOOK if found else Verdict.OK,
        line,
        {"alone": found},
    )


def _lettering(listing: Listing, facts: Facts) -> Check:
    written = facts.written
    by_label: list[dict[str, Any]] = []
    telling: list[str] = []
    for number, source in enumerate(listing.sources):
        here = np.flatnonzero((listing.of == number) & facts.readable)
        names = [listing.rows[i].label for i in here.tolist()]
        labels = sorted(set(names))
        counts = {
            label: (
                sum(1 for i, name in zip(here.tolist(), names, strict=True) if name == label),
                sum(
                    1
                    for i, name in zip(here.tolist(), names, strict=True)
                    if name == label and written[i]
                ),
            )
            for label in labels
        }
        n, marked = len(here), int(written[here].sum())
        _value, p, v = chi_square([[m, k - m] for k, m in counts.values()])
        for label, (k, m) in counts.items():
            odds = odds_ratio(m, marked - m, k - m, n - k - (marked - m))
            by_label.append(
                {
                    "source": source.name,
                    "label": label,
                    "images": k,
                    "written_on": m,
                    "odds_ratio": odds.value,
                    "low": odds.low,
                    "high": odds.high,
                    "chi_square_p": p,
                    "cramers_v": v,
                }
            )
            if len(labels) > 1 and odds.at_least > _STRONG:
                telling.append(
                    _("{label} of {source}: {share}, odds ratio {odds} [{low}, {high}]").format(
                        label=label,
                        source=source.name,
                        share=percent(m / k),
                        odds=f"{odds.value:.1f}",
                        low=f"{odds.low:.1f}",
                        high=f"{odds.high:.1f}",
                    )
                )
    by_split = _share_by(listing, facts, written, [row.split for row in listing.rows])
    readable = int(facts.readable.sum())
    line = _("{share} of the images have some").format(
        share=percent(float(written[facts.readable].sum()) / max(readable, 1))
    )
    if telling:
        line += "; " + _("it tells the label: {which}").format(which="; ".join(telling))
    return Check(
        "lettering",
        _("Burned-in text, calipers"),
        Verdict.LOOK if telling else Verdict.OK,
        line,
        {"by_label": by_label, "by_split": by_split},
    )


def _share_by(
    listing: Listing, facts: Facts, written: NDArray[np.bool_], keys: Sequence[str]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for i, key in enumerate(keys):
        if facts.readable[i]:
            cell = found[listing.sources[int(listing.of[i])].name, key]
            cell[0] += 1
            cell[1] += int(written[i])
    return [
        {"source": source, "split": key, "images": n, "written_on": m}
        for (source, key), (n, m) in sorted(found.items())
    ]


def _shifts(listing: Listing, facts: Facts) -> Check:
    splits = np.array([row.split for row in listing.rows])
    names = sorted(set(splits.tolist()))
    found: list[dict[str, Any]] = []
    shifted: list[str] = []
    for one, two in combinations(names, 2):
        for figure in FIGURES:
            values = facts.figure(figure)
            a = values[(splits == one) & facts.readable]
            b = values[(splits == two) & facts.readable]
            distance, p = kolmogorov_smirnov(a, b)
            found.append({"splits": [one, two], "figure": figure, "distance": distance, "p": p})
            if distance >= _SHIFT and p < _SHIFT_P:
                shifted.append(
                    _("{figure} of {one} and {two} (distance {d}, median {a} and {b})").format(
                        figure=_figure_word(figure),
                        one=one,
                        two=two,
                        d=f"{distance:.2f}",
                        a=f"{float(np.median(a)):.4g}",
                        b=f"{float(np.median(b)):.4g}",
                    )
                )
    most = max((float(each["distance"]) for each in found), default=0.0)
    if not found:
        line = _("there is only one split")
    elif shifted:
        line = _("differ: {which}").format(which="; ".join(shifted))
    else:
        line = _("no clear difference in sizes and grey levels (largest distance {d})").format(
            d=f"{most:.2f}"
        )
    return Check(
        "shifts",
        _("Shifts between splits"),
        Verdict.LOOK if shifted else Verdict.OK,
        line,
        {"from_distance": _SHIFT, "below_p": _SHIFT_P, "by_figure": found},
    )


def _figure_word(figure: str) -> str:
    return {
        "width": _("width"),
        "height": _("height"),
        "brightness": _("brightness"),
        "contrast": _("contrast"),
        "lettering": _("share of burned-in text"),
    }[figure]

"""The table of methods as text: for the terminal, and as Markdown for a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.text import _

#: Figures in the order of the table's columns.
COLUMNS = (
    "pointing",
    "inside",
    "deletion",
    "insertion",
    "faithfulness",
    "beats_random",
    "stability",
    "gap_median",
    "gap_high",
)


def headline_lines(report: Mapping[str, Any]) -> list[str]:
    """Return one line for each method, for a terminal."""
    lines = []
    for entry in report["methods"]:
        words = [
            f"{name} {entry[name]['value']:.2f} "
            f"[{entry[name]['low']:.2f}, {entry[name]['high']:.2f}]"
            for name in ("pointing", "inside", "faithfulness", "beats_random", "stability")
            if name in entry
        ]
        lines.append(f"{entry['method']:20} n={entry['n']}  " + "  ".join(words))
    return lines


def explained_markdown(report: Mapping[str, Any]) -> str:
    """Return a report as Markdown: the methods, then which of them agree."""
    names = {
        "pointing": _("Peak in the lesion"),
        "inside": _("Heat in the lesion"),
        "deletion": _("Deletion area"),
        "insertion": _("Insertion area"),
        "faithfulness": _("Faithfulness"),
        "beats_random": _("Beats random orders"),
        "stability": _("Stability under noise"),
        "gap_median": _("Gap, median"),
        "gap_high": _("Gap, 90th percentile"),
    }
    model, data = report["model"], report["data"]
    area = report["lesion_area"]
    lines = [
        "# " + _("Explanations: how faithful each method measured"),
        "",
        _(
            "{task} {version}, on {data} ({split}). Scans: {n}; cases: {cases}; outlined lesions: "
            "{lesions}."
        ).format(
            task=model["task"],
            version=model["version"],
            data=_plain(data["name"]),
            split=_plain(data["split"]),
            n=report["n"],
            cases=report["cases"],
            lesions=report["lesions"],
        ),
    ]
    if area is not None:
        lines.append(
            _("Lesions cover {share} of the scan on average: even heat has that inside.").format(
                share=f"{100 * area:.1f} %"
            )
        )
    lines += ["", *_rows([_("Method"), _("n"), *names.values()])]
    for entry in report["methods"]:
        cells = [_figure(entry.get(name)) for name in names]
        lines.append(_row([entry["method"], str(entry["n"]), *cells]))
    if report["agreement"]:
        heads = [
            _("Methods"),
            _("n"),
            _("Rank correlation"),
            _("Overlap of the hottest tenth"),
            _("Scans on which they agree"),
        ]
        lines += ["", *_rows(heads)]
        for entry in report["agreement"]:
            cells = [_figure(entry.get(name)) for name in ("correlation", "overlap", "agree")]
            both = f"{entry['one']}, {entry['other']}"
            lines.append(_row([both, str(entry["n"]), *cells]))
    lines += _shuffled(report.get("randomised"))
    lines += ["", _("Decision support, not a medical device."), ""]
    return "\n".join(lines)


def _shuffled(found: Mapping[str, Any] | None) -> list[str]:
    """Return how each method's maps changed as the weights were shuffled layer by layer."""
    if found is None:
        return []
    text = _(
        "Weights shuffled layer by layer, from the scores down, on {n} scans: rank correlation "
        "with the map of the network as it is."
    ).format(n=found["scans"])
    heads = [
        _("Method"),
        *(_("{k} of {n} layers").format(k=k, n=found["layers"]) for k in found["shuffled"]),
        _("Depends on what was learnt"),
    ]
    lines = ["", text, "", *_rows(heads)]
    for entry in found["methods"]:
        cells = [f"{value:.2f}" for value in entry["correlation"]]
        lines.append(_row([entry["method"], *cells, _("yes") if entry["depends"] else _("no")]))
    return lines


def _rows(heads: list[str]) -> list[str]:
    return [_row(heads), "|" + " --- |" * len(heads)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(entry: Mapping[str, float] | None) -> str:
    if entry is None:
        return "–"
    return f"{entry['value']:.2f} ({entry['low']:.2f}–{entry['high']:.2f})"


def _plain(words: str) -> str:
    """Return somebody's own words without what Markdown reads as a sign."""
    return "".join(letter if letter.isalnum() or letter in " -_.+" else " " for letter in words)

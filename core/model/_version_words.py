"""A version in words: the same at the command line and on the page."""

from __future__ import annotations

from core.model._versions import ModelVersion, VersionState
from core.text import _


def version_state_words(version: ModelVersion) -> str:
    """Say in a few words what a version is used for, and why not where it is not."""
    words = version_state_name(version.state)
    if version.reason:
        words = _("{state}: {reason}").format(state=words, reason=version.reason)
    return words


def auc_words(version: ModelVersion) -> str:
    """Return the ROC-AUC on validation scans with its interval, or a dash."""
    if version.auc is None:
        return "–"
    value, low, high = version.auc
    return f"{value:.3f} [{low:.3f}–{high:.3f}]"


def where_words(version: ModelVersion) -> str:
    """Say where a version comes from."""
    return _("ships with Overread") if version.shipped else _("the site's own")


def version_state_name(state: VersionState) -> str:
    """Return what a version is used for, in a few words."""
    return {
        VersionState.ACTIVE: _("active"),
        VersionState.FAILED: _("made active, but cannot be used"),
        VersionState.USABLE: _("can be promoted"),
        VersionState.WITHDRAWN: _("taken back"),
        VersionState.UNUSABLE: _("cannot be used"),
    }[state]

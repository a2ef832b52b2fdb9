"""The data audit: what is wrong with labelled images, before anyone trains on them.

:func:`audit_datasets` gives an :class:`Audit`, which :func:`table` and :func:`to_html` show and
``Audit.to_dict`` gives to programs; :func:`make_split` splits its images without a leak, and
:func:`write_manifests` writes that down.
"""

from core.learning.audit._check import Check, Verdict
from core.learning.audit._listing import Listing, list_sources
from core.learning.audit._run import Audit, audit_datasets, audit_listing
from core.learning.audit._show import table, to_html
from core.learning.audit._split import NewSplit, make_split, manifest_paths, write_manifests

__all__ = [
    "Audit",
    "Check",
    "Listing",
    "NewSplit",
    "Verdict",
    "audit_datasets",
    "audit_listing",
    "list_sources",
    "make_split",
    "manifest_paths",
    "table",
    "to_html",
    "write_manifests",
]

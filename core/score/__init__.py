"""The same reading for folders and archives: one row per scan in a table that can be gone on with.

``score`` takes paths to a CSV; ``core.score.commands`` is what the shell calls. A file that cannot
be opened or read is a row with its reason and stops nothing. Rows are on the disk in groups; after
a kill or a power cut, ``resume`` goes on behind the last whole one.
"""

from core.score._rows import columns
from core.score._run import Options, Summary, score

__all__ = ["Options", "Summary", "columns", "score"]

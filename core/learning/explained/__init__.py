"""How faithful each method of explanation is on a dataset, with intervals; for the model's card."""

from core.learning.explained._measure import FAST, METHODS, SLOW, Measured, Plan, measure
from core.learning.explained._randomise import randomised_figures
from core.learning.explained._read import Explained, Forgotten, Measure, Pair, explained
from core.learning.explained._report import SCHEMA, explained_report
from core.learning.explained._resume import Kept
from core.learning.explained._sample import stratified
from core.learning.explained._table import explained_markdown, headline_lines

__all__ = [
    "FAST",
    "METHODS",
    "SCHEMA",
    "SLOW",
    "Explained",
    "Forgotten",
    "Kept",
    "Measure",
    "Measured",
    "Pair",
    "Plan",
    "explained",
    "explained_markdown",
    "explained_report",
    "headline_lines",
    "measure",
    "randomised_figures",
    "stratified",
]

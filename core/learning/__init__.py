"""From labelled scans to a model bundle: datasets, the network, training and evaluation."""

from core.learning.dataset import Arrays, Row, load_arrays, read_folder
from core.learning.evaluation import Scored, figures, score
from core.learning.training import TrainingConfig, train

__all__ = [
    "Arrays",
    "Row",
    "Scored",
    "TrainingConfig",
    "figures",
    "load_arrays",
    "read_folder",
    "score",
    "train",
]

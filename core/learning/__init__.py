"""From labelled scans to a model bundle: datasets, the network, training and evaluation."""

from core.learning.dataset import Arrays, load_arrays
from core.learning.evaluation import Scored, figures, score
from core.learning.forms import read_dataset
from core.learning.rows import Row
from core.learning.training import TrainingConfig, train

__all__ = [
    "Arrays",
    "Row",
    "Scored",
    "TrainingConfig",
    "figures",
    "load_arrays",
    "read_dataset",
    "score",
    "train",
]

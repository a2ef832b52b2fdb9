"""The commands of this room, as ``python -m core`` takes them."""

from core.learning.commands.audit import add_audit_arguments, run_audit
from core.learning.commands.evaluate import add_evaluate_arguments, run_evaluate
from core.learning.commands.explanations import add_explanations_arguments, run_explanations
from core.learning.commands.import_model import add_import_arguments, run_import
from core.learning.commands.train import add_train_arguments, run_train

__all__ = [
    "add_audit_arguments",
    "add_evaluate_arguments",
    "add_explanations_arguments",
    "add_import_arguments",
    "add_train_arguments",
    "run_audit",
    "run_evaluate",
    "run_explanations",
    "run_import",
    "run_train",
]

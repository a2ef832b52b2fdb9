"""Getting the questions ready that a page asks first, so that no doctor waits for a compiler."""

from __future__ import annotations

import logging
from collections.abc import Callable

from core.errors import JobCancelled, OverreadError
from core.explain._asked import Model, ask
from core.explain._cam import read_features
from core.explain._expected_gradients import expected_gradients
from core.explain._lesion_drivers import lesion_drivers
from core.explain._partition import partition_shap
from core.explain._watch import Watch, unwatched
from core.scan import PhantomSpec, Scan, make_phantom

logger = logging.getLogger(__name__)

_SIDE = 128


def warm_up(model: Model, *, watch: Watch = unwatched) -> int:
    """Ask each kind of question once about a phantom: what is compiled for it is then ready.

    The first question of each kind makes a graph of the network, and the first `shap` partition
    compiles its helpers with numba: seconds each, once in a process and, for the network, once for
    each bundle. Call this on a thread that nobody waits for, once a model answers. It computes as
    background work behind whoever waits for a read, one input at a time. It changes no answer,
    and need not be called: what was not asked here is compiled when it is first asked.

    Parameters
    ----------
    model
        What will be asked; a class activation map comes first, as a page shows it first.
    watch
        Told after each kind of question; may stop the work between two.

    Returns
    -------
    int
        How many of the kinds are ready. A model may lack one: without a lesion map nothing drives
        its area. A kind that fails is logged, and fails again, with its reason, when asked.

    Raises
    ------
    JobCancelled
        ``watch`` stopped it.
    """
    scan = make_phantom(PhantomSpec(width=_SIDE, height=_SIDE), 0).scan
    questions = _questions(model, scan)
    ready = 0
    for done, question in enumerate(questions):
        try:
            question()
            ready += 1
        except JobCancelled:
            raise
        except OverreadError as error:
            logger.info("A kind of explanation is not ready: %s", error)
        except (ImportError, OSError, MemoryError, RuntimeError):
            logger.exception("A kind of explanation could not be made ready")
        watch(done + 1, len(questions))
    return ready


def _questions(model: Model, scan: Scan) -> list[Callable[[], object]]:
    target = model.bundle.card.positive

    def answers() -> object:
        asked = ask(model, scan)
        return asked.probe.scores(asked.pixels[None])

    return [
        lambda: read_features(model, scan, target),
        answers,
        lambda: expected_gradients(model, scan, target, samples=1, batch_size=1),
        lambda: partition_shap(model, scan, target, evaluations=4, batch_size=1),
        lambda: lesion_drivers(model, scan, samples=1, batch_size=1),
    ]

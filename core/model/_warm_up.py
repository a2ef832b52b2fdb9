"""Getting the model ready in the background, while the first page is already there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Literal

from core.errors import ModelBusy, ModelError
from core.model._network import import_tensorflow
from core.model._predictor import Predictor
from core.settings import Settings
from core.text import _

logger = logging.getLogger(__name__)

State = Literal["waiting", "importing", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class WarmUpStatus:
    """How far the warm-up is; ``error`` is one line for a person where it failed."""

    state: State
    error: str | None = None


class WarmUp:
    """A warm-up that is under way; safe to ask from any thread.

    Loading runs the model once, so the first scan finds it compiled and its memory touched.
    """

    def __init__(self, settings: Settings, loaded: Callable[[], None] | None = None) -> None:
        self._settings = settings
        self._loaded = loaded
        self._changed = Condition()
        self._status = WarmUpStatus("waiting")
        self._predictor: Predictor | None = None
        self._failure: ModelError | None = None

    def start(self) -> None:
        """Begin, on a thread that does not keep the process alive."""
        Thread(target=self._run, name="model-warm-up", daemon=True).start()

    def status(self) -> WarmUpStatus:
        """Say how far it is, without waiting for anything."""
        with self._changed:
            return self._status

    def get_predictor(self, timeout: float = 120.0) -> Predictor:
        """Wait for the predictor, at most ``timeout`` seconds.

        Raises
        ------
        ModelBusy
            It is not ready in time.
        ModelError
            The warm-up failed: the error it met.
        """
        with self._changed:
            if not self._changed.wait_for(self._finished, timeout):
                raise ModelBusy(_("The model is still starting. Please try again in a minute."))
            if self._predictor is None:
                raise self._failure or ModelError(_("The model could not be started."))
            return self._predictor

    def _finished(self) -> bool:
        return self._status.state in ("ready", "failed")

    def _run(self) -> None:
        failed = _("The model could not be started.")
        try:
            self._report(WarmUpStatus("importing"))
            import_tensorflow()
            self._report(WarmUpStatus("loading"))
            predictor = Predictor.load(self._settings.task, settings=self._settings)
            with self._changed:
                self._predictor = predictor
            if self._loaded is not None:
                self._loaded()
            self._report(WarmUpStatus("ready"))
        except ModelError as error:
            self._fail(error)
        except (ImportError, OSError, MemoryError, RuntimeError) as error:
            logger.exception("The warm-up of the model failed")
            self._fail(ModelError(failed), error)
        finally:
            # A page that waits must hear of any end.
            if not self._finished():
                self._fail(ModelError(failed))

    def _fail(self, failure: ModelError, cause: BaseException | None = None) -> None:
        failure.__cause__ = cause
        with self._changed:
            self._failure = failure
        self._report(WarmUpStatus("failed", str(failure)))

    def _report(self, status: WarmUpStatus) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()


def warm_up(settings: Settings, loaded: Callable[[], None] | None = None) -> WarmUp:
    """Import TensorFlow, load the task's model and run it once, in the background.

    Parameters
    ----------
    settings
        Name the task and where its bundles lie.
    loaded
        Called on the thread that loads, once the model can be used and before it says so.
    """
    warming = WarmUp(settings, loaded)
    warming.start()
    return warming

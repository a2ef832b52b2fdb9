"""Getting the model ready in the background, and another version when it becomes active."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import Literal

from core.errors import BundleInvalid, BundleNotFound, ModelBusy, ModelError
from core.model._network import import_tensorflow
from core.model._predictor import Predictor
from core.model._registry import candidates
from core.model._switches import approved, read_switches
from core.settings import Settings
from core.text import _

logger = logging.getLogger(__name__)

State = Literal["waiting", "importing", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class WarmUpStatus:
    """How far the warm-up is.

    Attributes
    ----------
    error
        One line for a person where it failed.
    coming
        The version that is being got ready while the one before still answers; else None.
    """

    state: State
    error: str | None = None
    coming: str | None = None


class WarmUp:
    """The model that answers; safe to ask from any thread.

    Loading runs the model once, so the first scan finds it compiled and its memory touched.
    :meth:`follow` gets another version ready once it is active. Until it is, the one before goes on
    answering, and whoever reads with it then reads to the end with it: a predictor that was handed
    out stays what it is.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: Callable[[], None] | None = None,
        imported: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._loaded, self._imported = loaded, imported
        self._changed = Condition()
        self._status = WarmUpStatus("waiting")
        self._predictor: Predictor | None = None
        self._failure: ModelError | None = None
        #: Digest that was tried last and could not be loaded.
        self._given_up: str | None = None

    def start(self) -> None:
        """Begin, on a thread that does not keep the process alive."""
        Thread(target=self._run, name="model-warm-up", daemon=True).start()

    def status(self) -> WarmUpStatus:
        """Say how far it is, without waiting for anything."""
        with self._changed:
            return self._status

    def get_predictor(self, timeout: float = 120.0) -> Predictor:
        """Wait for the predictor, at most ``timeout`` seconds; once there is one, never again.

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

    def follow(self, timeout: float | None = None) -> bool:
        """Look whether another version is active, and if so get it ready in the background.

        Quick: a few questions to the file system. A version that turns out unusable changes
        nothing, nor does one in use whose files are gone: the one that answers goes on answering.

        Parameters
        ----------
        timeout
            Seconds to wait until the other version answers; None does not wait.

        Returns
        -------
        Whether another version is active than the one that answers.
        """
        other = self._begin()
        if other and timeout is not None:
            with self._changed:
                self._changed.wait_for(self._settled, timeout)
        return other

    def _begin(self) -> bool:
        if not self._settled():
            return True
        wanted = self._wanted()
        if wanted is None:
            return False
        version, digest = wanted
        with self._changed:
            if not self._settled():
                return True
            if self._predictor is not None:
                self._status = replace(self._status, coming=version)
                work = self._switch
            else:
                self._status = WarmUpStatus("waiting")
                work = self._run
            self._given_up = digest
        Thread(target=work, name="model-switch", daemon=True).start()
        return True

    def _wanted(self) -> tuple[str, str] | None:
        """Return the version and digest to get ready; None where the right one answers."""
        with self._changed:
            current = None if self._predictor is None else self._predictor.bundle.digest
            given_up = self._given_up
        try:
            chosen = approved(read_switches(self._settings, self._settings.task)).chosen
            if chosen is not None and chosen.digest == current:
                return None
            bundle = candidates(self._settings, self._settings.task, None)[0]
        except (BundleInvalid, BundleNotFound, OSError):
            return None
        if bundle.digest in (current, given_up):
            return None
        return bundle.card.version, bundle.digest

    def _finished(self) -> bool:
        return self._status.state in ("ready", "failed")

    def _settled(self) -> bool:
        return self._finished() and self._status.coming is None

    def _switch(self) -> None:
        try:
            self._take(Predictor.load(self._settings.task, settings=self._settings))
        except ModelError as error:
            logger.warning("Another version of the model is active but not used: %s", error)
        except (ImportError, OSError, MemoryError, RuntimeError):
            logger.exception("Another version of the model could not be loaded")
        finally:
            with self._changed:
                self._status = replace(self._status, coming=None)
                self._changed.notify_all()

    def _run(self) -> None:
        failed = _("The model could not be started.")
        try:
            self._report(WarmUpStatus("importing"))
            import_tensorflow()
            if self._imported is not None:
                self._imported()
            self._report(WarmUpStatus("loading"))
            self._take(Predictor.load(self._settings.task, settings=self._settings))
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

    def _take(self, predictor: Predictor) -> None:
        with self._changed:
            before, self._predictor = self._predictor, predictor
            self._failure = self._given_up = None
        if before is not None and before is not predictor:
            logger.info(
                "Model %s %s answers from now on, after %s",
                predictor.card.task,
                predictor.card.version,
                before.card.version,
            )
        del before
        if self._loaded is not None:
            self._loaded()

    def _fail(self, failure: ModelError, cause: BaseException | None = None) -> None:
        failure.__cause__ = cause
        with self._changed:
            self._failure = failure
        self._report(WarmUpStatus("failed", str(failure)))

    def _report(self, status: WarmUpStatus) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()


def warm_up(
    settings: Settings,
    loaded: Callable[[], None] | None = None,
    imported: Callable[[], None] | None = None,
) -> WarmUp:
    """Import TensorFlow, load the task's model and run it once, in the background.

    Parameters
    ----------
    settings
        Name the task and where its bundles lie.
    loaded
        Called on the thread that loads, once the model can be used and before it says so; again
        whenever another version took its place.
    imported
        Called on that thread once TensorFlow is there, before the model is loaded.
    """
    warming = WarmUp(settings, loaded, imported)
    warming.start()
    return warming

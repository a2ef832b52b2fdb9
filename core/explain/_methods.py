"""Every method that needs nothing but a scan and a class, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import InvalidQuestion
from core.explain._asked import Model
from core.explain._cam import Cam, read_features
from core.explain._compare import COPIES
from core.explain._eigen_cam import eigen_cam
from core.explain._expected_gradients import STEADY_SAMPLES, expected_gradients
from core.explain._explanation import THE_LESION, Explanation
from core.explain._grad_cam import grad_cam
from core.explain._grad_cam_plus_plus import grad_cam_plus_plus
from core.explain._hires_cam import hires_cam
from core.explain._layer_cam import layer_cam
from core.explain._lesion_drivers import lesion_drivers
from core.explain._partition import partition_shap
from core.explain._watch import Watch, unwatched
from core.scan import Scan
from core.text import _

#: The family of class activation maps by name.
CAMS: dict[str, Cam] = {
    cam.method: cam for cam in (grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, eigen_cam)
}
#: Names that :func:`by_method` takes.
METHODS = (*CAMS, "expected-gradients", "partition-shap", "lesion-drivers")
#: Evaluations of the coarse partition that stability is measured with.
STEADY_EVALUATIONS = 60


def asks_about_a_class(method: str) -> bool:
    """Tell whether the map of a method depends on the class that it is asked about."""
    cam = CAMS.get(method)
    return cam is None or cam.class_specific


def made_again(model: Model, method: str, target: str) -> tuple[Callable[[Scan], Explanation], int]:
    """Return what explains a noisy copy of a scan, and how many copies :func:`evidence` takes.

    A method that takes long is asked for something coarser, of one copy.
    """

    def made(scan: Scan) -> Explanation:
        return by_method(
            model, scan, method, target, samples=STEADY_SAMPLES, evaluations=STEADY_EVALUATIONS
        )

    return made, COPIES if method in CAMS else 1


def by_method(
    model: Model,
    scan: Scan,
    method: str,
    target: str,
    *,
    samples: int | None = None,
    evaluations: int | None = None,
    watch: Watch = unwatched,
) -> Explanation:
    """Explain a scan by the method of a name, with that method's own defaults.

    Parameters
    ----------
    model, scan
        What is explained.
    method
        One of :data:`METHODS`.
    target
        The class; ``lesion-drivers`` is about the lesion map and takes no notice of it.
    samples, evaluations
        Of the methods that draw samples and of the partition, in the place of their own.
    watch
        Told by the methods that take long, and may stop them.

    Raises
    ------
    InvalidQuestion
        There is no such method or class.
    ExplanationError, ModelError, JobCancelled
        As for the method.
    """
    if method in CAMS:
        return read_features(model, scan, target).explain(CAMS[method])
    drawn: dict[str, Any] = {} if samples is None else {"samples": samples}
    asked: dict[str, Any] = {} if evaluations is None else {"evaluations": evaluations}
    if method == "expected-gradients":
        return expected_gradients(model, scan, target, watch=watch, **drawn)
    if method == "partition-shap":
        return partition_shap(model, scan, target, watch=watch, **asked)
    if method == "lesion-drivers":
        return lesion_drivers(model, scan, watch=watch, **drawn)
    raise InvalidQuestion(_("There is no such method. Choose one that is listed."))


def asks_for(method: str, target: str) -> str:
    """Return what a method explains when it is asked for a class."""
    return THE_LESION if method == "lesion-drivers" else target

"""A prediction in words: the same on the page and in a report, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.model._card import NO_LESION, OperatingPoint
from core.model._familiarity import Familiarity
from core.model._prediction import Prediction
from core.model._statistics import shift_prior
from core.scan import hardly_a_scan
from core.text import _, percent

#: A screening-like prevalence, to show how much the same answer means elsewhere.
ELSEWHERE = 0.05


def class_name(label: str) -> str:
    """Return a class's name; a model of the site's own may have classes we do not know."""
    return {
        "normal": _("normal"),
        "benign": _("benign"),
        "malignant": _("malignant"),
    }.get(label, label)


def flag_words(positive: str, *, flagged: bool) -> str:
    """Return whether an image was flagged as the class that is looked for."""
    words = _("Flagged: {label}") if flagged else _("Not flagged as {label}")
    return words.format(label=class_name(positive))


def not_excluded(answer: str) -> str:
    """Say what an answer that is not flagged leaves open."""
    return _("{label} does not exclude cancer.").format(label=class_name(answer).capitalize())


def outlined_all_the_same(prediction: Prediction, outlined: int) -> str:
    """Say that something is outlined though the answer is that there is no lesion; else ``""``.

    The outline comes from the lesion map and the answer from the classes: they can differ, and
    neither is the one that is right.
    """
    if prediction.answer != NO_LESION or not outlined:
        return ""
    return _(
        "The answer is “{label}”, and yet the lesion map outlines something: look there before you "
        "agree with either."
    ).format(label=class_name(NO_LESION))


def number_title(prediction: Prediction) -> str:
    """Return what the number of an answer is: a probability, or a score that is none.

    What was calibrated on scans holds for scans: not for a picture that is none the model knows.
    """
    words = (
        _("Probability of {label}, calibrated")
        if prediction.calibrated and not prediction.refused
        else _("Score for {label}, not calibrated")
    )
    return words.format(label=class_name(prediction.positive))


def no_scan() -> str:
    """Say that an image shows signs of being no scan of the kind a model was made for."""
    return _("Hardly a breast ultrasound image")


def unknown_scan() -> str:
    """Say that a picture is not like the scans a model learned from."""
    return _("Not a scan this model knows")


def unknown_means(reason: str) -> str:
    """Say why a picture is refused, and what an answer to it is worth.

    Parameters
    ----------
    reason
        ``Familiarity.reason``; what another version stored is told in general.
    """
    why = {
        "unlike": _("It is unlike every scan the model learned from."),
        "no_scan": _("It is more like a photograph, a document or noise than like such a scan."),
    }.get(reason, _("It is not like the scans the model learned from."))
    return why + " " + _("What the model says of such a picture was never tested.")


def unlike_any(familiarity: Familiarity | None) -> str:
    """Say how far a model checks whether a picture is a scan at all."""
    if familiarity is None:
        return _("It answers to any picture: whether this is a breast ultrasound is not checked.")
    if familiarity.known:
        return _("The picture looks like the scans it knows; that does not prove it is one.")
    return _("The picture does not look like the scans it knows.")


def not_sure() -> str:
    """Return the answer of a model that cannot decide."""
    return _("Not sure")


def not_sure_means(positive: str, *, flagged: bool) -> str:
    """Say what "not sure" means, and what the operating point alone says."""
    return _(
        "The model cannot tell {label} from the rest here with the certainty it promises. Decide "
        "without it. Its threshold alone says: {answer}."
    ).format(label=class_name(positive), answer=flag_words(positive, flagged=flagged))


def no_interval() -> str:
    """Say why an image that fails a quality check gets no interval."""
    return _("No interval is given: no validation scan was like this.")


def answer_title(prediction: Prediction, failed: Collection[str] = ()) -> str:
    """Return the answer at the approved operating point in a few words.

    Parameters
    ----------
    failed
        The quality checks that the image fails.
    """
    if hardly_a_scan(failed):
        return no_scan()
    if prediction.refused:
        return unknown_scan()
    if prediction.sure is False:
        return not_sure()
    return flag_words(prediction.positive, flagged=prediction.flagged)


def point_name(name: str) -> str:
    """Return an operating point's name; a site's own has the name its card gives it."""
    return {
        "balanced": _("balanced"),
        "sensitivity-95": _("95% sensitivity"),
        "specificity-95": _("95% specificity"),
    }.get(name, name)


def flags_from(threshold: str, name: str) -> str:
    """Say from which probability on an operating point flags; ``threshold`` is written out."""
    return _("Flags from {threshold} (“{point}”)").format(
        threshold=threshold, point=point_name(name)
    )


def point_figures(point: OperatingPoint, positive: str) -> str:
    """Say what a threshold achieved on the validation scans, with 95 % intervals."""
    return _("found {found} of the {label} validation scans, spared {spared} of the others").format(
        found=_rate(point.sensitivity, point.sensitivity_interval),
        spared=_rate(point.specificity, point.specificity_interval),
        label=positive,
    )


def prevalence_words(share: float) -> str:
    """Return a prevalence in percent, with the decimals that tell it from zero and from others."""
    return f"{share * 100:.3g}%"


def _inside(prediction: Prediction) -> bool:
    """Tell whether the probability lies in the interval that stands beside it."""
    interval = prediction.interval
    return interval is None or interval.low <= prediction.probability <= interval.high


@dataclass(frozen=True, slots=True)
class Restated:
    """An answer at another prevalence; all 0..1.

    Attributes
    ----------
    prevalence
        Where it holds.
    probability
        The one of the answer, its prior shifted.
    low, high
        The interval of the answer, shifted in the same way; None where it has none.
    holds
        Whether the probability lies in the interval; if not, the interval is to be trusted more.
    """

    prevalence: float
    probability: float
    low: float | None
    high: float | None
    holds: bool

    @property
    def words(self) -> str:
        """The number with its interval; the interval alone where the number lies outside it."""
        if self.low is None or self.high is None:
            return percent(self.probability)
        bounds = f"{percent(self.low)}–{percent(self.high)}"
        # A number beside an interval it lies outside of would be taken for the estimate.
        return f"{percent(self.probability)} ({bounds})" if self.holds else bounds


def restated(
    prediction: Prediction, prevalence: float, failed: Collection[str] = ()
) -> Restated | None:
    """Return what an answer means where ``prevalence`` (0..1, both excluded) are positive.

    None where that cannot be said: the answer is no probability, the prevalence it holds for is
    not known, or the image fails a quality check (``failed``) or is no scan the model knows, so
    that no validation scan was like it.
    """
    study = prediction.prevalence
    if study is None or not prediction.calibrated or failed or prediction.refused:
        return None
    interval = prediction.interval
    bounds = None if interval is None else (interval.low, interval.high)
    return restate(prediction.probability, bounds, study, prevalence)


def restate(
    probability: float, interval: tuple[float, float] | None, study: float, prevalence: float
) -> Restated:
    """Return a calibrated probability that holds at ``study`` as it is at ``prevalence``."""
    low, high = (
        (None, None)
        if interval is None
        else (shift_prior(bound, study, prevalence) for bound in interval)
    )
    holds = interval is None or interval[0] <= probability <= interval[1]
    return Restated(prevalence, shift_prior(probability, study, prevalence), low, high, holds)


def evidence(
    prediction: Prediction, failed: Collection[str] = (), site: float | None = None
) -> list[str]:
    """Say what stands behind a probability: interval, n, prevalence, and what it means elsewhere.

    Lines for the person who reads it; ``**`` encloses what matters most. Where the image fails a
    quality check or is no scan the model knows, how often such scores were right is not known, and
    the line says so.

    Parameters
    ----------
    failed
        The quality checks that the image fails.
    site
        Share of positives at the site, 0..1, as its administrators set it; None where none was
        set: then an example of rarer disease stands in its place.
    """
    if failed or prediction.refused:
        return [no_interval()]
    lines = []
    if not prediction.calibrated:
        lines.append(_("This model came without calibration: its score is no probability."))
    interval = prediction.interval
    if interval is not None:
        lines.append(
            _(
                "Of {n} validation scans scored {low}–{high}, {positives} were {label}: {rate}, "
                "95% interval **{from_}–{to}**."
            ).format(
                n=interval.n,
                low=percent(interval.score_low),
                high=percent(interval.score_high),
                positives=interval.positives,
                rate=percent(interval.positives / interval.n),
                label=class_name(prediction.positive),
                from_=percent(interval.low),
                to=percent(interval.high),
            )
        )
        if not _inside(prediction):
            lines.append(_("The probability lies outside this interval: trust the interval more."))
    else:
        lines.append(_("No validation scans stand behind this number: no interval can be given."))
    elsewhere = restated(prediction, ELSEWHERE if site is None else site)
    if elsewhere is not None and prediction.prevalence is not None:
        words = (
            _(
                "Holds where {study} are {label}, as in the study; where {few} are, "
                "the same image means **{shifted}**."
            )
            if site is None
            else _(
                "Holds where {study} are {label}, as in the study; at this site {few} are, "
                "and there the same image means **{shifted}**."
            )
        )
        lines.append(
            words.format(
                study=percent(prediction.prevalence),
                few=prevalence_words(elsewhere.prevalence),
                label=class_name(prediction.positive),
                shifted=elsewhere.words,
            )
        )
    else:
        lines.append(_("The prevalence this number holds for is not known."))
    return lines


def _rate(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    spread = "" if interval is None else f" [{interval[0] * 100:.0f}–{interval[1] * 100:.0f}]"
    return f"{value * 100:.0f}%{spread}"

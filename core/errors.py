"""Every error Overread raises on purpose, in one tree.

::

    OverreadError
    ├── SettingsError              a setting has a value that cannot be used
    │   └── InvalidPrevalence      a site's prevalence that cannot be used or was set meanwhile
    ├── StoreError                 the database or a stored object failed
    │   ├── StoreUnavailable       it cannot be reached, or cannot be written
    │   └── BlobMissing            a stored object is gone or no longer matches its digest
    ├── PermissionDenied           this person's role does not allow it
    ├── ScanError                  bytes that do not become a scan
    │   ├── EmptyFile              there is nothing in it
    │   ├── FileTooLarge           more bytes than the limit
    │   ├── TooManyPixels          more pixels than the limit
    │   ├── TooSmall               fewer pixels than can be read
    │   ├── UnsupportedFormat      not a format that is read here
    │   ├── CorruptFile            the right format, but it cannot be decoded whole
    │   ├── ArchiveError           an archive that is not opened, whole or in part
    │   ├── InvalidCorrection      a correction that does not fit the image
    │   └── QualityFailed          it fails the quality check, and nobody said why to read it
    ├── ModelError                 a model that cannot be used
    │   ├── BundleNotFound         no such task or version
    │   ├── BundleInvalid          a bundle that is incomplete or contradicts itself
    │   ├── BundleNotSaved         a bundle that could not be written
    │   ├── SwitchRefused          another version cannot become active
    │   ├── ModelBusy              too many reads are waiting
    │   └── PredictionFailed       the model ran and gave no usable answer
    ├── LesionError                a map or controls that cannot be used
    │   └── InvalidControls        a control is out of its range
    ├── ExplanationError           an explanation that cannot be made
    │   ├── InvalidQuestion        a class, a layer or a region that is not there
    │   ├── NoFeatureMap           the model has no feature map its classes depend on
    │   ├── EmptyMap               nothing in the scan speaks for the class by this method
    │   ├── NotFinite              the model's gradients or values are not numbers
    │   └── MapDamaged             a file or a kept map that cannot be read back
    ├── ReviewError                feedback or a review step that cannot be taken
    │   ├── InvalidFeedback        an entry is missing or contradicts another
    │   ├── CaseNotFound           no such case
    │   ├── NotYetRead             the blind read comes first
    │   └── StateConflict          somebody else has moved the case on
    ├── ReportError                a report that cannot be made
    ├── JobCancelled               somebody stopped a long piece of work
    ├── JobsBusy                   too many long pieces of work are waiting
    ├── ScoreError                 a table of results that cannot be written or gone on with
    └── LearningError              training or evaluation that cannot go on
        └── DatasetError           a dataset folder that cannot be used

The text of an error is one line for the person who sees it: what is wrong, and what to do.
It never holds a file name, a patient's data or anything a person typed.
"""

from __future__ import annotations


class OverreadError(Exception):
    """Root of the tree: whoever catches this has caught everything raised on purpose."""


class SettingsError(OverreadError):
    """A setting has a value that cannot be used."""


class InvalidPrevalence(SettingsError):
    """A site's prevalence that cannot be used, or that somebody else has set meanwhile."""


class StoreError(OverreadError):
    """The database or a stored object failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or cannot be written."""


class BlobMissing(StoreError):
    """A stored object is gone, or no longer matches its digest."""


class PermissionDenied(OverreadError):
    """A person's role does not allow it."""


class ScanError(OverreadError):
    """Bytes that do not become a scan."""


class EmptyFile(ScanError):
    """There is nothing in the file."""


class FileTooLarge(ScanError):
    """More bytes than the limit."""


class TooManyPixels(ScanError):
    """More pixels than the limit, found in the header before decoding."""


class TooSmall(ScanError):
    """Fewer pixels than can be read."""


class UnsupportedFormat(ScanError):
    """Not a format that is read here."""


class CorruptFile(ScanError):
    """The right format, but it cannot be decoded whole."""


class ArchiveError(ScanError):
    """An archive that is not opened, whole or in part."""


class InvalidCorrection(ScanError):
    """A correction that does not fit the image."""


class QualityFailed(ScanError):
    """A scan that fails the quality check, and that nobody gave a reason to read."""


class ModelError(OverreadError):
    """A model that cannot be used."""


class BundleNotFound(ModelError):
    """No bundle of this task or version."""


class BundleInvalid(ModelError):
    """A bundle that is incomplete or contradicts itself."""


class BundleNotSaved(ModelError):
    """A bundle that could not be written."""


class SwitchRefused(ModelError):
    """Another version cannot become active."""


class ModelBusy(ModelError):
    """Too many reads are waiting."""


class PredictionFailed(ModelError):
    """The model ran and gave no usable answer."""


class LesionError(OverreadError):
    """A map or controls that cannot be used."""


class InvalidControls(LesionError):
    """A control is out of its range."""


class ExplanationError(OverreadError):
    """An explanation that cannot be made."""


class InvalidQuestion(ExplanationError):
    """A class, a layer or a region that is not there."""


class NoFeatureMap(ExplanationError):
    """The model has no feature map its classes depend on."""


class EmptyMap(ExplanationError):
    """Nothing in the scan speaks for the class by this method."""


class NotFinite(ExplanationError):
    """The model's gradients or values are not numbers."""


class MapDamaged(ExplanationError):
    """A file of an explanation, or a map that was kept, that cannot be read back."""


class ReviewError(OverreadError):
    """Feedback or a review step that cannot be taken."""


class InvalidFeedback(ReviewError):
    """An entry is missing or contradicts another."""


class CaseNotFound(ReviewError):
    """No such case."""


class NotYetRead(ReviewError):
    """The blind read comes first."""


class StateConflict(ReviewError):
    """Somebody else has moved the case on."""


class ReportError(OverreadError):
    """A report that cannot be made."""


class JobCancelled(OverreadError):
    """Somebody stopped a long piece of work."""


class JobsBusy(OverreadError):
    """Too many long pieces of work are waiting."""


class ScoreError(OverreadError):
    """A table of results that cannot be written or gone on with."""


class LearningError(OverreadError):
    """Training or evaluation that cannot go on."""


class DatasetError(LearningError):
    """A dataset folder that cannot be used."""

"""Where a DICOM image lies, how large a pixel is, and when its frames were taken.

Millimetres are given only where they are the patient's:

* ultrasound regions (PS3.3 C.8.5.5) hold for their area alone, in 2D images in centimetres;
* *Pixel Spacing* and the pixel measures of functional groups, as they stand;
* in projection radiography *Pixel Spacing* only where it was calibrated (it names the method, or
  differs from *Imager Pixel Spacing*; 10.7.1.3). What is known of the detector alone is divided by
  the estimated magnification, and without that gives nothing: a lesion's shadow is larger than
  the lesion;
* *Nominal Scanned Pixel Spacing* (a film's) and *Pixel Aspect Ratio* give nothing.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from itertools import pairwise

from pydicom.dataset import Dataset

from core.scan._dicom_tags import code, items, number, numbers, value, whole
from core.scan._parts import Region, Spacing

_PROJECTIONS = frozenset({"MG", "CR", "DX", "DR", "RF", "XA", "PX", "IO", "RG", "RTIMAGE"})
#: Modalities that travel on; anything else is "unknown" (PS3.3 C.7.3.1.1.1).
MODALITIES = _PROJECTIONS | {"US", "IVUS", "CT", "MR", "NM", "PT", "SC", "OT", "ES", "XC", "OPT"}
_CALIBRATED = frozenset({"GEOMETRY", "FIDUCIAL"})
_TWO_DIMENSIONAL, _TISSUE, _COLOUR_FLOW, _CENTIMETRES = 1, 1, 2, 3
#: An image shows a handful of regions; of more, none is believed.
_MOST_REGIONS = 100
_FRAME_TIME_VECTOR = 0x00181065
_DATE_TIME = re.compile(r"(\d{14})(\.\d{1,6})?([+-]\d{4})?")


def modality(dataset: Dataset) -> str:
    """Return the modality's code if it is a known one, else ``"unknown"``."""
    named = code(dataset, "Modality")
    return named if named in MODALITIES else "unknown"


def spacing_of(step: tuple[float, ...]) -> Spacing | None:
    """Return a pair of numbers as a spacing, None where it is not one."""
    if len(step) != 2 or not all(1e-6 < one < 1e4 for one in step):
        return None
    return step[0], step[1]


def whole_spacing(dataset: Dataset) -> Spacing | None:
    """Return the spacing all over the image; see the module for what counts."""
    spacing = spacing_of(numbers(dataset, "PixelSpacing"))
    if modality(dataset) not in _PROJECTIONS:
        return spacing
    detector = spacing_of(numbers(dataset, "ImagerPixelSpacing"))
    if spacing is not None:
        named = code(dataset, "PixelSpacingCalibrationType") in _CALIBRATED
        differs = detector is not None and not all(
            math.isclose(one, other, rel_tol=1e-6)
            for one, other in zip(spacing, detector, strict=True)
        )
        if named or differs:
            return spacing
    at_detector = detector or spacing
    magnified = number(dataset, "EstimatedRadiographicMagnificationFactor")
    if at_detector is None or magnified is None or not 1 <= magnified <= 10:
        return None
    return at_detector[0] / magnified, at_detector[1] / magnified


def regions(dataset: Dataset, width: int, height: int) -> tuple[Region, ...]:
    """Return the calibrated areas of an ultrasound image (PS3.3 C.8.5.5).

    An area outside the image, or none, is dropped; one that reaches beyond is clipped. Traces,
    spectra and areas in other units have no spacing. There are none, and so no scale anywhere,
    where there are too many to look at or it cannot be told where one lies: it might contradict
    another.
    """
    listed = items(dataset, "SequenceOfUltrasoundRegions")
    if len(listed) > _MOST_REGIONS:
        return ()
    found = []
    for item in listed:
        corners = tuple(
            whole(item, f"RegionLocation{corner}")
            for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")
        )
        if None in corners:
            return ()
        left, top, last_column, last_row = (corner or 0 for corner in corners)
        right, bottom = min(last_column + 1, width), min(last_row + 1, height)
        left, top = max(left, 0), max(top, 0)
        if left < right and top < bottom:
            found.append(Region(left, top, right, bottom, _region_spacing(item)))
    return tuple(found)


def _region_spacing(item: Dataset) -> Spacing | None:
    lengths = (
        whole(item, "RegionSpatialFormat") == _TWO_DIMENSIONAL
        and whole(item, "RegionDataType") in (_TISSUE, _COLOUR_FLOW)
        and whole(item, "PhysicalUnitsXDirection") == _CENTIMETRES
        and whole(item, "PhysicalUnitsYDirection") == _CENTIMETRES
    )
    row, column = number(item, "PhysicalDeltaY"), number(item, "PhysicalDeltaX")
    if not lengths or row is None or column is None:
        return None
    return spacing_of((abs(row) * 10, abs(column) * 10))


def starts(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    """Return the seconds from the first frame at which each begins, or None where not recorded.

    From *Frame Time* or *Frame Time Vector* (whichever the file points at), the acquisition times
    of functional groups (their differences only), *Recommended Display Frame Rate* or *Cine
    Rate*, in this order.
    """
    ways = [_by_frame_time, _by_vector, _by_acquisition, _by_rate]
    if whole(dataset, "FrameIncrementPointer") == _FRAME_TIME_VECTOR:
        ways.insert(0, _by_vector)
    for way in ways:
        times = way(dataset, frames)
        if times is not None and all(a < b for a, b in pairwise(times)):
            return times
    return None


def _by_frame_time(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    step = number(dataset, "FrameTime")
    if step is None or not 0.01 <= step <= 1e7:
        return None
    return tuple(index * step / 1000 for index in range(frames))


def _by_vector(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    steps = numbers(dataset, "FrameTimeVector")
    if len(steps) != frames:
        return None
    # The first is the time before the first frame: 0 by the standard, and of no use otherwise.
    times, now = [0.0], 0.0
    for step in steps[1:]:
        now += step / 1000
        times.append(now)
    return tuple(times)


def _by_rate(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = number(dataset, keyword)
        if rate is not None and 0.01 <= rate <= 10_000:
            return tuple(index / rate for index in range(frames))
    return None


def _by_acquisition(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if len(groups) != frames:
        return None
    moments = []
    for group in groups:
        content = items(group, "FrameContentSequence")
        moment = _moment(value(content[0], "FrameAcquisitionDateTime")) if content else None
        if moment is None:
            return None
        moments.append(moment)
    return tuple((moment - moments[0]).total_seconds() for moment in moments)


def _moment(text: object) -> datetime | None:
    match = _DATE_TIME.fullmatch(str(text).strip()) if text is not None else None
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    moment += timedelta(seconds=float(match[2] or 0))
    if match[3]:
        sign = -1 if match[3][0] == "+" else 1
        moment += sign * timedelta(hours=int(match[3][1:3]), minutes=int(match[3][3:]))
    return moment

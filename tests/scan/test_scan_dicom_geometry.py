"""Millimetres, regions and times of DICOM: given where they are sound, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_factory import loop_pixels, read, region_item
from pydicom.dataset import Dataset

from core.scan import Region, Window


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def test_pixel_spacing_is_row_then_column() -> None:
    assert read(tags={"PixelSpacing": [0.2, 0.1]}).spacing == (0.2, 0.1)
    assert read().spacing is None


@pytest.mark.parametrize("spacing", [[0, 0.1], [-0.1, 0.1], [1e9, 0.1], [0.1]])
def test_a_spacing_that_cannot_be_is_none(spacing: list[float]) -> None:
    assert read(tags={"PixelSpacing": spacing}).spacing is None


@pytest.mark.parametrize("modality", ["MG", "CR", "DX"])
def test_a_detector_s_millimetres_are_not_the_patient_s(modality: str) -> None:
    def spacing(**tags: object) -> object:
        return read(modality=modality, tags=tags).spacing

    assert spacing(ImagerPixelSpacing=[0.1, 0.1]) is None
    assert spacing(PixelSpacing=[0.1, 0.1]) is None
    assert spacing(PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.1, 0.1]) is None
    calibrated = {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"}
    assert spacing(**calibrated) == (0.1, 0.1)
    assert spacing(PixelSpacing=[0.08, 0.08], ImagerPixelSpacing=[0.1, 0.1]) == (0.08, 0.08)
    magnified = {"EstimatedRadiographicMagnificationFactor": 1.25}
    assert spacing(ImagerPixelSpacing=[0.1, 0.1], **magnified) == (0.1 / 1.25, 0.1 / 1.25)


def test_the_scale_of_a_film_and_of_an_aspect_ratio_are_no_millimetres() -> None:
    tags = {"NominalScannedPixelSpacing": [0.3, 0.3], "PixelAspectRatio": [1, 2]}
    assert read(tags=tags, modality="OT").spacing is None


def test_regions_of_an_ultrasound_image_have_their_own_scale() -> None:
    scan = read(
        regions=[(8, 4, 99, 59, 0.2), (0, 64, 127, 95, None)], tags={"PixelSpacing": [9, 9]}
    )
    # The last row and column of DICOM belong to the region.
    assert scan.regions == (
        Region(8, 4, 100, 60, (0.2, 0.2)),
        Region(0, 64, 128, 96, None),
    )
    assert scan.spacing is None
    assert scan.spacing_at((10, 10, 20, 20)) == (0.2, 0.2)
    assert scan.spacing_at((10, 70, 20, 20)) is None
    assert scan.spacing_at((0, 0, 20, 20)) is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RegionSpatialFormat", 2),
        ("RegionSpatialFormat", 3),
        ("RegionDataType", 3),
        ("PhysicalUnitsXDirection", 4),
        ("PhysicalUnitsYDirection", 5),
        ("PhysicalDeltaX", 0.0),
        ("PhysicalDeltaY", float("nan")),
        ("PhysicalDeltaY", float("inf")),
    ],
)
def test_a_region_without_lengths_both_ways_has_no_scale(keyword: str, value: float) -> None:
    region = region_item((8, 4, 99, 59, 0.2))
    setattr(region, keyword, value)
    scan = read(tags={"SequenceOfUltrasoundRegions": [region]})
    assert scan.regions == (Region(8, 4, 100, 60, None),)


def test_colour_flow_and_a_scale_that_runs_backwards_have_lengths() -> None:
    region = region_item((8, 4, 99, 59, 0.2))
    region.RegionDataType, region.PhysicalDeltaX, region.PhysicalDeltaY = 2, -0.01, -0.03
    scan = read(tags={"SequenceOfUltrasoundRegions": [region]})
    assert scan.regions[0].spacing == pytest.approx((0.3, 0.1))


def test_a_region_beyond_the_image_is_clipped_and_one_outside_dropped() -> None:
    scan = read(regions=[(100, 50, 500, 400, 0.2), (300, 10, 400, 20, 0.2), (9, 9, 5, 5, 0.2)])
    assert scan.regions == (Region(100, 50, 128, 96, (0.2, 0.2)),)
    nowhere = read(regions=[(300, 10, 400, 20, 0.2)], tags={"PixelSpacing": [1, 1]})
    assert nowhere.regions == ()
    assert nowhere.spacing is None


def test_an_unknown_modality_is_not_handed_on() -> None:
    assert read(modality="MUSTERMANN").modality == "unknown"
    assert read(modality="MG").modality == "MG"


def test_frames_begin_when_the_file_says() -> None:
    loop = read(frames=4, frame_time=40).loop
    assert loop.starts == pytest.approx((0, 0.04, 0.08, 0.12))
    assert loop.frames_per_second == pytest.approx(25)
    vector = read(frames=4, tags={"FrameTimeVector": [0, 40, 20, 60]}).loop
    assert vector.starts == pytest.approx((0, 0.04, 0.06, 0.12))
    both = {"FrameTimeVector": [0, 40, 20, 60], "FrameIncrementPointer": 0x00181065}
    assert read(frames=4, frame_time=10, tags=both).loop.starts == vector.starts
    assert read(frames=4, tags={"CineRate": "20"}).loop.frames_per_second == pytest.approx(20)
    assert read(frames=4).loop.starts is None


@pytest.mark.parametrize(
    "tags",
    [
        {"FrameTime": 0},
        {"FrameTime": -40},
        {"FrameTimeVector": [0, 40, 0, 40]},
        {"FrameTimeVector": [0, 40]},
        {"CineRate": 0},
    ],
)
def test_times_that_cannot_be_are_none(tags: dict[str, object]) -> None:
    assert read(frames=4, tags=tags).loop.starts is None


def moments(*times: str) -> list[Dataset]:
    return [item(FrameContentSequence=[item(FrameAcquisitionDateTime=time)]) for time in times]


def test_acquisition_times_leave_only_their_differences() -> None:
    times = moments("20240517101112.500000", "20240517101112.600000", "20240517101113")
    scan = read(frames=3, tags={"PerFrameFunctionalGroupsSequence": times})
    assert scan.loop.starts == pytest.approx((0, 0.1, 0.5))
    zones = moments("20240517101112+0200", "20240517081113+0000", "20240517081114")
    zoned = read(frames=3, tags={"PerFrameFunctionalGroupsSequence": zones})
    assert zoned.loop.starts is None or zoned.loop.starts == pytest.approx((0, 1, 2))
    stack = moments("20240517101112", "20240517101112", "20240517101113")
    assert read(frames=3, tags={"PerFrameFunctionalGroupsSequence": stack}).loop.starts is None


def test_every_frame_has_the_window_scale_and_spacing_of_its_group() -> None:
    stored = np.stack([frame.astype(np.uint16) * 16 for frame in loop_pixels(3)])
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.25])],
        PixelValueTransformationSequence=[
            item(RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
        ],
        FrameVOILUTSequence=[item(WindowCenter=[100], WindowWidth=[400])],
    )
    own = [
        item(),
        item(FrameVOILUTSequence=[item(WindowCenter=[1000, 50], WindowWidth=[2000, 60])]),
        item(
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=0)],
            PixelMeasuresSequence=[item(PixelSpacing=[0.125, 0.125])],
        ),
    ]
    tags = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": own}
    scan = read(stored, bits=12, tags=tags, modality="CT")
    first, second, third = (scan.loop.frame(index) for index in range(3))
    assert first.depth.window == Window(100, 400)
    assert (first.depth.slope, first.depth.intercept, first.depth.unit) == (2, -1024, "HU")
    assert first.spacing == second.spacing == (0.5, 0.25)
    assert second.depth.presets[:2] == (Window(1000, 2000), Window(50, 60))
    assert (third.depth.slope, third.depth.intercept) == (1, 0)
    assert third.spacing == (0.125, 0.125)
    share = np.clip(((stored[1] * 2.0 - 1024) - 999.5) / 1999 + 0.5, 0, 1)
    assert np.abs(second.pixels - share * 255).max() <= 0.5

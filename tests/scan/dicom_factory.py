"""DICOM files made in memory from phantoms, each with a patient in it who must not get out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filewriter import dcmwrite

from core.scan import Scan, read_scan
from core.scan.phantom import LesionSpec, PhantomSpec, make_phantom
from core.settings import load_settings

#: Everything in a made file that names somebody or something: none of it may be seen again.
IDENTITY = {
    "PatientName": "MUSTERMANN^ERIKA",
    "PatientID": "PID-4711-X",
    "PatientBirthDate": "19610203",
    "StudyDate": "20240517",
    "StudyTime": "101112.131415",
    "AccessionNumber": "ACC-0815",
    "InstitutionName": "Klinikum Musterstadt",
    "ReferringPhysicianName": "DOC^HOUSE",
    "StudyDescription": "Mamma links, Herdbefund",
    "StationName": "USROOM7",
    "DeviceSerialNumber": "SN-424242",
}
SYNTAXES = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg": uid.JPEGBaseline8Bit,
    "jpeg2000": uid.JPEG2000Lossless,
    "jpeg2000-lossy": uid.JPEG2000,
}
#: Left, top, right, bottom (the last two inclusive, as DICOM has them), millimetres per pixel or
#: None for an M-mode trace.
RegionSpec = tuple[int, int, int, int, float | None]


@cache
def _phantom(height: int, width: int, seed: int) -> np.ndarray:
    spec = PhantomSpec(width, height, lesion=LesionSpec("oval"))
    return make_phantom(spec, seed).scan.pixels


def loop_pixels(frames: int, height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """Return uint8 ``(frames, height, width)``: a phantom that moves, so that no two are alike."""
    still = _phantom(height, width, seed)
    return np.stack([np.roll(still, 3 * index, axis=1) for index in range(frames)])


def deep_pixels(height: int = 96, width: int = 128, bits: int = 12, seed: int = 0) -> np.ndarray:
    """Return uint16 ``(height, width)`` with ``bits`` bits in use."""
    fine = np.random.default_rng(seed).integers(0, 2 ** (bits - 8), (height, width))
    return (_phantom(height, width, seed).astype(np.uint16) << (bits - 8)) + fine.astype(np.uint16)


def jpeg_frame(pixels: np.ndarray, quality: int = 90, **options: Any) -> bytes:
    """Encode ``(H, W)`` or ``(H, W, 3)`` as a baseline JPEG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, **options)
    return out.getvalue()


def make_dicom(
    pixels: np.ndarray | None = None,
    *,
    frames: int = 1,
    syntax: str = "explicit",
    photometric: str | None = None,
    bits: int | None = None,
    windows: Sequence[tuple[float, float]] = (),
    regions: Sequence[RegionSpec] = (),
    frame_time: float | None = None,
    modality: str = "US",
    offsets: str = "none",
    fragments: int = 1,
    preamble: bool = True,
    tags: Mapping[str, Any] | None = None,
) -> bytes:
    """Make a DICOM file.

    Parameters
    ----------
    pixels
        As stored: ``(H, W)``, ``(N, H, W)``, ``(H, W, 3)`` or ``(N, H, W, 3)``, where three at
        the end are colours; signed or unsigned of 8, 16 or 32 bits. A phantom of ``frames``
        frames of 96 × 128 where none are given. Colours as ``photometric`` says, except that
        ``syntax="jpeg"`` takes RGB and stores YBR_FULL_422.
    frames
        Of the phantom.
    syntax
        A key of :data:`SYNTAXES`.
    photometric
        MONOCHROME2 or RGB where none is given.
    bits
        Bits stored; all that are allocated where none are given.
    windows
        Centres and widths.
    regions
        See :data:`RegionSpec`.
    frame_time
        Milliseconds.
    offsets
        ``"none"``, ``"basic"`` or ``"extended"``: the table of a compressed file.
    fragments
        Of every compressed frame.
    preamble
        Whether preamble and file meta information are there.
    tags
        More elements by keyword, the last to be set; None as a value deletes one.

    Returns
    -------
    bytes
        The file, with :data:`IDENTITY` in it, in the file meta information, a private element and
        the preamble.
    """
    if pixels is None:
        pixels = loop_pixels(frames) if frames > 1 else _phantom(96, 128, 0)
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    stacked = pixels.ndim == (4 if colour else 3)
    stack = pixels if stacked else pixels[None]
    ds = _identified(modality, syntax)
    ds.Rows, ds.Columns = stack.shape[1:3]
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = photometric or ("RGB" if colour else "MONOCHROME2")
    ds.BitsAllocated = 8 * stack.dtype.itemsize
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(stack.dtype.kind == "i")
    if colour:
        ds.PlanarConfiguration = 0
    if stacked:
        ds.NumberOfFrames = len(stack)
    if frame_time is not None:
        ds.FrameTime = frame_time
        ds.FrameIncrementPointer = 0x00181063
    if windows:
        ds.WindowCenter = [centre for centre, _width in windows]
        ds.WindowWidth = [width for _centre, width in windows]
    if regions:
        ds.SequenceOfUltrasoundRegions = [region_item(region) for region in regions]
    _store(ds, stack, syntax, offsets, fragments)
    for keyword, value in (tags or {}).items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return _written(ds, preamble)


def read(*arguments: Any, **options: Any) -> Scan:
    """Read what :func:`make_dicom` makes of these arguments, as the app does."""
    return read_scan(make_dicom(*arguments, **options), settings=load_settings({}))


def _identified(modality: str, syntax: str) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.4711"
    meta.SourceApplicationEntityTitle = "MUSTERMANN"
    meta.TransferSyntaxUID = SYNTAXES[syntax]
    ds = Dataset()
    ds.file_meta, ds.preamble = meta, b"MUSTERMANN".ljust(128, b"\0")
    ds.SOPClassUID, ds.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    ds.Modality = modality
    for keyword, value in IDENTITY.items():
        setattr(ds, keyword, value)
    ds.private_block(0x0019, "MUSTERMANN", create=True).add_new(0x01, "LO", "MUSTERMANN^ERIKA")
    # An overlay and an icon: neither belongs to the picture.
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60000011, "US", 8)
    ds.add_new(0x60003000, "OW", b"\xff" * 8)
    return ds


def region_item(region: RegionSpec) -> Dataset:
    """Return an item of the sequence of ultrasound regions."""
    left, top, right, bottom, step = region
    item = Dataset()
    item.RegionSpatialFormat = 1 if step else 2
    item.RegionDataType = 1
    item.RegionFlags = 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    item.PhysicalUnitsXDirection = 3 if step else 4
    item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = (step or 1.0) / 10
    return item


def _store(ds: Dataset, stack: np.ndarray, syntax: str, offsets: str, fragments: int) -> None:
    named = SYNTAXES[syntax]
    order = ">" if syntax == "big" else "<"
    if not named.is_encapsulated:
        wide = stack.dtype.itemsize > 1
        native = stack.astype(stack.dtype.newbyteorder(order)).tobytes()
        if syntax == "big" and not wide:  # bytes lie turned round in big-endian words
            native = np.frombuffer(native + b"\0" * (len(native) % 2), "u2").byteswap().tobytes()
        ds.PixelData = native + b"\0" * (len(native) % 2)
        ds["PixelData"].VR = "OW" if wide or syntax == "big" else "OB"
        return
    if syntax == "jpeg":
        coded = [jpeg_frame(frame) for frame in stack]
        if ds.SamplesPerPixel == 3:
            ds.PhotometricInterpretation = "YBR_FULL_422"
        ds.LossyImageCompression = "01"
    else:
        coded = [_coded(ds, frame, syntax) for frame in stack]
    if offsets == "extended":
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(
            coded
        )
    else:
        ds.PixelData = encapsulate(coded, fragments, has_bot=offsets == "basic")
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True


def _coded(ds: Dataset, frame: np.ndarray, syntax: str) -> bytes:
    """Encode one frame with pydicom."""
    from pydicom.pixels.encoders.base import get_encoder

    options: dict[str, Any] = {
        "rows": ds.Rows,
        "columns": ds.Columns,
        "number_of_frames": 1,
        "samples_per_pixel": ds.SamplesPerPixel,
        "bits_allocated": ds.BitsAllocated,
        "bits_stored": ds.BitsStored,
        "pixel_representation": ds.PixelRepresentation,
        "photometric_interpretation": ds.PhotometricInterpretation,
        "planar_configuration": 0,
    }
    if syntax == "jpeg2000-lossy":
        options["j2k_cr"] = [4]
    encoder = get_encoder(SYNTAXES[syntax])
    plugin = "pydicom" if syntax == "rle" else "pylibjpeg"
    return encoder.encode(frame, encoding_plugin=plugin, **options)


def _written(ds: Dataset, preamble: bool) -> bytes:
    named = ds.file_meta.TransferSyntaxUID
    out = io.BytesIO()
    options = {"implicit_vr": named.is_implicit_VR, "little_endian": named.is_little_endian}
    if preamble:
        dcmwrite(out, ds, enforce_file_format=True, **options)
        return out.getvalue()
    del ds.file_meta
    ds.preamble = None
    dcmwrite(out, ds, **options)
    return out.getvalue()

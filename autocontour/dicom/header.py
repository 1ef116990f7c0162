"""The header of an image file, read before the voxels."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from autocontour.base.errors import CTError
from autocontour.dicom.elements import (
    DICOMDIR,
    EXPLICIT_BIG,
    MEDIA_SOP_CLASS,
    MODALITY_LUT,
    PRESENT,
    Elements,
    UnusualEncodingError,
    read_elements,
)
from autocontour.dicom.read import DAMAGED, guarded, read_dataset, starts_like_dicom, unreadable
from autocontour.dicom.wording import shown

_TAGS: Final = {
    "character_set": 0x00080005,
    "image_type": 0x00080008,
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_date": 0x00080020,
    "modality": 0x00080060,
    "description": 0x0008103E,
    "patient_name": 0x00100010,
    "patient_id": 0x00100020,
    "slice_thickness_mm": 0x00180050,
    "reconstruction_diameter_mm": 0x00181100,
    "gantry_tilt_deg": 0x00181120,
    "patient_position": 0x00185100,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
    "series_number": 0x00200011,
    "instance_number": 0x00200013,
    "position_lps_mm": 0x00200032,
    "orientation": 0x00200037,
    "frame_of_reference_uid": 0x00200052,
    "slice_location_mm": 0x00201041,
    "samples_per_pixel": 0x00280002,
    "number_of_frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "pixel_spacing_vu_mm": 0x00280030,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "high_bit": 0x00280102,
    "pixel_representation": 0x00280103,
    "padding": 0x00280120,
    "padding_limit": 0x00280121,
    "rescale_intercept": 0x00281052,
    "rescale_slope": 0x00281053,
    "rescale_type": 0x00281054,
    "lossy": 0x00282110,
    "modality_lut": MODALITY_LUT,
}
ACQUISITION: Final = {
    "Acquisition Number": 0x00200012,
    "Temporal Position Identifier": 0x00200100,
    "Temporal Position Index": 0x00209128,
    "Nominal Percentage of Cardiac Phase": 0x00209241,
    "Trigger Time": 0x00181060,
    "Irradiation Event UID": 0x00083010,
    "Convolution Kernel": 0x00181210,
    "Filter Type": 0x00181160,
    "Slice Thickness": 0x00180050,
    "Reconstruction Diameter": 0x00181100,
    "KVP": 0x00180060,
    "Contrast/Bolus Agent": 0x00180010,
    "Scan Options": 0x00180022,
    "Patient Position": 0x00185100,
    "Image Type": 0x00080008,
    "Series Description": 0x0008103E,
    "Series Number": 0x00200011,
    "Protocol Name": 0x00181030,
    "Image Comments": 0x00204000,
    "Acquisition Date": 0x00080022,
}
"""Attributes that are equal in all slices of one acquisition and reconstruction, by name."""
TIMES: Final = {"Acquisition Time": 0x00080032, "Acquisition DateTime": 0x0008002A, "Series Time": 0x00080031}
NOT_DICOM = "AC-CT-003"
ABORTED = "AC-CT-008"
PREAMBLE_BYTES: Final = 132
_DATASET_STARTS: Final = (b"\x02\0", b"\x08\0")
_UID_ROOT: Final = b"1.2.840.10008."
_SUFFIXES: Final = ("", ".dcm", ".dicom", ".ima", ".img", ".dc3", ".ct")
_FARTHEST_MM: Final = 1e5
_COARSEST_MM: Final = 100.0
_WANTED: Final = frozenset((*_TAGS.values(), *ACQUISITION.values(), *TIMES.values()))


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One image file's header, values checked for form only; None if absent or not a number.

    Attributes
    ----------
    path, size, modified_ns
        The file as it was when it was scanned.
    patient
        Patient ID and name as raw bytes, to distinguish patients; never shown.
    character_set, description
        Specific Character Set and Series Description as raw bytes.
    position_lps_mm, orientation
        Image Position and Orientation (Patient), PS3.3 C.7.6.2.1.1.
    pixel_spacing_vu_mm
        Distance between rows, then between columns.
    acquisition, times
        Raw values of the attributes in `ACQUISITION` and `TIMES`, in their order.
    slice_location_mm, slice_thickness_mm, reconstruction_diameter_mm
        As in the file; not used for positions.
    high_bit, pixel_representation
        -1 where absent.
    padding, padding_limit
        Pixel Padding Value and Range Limit as stored values, signed according to Pixel Representation.
    has_rescale
        Whether there is a Rescale Slope or Intercept, valid or not.
    pixel_offset, pixel_length
        Position of the Pixel Data's value in the file and its stated length; offset 0 means that the full reader is
        needed.
    """

    path: Path
    size: int
    modified_ns: int
    patient: tuple[bytes, bytes] = field(repr=False)
    character_set: bytes
    description: bytes = field(repr=False)
    study_date: str
    series_number: str
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    modality: str
    image_type: tuple[str, ...]
    instance_number: int
    position_lps_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing_vu_mm: tuple[float, ...] | None
    patient_position: str
    acquisition: tuple[bytes, ...] = field(repr=False)
    times: tuple[bytes, ...]
    slice_location_mm: float | None
    slice_thickness_mm: float | None
    reconstruction_diameter_mm: float | None
    gantry_tilt_deg: float
    rows: int
    columns: int
    samples_per_pixel: int
    number_of_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    padding: int | None
    padding_limit: int | None
    has_rescale: bool
    has_modality_lut: bool
    rescale_slope: float | None
    rescale_intercept: float | None
    rescale_type: str
    lossy: bool
    pixel_offset: int
    pixel_length: int


def read_header(path: Path) -> SliceHeader:
    """Read one file's header.

    Raises
    ------
    CTError
        If the file cannot be opened, is not a DICOM file, or is damaged.
    """
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            head = file.read(256)
            if not starts_like_dicom(head):
                raise CTError(_fault_of(path, head), count=1, files=shown(path))
            file.seek(0)
            elements = read_elements(file, _WANTED)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except UnusualEncodingError:
        elements = _read_elements_fully(path)
    header = _header(path, status, elements)
    if elements.values.get(MEDIA_SOP_CLASS, b"").rstrip(b"\0 ") == DICOMDIR:
        raise CTError(NOT_DICOM, count=1, files=shown(path))
    if not (header.sop_class_uid and header.sop_instance_uid and header.series_instance_uid and header.modality):
        raise CTError(DAMAGED, count=1, files=shown(path))
    return header


def _fault_of(path: Path, head: bytes) -> str:
    """Return the code for a file that does not start like DICOM."""
    if _is_aborted(path, head):
        return ABORTED
    is_binary = b"\0" in head
    return DAMAGED if is_binary and _UID_ROOT in head else NOT_DICOM  # its preamble is cut or overwritten


def _is_aborted(path: Path, head: bytes) -> bool:
    """Whether a file that is not DICOM may be from an aborted transfer: empty, zeroed or truncated."""
    if path.name.startswith("."):
        return False
    if head:
        is_short = len(head) <= PREAMBLE_BYTES and (head[:2] in _DATASET_STARTS or path.suffix.lower() in _SUFFIXES)
        return not any(head) or is_short
    return path.suffix.lower() in _SUFFIXES or path.suffix[1:].isdigit()


def _header(path: Path, status: os.stat_result, elements: Elements) -> SliceHeader:
    raw = elements.values
    representation = _unsigned(raw, "pixel_representation", absent=-1)
    spacing, position = _numbers(raw, "pixel_spacing_vu_mm", 2), _numbers(raw, "position_lps_mm", 3)
    return SliceHeader(
        path=path,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        patient=(_bytes(raw, "patient_id"), _bytes(raw, "patient_name")),
        character_set=_bytes(raw, "character_set"),
        description=_bytes(raw, "description"),
        study_date=_text(raw, "study_date"),
        series_number=_text(raw, "series_number"),
        transfer_syntax=elements.transfer_syntax,
        sop_class_uid=_text(raw, "sop_class_uid"),
        sop_instance_uid=_text(raw, "sop_instance_uid"),
        study_instance_uid=_text(raw, "study_instance_uid"),
        series_instance_uid=_text(raw, "series_instance_uid"),
        frame_of_reference_uid=_text(raw, "frame_of_reference_uid"),
        modality=_text(raw, "modality"),
        image_type=tuple(_text(raw, "image_type").upper().split("\\")),
        instance_number=int((_numbers(raw, "instance_number", 1) or (0,))[0]),
        position_lps_mm=position if position and max(map(abs, position)) < _FARTHEST_MM else None,
        orientation=_numbers(raw, "orientation", 6),
        pixel_spacing_vu_mm=spacing if spacing and 0 < min(spacing) <= max(spacing) < _COARSEST_MM else None,
        patient_position=_text(raw, "patient_position").upper(),
        acquisition=tuple([raw.get(tag, b"") for tag in ACQUISITION.values()]),
        times=tuple([raw.get(tag, b"") for tag in TIMES.values()]),
        slice_location_mm=_number(raw, "slice_location_mm"),
        slice_thickness_mm=_number(raw, "slice_thickness_mm"),
        reconstruction_diameter_mm=_number(raw, "reconstruction_diameter_mm"),
        gantry_tilt_deg=(_numbers(raw, "gantry_tilt_deg", 1) or (0.0,))[0],
        rows=_unsigned(raw, "rows"),
        columns=_unsigned(raw, "columns"),
        samples_per_pixel=_unsigned(raw, "samples_per_pixel"),
        number_of_frames=int((_numbers(raw, "number_of_frames", 1) or (1,))[0]),
        bits_allocated=_unsigned(raw, "bits_allocated"),
        bits_stored=_unsigned(raw, "bits_stored"),
        high_bit=_unsigned(raw, "high_bit", absent=-1),
        pixel_representation=representation,
        padding=_stored(raw, "padding", representation),
        padding_limit=_stored(raw, "padding_limit", representation),
        has_rescale=bool(_bytes(raw, "rescale_slope") or _bytes(raw, "rescale_intercept")),
        has_modality_lut=MODALITY_LUT in raw,
        rescale_slope=_number(raw, "rescale_slope"),
        rescale_intercept=_number(raw, "rescale_intercept"),
        rescale_type=_text(raw, "rescale_type").upper(),
        lossy=_text(raw, "lossy") == "01",
        pixel_offset=elements.pixel_offset,
        pixel_length=elements.pixel_length,
    )


def _bytes(raw: dict[int, bytes], name: str) -> bytes:
    return raw.get(_TAGS[name], b"").strip(b" \0")


def _text(raw: dict[int, bytes], name: str) -> str:
    return _decoded(raw.get(_TAGS[name], b""))


@lru_cache(maxsize=1 << 12)  # most values are the same in all slices
def _decoded(value: bytes) -> str:
    return value.strip(b" \0").decode("latin-1")


def _numbers(raw: dict[int, bytes], name: str, count: int) -> tuple[float, ...] | None:
    """Decimal strings as finite floats; None unless there are exactly `count`."""
    return _parsed(raw.get(_TAGS[name], b""), count)


@lru_cache(maxsize=1 << 12)
def _parsed(value: bytes, count: int) -> tuple[float, ...] | None:
    if not value or b"_" in value:  # Python reads 1_5 as 15, which is invalid in DICOM
        return None
    try:
        numbers = tuple(map(float, value.strip(b" \0").split(b"\\")))
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _number(raw: dict[int, bytes], name: str) -> float | None:
    numbers = _numbers(raw, name, 1)
    return numbers[0] if numbers else None


def _unsigned(raw: dict[int, bytes], name: str, absent: int = 0) -> int:
    value = raw.get(_TAGS[name], b"")
    return int(struct.unpack("<H", value)[0]) if len(value) == 2 else absent


def _stored(raw: dict[int, bytes], name: str, representation: int) -> int | None:
    """Return a stored pixel value, which is signed if the pixels are (PS3.3 C.7.5.1.1.2)."""
    value = raw.get(_TAGS[name], b"")
    return int(struct.unpack("<h" if representation == 1 else "<H", value)[0]) if len(value) == 2 else None


def _read_elements_fully(path: Path) -> Elements:
    """Read the same values with the full reader, for big endian, deflated and irregular files."""
    dataset = read_dataset(path, specific_tags=sorted(_WANTED), stop_before_pixels=True)
    with guarded(where=shown(path)):
        syntax = str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", ""))
        values = {tag: _raw(dataset, tag, syntax) for tag in _WANTED if tag in dataset}
    return Elements(values, syntax)


def _raw(dataset: Dataset, tag: int, syntax: str) -> bytes:
    element: object = dataset.get_item(tag)
    if tag == MODALITY_LUT:
        return PRESENT
    if not isinstance(element, RawDataElement) or element.value is None:
        return b""
    return element.value[::-1] if syntax == EXPLICIT_BIG and element.VR in ("US", "SS") else element.value

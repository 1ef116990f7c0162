"""What the program needs to know of every image file before it reads a voxel."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from autocontour.base.errors import CTError
from autocontour.dicom.elements import (
    DICOMDIR,
    EXPLICIT_BIG,
    MEDIA_SOP_CLASS,
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
    "gantry_tilt_deg": 0x00181120,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
    "series_number": 0x00200011,
    "instance_number": 0x00200013,
    "position_lps_mm": 0x00200032,
    "orientation": 0x00200037,
    "frame_of_reference_uid": 0x00200052,
    "samples_per_pixel": 0x00280002,
    "number_of_frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "pixel_spacing_vu_mm": 0x00280030,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "high_bit": 0x00280102,
    "pixel_representation": 0x00280103,
    "rescale_intercept": 0x00281052,
    "rescale_slope": 0x00281053,
    "rescale_type": 0x00281054,
    "lossy": 0x00282110,
}
NOT_DICOM = "AC-CT-003"
_FARTHEST_MM: Final = 1e5
_COARSEST_MM: Final = 100.0
_WANTED: Final = frozenset(_TAGS.values())


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One image file's header, values checked for form only; None where absent or no number.

    Attributes
    ----------
    path, size, modified_ns
        The file as it was when it was scanned.
    patient
        Patient ID and name as raw bytes, to tell patients apart; never shown.
    character_set, description
        Specific Character Set and Series Description as raw bytes.
    position_lps_mm, orientation
        Image Position and Orientation (Patient), PS3.3 C.7.6.2.1.1.
    pixel_spacing_vu_mm
        Distance between rows, then between columns.
    pixel_offset, pixel_length
        Where the Pixel Data's value starts in the file and its stated length; offset 0 means the full reader has to
        find it.
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
    gantry_tilt_deg: float
    rows: int
    columns: int
    samples_per_pixel: int
    number_of_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
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
        If the file cannot be opened, is no DICOM file, or is damaged.
    """
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            head = file.read(256)
            if not starts_like_dicom(head):
                raise CTError(NOT_DICOM, f"{shown(path)} is no DICOM file.")
            file.seek(0)
            elements = read_elements(file, _WANTED)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except UnusualEncodingError:
        elements = _read_elements_fully(path)
    header = _header(path, status, elements)
    if elements.values.get(MEDIA_SOP_CLASS, b"").rstrip(b"\0 ") == DICOMDIR:
        raise CTError(NOT_DICOM, f"{shown(path)} is a directory of DICOM files.")
    if not (header.sop_class_uid and header.sop_instance_uid and header.series_instance_uid and header.modality):
        raise CTError(DAMAGED, f"The DICOM file {shown(path)} names no object.", "Export or copy it again.")
    return header


def _header(path: Path, status: os.stat_result, elements: Elements) -> SliceHeader:
    raw = elements.values
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
        gantry_tilt_deg=(_numbers(raw, "gantry_tilt_deg", 1) or (0.0,))[0],
        rows=_unsigned(raw, "rows"),
        columns=_unsigned(raw, "columns"),
        samples_per_pixel=_unsigned(raw, "samples_per_pixel"),
        number_of_frames=int((_numbers(raw, "number_of_frames", 1) or (1,))[0]),
        bits_allocated=_unsigned(raw, "bits_allocated"),
        bits_stored=_unsigned(raw, "bits_stored"),
        high_bit=_unsigned(raw, "high_bit"),
        pixel_representation=_unsigned(raw, "pixel_representation"),
        rescale_slope=(_numbers(raw, "rescale_slope", 1) or (None,))[0],
        rescale_intercept=(_numbers(raw, "rescale_intercept", 1) or (None,))[0],
        rescale_type=_text(raw, "rescale_type").upper(),
        lossy=_text(raw, "lossy") == "01",
        pixel_offset=elements.pixel_offset,
        pixel_length=elements.pixel_length,
    )


def _bytes(raw: dict[int, bytes], name: str) -> bytes:
    return raw.get(_TAGS[name], b"").strip(b" \0")


def _text(raw: dict[int, bytes], name: str) -> str:
    return _bytes(raw, name).decode("latin-1")


def _numbers(raw: dict[int, bytes], name: str, count: int) -> tuple[float, ...] | None:
    """Decimal strings as finite floats; None unless there are exactly `count`."""
    value = raw.get(_TAGS[name])
    if not value or b"_" in value:  # Python takes 1_5 for fifteen, DICOM does not
        return None
    try:
        numbers = tuple(map(float, value.strip(b" \0").split(b"\\")))
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _unsigned(raw: dict[int, bytes], name: str) -> int:
    value = raw.get(_TAGS[name], b"")
    return int(struct.unpack("<H", value)[0]) if len(value) == 2 else 0


def _read_elements_fully(path: Path) -> Elements:
    """Have the same values through the full reader, for big endian, deflated and irregular files."""
    dataset = read_dataset(path, specific_tags=sorted(_WANTED), stop_before_pixels=True)
    with guarded(where=shown(path)):
        syntax = str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", ""))
        values = {tag: _raw(dataset, tag, syntax) for tag in _WANTED if tag in dataset}
    return Elements(values, syntax)


def _raw(dataset: Dataset, tag: int, syntax: str) -> bytes:
    element: object = dataset.get_item(tag)
    if not isinstance(element, RawDataElement) or element.value is None:
        return b""
    return element.value[::-1] if syntax == EXPLICIT_BIG and element.VR == "US" else element.value

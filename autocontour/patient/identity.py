"""Identity of a CT: the key of its case, and the facts shown to the user."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class CaseKey:
    """The CT a case belongs to; no patient identity.

    Attributes
    ----------
    series_instance_uid, frame_of_reference_uid
        As in the CT's files; empty for a research volume.
    slices_checksum
        SHA-256 of the slices' UIDs and positions: contours are stored by slice index, so the same series with a slice
        more or less is another CT. For a research volume, SHA-256 of its voxels.
    """

    series_instance_uid: str
    frame_of_reference_uid: str
    slices_checksum: str = ""

    @property
    def folder_name(self) -> str:
        """Name of the case's folder; it does not identify the patient."""
        return hashlib.sha256(f"{self.series_instance_uid} {self.slices_checksum}".encode()).hexdigest()[:24]


class ImageSeries(Protocol):
    """A series of images, as the headers of its files or a CT describe it."""

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID."""

    @property
    def sop_instance_uids(self) -> Sequence[str]:
        """SOP Instance UID of every slice, in order."""


def case_key(ct: CTVolume) -> CaseKey:
    """Return the key of the case of `ct`."""
    if ct.reference:
        return series_key(ct.reference, ct.geometry)
    return CaseKey("", "", hashlib.sha256(ct.hu.tobytes() + _places(ct.geometry)).hexdigest())


def series_key(series: ImageSeries, geometry: VolumeGeometry | None) -> CaseKey:
    """Return the key that `case_key` returns for the CT after reading."""
    checksum = hashlib.sha256("\\".join(series.sop_instance_uids).encode() + _places(geometry)).hexdigest()
    return CaseKey(series.series_instance_uid, series.frame_of_reference_uid, checksum)


def _places(geometry: VolumeGeometry | None) -> bytes:
    return geometry.slice_origins_lps_mm.tobytes() if geometry else b""


class Header(Protocol):
    """A DICOM data set, by keyword."""

    def get(self, key: str, default: object = None, /) -> Any:  # noqa: ANN401  (any value representation)
        """Return the value of a keyword."""


@dataclass(frozen=True)
class PatientFacts:
    """The facts by which the user recognizes a patient's scan, from the DICOM header; never logged.

    Attributes
    ----------
    name
        Its components separated by blanks; empty if the header has none.
    birth_date, scan_date
        YYYY-MM-DD where the header holds a date.
    series
        Number and description.
    is_patient
        Whether there is a DICOM header; a research volume has none.
    position
        Patient Position of the header, such as ``HFS`` (PS3.3 C.7.3.1.1.2).
    """

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    scan_date: str = ""
    series: str = ""
    is_patient: bool = True
    position: str = ""

    @classmethod
    def of(cls, ct: CTVolume) -> PatientFacts:
        """Read the facts from the header of `ct`."""
        if ct.reference is None:
            return cls(is_patient=False)
        return cls.of_header(ct.reference.header)

    @classmethod
    def of_header(cls, header: Header) -> PatientFacts:
        """Read the facts from the header of an image."""

        def value(keyword: str) -> str:
            return str(header.get(keyword, "") or "")

        date = value("SeriesDate") or value("AcquisitionDate") or value("StudyDate")
        series = " ".join(part for part in (value("SeriesNumber"), value("SeriesDescription")) if part)
        # PS3.5 6.2.1.1: components of a person's name are separated by carets.
        name = value("PatientName").replace("^", " ").strip()
        birth_date, position = iso_date(value("PatientBirthDate")), value("PatientPosition").strip()
        return cls(name, value("PatientID"), birth_date, iso_date(date), series, position=position)


def iso_date(dicom_date: str) -> str:
    """Return YYYYMMDD as YYYY-MM-DD, anything else as it is."""
    whole = len(dicom_date) == 8 and dicom_date.isdigit()
    return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}" if whole else dicom_date

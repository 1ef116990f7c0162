"""Two structure sets of one CT read without it: the contours lie on the planes that the files themselves have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from autocontour.base.errors import StructureSetError
from autocontour.dicom.read import guarded
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.planes import ON_PLANE_MM, group_planes, plane_positions_mm
from autocontour.rtstruct.read.import_roi import import_roi
from autocontour.rtstruct.read.nesting import DAMAGED
from autocontour.rtstruct.read.parse import FileRoi, parse_rois
from autocontour.rtstruct.read.reader import open_structure_set
from autocontour.rtstruct.references import frames_of_reference, referenced_series
from autocontour.rtstruct.text import as_line, encodings_of, shown_text


@dataclass(frozen=True)
class FileFacts:
    """What a structure set states of itself.

    Attributes
    ----------
    path
        The file.
    label
        Structure Set Label.
    sop_instance_uid, series_uid, frame_uid
        Its own UID, and those of the first series and frame of reference that it references.
    patient_id
        Patient ID; for pairing, never stored.
    at
        Review date and time if it is approved, else those of the structure set (ISO 8601 without time zone, as DICOM
        states local time); empty if there is no date.
    study_date
        Date of the study, in which the CT was made (ISO 8601); empty if there is none.
    program, version
        Manufacturer with model name, and software versions.
    """

    path: Path
    label: str
    sop_instance_uid: str
    series_uid: str
    frame_uid: str
    patient_id: str
    at: str
    study_date: str
    program: str
    version: str

    @property
    def anonymous_name(self) -> str:
        """A name without identity."""
        return hashlib.sha256(self.sop_instance_uid.encode()).hexdigest()[:24]

    @property
    def case_name(self) -> str:
        """A name without identity, the same for every set that was drawn on the series."""
        uid = self.series_uid or self.frame_uid
        return hashlib.sha256(f"series {uid}".encode()).hexdigest()[:24] if uid else self.anonymous_name


def read_facts(path: Path) -> FileFacts:
    """Read what a structure set states of itself.

    Raises
    ------
    StructureSetError
        ``AC-RS-002`` if it is another kind of file, or the errors of reading.
    """
    dataset = open_structure_set(path)
    with guarded(StructureSetError, DAMAGED, path.name):
        encodings = encodings_of(dataset.get("SpecificCharacterSet") or None)

        def text(keyword: str) -> str:
            return as_line(shown_text(dataset, keyword, encodings), 64)

        series = [str(item.get("SeriesInstanceUID", "") or "") for item in referenced_series(dataset)]
        is_approved = text("ApprovalStatus") == "APPROVED"
        moments = [("ReviewDate", "ReviewTime")] if is_approved else []
        moments += [("StructureSetDate", "StructureSetTime"), ("InstanceCreationDate", "InstanceCreationTime")]
        at = next((found for date, time in moments if (found := _moment(text(date), text(time)))), "")
        program = " ".join(part for part in (text("Manufacturer"), text("ManufacturerModelName")) if part)
        return FileFacts(
            path,
            text("StructureSetLabel"),
            str(dataset.get("SOPInstanceUID", "") or ""),
            next((uid for uid in series if uid), ""),
            min(frames_of_reference(dataset), default=""),
            text("PatientID"),
            at,
            _moment(text("StudyDate"), "")[:10],
            program,
            text("SoftwareVersions"),
        )


def read_sets_without_ct(first: Path, second: Path) -> tuple[StructureSet, StructureSet]:
    """Read two structure sets of one CT; contours are numbered by the planes that occur in either.

    Raises
    ------
    StructureSetError
        The errors of reading; ``AC-RS-003`` if they share no frame of reference; ``AC-QA-315`` if contours do not lie
        in transverse planes.
    """
    datasets = [open_structure_set(path) for path in (first, second)]
    with guarded(StructureSetError, DAMAGED, f"{first.name}, {second.name}"):
        rois = [parse_rois(dataset) for dataset in datasets]
        frames = [frames_of_reference(dataset) for dataset in datasets]
        if all(frames) and not frames[0] & frames[1]:
            raise StructureSetError("AC-RS-003")
        geometry = _geometry([roi for mine in rois for roi in mine])
        return _import(datasets[0], rois[0], geometry), _import(datasets[1], rois[1], geometry)


def _geometry(rois: list[FileRoi]) -> VolumeGeometry:
    """Return slices at every plane with a closed contour."""
    heights = []
    for contour in (contour for roi in rois for contour in roi.contours):
        if contour.points is None or len(contour.points) < 3:
            continue
        low, high = contour.points[:, 2].min(), contour.points[:, 2].max()
        if high - low > ON_PLANE_MM:
            raise StructureSetError("AC-QA-315")
        heights.append((low + high) / 2)
    positions = np.array(sorted(heights) or [0.0])
    planes = plane_positions_mm(positions, group_planes(positions))
    origins = np.zeros((len(planes), 3))
    origins[:, 2] = planes
    return VolumeGeometry(1, 1, (1.0, 1.0), np.eye(3), origins)


def _import(dataset: Dataset, rois: list[FileRoi], geometry: VolumeGeometry) -> StructureSet:
    frame = min(frames_of_reference(dataset), default="")
    uids = ("",) * len(geometry.slice_origins_lps_mm)
    reference = SeriesReference("", "", frame, "", uids, Dataset())
    encodings = encodings_of(dataset.get("SpecificCharacterSet") or None)
    return StructureSet("PAIR", tuple(import_roi(roi, geometry, reference, encodings) for roi in rois), "", frame)


def _moment(date: str, time: str) -> str:
    """Return DICOM date and time as ISO 8601; empty without a whole date.

    Examples
    --------
    >>> _moment("20260102", "030405.12"), _moment("20260102", ""), _moment("2026", "")
    ('2026-01-02T03:04:05', '2026-01-02T00:00:00', '')
    """
    if not (len(date) == 8 and date.isdigit()):
        return ""
    digits = (time.split(".")[0] if time.split(".")[0].isdigit() else "").ljust(6, "0")[:6]
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{digits[:2]}:{digits[2:4]}:{digits[4:]}"

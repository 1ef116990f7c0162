"""A CT series into Hounsfield units on its true slices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.dicom.checks import blocking
from autocontour.dicom.field import find_outside_field
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.pixels import CHANGED, SliceRead, check_unchanged, read_slice
from autocontour.dicom.read import guarded, read_dataset, unreadable
from autocontour.dicom.scan import Series, find_late_files
from autocontour.dicom.wording import counted, shown
from autocontour.patient.volume import CTVolume, SeriesReference

CLIPPED = "AC-CT-042"
_THREADS = 4
_KEYWORDS = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC"),
    # Patient (PS3.3 C.7.1.1) and Patient Study (C.7.2.2)
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex"),
    *("OtherPatientIDs", "OtherPatientNames", "EthnicGroup", "PatientComments", "PatientIdentityRemoved"),
    *("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("PatientAge", "PatientSize", "PatientWeight"),
    # General Study (C.7.2.1)
    *("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    "StudyDescription",
    # Frame of Reference (C.7.4.1)
    *("FrameOfReferenceUID", "PositionReferenceIndicator"),
    # The CT's own series and equipment (C.7.3.1, C.7.5.1)
    *("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "PatientPosition", "BodyPartExamined"),
    *("Manufacturer", "InstitutionName", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"),
    *("StationName", "ConvolutionKernel", "KVP", "SliceThickness"),
)
_HEADER = [int(Tag(keyword)) for keyword in _KEYWORDS]


def read_ct(series: Series, job: Job, accepted: frozenset[str] = frozenset()) -> CTVolume:
    """Read a series' voxels.

    Parameters
    ----------
    series
        From `scan_folder`.
    job
        For progress and cancel.
    accepted
        Codes of blocking findings that the user accepts; only those in `checks.ACCEPTABLE` can be. The volume keeps
        the true position of every slice and carries the findings.

    Returns
    -------
    CTVolume
        Slices ascend along the normal given by the orientation; values as stored after rescaling, padding included.

    Raises
    ------
    CTError
        If a finding blocks the series, a file changed since the scan, or pixels are cut short or cannot be decoded.
    """
    refuse_blocked(series, accepted)
    geometry = series.geometry
    assert geometry is not None  # the checks blocked everything else
    header = _read_reference_header(series.slices[0])
    hu, slices = _read_voxels(series, job)
    _refuse_growth(series)
    findings = [_downgraded(f) for f in series.findings]
    return CTVolume(
        hu,
        geometry,
        _reference(series, header),
        (*findings, *_clipped(slices)),
        _content_checksum(series, slices),
        find_outside_field(hu),
    )


def refuse_blocked(series: Series, accepted: frozenset[str] = frozenset()) -> None:
    """Raise a `CTError` for the first finding that blocks the series, naming the others."""
    blocks = blocking(series.findings, accepted)
    if not blocks:
        return
    first, others = blocks[0], [f.code for f in blocks[1:]]
    also = f" (also {', '.join(others)})" if others else ""
    where = f" [{first.where}]" if first.where else ""
    raise CTError(first.code, f"{first.message}{where}{also}", first.remedy)


def _refuse_growth(series: Series) -> None:
    try:
        late = find_late_files(series)
    except OSError as fault:
        raise unreadable(series.folder, fault) from fault
    if late:
        message = f"{counted(len(late), 'file')} of the series came into the folder while it was read."
        raise CTError(CHANGED, message, "Wait until the series is complete, then start again.")


def _downgraded(finding: Finding) -> Finding:
    """Turn a blocking finding that the user accepted into a warning that says so."""
    if finding.severity is not Severity.BLOCK:
        return finding
    return replace(finding, severity=Severity.WARN, message=f"Accepted by the user: {finding.message}", remedy="")


def _read_voxels(series: Series, job: Job) -> tuple[NDArray[np.int16], list[SliceRead]]:
    first = series.slices[0]
    try:
        hu = np.empty((len(series), first.rows, first.columns), np.int16)
    except MemoryError as fault:
        raise CTError("AC-CT-043", "The series does not fit into memory.", "Close other programs.") from fault
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            return hu, list(job.track(pool.map(read_slice, series.slices, hu), "reading the CT", len(series)))
        finally:
            pool.shutdown(cancel_futures=True)


def _clipped(slices: Sequence[SliceRead]) -> Iterator[Finding]:
    indices = tuple(index for index, one in enumerate(slices) if one.was_clipped)
    if indices:
        message = f"Values beyond ±32768 HU were clipped in {len(indices)} slices."
        yield Finding(CLIPPED, Severity.WARN, message, slices=indices)


def _content_checksum(series: Series, slices: Sequence[SliceRead]) -> str:
    """Return a checksum of all that makes the Hounsfield units, whatever the order of the files."""
    lines = (
        f"{header.sop_instance_uid} {one.checksum:08x} {header.rescale_slope} {header.rescale_intercept}"
        for header, one in zip(series.slices, slices, strict=True)
    )
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _read_reference_header(first: SliceHeader) -> Dataset:
    """Read the attributes that a structure set takes over; their raw values stay as they stand in the file."""
    check_unchanged(first)
    trial = read_dataset(first.path, specific_tags=_HEADER, stop_before_pixels=True)
    with guarded(where=shown(first.path)):
        for element in trial.iterall():
            str(element.value)
    return read_dataset(first.path, specific_tags=_HEADER, stop_before_pixels=True)


def _reference(series: Series, header: Dataset) -> SeriesReference:
    return SeriesReference(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        sop_class_uid=series.slices[0].sop_class_uid,
        sop_instance_uids=tuple(s.sop_instance_uid for s in series.slices),
        header=header,
    )

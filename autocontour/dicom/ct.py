"""Reading a CT series as Hounsfield units on its true slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.dicom.checks import ACCEPTABLE, blocking, refuse_blocked
from autocontour.dicom.field import find_outside_field
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.padding import TISSUE_PADDING, is_like_tissue, padding_hu
from autocontour.dicom.pixels import CHANGED, SliceRead, check_unchanged, read_slice
from autocontour.dicom.read import guarded, read_dataset, unreadable
from autocontour.dicom.scan import Series, find_late_files
from autocontour.dicom.values import check_last_rows, check_values, sample_slices
from autocontour.dicom.wording import shown
from autocontour.patient.volume import CTVolume, SeriesReference

CLIPPED = "AC-CT-042"
UNIFORM = "AC-CT-069"
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
        Codes of blocking findings that the user accepts; only those in `checks.ACCEPTABLE` can be. The volume contains
        the true position of every slice and the findings.

    Returns
    -------
    CTVolume
        Slices ascend along the normal given by the orientation; values as stored after rescaling. Padding with values
        of tissue is replaced by air, other padding kept; `outside_field` is its mask.

    Raises
    ------
    CTError
        If a finding blocks the series, a file changed since the scan, or pixels are truncated or cannot be decoded.
    """
    refuse_blocked(series.findings, accepted)
    geometry = series.geometry
    assert geometry is not None  # all other cases are blocked by the checks
    header = _read_reference_header(series.slices[0])
    hu, slices = _read_voxels(series, job)
    _refuse_growth(series)
    indices = sample_slices(len(hu))
    planes = [hu[index] for index in indices]
    outside = _outside_field(planes, slices)
    findings = series.findings
    if not series.has_checked_values:
        looked_at = outside if outside is None or len(outside) == 1 else outside[indices]
        findings = (*findings, *_check_values(series, indices, planes, [slices[i] for i in indices], looked_at))
        refuse_blocked(findings, accepted)
    return CTVolume(
        hu,
        geometry,
        _reference(series, header),
        (*map(Finding.accept, findings), *_check_slices(hu, slices)),
        outside,
    )


def with_value_findings(series: Series) -> Series:
    """Add the findings of the voxels of some slices to a planning CT.

    `read_ct` does the same by itself. Errors in reading these slices are findings too.
    """
    blocks = {finding.code for finding in blocking(series.findings)}
    if series.has_checked_values or not series.is_planning_ct or not blocks <= ACCEPTABLE:
        return series
    indices = sample_slices(len(series))
    chosen = [series.slices[index] for index in indices]
    try:
        planes = list(np.empty((len(chosen), chosen[0].rows, chosen[0].columns), np.int16))
        with ThreadPoolExecutor(_THREADS) as pool:
            slices = list(pool.map(read_slice, chosen, planes))
    except MemoryError:
        return series
    except CTError as error:
        values: dict[str, Any] = dict(error.values)
        refusal = Finding.of(error.code, severity=Severity.BLOCK, **values)
        return replace(series, findings=(*series.findings, refusal), has_checked_values=True)
    outside = _outside_field(planes, slices)
    findings = (*series.findings, *_check_values(series, indices, planes, slices, outside))
    return replace(series, findings=findings, has_checked_values=True)


def _check_values(
    series: Series,
    indices: Sequence[int],
    planes: Sequence[NDArray[np.int16]],
    slices: Sequence[SliceRead],
    outside: NDArray[np.bool_] | None,
) -> Iterator[Finding]:
    first = series.slices[0]
    if is_like_tissue(first) and any(one.padding is not None for one in slices):
        yield Finding.of(TISSUE_PADDING, padding_hu=padding_hu(first))
    is_rescaled = any(s.has_rescale or s.has_modality_lut for s in series.slices)
    yield from check_values(indices, planes, outside, is_rescaled=is_rescaled)


def _outside_field(planes: Sequence[NDArray[np.int16]], slices: Sequence[SliceRead]) -> NDArray[np.bool_] | None:
    """Return the declared padding, (1 or slices, rows, columns); without it, the one detected in the voxels."""
    padded = next((one.padding for one in slices if one.padding is not None), None)
    if padded is None:
        return find_outside_field(planes)
    if all(one.padding is not None and np.array_equal(one.padding, padded) for one in slices):
        return padded[None]
    return np.stack([np.zeros_like(padded) if one.padding is None else one.padding for one in slices])


def _refuse_growth(series: Series) -> None:
    try:
        late = find_late_files(series)
    except OSError as fault:
        raise unreadable(series.folder, fault) from fault
    if late:
        raise CTError(CHANGED, files=", ".join(shown(path) for path in late[:3]))


def _read_voxels(series: Series, job: Job) -> tuple[NDArray[np.int16], list[SliceRead]]:
    first = series.slices[0]
    try:
        hu = np.empty((len(series), first.rows, first.columns), np.int16)
    except MemoryError as fault:
        raise CTError("AC-CT-043") from fault
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            return hu, list(job.track(pool.map(read_slice, series.slices, hu), "reading the CT", len(series)))
        finally:
            pool.shutdown(cancel_futures=True)


def _check_slices(hu: NDArray[np.int16], slices: Sequence[SliceRead]) -> Iterator[Finding]:
    clipped = [index for index, one in enumerate(slices) if one.was_clipped]
    if clipped:
        yield Finding.of(CLIPPED, slices=clipped, count=len(clipped))
    uniform = [index for index, one in enumerate(slices) if one.is_uniform]
    if 0 < len(uniform) < len(slices):
        yield Finding.of(UNIFORM, slices=uniform, count=len(uniform))
    yield from check_last_rows(list(hu))


def _read_reference_header(first: SliceHeader) -> Dataset:
    """Read the attributes that are copied to a structure set, as raw values."""
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

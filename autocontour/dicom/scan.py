"""Sorting a folder of DICOM files into series."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from pydicom.charset import convert_encodings
from pydicom.valuerep import PersonName

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.dicom.checks import CT_IMAGE, ENHANCED_CT, blocking, check_series, is_localizer
from autocontour.dicom.copies import drop_copies
from autocontour.dicom.header import NOT_DICOM, SliceHeader, read_header
from autocontour.dicom.placement import direction_of, normal_positions
from autocontour.dicom.read import guarded, unreadable
from autocontour.dicom.wording import shown
from autocontour.patient.geometry import VolumeGeometry

NOTHING_FOUND = "AC-CT-002"
NO_FOLDER = "AC-CT-063"
CLOSED_FOLDER = "AC-CT-009"
SHARED_UID = "AC-CT-050"
_THREADS = 4


@dataclass(frozen=True, eq=False)
class Series:
    """One series of a folder: files of one patient, study, series and frame of reference.

    Attributes
    ----------
    slices
        Header of every file, in spatial order along the slice normal (by number where positions are missing).
    folder
        The folder that was scanned.
    findings
        Findings about the series and other files.
    known
        Every file in the folder that was read as DICOM.
    copies
        Files with the content of another one, which are not used.
    has_checked_values
        Whether the findings are also of the voxels (`ct.with_value_findings`).
    """

    slices: tuple[SliceHeader, ...] = field(repr=False)
    folder: Path
    findings: tuple[Finding, ...] = ()
    known: frozenset[Path] = field(default=frozenset(), repr=False)
    copies: tuple[Path, ...] = field(default=(), repr=False)
    has_checked_values: bool = False

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order of the slices."""
        return tuple(s.path for s in self.slices)

    @property
    def modality(self) -> str:
        """Modality of the first file."""
        return self.slices[0].modality

    @property
    def description(self) -> str:
        """Series Description, empty if absent."""
        return _decode(self.slices[0].description, self.slices[0].character_set)

    @property
    def number(self) -> str:
        """Series Number, empty if absent."""
        return self.slices[0].series_number

    @property
    def study_date(self) -> str:
        """Study Date as in the file, empty if absent."""
        return self.slices[0].study_date

    @property
    def patient_id(self) -> str:
        """Patient ID, shown only on request; never logged."""
        return _decode(self.slices[0].patient[0], self.slices[0].character_set)

    @property
    def patient_name(self) -> str:
        """Patient's Name, shown only on request; never logged."""
        return _decode(self.slices[0].patient[1], self.slices[0].character_set)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""
        return self.slices[0].series_instance_uid

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID."""
        return self.slices[0].study_instance_uid

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID, empty if absent."""
        return self.slices[0].frame_of_reference_uid

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """SOP Instance UID of every slice, in order."""
        return tuple(s.sop_instance_uid for s in self.slices)

    @property
    def is_planning_ct(self) -> bool:
        """Whether the series may be a planning CT: CT images that are not all localizers."""
        kinds = (CT_IMAGE, *ENHANCED_CT)
        return any(s.modality == "CT" and s.sop_class_uid in kinds and not is_localizer(s) for s in self.slices)

    @property
    def is_sound(self) -> bool:
        """Whether it has no blocking finding."""
        return not blocking(self.findings)

    @cached_property
    def geometry(self) -> VolumeGeometry | None:
        """Grid of the volume; None if the headers do not give one."""
        first = self.slices[0]
        direction = direction_of(first.orientation)
        origins = [s.position_lps_mm for s in self.slices if s.position_lps_mm is not None]
        if direction is None or first.pixel_spacing_vu_mm is None or len(origins) < len(self.slices):
            return None
        v, u = first.pixel_spacing_vu_mm
        return VolumeGeometry(first.rows, first.columns, (v, u), direction, np.array(origins))


def scan_folder(folder: Path, job: Job) -> list[Series]:
    """Find every DICOM series below a folder, reading headers only.

    Parameters
    ----------
    folder
        Searched with all its subfolders; files that are not DICOM are ignored and listed in a Finding.
    job
        For progress and cancel.

    Returns
    -------
    list of Series
        Of every modality, ordered by study date, series number and UID; each with its findings.

    Raises
    ------
    CTError
        If there is no such folder, or it contains no DICOM image or object.
    """
    if not folder.is_dir():
        raise CTError(NO_FOLDER, folder=shown(folder))
    closed: list[OSError] = []
    files = sorted(_walk_files(folder, closed))
    closed_folders = [Path(str(fault.filename)) for fault in closed]
    return _sort_files(files, folder, _report(CLOSED_FOLDER, closed_folders, folder), job)


def scan_files(files: Sequence[Path], folder: Path, job: Job) -> list[Series]:
    """Sort the given files into series, as `scan_folder` does all files below `folder`.

    Raises
    ------
    CTError
        ``AC-CT-007`` if a file is missing or cannot be opened, ``AC-CT-002`` if none is DICOM.
    """
    for path in files:
        try:
            path.stat()
        except OSError as fault:
            raise unreadable(path, fault) from fault
    return _sort_files(sorted(files), folder, [], job)


def _sort_files(files: Sequence[Path], folder: Path, around: Sequence[Finding], job: Job) -> list[Series]:
    headers, findings = _read_headers(files, folder, job)
    findings += around
    if not headers:
        raise CTError(NOTHING_FOUND, count=len(files))
    groups: dict[tuple[object, ...], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        key = header.series_instance_uid, header.study_instance_uid, header.frame_of_reference_uid, header.patient
        groups[key].append(header)
    shared = _count_uids(groups)
    known = frozenset(header.path for header in headers)
    found = [_build_series(group, folder, findings, shared, known) for group in groups.values()]
    return sorted(found, key=lambda s: (s.study_date, s.number.zfill(12), s.series_instance_uid, s.files[0]))


def planning_cts(found: Sequence[Series]) -> list[Series]:
    """Return the series that may be planning CTs."""
    return [series for series in found if series.is_planning_ct]


def find_late_files(series: Series) -> list[Path]:
    """Return files of the series that were added to the folders of its slices after the scan."""
    folders = {file.parent for file in series.files}
    late = [path for folder in folders for path in folder.iterdir() if path not in series.known]
    headers = [header for header in map(_try_header, late) if isinstance(header, SliceHeader)]
    return [header.path for header in headers if header.series_instance_uid == series.series_instance_uid]


def _walk_files(folder: Path, closed: list[OSError]) -> Iterator[Path]:
    """Every file below a folder; links are followed, each folder is entered once."""
    entered: set[tuple[int, int]] = set()
    for name, subfolders, files in os.walk(folder, followlinks=True, onerror=closed.append):
        try:
            status = Path(name).stat()
        except OSError as fault:
            closed.append(fault)
            continue
        if (status.st_dev, status.st_ino) in entered:
            subfolders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        yield from (Path(name, file) for file in files)


def _read_headers(files: Sequence[Path], folder: Path, job: Job) -> tuple[list[SliceHeader], list[Finding]]:
    headers: list[SliceHeader] = []
    faults: dict[str, list[Path]] = defaultdict(list)
    with ThreadPoolExecutor(_THREADS) as pool:
        results = zip(files, pool.map(_try_header, files), strict=True)
        try:
            for path, result in job.track(results, "scanning the folder", len(files)):
                if isinstance(result, str):
                    faults[result].append(path)
                else:
                    headers.append(result)
        finally:
            pool.shutdown(cancel_futures=True)
    return headers, [finding for code, paths in faults.items() for finding in _report(code, paths, folder)]


def _try_header(path: Path) -> SliceHeader | str:
    """Return the header, or the code of the file's error."""
    try:
        return read_header(path) if path.is_file() else NOT_DICOM
    except CTError as error:
        return error.code


def _report(code: str, files: Sequence[Path], folder: Path) -> list[Finding]:
    if not files:
        return []
    names = ", ".join(shown(file, folder) for file in files[:3]) + (" …" if len(files) > 3 else "")
    return [Finding.of(code, names, count=len(files), files=names)]


def _count_uids(groups: dict[tuple[object, ...], list[SliceHeader]]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for group in groups.values():
        counts[group[0].series_instance_uid] += 1
    return counts


def _build_series(
    group: Sequence[SliceHeader],
    folder: Path,
    around: Sequence[Finding],
    shared: dict[str, int],
    known: frozenset[Path],
) -> Series:
    kept, findings = drop_copies(group)
    slices = _in_spatial_order(kept)
    findings += check_series(slices)
    if shared[slices[0].series_instance_uid] > 1:
        findings.append(Finding.of(SHARED_UID))
    copies = tuple(sorted({one.path for one in group} - {one.path for one in kept}))
    return Series(slices, folder, findings=(*findings, *around), known=known, copies=copies)


def _in_spatial_order(slices: Sequence[SliceHeader]) -> tuple[SliceHeader, ...]:
    """Sort along the slice normal; by instance number where positions are missing or equal."""
    direction = direction_of(slices[0].orientation)
    origins = [s.position_lps_mm for s in slices if s.position_lps_mm is not None]
    positions = np.zeros(len(slices))
    if direction is not None and len(origins) == len(slices):
        positions = normal_positions(np.array(origins), direction)
    order = sorted(range(len(slices)), key=lambda i: (positions[i], slices[i].instance_number, slices[i].path))
    return tuple(slices[i] for i in order)


def _decode(value: bytes, character_set: bytes) -> str:
    """Decode raw text for display."""
    try:
        with guarded():
            encodings = convert_encodings([name.strip() for name in character_set.decode("latin-1").split("\\")])
            return str(PersonName(value, encodings))
    except CTError:
        return value.decode("latin-1")

"""What an archive holds: planning CTs, each with the structure sets and approved cases that were drawn on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autocontour.archive.key import Key
from autocontour.base.errors import AutoContourError, CTError, DatasetError
from autocontour.base.files import read_file, shown_path
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.case.closed import read_case
from autocontour.case.follow import SliceOrigin, count_origins
from autocontour.case.source import check_content, read_key, read_source
from autocontour.case.state import CaseStructure
from autocontour.dicom.scan import Series, planning_cts, scan_folder
from autocontour.models.data.planes import FOLLOWED, UNEDITED
from autocontour.patient.identity import CaseKey, series_key
from autocontour.patient.structures import GenerationAlgorithm, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct import read_structure_set
from autocontour.rtstruct.read.summary import read_summary

CLINICAL, APPROVED = "clinical", "approved"
SAME_MM2 = 1.0
"""On a slice that differs by less the contours count as unedited."""


@dataclass(frozen=True)
class DrawnSet:
    """A structure set of the archive, or an approved case of the program.

    Attributes
    ----------
    name
        In the data set.
    path
        The file, or the case's folder.
    uid
        SOP Instance UID; empty for a case.
    label
        For the person who decides; never stored in the data set.
    structures
        Names of its structures.
    checksum
        Of its content.
    copies
        Other files with the same content.
    """

    name: str
    path: Path = field(repr=False)
    uid: str = field(repr=False)
    label: str = field(repr=False)
    structures: tuple[str, ...] = field(repr=False)
    checksum: str
    copies: tuple[Path, ...] = field(default=(), repr=False)

    def read(self, ct: CTVolume) -> tuple[StructureSet, dict[str, str]]:
        """Return the structures, and the origin of each.

        Raises
        ------
        StructureSetError, CaseError
            If it cannot be read or does not belong to the CT.
        """
        if self.uid or self.path.is_file():
            found = read_structure_set(self.path, ct)
            return found, dict.fromkeys(found.names, CLINICAL)
        check_content(self.path, ct)
        found, origins = read_approved(self.path)
        reference = ct.reference
        frame = reference.frame_of_reference_uid if reference else ""
        return replace(found, frame_of_reference_uid=frame), origins


@dataclass(frozen=True, eq=False)
class Candidate:
    """One CT of the archive.

    Attributes
    ----------
    name
        In the data set.
    series
        The CT.
    sets
        Structure sets and cases drawn on it, by their names in the data set.
    """

    name: str
    series: Series = field(repr=False)
    sets: dict[str, DrawnSet] = field(default_factory=dict)


@dataclass(frozen=True)
class Excluded:
    """A CT or structure set that is not in the data set.

    Attributes
    ----------
    name
        In the data set: of a CT, or of a structure set without one.
    finding
        The reason.
    path
        Where it lies; never stored in the data set.
    """

    name: str
    finding: Finding
    path: Path | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Archive:
    """The content of an archive.

    Attributes
    ----------
    candidates
        By their names.
    excluded
        Structure sets that belong to no CT, and files that cannot be read.
    doses
        Files of dose distributions.
    """

    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    doses: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def roi_names(self) -> list[str]:
        """The names of all structures, once for each structure set."""
        sets = [drawn for one in self.candidates for drawn in one.sets.values()]
        return [name for drawn in sets for name in sorted(set(drawn.structures))]


def find_archive(
    folder: Path | None, key: Key, job: Job, cases: Path | None = None, case_folders: Sequence[Path] = ()
) -> Archive:
    """Scan an archive of any layout and find the CT of each structure set and of each approved case.

    A structure set belongs to the CT whose series it references. If it references none of the archive, it belongs to
    the only CT of its frame of reference; reading it then reports what does not fit.

    Parameters
    ----------
    folder
        Searched with all its subfolders; None for approved cases alone.
    key
        Of the data set.
    job
        Reports progress; may cancel.
    cases
        Folder of the program's cases, each in a folder of its own.
    case_folders
        Further cases.

    Raises
    ------
    CTError
        If there is no such folder or no DICOM file in it.
    DatasetError
        ``AC-DS-012`` of `find_cases`.
    """
    scanned = scan_folder(folder, job) if folder else []
    candidates = sorted((_candidate(series, key) for series in planning_cts(scanned)), key=lambda one: one.name)
    excluded: list[Excluded] = []
    files = sorted(path for series in scanned if series.modality == "RTSTRUCT" for path in series.files)
    for path in job.track(files, "reading the structure sets"):
        excluded += _add_set(path, candidates, key)
    copies = sorted(path for series in scanned if series.modality == "RTSTRUCT" for path in series.copies)
    excluded += _add_copies(copies, candidates, key)
    found = find_cases(cases) if cases else []
    for place in job.track([*found, *case_folders], "reading the cases"):
        excluded += _add_case(place, candidates, key)
    doses = sorted(path for series in scanned if series.modality == "RTDOSE" for path in series.files)
    return Archive(tuple(candidates), tuple(excluded), tuple(doses))


def find_cases(folder: Path) -> list[Path]:
    """Return the folders of the program's cases in a folder.

    Raises
    ------
    DatasetError
        ``AC-DS-012`` if there is none: a share that is not connected is an empty folder.
    """
    found = sorted(path.parent for path in folder.glob("*/case.json"))
    if not found:
        raise DatasetError("AC-DS-012", folder=shown_path(folder))
    return found


def as_finding(error: AutoContourError) -> Finding:
    """Return an error as a finding that excludes a patient."""
    values: dict[str, Any] = dict(error.values)
    return Finding.of(error.code, severity=Severity.BLOCK, **values)


def read_approved(folder: Path) -> tuple[StructureSet, dict[str, str]]:
    """Return the approved structures of a case, and the origin of each; the case itself is not touched.

    Raises
    ------
    CaseError
        If it cannot be read.
    """
    found = read_case(folder)
    items = [item for item in found.state.items if item.is_approved]
    origins = {item.structure.name: origin_of(item) for item in items}
    structures = tuple(item.structure for item in items)
    return StructureSet("APPROVED", structures, found.key.series_instance_uid), origins


def origin_of(item: CaseStructure) -> str:
    """Return the origin of an approved structure: it is edited only if its contours differ from the automatic ones.

    A stroke that was taken back by another stroke leaves the contours as they were, though the structure was edited.
    One of which most slices followed corrected ones is `FOLLOWED`.
    """
    structure = item.structure
    if structure.generation is GenerationAlgorithm.AUTOMATIC:
        return UNEDITED
    counts = count_origins((item,))
    if 2 * counts[SliceOrigin.FOLLOWED] > sum(counts.values()):
        return FOLLOWED
    if item.origin is not GenerationAlgorithm.AUTOMATIC or item.automatic.keys() != structure.contours.keys():
        return APPROVED
    changes = (polygon.symmetric_difference(structure.contours[z]).area for z, polygon in item.automatic.items())
    return UNEDITED if max(changes, default=0.0) < SAME_MM2 else APPROVED


def _candidate(series: Series, key: Key) -> Candidate:
    place = series_key(series, series.geometry).slices_checksum
    return Candidate(key.name("p", series.series_instance_uid, place, series.patient_id), series)


def _add_set(path: Path, candidates: Sequence[Candidate], key: Key) -> Iterator[Excluded]:
    try:
        summary = read_summary(path)
        checksum = hashlib.sha256(read_file(path)).hexdigest()
    except AutoContourError as error:
        yield Excluded(key.name("s", str(path)), as_finding(error), path)
        return
    label = f"{summary.label} {summary.date}, {summary.structures} structures"
    # Copies of one file have one name; other files with the same UID are other structure sets.
    name = key.name("s", summary.sop_instance_uid, checksum)
    drawn = DrawnSet(name, path, summary.sop_instance_uid, label, summary.names, checksum)
    owners = [one for one in candidates if one.series.series_instance_uid in summary.series]
    if not owners:
        frames = summary.frames_of_reference
        owners = [one for one in candidates if one.series.frame_of_reference_uid in frames]
    if len(owners) == 1:
        owners[0].sets.setdefault(name, drawn)
    elif owners:
        yield Excluded(name, Finding.of("AC-DS-042", count=len(owners)), path)
    else:
        yield Excluded(name, Finding.of("AC-DS-031"), path)


def _add_copies(paths: Sequence[Path], candidates: Sequence[Candidate], key: Key) -> Iterator[Excluded]:
    """Note the copies of each set, and report files that lie in the folder of another patient's CT."""
    homes = _homes(candidates) if paths else {}
    for path in paths:
        with suppress(AutoContourError):  # the same content was read before
            uid = read_summary(path).sop_instance_uid
            for owner in candidates:
                for drawn in [drawn for drawn in owner.sets.values() if drawn.uid == uid]:
                    owner.sets[drawn.name] = replace(drawn, copies=(*drawn.copies, path))
    for owner in candidates if paths else ():
        for drawn in owner.sets.values():
            for path in (drawn.path, *drawn.copies) if drawn.copies else ():
                other = _other_patient(path, owner, homes)
                if other is not None:
                    finding = Finding.of("AC-DS-048", other=other.name, owner=owner.name)
                    yield Excluded(key.name("s", drawn.uid, drawn.checksum, str(path)), finding, path)


def _homes(candidates: Sequence[Candidate]) -> dict[Path, list[Candidate]]:
    """Return folder → the CTs of which files lie in it or below it."""
    homes: dict[Path, list[Candidate]] = {}
    for one in candidates:
        places = {file.parent for file in one.series.files}
        for folder in {folder for place in places for folder in (place, *place.parents)}:
            homes.setdefault(folder, []).append(one)
    return homes


def _other_patient(path: Path, owner: Candidate, homes: dict[Path, list[Candidate]]) -> Candidate | None:
    """Return the CT whose folder a file lies in, if that is only of other patients than the owner's."""
    around = next((homes[folder] for folder in path.parents if folder in homes), [])
    own = owner.series.patient_id.strip()
    is_other = all(one is not owner and one.series.patient_id.strip() != own for one in around)
    return around[0] if around and is_other else None


def _add_case(place: Path, candidates: list[Candidate], key: Key) -> Iterator[Excluded]:
    case_key = read_key(place)
    name = key.name("c", case_key.folder_name if case_key else str(place))
    try:
        found, origins = read_approved(place)
    except AutoContourError as error:
        yield Excluded(name, as_finding(error), place)
        return
    if not origins or case_key is None:
        yield Excluded(name, Finding.of("AC-DS-043"), place)
        return
    owner = next((one for one in candidates if series_key(one.series, one.series.geometry) == case_key), None)
    if owner is None:
        series = _find_series(place, case_key)
        if series is None:
            yield Excluded(name, Finding.of("AC-DS-031"), place)
            return
        owner = _candidate(series, key)
        candidates.append(owner)
    checksum = hashlib.sha256(
        repr([(s.name, sorted((k, p.wkb_hex) for k, p in s.contours.items())) for s in found.structures]).encode()
    ).hexdigest()
    owner.sets[name] = DrawnSet(name, place, "", "approved case", found.names, checksum)


def _find_series(place: Path, case_key: CaseKey) -> Series | None:
    """Return the CT of a case from the location that it stores."""
    source = read_source(place)
    if source is None or source.path is None or not case_key.series_instance_uid:
        return None
    with suppress(CTError):
        for series in planning_cts(scan_folder(source.path, Job())):
            if series_key(series, series.geometry) == case_key:
                return series
    return None

"""Building a data set from an archive: resumable, atomic, with every reason for what is left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.archive.cohort import find_unusual
from autocontour.archive.convert import convert
from autocontour.archive.decisions import Decisions, read_decisions
from autocontour.archive.find import Archive, Candidate, DrawnSet, Excluded, as_finding, find_archive, find_cases
from autocontour.archive.key import Key, open_key
from autocontour.archive.names import NameMap
from autocontour.archive.private import keep_sources, map_names
from autocontour.archive.review import (
    LEAST_UNFITTING,
    MIRRORED,
    check_origin,
    count_unfitting,
    review_structures,
    stored,
)
from autocontour.base.errors import AutoContourError, Cancelled, CaseError, CTError, DatasetError, OutputError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import InnerJob, Job
from autocontour.case.lock import CaseLock
from autocontour.dicom.ct import read_ct
from autocontour.dicom.deidentify import deidentify_header
from autocontour.models.data.planes import (
    FORMAT,
    PATIENTS,
    RECORD,
    VERSION,
    group_patients,
    hash_file,
    remove_others,
    write_stored,
)
from autocontour.patient.volume import CTVolume
from autocontour.report.pictures import render_slices
from autocontour.site.site import Site

INDEX, PAGE, PICTURE = "index.json", "inspection.html", "picture.png"
TRAIN, TEST = "train", "test"
PICTURE_PX = 240
LAYOUT = 2
"""Changed whenever the same input gives other arrays or records, so that nothing is reused."""
KNOWN = frozenset({INDEX, PAGE, PATIENTS})


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes
    ----------
    archive, output
        The folder of DICOM files, None for approved cases alone, and the data set.
    private
        Folder of the files that are not part of the data set: key, names, decisions, sources.
    names, decisions, key
        Instead of the private folder's own files.
    site
        The structures of the data set; None for every confirmed one.
    cases
        Folder of the program's cases.
    case_folders
        Further cases.
    spacing_zyx_mm
        None keeps the voxels of each CT.
    test_share
        Fraction of the patients for the split ``test``, chosen by their keyed hash.
    """

    archive: Path | None
    output: Path
    names: Path | None = None
    decisions: Path | None = None
    key: Path | None = None
    site: Site | None = None
    cases: Path | None = None
    case_folders: tuple[Path, ...] = ()
    spacing_zyx_mm: tuple[float, float, float] | None = None
    test_share: float = 0.0

    @property
    def private(self) -> Path:
        """The folder beside the data set."""
        return self.output.with_name(self.output.name + ".private")

    @property
    def names_file(self) -> Path:
        """The file of names."""
        return self.names or self.private / "names.toml"

    @property
    def decisions_file(self) -> Path:
        """The file of decisions."""
        return self.decisions or self.private / "decisions.toml"

    @property
    def key_file(self) -> Path:
        """The key."""
        return self.key or self.private / "key"


@dataclass(frozen=True)
class BuildReport:
    """The result.

    Attributes
    ----------
    index
        The content of ``index.json``.
    excluded
        What is not in the data set, with the reasons.
    waiting
        Names that are not confirmed.
    reused
        Patients that were taken over unchanged from an earlier build.
    findings
        About the build as a whole.
    """

    index: dict[str, Any] = field(repr=False)
    excluded: tuple[Excluded, ...]
    waiting: tuple[str, ...]
    reused: int
    findings: tuple[Finding, ...] = ()


class Build:
    """One run of a build; see `build_dataset`."""

    def __init__(self, request: BuildRequest, job: Job) -> None:
        self.request, self.job = request, job
        self.site = frozenset(request.site.names) if request.site else frozenset()
        self.key: Key
        self.names = NameMap({})
        self.decisions = Decisions()
        self.before = _read_index(request.output)
        self.placed: set[str] = set()  # patients whose split a person decided
        self.reused = 0
        self.excluded: list[Excluded] = []

    def run(self) -> BuildReport:
        """Build the data set."""
        self.key = open_key(self.request.key_file, str(self.before.get("key_check", "")))
        self.decisions = read_decisions(self.request.decisions_file)
        request = self.request
        archive = find_archive(request.archive, self.key, self.job, request.cases, request.case_folders)
        self.excluded = list(archive.excluded)
        self._read_names(archive)
        built = map(self._build_patient, self.job.track(archive.candidates, "building the data set"))
        entries = self._without_copies([entry for entry in built if entry is not None])
        keep_sources(self.request.private, archive, self.excluded)
        waiting = sorted({n.strip() for n in archive.roi_names if self.names.is_waiting(n)})
        findings = [*self._check_decisions(archive)]
        if waiting:
            findings.append(Finding.of("AC-DS-028", count=len(waiting)))
        index = self._index(entries)
        findings += self._check_splits(index)
        self._finish(index)
        return BuildReport(index, tuple(self.excluded), tuple(waiting), self.reused, tuple(findings))

    def _read_names(self, archive: Archive) -> None:
        self.names = map_names(self.request.names_file, archive, self.site)

    def _build_patient(self, candidate: Candidate) -> dict[str, Any] | None:
        """Return the entry of a patient, or None with the reason in `excluded`."""
        name = candidate.name
        try:
            if self.decisions.excludes(name):
                raise DatasetError("AC-DS-040")
            drawn = self._choose_set(candidate)
            if not any(map(self.names.find, drawn.structures)):
                raise DatasetError("AC-DS-037")  # before the CT is read
            folder, fingerprint = self._fingerprint(candidate, drawn)
            if (entry := _read_record(self.request.output, folder, fingerprint)) is not None:
                self.reused += 1
                return entry
            return self._write_patient(candidate, drawn, folder, fingerprint)
        except (Cancelled, OutputError):
            raise
        except AutoContourError as error:
            values: dict[str, Any] = dict(error.values)
            is_note = error.code in ("AC-DS-030", "AC-DS-040")
            reason = Finding.of(error.code, **values) if is_note else as_finding(error)
            self.excluded.append(Excluded(name, reason, candidate.series.files[0].parent))
            return None

    def _choose_set(self, candidate: Candidate) -> DrawnSet:
        chosen = self.decisions.structure_set(candidate.name)
        sets = [drawn for drawn in candidate.sets.values() if chosen in ("", drawn.name)]
        if not candidate.sets:
            raise DatasetError("AC-DS-030")
        if len(sets) != 1:
            raise DatasetError("AC-DS-032", count=len(candidate.sets), sets=", ".join(sorted(candidate.sets)))
        return sets[0]

    def _fingerprint(self, candidate: Candidate, drawn: DrawnSet) -> tuple[str, str]:
        """Return the name of the patient's folder, and a keyed hash of everything its content depends on."""
        inputs = (
            LAYOUT, __version__, candidate.name, drawn.name, drawn.checksum,
            [(s.sop_instance_uid, s.size, s.modified_ns) for s in candidate.series.slices],
            sorted((own, self.names.find(own)) for own in drawn.structures if self.names.find(own)),
            sorted(self.site), self.decisions.of(candidate.name), self.request.spacing_zyx_mm,
        )  # fmt: skip
        fingerprint = self.key.hash("input", repr(inputs))
        return f"{candidate.name}-{fingerprint[:8]}", fingerprint

    def _write_patient(self, candidate: Candidate, drawn: DrawnSet, folder: str, fingerprint: str) -> dict[str, Any]:
        name = candidate.name
        accepted = self.decisions.accepted(name)
        inner = InnerJob(self.job)
        ct = read_ct(candidate.series, inner, accepted)
        structure_set, origins = drawn.read(ct)
        header = deidentify_header(candidate.series.files[0], self.key.uid)
        found = [*check_origin(ct, structure_set)]
        if header.has_burned_in_text:
            found.append(Finding.of("AC-DS-041"))
        reviewed = review_structures(ct, structure_set, origins, self.names, self.site, self.decisions, name)
        if any(finding.code == MIRRORED for finding in reviewed.findings):
            found.append(Finding.of("AC-DS-046"))
        if (count := count_unfitting(reviewed.findings)) >= LEAST_UNFITTING:
            found.append(Finding.of("AC-DS-047", count=count))
        for finding in found:
            if finding.severity is Severity.BLOCK and finding.code not in accepted:
                values: dict[str, Any] = dict(finding.values)
                raise DatasetError(finding.code, **values)
        if not reviewed.structures.structures:
            raise DatasetError("AC-DS-037")
        converted = convert(ct, reviewed.structures, reviewed.origins, self.request.spacing_zyx_mm)
        entries = converted.record["structures"]
        if not entries:
            raise DatasetError("AC-DS-037")
        if not (header.patient_id or header.person):
            found.append(Finding.of("AC-DS-044"))
        lost = [Finding.of("AC-DS-058", n, structure=n) for n in reviewed.structures.names if n not in entries]
        texts = {*reviewed.structures.names, *reviewed.set_aside}
        record = {
            "patient": name,
            "split": TRAIN,
            "folder": folder,
            "fingerprint": fingerprint,
            **converted.record,
            "patient_hash": self.key.hash("patient", header.patient_id) if header.patient_id else "",
            "person_hash": self.key.hash("person", header.person) if header.person else "",
            "header": header.attributes,
            "references": _references(ct, drawn, self.key),
            "set_aside": reviewed.set_aside,
            "findings": [
                stored(finding, texts | _sources(finding))
                for finding in (*ct.findings, *structure_set.findings, *found, *reviewed.findings, *lost)
                if finding.severity > Severity.INFO
            ],
        }
        picture = render_slices(ct, reviewed.structures.structures, height_px=PICTURE_PX, title=name)
        return write_stored(self.request.output, record, converted.hu, converted.flat, {PICTURE: picture})

    def _without_copies(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep a CT once if contours and patient are the same too; leave it out where they contradict each other."""
        by_ct: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            by_ct.setdefault(entry["ct_hash"], []).append(entry)
        kept = []
        for same in by_ct.values():
            first = same[0]
            alike = {(one["files"]["planes.npy"], one["patient_hash"], one["person_hash"]) for one in same}
            chosen = [one for one in same if "AC-DS-038" in self.decisions.accepted(one["patient"])]
            if len(same) == 1 or len(alike) == 1:
                kept.append(first)
            elif len(chosen) == 1:
                kept.append(chosen[0])
            for one in same if len(same) > 1 else ():
                if kept and one is kept[-1]:
                    continue
                other = next(other["patient"] for other in same if other is not one)
                code = "AC-DS-039" if len(alike) == 1 else "AC-DS-038"
                self.excluded.append(Excluded(one["patient"], Finding.of(code, other=other)))
        return sorted(kept, key=lambda entry: str(entry["patient"]))

    def _index(self, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self._split(entries)
        features = {entry["patient"]: entry["features"] for entry in entries}
        unusual = find_unusual(features, {entry["patient"]: set(entry["set_aside"]) for entry in entries})
        names = sorted({name for entry in entries for name in entry["structures"]})
        patients = []
        for entry in entries:
            texts = {*names, *(other["patient"] for other in entries)}
            found = (*unusual[entry["patient"]], *_same_patient(entry, entries))
            cohort = [stored(finding, texts | _sources(finding)) for finding in found]
            listed = {key: value for key, value in entry.items() if key not in ("references", "fingerprint")}
            patients.append(listed | {"findings": [*entry["findings"], *cohort]})
        order = {name: place for place, name in enumerate(self.request.site.names if self.request.site else ())}
        return {
            "format": FORMAT,
            "version": VERSION,
            "program": __version__,
            "key_check": self.key.check,
            "site": self.request.site.name if self.request.site else "",
            "spacing_zyx_mm": self.request.spacing_zyx_mm,
            "structures": sorted(names, key=lambda name: (order.get(name, len(order)), name)),
            "patients": patients,
            "quarantine": [
                {"patient": one.name, **stored(one.finding, self._safe_texts(entries))}
                for one in sorted(self.excluded, key=lambda one: one.name)
            ],
        }

    def _safe_texts(self, entries: Sequence[dict[str, Any]]) -> set[str]:
        own = {text for one in self.excluded for text in _set_names(one.finding)}
        return {*(entry["patient"] for entry in entries), *(one.name for one in self.excluded), *own}

    def _split(self, entries: Sequence[dict[str, Any]]) -> None:
        """Assign the splits: all CTs of a patient, a person or the same CT together.

        Raises
        ------
        DatasetError
            ``AC-DS-010`` if decisions put one patient into two splits.
        """
        groups = group_patients(entries)
        decided: dict[str, set[str]] = {}
        for entry in entries:
            if chosen := self.decisions.split(entry["patient"]):
                decided.setdefault(groups[entry["patient"]], set()).add(chosen)
        if several := [group for group, splits in decided.items() if len(splits) > 1]:
            raise DatasetError("AC-DS-010", count=len(several), patients=several[0])
        self.placed = {name for name, group in groups.items() if group in decided}
        for entry in entries:
            group = groups[entry["patient"]]
            chance = int(self.key.hash("split", group)[:8], 16) / 2**32
            usual = TEST if chance < self.request.test_share else TRAIN
            entry["split"] = next(iter(decided.get(group, {usual})))

    def _check_decisions(self, archive: Archive) -> Iterator[Finding]:
        """Yield a finding if decisions have no effect, since what they are about is not there."""
        known = {one.name: one for one in archive.candidates}
        structures = set(self.names.structures.values())
        lost = [
            one.patient
            for one in self.decisions.decisions
            if one.patient not in known
            or (one.structure_set and one.structure_set not in known[one.patient].sets)
            or not set(one.structures) <= structures
        ]
        if lost:
            yield Finding.of("AC-DS-026", count=len(lost), name=lost[0])

    def _check_splits(self, index: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield a finding if patients leave the split of the last build, unless decisions put them there."""
        before = {one["patient"]: one["split"] for one in self.before.get("patients", ())}
        moved = [
            str(entry["patient"])
            for entry in index["patients"]
            if before.get(entry["patient"], entry["split"]) != entry["split"] and entry["patient"] not in self.placed
        ]
        if moved:
            yield Finding.of("AC-DS-014", count=len(moved), name=moved[0])

    def _finish(self, index: dict[str, Any]) -> None:
        """Write the page and the index, then remove what the index no longer lists.

        Without a patient an index that exists is kept.
        """
        from autocontour.archive.page import write_inspection

        output = self.request.output
        write_inspection(output / PAGE, output, index)
        if not index["patients"]:
            waiting, names = len(self.names.waiting), shown_path(self.request.names_file)
            raise DatasetError("AC-DS-002", excluded=len(self.excluded), waiting=waiting, names=names, page=PAGE)
        write_atomically(output / INDEX, json.dumps(index, indent=1).encode())
        remove_others(output, {str(entry["folder"]) for entry in index["patients"]})


def build_dataset(request: BuildRequest, job: Job) -> BuildReport:
    """Build a data set, or bring it up to date; a run that was stopped is continued.

    Patients whose input has not changed are kept. Until the new index is written, the old one stays valid.

    Raises
    ------
    DatasetError
        ``AC-DS-001`` to ``-005``, ``-009`` to ``-013``; ``AC-DS-002`` if no patient could be used: the names may have
        to be confirmed first.
    CTError
        If there is no such archive, or no DICOM file in it.
    OutputError
        If the disk is full.
    """
    output = request.output.absolute()
    _check_inputs(request)
    if request.archive and output.resolve().is_relative_to(request.archive.resolve()):
        raise DatasetError("AC-DS-009")
    if output.exists() and (not output.is_dir() or foreign_names(output, KNOWN)):
        raise DatasetError("AC-DS-001", folder=shown_path(output))
    new = [folder for folder in (output, request.private) if not folder.exists()]
    request.private.mkdir(parents=True, exist_ok=True)
    request.private.chmod(0o700)
    output.mkdir(parents=True, exist_ok=True)
    try:
        lock = CaseLock(request.private)
    except CaseError as error:
        raise DatasetError("AC-DS-011") from error
    try:
        return Build(request, job).run()
    except CTError:  # of the archive as a whole: nothing was built
        for folder in new:
            shutil.rmtree(folder)
        raise
    finally:
        lock.release()


def _check_inputs(request: BuildRequest) -> None:
    """Refuse an archive, cases or decisions that do not exist, before anything is written."""
    if request.archive and not request.archive.is_dir():
        raise CTError("AC-CT-063", folder=shown_path(request.archive))
    if request.cases:
        find_cases(request.cases)
    if request.decisions and not request.decisions.is_file():
        raise DatasetError("AC-DS-013", name=shown_path(request.decisions))


def _read_index(output: Path) -> dict[str, Any]:
    """Return the index of the last build; empty if there is none or it is damaged."""
    try:
        index: dict[str, Any] = json.loads((output / INDEX).read_bytes())
        return (
            index
            if index["key_check"] and all("patient" in one and "split" in one for one in index["patients"])
            else {}
        )
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read_record(output: Path, folder: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the entry of an unchanged patient of an earlier build; None if there is none or a file is damaged."""
    place = output / PATIENTS / folder
    try:
        record: dict[str, Any] = json.loads((place / RECORD).read_bytes())
        is_same = record["fingerprint"] == fingerprint
        return record if is_same and all(hash_file(place / n) == h for n, h in record["files"].items()) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _references(ct: CTVolume, drawn: DrawnSet, key: Key) -> dict[str, Any]:
    """Return the mapped UIDs by which CT and structure set refer to each other."""
    reference = ct.reference
    assert reference is not None  # checked before
    return {
        "study_instance_uid": key.uid(reference.study_instance_uid),
        "series_instance_uid": key.uid(reference.series_instance_uid),
        "frame_of_reference_uid": key.uid(reference.frame_of_reference_uid),
        "sop_instance_uids": [key.uid(uid) for uid in reference.sop_instance_uids],
        "structure_set_uid": key.uid(drawn.uid) if drawn.uid else "",
        "structure_set": drawn.name,
    }


def _same_patient(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for other in entries:
        is_same = any(entry[kind] and entry[kind] == other[kind] for kind in ("patient_hash", "person_hash"))
        if other is not entry and is_same:
            yield Finding.of("AC-DS-045", other=str(other["patient"]))
            return


def _sources(finding: Finding) -> set[str]:
    """Return the texts of a finding that are the program's own: sources, sides."""
    return {str(value) for name, value in finding.values if name in ("source", "side", "end", "feature", "attributes")}


def _set_names(finding: Finding) -> set[str]:
    """Return the names of structure sets and other words of the program in a reason."""
    return {part for name, value in finding.values if name in ("sets", "kind") for part in str(value).split(", ")}

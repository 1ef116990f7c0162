"""Contours of a review with their origins: from structure sets and from cases of the program."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autocontour.archive.convert import hash_ct
from autocontour.archive.find import Archive, Candidate, DrawnSet, as_finding, find_archive
from autocontour.archive.key import Key
from autocontour.archive.private import keep_sources
from autocontour.archive.review import UNUSABLE_CONTOURS, check_origin
from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.findings import Finding
from autocontour.base.jobs import InnerJob, Job
from autocontour.case.closed import read_case
from autocontour.case.source import check_content
from autocontour.dicom.ct import read_ct
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.matching import folded_name, tg263_name
from autocontour.patient.structures import Contours, GenerationAlgorithm, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.blind.request import AUTOMATIC, CORRECTED, KINDS, MANUAL, ReviewRequest
from autocontour.qa.commissioning.study.cohort import LeftOut, matches


@dataclass(frozen=True, eq=False)
class Own:
    """Contours of one structure in one set or case.

    Attributes
    ----------
    key
        What pairs it with those of other sets.
    name
        Under which it is shown.
    kind
        Its origin.
    contours
        As they were drawn.
    method
        What drew the automatic contours, or those before the correction; empty where it is not stated.
    """

    key: str
    name: str
    kind: str
    contours: Contours = field(repr=False)
    method: str


@dataclass(frozen=True, eq=False)
class Collected:
    """The contours of one patient.

    Attributes
    ----------
    patient
        Its name in the review.
    geometry
        Of the scan.
    ct_hash, place, series
        Of the scan: its values, its folder, and its Series Instance UID.
    contours
        Structure → origin → contours as they were drawn.
    names
        Structure → the name that is shown.
    methods
        Structure → origin → what drew it, where that is stated.
    """

    patient: str
    geometry: VolumeGeometry = field(repr=False)
    ct_hash: str
    place: Path = field(repr=False)
    series: str = field(repr=False)
    contours: dict[str, dict[str, Contours]]
    names: dict[str, str]
    methods: dict[str, dict[str, str]]


class Collector:
    """Reads the patients of a request.

    Attributes
    ----------
    left_out
        What is not used, with the reason.
    remarks
        What is used and should be known.
    """

    def __init__(self, request: ReviewRequest, key: Key, job: Job) -> None:
        self.request, self.key, self.job = request, key, job
        self.left_out: list[LeftOut] = []
        self.remarks: list[LeftOut] = []

    def run(self) -> Iterator[Collected]:
        """Yield the patients that have contours.

        Raises
        ------
        CTError
            If the source has no DICOM file.
        """
        archive: Archive = find_archive(self.request.source, self.key, self.job, self.request.cases)
        self.left_out += [LeftOut(one.name, "structure set", one.finding) for one in archive.excluded]
        keep_sources(self.request.private, archive, archive.excluded)
        first: dict[str, str] = {}
        # Of two CTs of one patient that with the most sets counts; the names of the review are of no order.
        ordered = sorted(archive.candidates, key=lambda one: (-len(one.sets), str(one.series.files[0])))
        for candidate in self.job.track(ordered, "reading the contours"):
            roles = self._assign(candidate)
            if not roles:
                self._leave_out(candidate.name, "", Finding.of("AC-DS-030"))
                continue
            try:
                found = self._read(candidate, roles)
            except Cancelled:
                raise
            except AutoContourError as error:
                self._leave_out(candidate.name, "", as_finding(error))
                continue
            other = first.setdefault(found.ct_hash, candidate.name)
            if other != candidate.name:
                self._leave_out(candidate.name, "", Finding.of("AC-QA-064", other=other))
            elif found.contours:
                yield found

    def _leave_out(self, patient: str, subject: str, finding: Finding) -> None:
        self.left_out.append(LeftOut(patient, subject, finding))

    def _assign(self, candidate: Candidate) -> dict[str, DrawnSet]:
        """Return origin → set; a case of the program stands under its own name, for it has several origins."""
        found: dict[str, list[DrawnSet]] = defaultdict(list)
        for drawn in candidate.sets.values():
            if not drawn.uid and drawn.path.is_dir():
                found["case"].append(drawn)
                continue
            kinds = [role.name for role in self.request.roles if matches(drawn, role, self.request.source)]
            if len(kinds) == 1:
                found[kinds[0]].append(drawn)
            elif kinds:
                finding = Finding.of("AC-QA-217", set=drawn.name, origins=", ".join(kinds))
                self._leave_out(candidate.name, drawn.name, finding)
            else:
                self._leave_out(candidate.name, drawn.name, Finding.of("AC-QA-216", set=drawn.name))
        for kind, sets in found.items():
            if len(sets) > 1:
                self._leave_out(candidate.name, kind, Finding.of("AC-QA-218", kind=kind, count=len(sets)))
        return {kind: sets[0] for kind, sets in found.items() if len(sets) == 1}

    def _read(self, candidate: Candidate, roles: Mapping[str, DrawnSet]) -> Collected:
        ct = read_ct(candidate.series, InnerJob(self.job))
        contours: dict[str, dict[str, Contours]] = defaultdict(dict)
        names: dict[str, str] = {}
        methods: dict[str, dict[str, str]] = defaultdict(dict)
        for kind in (*KINDS, "case"):
            if kind not in roles:
                continue
            try:
                mine = _read_case(roles[kind], ct) if kind == "case" else self._read_set(candidate, kind, roles, ct)
            except Cancelled:
                raise
            except AutoContourError as error:
                self._leave_out(candidate.name, kind, as_finding(error))
                continue
            for one in mine:
                if one.kind in contours[one.key]:
                    finding = Finding.of("AC-QA-219", one.name, structure=one.name, kind=one.kind)
                    self._leave_out(candidate.name, one.kind, finding)
                    continue
                contours[one.key][one.kind] = one.contours
                methods[one.key][one.kind] = one.method
                names.setdefault(one.key, one.name)
        kept = {key: mine for key, mine in sorted(contours.items()) if mine}
        place, uid = candidate.series.files[0].parent, candidate.series.series_instance_uid
        return Collected(candidate.name, ct.geometry, hash_ct(ct), place, uid, kept, names, methods)

    def _read_set(self, candidate: Candidate, kind: str, roles: Mapping[str, DrawnSet], ct: CTVolume) -> list[Own]:
        found, _ = roles[kind].read(ct)
        for finding in check_origin(ct, found):
            self._leave_out(candidate.name, kind, finding)
            return []
        self._check_generation(candidate.name, kind, found)
        drawn = [one for one in found.structures if one.contours and self._is_wanted(one)]
        count = Counter(map(key_of, drawn))
        for key, times in count.items():
            if times > 1:
                finding = Finding.of("AC-DS-050", key, structure=key, count=times)
                self._leave_out(candidate.name, kind, finding)
        used: list[Own] = []
        for one in drawn:
            damage = sorted({finding.code for finding in one.findings} & UNUSABLE_CONTOURS)
            if damage:
                finding = Finding.of("AC-QA-065", one.name, structure=one.name, codes=", ".join(damage))
                self._leave_out(candidate.name, kind, finding)
            elif count[key_of(one)] == 1:
                used.append(Own(key_of(one), shown_name(one), kind, dict(one.contours), method_of(one, kind)))
        return used

    def _is_wanted(self, structure: Structure) -> bool:
        wanted = {folded_name(name) for name in self.request.structures}
        return not wanted or bool({folded_name(structure.name), key_of(structure)} & wanted)

    def _check_generation(self, patient: str, kind: str, found: StructureSet) -> None:
        """Note a set whose structures are all stored as of the opposite origin."""
        stored = {one.generation for one in found.structures if one.contours}
        opposite = {MANUAL: GenerationAlgorithm.AUTOMATIC, AUTOMATIC: GenerationAlgorithm.MANUAL}.get(kind)
        if opposite is not None and stored == {opposite}:
            self.remarks.append(LeftOut(patient, kind, Finding.of("AC-QA-211", kind=kind, stored=str(opposite))))


def key_of(structure: Structure) -> str:
    """Return what pairs a structure with those of other sets: its TG-263 name, else its own, both without case."""
    return folded_name(tg263_name(structure) or structure.name)


def method_of(structure: Structure, kind: str) -> str:
    """Return name, version and checksum of what drew a structure that is not manual; empty where it is not stated."""
    own = structure.provenance
    if own is None or kind == MANUAL:
        return ""
    return " ".join(text for text in (own.algorithm, own.version, own.checksum[:12]) if text)


def shown_name(structure: Structure) -> str:
    """Return the name under which every contour of the structure is shown."""
    return tg263_name(structure) or structure.name.strip()


def _read_case(drawn: DrawnSet, ct: CTVolume) -> list[Own]:
    """Return the approved structures of a case, those that were contoured automatically also as they first came.

    Raises
    ------
    CaseError
        If the case cannot be read or belongs to another CT.
    """
    check_content(drawn.path, ct)
    items = [item for item in read_case(drawn.path).state.items if item.is_approved and item.structure.contours]
    found: list[Own] = []
    for item in items:
        own = key_of(item.structure), shown_name(item.structure)
        kind = MANUAL if item.origin is GenerationAlgorithm.MANUAL else CORRECTED
        method = method_of(item.structure, kind)
        found.append(Own(*own, kind, dict(item.structure.contours), method))
        if item.automatic and item.origin is GenerationAlgorithm.AUTOMATIC:
            found.append(Own(*own, AUTOMATIC, dict(item.automatic), method))
    return found

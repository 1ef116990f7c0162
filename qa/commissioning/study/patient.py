"""One patient of a study: read, contoured, compared, as a record of plain values."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from autocontour import __version__
from autocontour.archive.convert import hash_ct
from autocontour.archive.decisions import Decisions
from autocontour.archive.find import as_finding
from autocontour.archive.names import NameMap
from autocontour.archive.review import (
    by_target,
    check_origin,
    empty_targets,
    is_in_other_frame,
    review_structures,
)
from autocontour.base.errors import AutoContourError, Cancelled, DatasetError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import InnerJob, Job
from autocontour.contouring import box_of, mask_from_contours
from autocontour.dicom.ct import read_ct
from autocontour.dicom.dose import read_dose
from autocontour.dicom.protocol import read_protocol
from autocontour.models.data.fingerprint import ct_fingerprint
from autocontour.patient.structures import Contours, GenerationAlgorithm, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import contour_ct
from autocontour.qa.commissioning.study.atlas import AtlasMethod
from autocontour.qa.commissioning.study.cohort import LeftOut, StudyPatient
from autocontour.qa.commissioning.study.compare import compare_structure
from autocontour.qa.commissioning.study.methods import Method
from autocontour.qa.commissioning.study.request import REFERENCE, StudyRequest
from autocontour.qa.commissioning.study.tolerances import Tolerances
from autocontour.qa.dose import compute_dose
from autocontour.qa.metrics import MM3_PER_CC

LAYOUT = 5
"""Changed whenever the same input gives another record, so that nothing is reused."""
PATIENTS = "patients"
DANGLING = "AC-DS-034"
CHANGED = frozenset(
    {"AC-RS-028", "AC-RS-029", "AC-RS-030", "AC-RS-031", "AC-RS-032", "AC-RS-033", "AC-RS-034", "AC-RS-035",
     "AC-RS-036", "AC-RS-047"}
)  # fmt: skip
"""Findings of reading a structure after which its contours on the CT may not be those of the file."""
MOVED = "AC-RS-029"
"""Contours between the slices, which are read on the nearest one."""


@dataclass(frozen=True, eq=False)
class Settings:
    """What the results of every patient depend on."""

    request: StudyRequest
    names: NameMap
    tolerances: Tolerances
    methods: list[Method | AtlasMethod]

    def fingerprint(self, patient: StudyPatient) -> str:
        """Return a hash of everything that the record of a patient depends on."""
        own_names = sorted({own for drawn in patient.sets.values() for own in drawn.structures})
        request = self.request
        inputs = (
            LAYOUT, __version__, patient.name, request.device, sorted(request.structures),
            [(s.sop_instance_uid, s.size, s.modified_ns) for s in patient.series.slices],
            hashlib.sha256(patient.dose.read_bytes()).hexdigest() if patient.dose else "",
            [(role, drawn.name, drawn.checksum) for role, drawn in sorted(patient.sets.items())],
            [(own, self.names.find(own)) for own in own_names],
            request.observer_names, [role.name for role in request.others], request.with_dangling,
            [(method.name, method.identity, sorted(method.offered)) for method in self.methods], self.tolerances,
        )  # fmt: skip
        return hashlib.sha256(repr(inputs).encode("utf-8", "surrogateescape")).hexdigest()


def measure_patient(
    patient: StudyPatient, settings: Settings, output: Path, left_out: list[LeftOut], job: Job
) -> dict[str, Any]:
    """Return the record of a patient: the stored one if nothing has changed, else a new one, which is stored.

    Parameters
    ----------
    patient, settings
        What is measured, and how.
    output
        Folder of the report.
    left_out
        Extended by what was left out before an error made the whole patient unusable; else the record states it.
    job
        May cancel.

    Raises
    ------
    AutoContourError
        If the CT or the reference cannot be used.
    """
    fingerprint = settings.fingerprint(patient)
    path = output / PATIENTS / f"{patient.name}.json"
    if (stored := read_record(path, fingerprint)) is not None:
        return stored
    measurement = _Measurement(patient, settings, job)
    try:
        record, contours = measurement.run()
    except Cancelled:
        raise
    except AutoContourError:
        left_out += measurement.left_out
        raise
    record = {"fingerprint": fingerprint, **record}
    content = gzip.compress(json.dumps(_as_text(contours)).encode(), mtime=0)
    write_atomically(contours_path(output, patient.name), content)
    write_atomically(path, json.dumps(record, indent=0).encode())
    return record


def contours_path(output: Path, patient: str) -> Path:
    """Return the file of a patient's contours."""
    return output / PATIENTS / f"{patient}.contours.json.gz"


def read_record(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Return the stored record of a patient; None if there is none with this fingerprint."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("fingerprint") != fingerprint:
        return None
    return record if contours_path(path.parent.parent, path.stem).is_file() else None


def read_contours(output: Path, patient: str) -> dict[str, dict[str, Contours]]:
    """Return set or method → structure → contours."""
    plain = json.loads(gzip.decompress(contours_path(output, patient).read_bytes()))
    return {
        role: {name: {int(k): _read_polygons(wkb) for k, wkb in mine.items()} for name, mine in structures.items()}
        for role, structures in plain.items()
    }


def _read_polygons(wkb: str) -> shapely.MultiPolygon:
    shape = shapely.from_wkb(bytes.fromhex(wkb))
    assert isinstance(shape, shapely.MultiPolygon)  # as it was written
    return shape


def _as_text(drawn: Mapping[str, Mapping[str, Contours]]) -> dict[str, Any]:
    return {
        role: {name: {k: shapely.to_wkb(p).hex() for k, p in mine.items()} for name, mine in structures.items()}
        for role, structures in drawn.items()
    }


class _Measurement:
    """One patient; see `measure_patient`."""

    def __init__(self, patient: StudyPatient, settings: Settings, job: Job) -> None:
        self.patient, self.settings, self.job = patient, settings, job
        self.drawn: dict[str, dict[str, Contours]] = {}
        self.left_out: list[LeftOut] = []
        self.remarks: list[LeftOut] = []
        self.moved: dict[tuple[str, str], set[str]] = {}
        self.ambiguous: dict[str, set[str]] = {}
        self.findings: dict[str, dict[str, list[str]]] = {}
        self.seconds: dict[str, float] = {}
        self.trained: list[str] = []
        self.atlases: dict[str, list[str]] = {}

    def run(self) -> tuple[dict[str, Any], dict[str, dict[str, Contours]]]:
        ct = read_ct(self.patient.series, InnerJob(self.job))
        self.remarks += [LeftOut(self.patient.name, "CT", one) for one in ct.findings if one.severity > Severity.INFO]
        self._read_manual(ct, REFERENCE)
        names = sorted(self.drawn[REFERENCE])
        for observer in self.settings.request.observer_names:
            self._try(ct, observer, is_manual=True)
            self._note_not_drawn(observer)
        for role in self.settings.request.others:
            self._try(ct, role.name, is_manual=False)
        self._find_leaks(ct)
        for method in self.settings.methods:
            self._contour(ct, method, names)
        rows, kappas = self._compare(ct, names)
        if self._leave_out_displaced(rows):
            rows, kappas = self._compare(ct, names)  # kappa and consensus are of all observers together
        self._check_sets(rows)
        doses = self._doses(ct, names)
        return {**self._record(ct, rows, kappas), "dose": doses}, self.drawn

    def _compare(self, ct: CTVolume, names: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """Return the rows of all comparisons, and structure → kappa of the manual sets."""
        rows: list[dict[str, Any]] = []
        kappas = {}
        for name in names:
            mine, kappa = compare_structure(
                name, self.drawn, self._observers(), self._methods(name), ct.geometry, self.settings.tolerances
            )
            rows += mine
            if kappa is not None:
                kappas[name] = kappa
        self._compare_places(rows)
        return rows, kappas

    def _find_leaks(self, ct: CTVolume) -> None:
        """Leave out the methods that were trained on this CT: their figures would be too good."""
        lists = {method.name: method.trained_on for method in self.settings.methods}
        if not any(lists.values()):
            return
        own = ct_fingerprint(ct.hu, ct.geometry.spacing_zyx_mm)
        self.trained = [name for name, known in lists.items() if own in known]
        for name in self.trained:
            self._leave_out(name, Finding.of("AC-QA-320", method=name))

    def _doses(self, ct: CTVolume, names: list[str]) -> dict[str, Any]:
        """Return structure → set → dose figures; a structure that is not wholly inside the dose grid has none."""
        if self.patient.dose is None:
            return {}
        grid = read_dose(self.patient.dose)
        voxel_cc = math.prod(ct.geometry.spacing_zyx_mm) / MM3_PER_CC
        found: dict[str, Any] = {}
        for name in names:
            for role, structures in self.drawn.items():
                contours = structures.get(name)
                box = box_of(contours, ct.geometry) if contours else None
                if contours is None or box is None:
                    continue
                values = grid.sample(ct.geometry, box)[mask_from_contours(contours, ct.geometry, box)]
                outside = int(np.isnan(values).sum())
                if outside:
                    percent = 100 * outside / len(values)
                    finding = Finding.of("AC-QA-084", name, structure=name, percent=percent)
                    self.remarks.append(LeftOut(self.patient.name, role, finding))
                if figures := compute_dose(values, voxel_cc):
                    found.setdefault(name, {})[role] = figures.to_json()
        return found

    def _observers(self) -> list[str]:
        return [one for one in self.settings.request.observer_names if one in self.drawn]

    def _methods(self, name: str) -> list[str]:
        """Return the methods that must have a structure: without it they have failed."""
        others = [role.name for role in self.settings.request.others]
        sets = [one for one in others if one in self.drawn and name not in self.ambiguous.get(one, ())]
        methods = [method.name for method in self.settings.methods if name in method.offered]
        return [*sets, *(one for one in methods if one not in self.trained)]

    def _leave_out(self, subject: str, finding: Finding) -> None:
        self.left_out.append(LeftOut(self.patient.name, subject, finding))

    def _read_set(self, ct: CTVolume, role: str) -> StructureSet:
        """Read a set.

        Raises
        ------
        AutoContourError
            If it belongs to another patient or CT.
        """
        found, _ = self.patient.sets[role].read(ct)
        for finding in check_origin(ct, found):
            if finding.code != DANGLING or not self.settings.request.with_dangling:
                raise DatasetError(finding.code)
            self.remarks.append(LeftOut(self.patient.name, role, Finding.of("AC-QA-086", set=role)))
        self._note_unconfirmed(role, found)
        return found

    def _note_unconfirmed(self, role: str, found: StructureSet) -> None:
        names = self.settings.names
        if waiting := [name for name in found.names if names.is_waiting(name)]:
            self._leave_out(role, Finding.of("AC-DS-028", count=len(waiting)))

    def _read_manual(self, ct: CTVolume, role: str) -> None:
        """Read a manual set; structures that would be wrong labels are left out."""
        found = self._read_set(ct, role)
        wanted = frozenset(self.settings.request.structures)
        origins = dict.fromkeys(found.names, role)
        reviewed = review_structures(ct, found, origins, self.settings.names, wanted, Decisions(), self.patient.name)
        for name in empty_targets(found, self.settings.names, wanted):
            self.remarks.append(
                LeftOut(self.patient.name, role, Finding.of("AC-QA-085", name, structure=name, set=role))
            )
        kept = by_target(found, self.settings.names, wanted)
        self._note_reading(role, {name: mine for name, mine in kept.items() if name not in reviewed.set_aside})
        for name in reviewed.set_aside:
            self._leave_out(role, Finding.of("AC-QA-065", name, structure=name, codes=reviewed.reason(name)))
        self.drawn[role] = {one.name: one.contours for one in reviewed.structures.structures}
        if not self.drawn[role]:
            del self.drawn[role]
            raise DatasetError("AC-DS-037")
        if role == REFERENCE and all(one.generation is GenerationAlgorithm.AUTOMATIC for one in found.structures):
            self.remarks.append(LeftOut(self.patient.name, role, Finding.of("AC-QA-067")))

    def _try(self, ct: CTVolume, role: str, *, is_manual: bool) -> None:
        """Read a set that is not the reference; without it the patient still counts."""
        if role not in self.patient.sets:
            self._leave_out(role, Finding.of("AC-QA-066", set=role))
            return
        try:
            if is_manual:
                self._read_manual(ct, role)
            else:
                self._read_other(ct, role)
        except Cancelled:
            raise
        except AutoContourError as error:
            self._leave_out(role, as_finding(error))

    def _note_not_drawn(self, observer: str) -> None:
        """Note the organs of the reference that another observer did not draw and for which no other reason is listed.

        They are no failures: the figures between observers are of fewer patients.
        """
        if observer not in self.drawn:
            return
        stated = {one.finding.where for one in (*self.left_out, *self.remarks) if one.subject == observer}
        missing = sorted(self.drawn[REFERENCE].keys() - self.drawn[observer].keys() - stated)
        if missing:
            finding = Finding.of("AC-QA-092", set=observer, missing=", ".join(missing))
            self.remarks.append(LeftOut(self.patient.name, observer, finding))

    def _read_other(self, ct: CTVolume, role: str) -> None:
        """Read another program's set; whatever it drew counts, wrong labels too."""
        found = self._read_set(ct, role)
        targets = by_target(found, self.settings.names, frozenset(self.settings.request.structures))
        self._note_reading(role, targets)
        self.drawn[role] = {name: mine[0].contours for name, mine in targets.items() if len(mine) == 1}
        self.ambiguous[role] = {name for name, mine in targets.items() if len(mine) > 1}
        for name in sorted(self.ambiguous[role]):
            self._leave_out(role, Finding.of("AC-DS-050", name, structure=name, count=len(targets[name])))
        elsewhere = {self.settings.names.find(one.name) for one in found.structures if is_in_other_frame(one)}
        for name in sorted(name for name in elsewhere if name and name not in targets):
            self.ambiguous[role].add(name)  # where it would lie on this CT is not known: no failure
            self._leave_out(role, Finding.of("AC-QA-090", name, structure=name, set=role))
        self._note_unnamed(role, found)

    def _note_unnamed(self, role: str, found: StructureSet) -> None:
        """Note that an organ that counts as not drawn may be one of the structures without a name in the study."""
        missing = sorted(self.drawn[REFERENCE].keys() - self.drawn[role].keys() - self.ambiguous[role])
        unnamed = sum(bool(one.contours) and not self.settings.names.find(one.name) for one in found.structures)
        if missing and unnamed:
            finding = Finding.of("AC-QA-091", set=role, missing=", ".join(missing), count=unnamed)
            self.remarks.append(LeftOut(self.patient.name, role, finding))

    def _note_reading(self, role: str, targets: Mapping[str, Sequence[Structure]]) -> None:
        """Note the structures of which reading gave findings: part of them may lie outside the CT."""
        for name, mine in sorted(targets.items()):
            self.moved[role, name] = {one.message for each in mine for one in each.findings if one.code == MOVED}
            read = {finding.code for one in mine for finding in one.findings if finding.severity > Severity.INFO}
            if codes := ", ".join(sorted(read & CHANGED)):
                finding = Finding.of("AC-QA-089", name, structure=name, set=role, codes=codes)
                self.remarks.append(LeftOut(self.patient.name, role, finding))

    def _contour(self, ct: CTVolume, method: Method | AtlasMethod, names: list[str]) -> None:
        """Run a method; a refusal counts as a failure for every structure that it offers."""
        wanted = [name for name in names if name in method.offered]
        self.drawn[method.name] = {}
        if not wanted or method.name in self.trained:
            return
        if isinstance(method, AtlasMethod):
            found = method.draw(ct, self.patient.series, wanted, InnerJob(self.job))
            self.drawn[method.name], self.seconds[method.name] = found.contours, round(found.seconds, 2)
            self.atlases = {"used": list(found.used), "same_patient": list(found.same_patient)}
            return
        try:
            plan = method.plan_for(wanted)
            outcome = contour_ct(ct, plan, device=self.settings.request.device, job=InnerJob(self.job))
        except Cancelled:
            raise
        except AutoContourError as error:
            self.remarks.append(LeftOut(self.patient.name, method.name, as_finding(error)))
            return
        known = set(ct.findings)
        self.remarks += [
            LeftOut(self.patient.name, method.name, one)
            for one in outcome.structure_set.findings
            if one not in known and one.severity > Severity.INFO
        ]
        drawn = {one.tg263_name: one for one in reversed(outcome.structure_set.structures)}
        self.drawn[method.name] = {name: drawn[name].contours for name in wanted if name in drawn}
        self.findings[method.name] = {
            name: [one.code for one in drawn[name].findings if one.severity > Severity.INFO]
            for name in wanted
            if name in drawn
        }
        self.seconds[method.name] = round(sum(outcome.seconds.values()), 2)

    def _compare_places(self, rows: list[dict[str, Any]]) -> None:
        """Call contours that lay elsewhere before they were read on the slices no copies of each other."""
        for row in rows:
            first, second = (self.moved.get((row[side], row["structure"]), set()) for side in ("a", "b"))
            row["identical"] = row["identical"] and first == second

    def _leave_out_displaced(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Leave out the observers whose sets lie nowhere on the reference; return whether there is one."""
        displaced = [role for role in self._observers() if _is_displaced(_drawn_rows(rows, role))]
        for role in displaced:
            del self.drawn[role]
            self._leave_out(role, Finding.of("AC-QA-068", set=role, severity=Severity.BLOCK))
        return bool(displaced)

    def _check_sets(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note sets that are copies of the reference, as a whole or in part, or lie nowhere on it."""
        others = [role.name for role in self.settings.request.others]
        methods = [method.name for method in self.settings.methods]
        for role in [*self._observers(), *others, *methods]:
            mine = _drawn_rows(rows, role)
            same = [row["structure"] for row in mine if row["identical"]]
            if role in others and _is_displaced(mine):
                self.remarks.append(LeftOut(self.patient.name, role, Finding.of("AC-QA-068", set=role)))
            if same and len(same) == len(mine) and role not in methods:
                self.remarks.append(LeftOut(self.patient.name, role, Finding.of("AC-QA-069", set=role)))
            elif same and role not in self._observers():
                finding = Finding.of("AC-QA-094", structures=", ".join(same), set=role)
                self.remarks.append(LeftOut(self.patient.name, role, finding))

    def _record(self, ct: CTVolume, rows: list[dict[str, Any]], kappas: dict[str, float]) -> dict[str, Any]:
        extra = {
            role: sorted(set(mine) - set(self.drawn[REFERENCE]))
            for role, mine in self.drawn.items()
            if set(mine) - set(self.drawn[REFERENCE])
        }
        return {
            "patient": self.patient.name,
            "ct_hash": hash_ct(ct),
            "shape_zyx": list(ct.hu.shape),
            "spacing_zyx_mm": [round(step, 4) for step in ct.geometry.spacing_zyx_mm],
            "evenly_spaced": bool(ct.geometry.is_evenly_spaced),
            "protocol": read_protocol(self.patient.series.slices[0].path),
            "sets": {role: self.patient.sets[role].checksum for role in sorted(self.patient.sets)},
            "drawn": {role: sorted(mine) for role, mine in self.drawn.items()},
            "without_reference": extra,
            "findings": self.findings,
            "seconds": self.seconds,
            "atlases": self.atlases,
            "kappa": kappas,
            "left_out": [one.to_json() for one in self.left_out],
            "remarks": [one.to_json() for one in self.remarks],
            "rows": rows,
        }


def _drawn_rows(rows: Sequence[Mapping[str, Any]], role: str) -> list[Mapping[str, Any]]:
    """Return the comparisons of a set with the reference, of the structures that it has."""
    return [row for row in rows if (row["a"], row["b"]) == (REFERENCE, role) and not row["missing"]]


def _is_displaced(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are structures, and none of them overlaps with the reference."""
    return bool(rows) and not any(row["dsc"] for row in rows)

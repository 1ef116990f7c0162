"""The phases of a 4D CT contoured from one of them, and internal target volumes as their union."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import MultiPolygon

from autocontour import __version__
from autocontour.base.errors import CourseError
from autocontour.base.files import shown_path
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import volume_cc
from autocontour.course.choice import read_table
from autocontour.course.intake import IDENTITY
from autocontour.course.link import Prepared, deform, prepare
from autocontour.course.methods import PROPAGATION, proposal, trust_findings
from autocontour.course.record import sha256_of
from autocontour.dicom.content import read_attributes
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import Series, planning_cts, scan_folder
from autocontour.dicom.series import check_new_folder
from autocontour.edits.slicewise import Boolean, combined
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Contours, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import contour_ct
from autocontour.pipeline.plan import build_plan
from autocontour.registration.propagate import measure_trust, propagate_contours
from autocontour.registration.rigid import Rigid
from autocontour.rtstruct import read_structure_set, write_structure_set

BY_RULES = ("External", "Lung_L", "Lung_R")
LABEL = "4D"


@dataclass(frozen=True)
class PhaseRequest:
    """Input and output.

    Attributes
    ----------
    source
        Folder of the phases: CT series of one frame of reference.
    output
        New folder: a structure set for every phase, with the ITVs in that of the phase with contours.
    start
        Name of the phase with contours; the first if empty.
    structures
        Its RTSTRUCT; None to draw by rules.
    names
        Only these structures.
    itv
        Structures that are united over the phases, as ``ITV_NAME``.
    accepted
        Codes of blocking findings that the user accepts.
    """

    source: Path
    output: Path
    start: str = ""
    structures: Path | None = None
    names: tuple[str, ...] = ()
    itv: tuple[str, ...] = ()
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Phase:
    """A contoured phase."""

    name: str
    output: Path
    volumes_cc: Mapping[str, float]
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "phase": self.name,
            "output": str(self.output),
            "volumes_cc": {name: round(cc, 3) for name, cc in self.volumes_cc.items()},
            "findings": [finding.to_json() for finding in self.findings],
        }


def contour_phases(request: PhaseRequest, job: Job) -> list[Phase]:
    """Contour every phase from one of them and write a structure set for each.

    Raises
    ------
    CourseError
        ``AC-CO-080`` to ``AC-CO-086``; then nothing is written.
    """
    check_new_folder(request.output)
    phases = _find_phases(request, job)
    start = _choose_start(phases, request.start)
    first = prepare(read_ct(phases[start], job, request.accepted), job)
    base = _contours_of(first.ct, start, request, job)
    drawn = {start: base}
    cts = {start: first.ct}
    for name, series in phases.items():
        if name != start:
            later = prepare(read_ct(series, job, request.accepted), job)
            cts[name] = later.ct
            drawn[name] = list(_propagate(base, first, later, request, job))
    drawn[start] = [*base, *(_unite(one, drawn, start, cts) for one in request.itv)]
    return [_write(request.output, name, cts[name], drawn[name], job) for name in phases]


def phase_name(series: Series) -> str:
    """Return the phase in percent from the Series Description, such as ``50`` of ``50.0%``; else the description."""
    text = series.description
    found = re.search(r"(\d{1,3})(?:\.\d+)?\s*%", text) or re.search(r"\b[TP]?(\d{1,3})\b", text)
    return f"{int(found[1]):02d}" if found else text


def _find_phases(request: PhaseRequest, job: Job) -> dict[str, Series]:
    found = planning_cts(scan_folder(request.source, job))
    frames = [series.frame_of_reference_uid for series in found]
    largest = max(frames, key=frames.count, default="")
    chosen = [series for series in found if series.frame_of_reference_uid == largest and largest]
    if len(chosen) < 2:
        raise CourseError("AC-CO-080", count=len(chosen))
    mine = read_attributes(chosen[0], IDENTITY)
    for series in chosen[1:]:
        theirs = read_attributes(series, IDENTITY)
        if differing := [keyword for keyword in IDENTITY if mine[keyword] != theirs[keyword]]:
            raise CourseError("AC-CO-085", attributes=", ".join(differing))
    names = [phase_name(series) for series in chosen]
    if len(set(names)) < len(names):
        names = [f"{place:02d}" for place in range(len(chosen))]
    return dict(sorted(zip(names, chosen, strict=True)))


def _choose_start(phases: Mapping[str, Series], wanted: str) -> str:
    if not wanted:
        return next(iter(phases))
    if wanted not in phases:
        raise CourseError("AC-CO-081", phase=wanted, known=", ".join(phases))
    return wanted


def _contours_of(ct: CTVolume, phase: str, request: PhaseRequest, job: Job) -> list[Structure]:
    """Return the contours of the first phase: from its structure set, or by rules."""
    if request.structures is not None:
        structures = read_structure_set(request.structures, ct).structures
    else:
        structures = contour_ct(ct, build_plan(None, BY_RULES), job=job).structure_set.structures
    chosen = [one for one in structures if one.contours and (not request.names or one.name in request.names)]
    if not chosen:
        raise CourseError("AC-CO-082", phase=phase)
    for name in request.itv:
        if name not in {one.name for one in chosen}:
            raise CourseError("AC-CO-083", structure=name, phase=phase)
    return chosen


def _propagate(
    base: Sequence[Structure], first: Prepared, later: Prepared, request: PhaseRequest, job: Job
) -> Iterator[Structure]:
    deformation = deform(later, first, Rigid.identity(), job)
    table = read_table()
    checksum = sha256_of(request.structures) if request.structures else ""
    provenance = Provenance(PROPAGATION, __version__, checksum)
    before, after = first.ct.geometry, later.ct.geometry
    for structure in base:
        contours = propagate_contours(structure.contours, before, after, deformation)
        if contours:
            trust = measure_trust(structure.contours, contours, before, after, deformation)
            yield proposal(structure, contours, provenance, tuple(trust_findings(structure, trust, table)))


def _unite(name: str, drawn: Mapping[str, Sequence[Structure]], start: str, cts: Mapping[str, CTVolume]) -> Structure:
    """Return the union of a structure over all phases, on the slices of the first; refuse a phase without it."""
    united: Contours = {}
    source = next(one for one in drawn[start] if one.name == name)
    for phase, structures in drawn.items():
        mine = next((one for one in structures if one.name == name), None)
        if mine is None:
            raise CourseError("AC-CO-086", structure=name, phase=phase)
        there, here = cts[phase].geometry, cts[start].geometry
        contours = mine.contours
        if phase != start and not _same_grid(cts[phase], cts[start]):
            contours = propagate_contours(contours, there, here, Rigid.identity())
        united = combined(united, contours, Boolean.UNION) if united else dict(contours)
    number = 1 + max(one.number for one in drawn[start])
    finding = Finding.of("AC-CO-084", f"ITV_{name}", structure=f"ITV_{name}", count=len(drawn))
    base = Structure(f"ITV_{name}", number, {}, interpreted_type="CTV", color_rgb=source.color_rgb)
    return proposal(base, _sorted(united), Provenance(PROPAGATION, __version__), (finding,))


def _same_grid(a: CTVolume, b: CTVolume) -> bool:
    same = a.geometry.shape_zyx == b.geometry.shape_zyx
    return same and bool(abs(a.geometry.slice_origins_lps_mm - b.geometry.slice_origins_lps_mm).max() < 1e-3)


def _sorted(contours: Mapping[int, MultiPolygon]) -> dict[int, MultiPolygon]:
    return dict(sorted(contours.items()))


def _write(folder: Path, name: str, ct: CTVolume, structures: Sequence[Structure], job: Job) -> Phase:
    reference = ct.reference
    assert reference is not None  # from DICOM files
    label = f"{LABEL} {name}"[:16]
    whole = StructureSet(
        label, tuple(structures), reference.series_instance_uid, reference.frame_of_reference_uid, ct.findings
    )
    output = folder / f"RS_{shown_path(Path(re.sub(r'[^0-9A-Za-z_-]', '_', name)))}.dcm"
    write_structure_set(whole, ct, output, job=job)
    volumes = {one.name: volume_cc(one.contours, ct.geometry) for one in structures}
    return Phase(name, output, volumes, tuple(finding for one in structures for finding in one.findings))

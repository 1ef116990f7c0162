"""A structure of a structure set whose other slices follow the corrected ones, written as a new structure set."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autocontour import __version__
from autocontour.base.errors import FollowError, OutputError, UsageError
from autocontour.base.files import refuse_inputs, shown_path
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import interpolate_contours
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.matching import folded_name
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import (
    Contours,
    GenerationAlgorithm,
    ReviewStatus,
    SliceChanges,
    Structure,
    StructureSet,
)
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.sources import choose_series

if TYPE_CHECKING:
    from shapely import MultiPolygon

    from autocontour.models.follow.follow import Followed

ALGORITHM = "autocontour follow"
SAME_MM2 = 1.0
OTHER_PATIENT, SAME_NAME = "AC-RS-012", "AC-RS-038"
OF_CHANGES = ("AC-FO-010", "AC-FO-014", "AC-FO-016")
"""Findings about slices that the proposal changes; they would mislead where it is not carried out."""
NEAR_MM = 0.1
"""A position names a slice that is at most this far away: it is rounded, but on slices of 1 mm it names only one."""


@dataclass(frozen=True)
class FollowRequest:
    """Input and output of `follow_file`.

    Attributes
    ----------
    ct, structures, output
        Folder of the CT, the RTSTRUCT with the corrected slices, and the RTSTRUCT to write.
    name
        Of the structure.
    corrected_mm
        Positions of the corrected slices along the patient's z.
    automatic
        RTSTRUCT with the contours before the correction; None to use the other slices of `structures`.
    nothing
        Whether the other slices of the structure are ignored: the structure is drawn from the corrected slices alone.
    series, accepted
        As of `autocontour.pipeline.request.Request`.
    ends
        Whether the outermost corrected slices with a contour are the structure's first and last one.
    """

    ct: Path
    structures: Path
    output: Path
    name: str
    corrected_mm: tuple[float, ...]
    automatic: Path | None = None
    nothing: bool = False
    series: str | None = None
    accepted: frozenset[str] = frozenset()
    ends: bool = False


@dataclass(frozen=True)
class FollowReport:
    """What was written.

    Attributes
    ----------
    output
        The file.
    structure
        Name of the structure.
    changed
        One entry of each slice that changed, with its position, how far its outline moved, and whether the structure
        is on it before and after.
    findings
        Findings about the proposal.
    is_likely
        Whether the proposal is expected to be better than the contours before it; if not, nothing was changed.
    seconds
        Stage → wall-clock seconds.
    """

    output: Path
    structure: str
    corrected: tuple[int, ...]
    changed: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    is_likely: bool
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "output": str(self.output),
            "structure": self.structure,
            "corrected_slices": list(self.corrected),
            "changed_slices": [dict(one) for one in self.changed],
            "likely_to_help": self.is_likely,
            "findings": [finding.to_json() for finding in self.findings],
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
        }


def follow_file(request: FollowRequest, job: Job) -> FollowReport:
    """Follow the corrected slices of a structure and write a new structure set; the sources are not changed.

    Raises
    ------
    FollowError
        ``AC-FO-020`` for a position without a slice, ``AC-FO-021`` for a structure that is missing, ``AC-FO-022`` if
        its contours cannot be read completely, ``AC-FO-024`` for a structure set of another patient, ``AC-FO-025`` for
        a name that several structures have, or the errors of `autocontour.models.follow.follow.follow_slices`.
    """
    scanned = scan_folder(request.ct, job)
    files = scanned[0].known if scanned else ()
    sources = [one for one in (request.structures, request.automatic) if one is not None]
    _check_output(request.output, [*files, *sources])
    start = time.perf_counter()
    ct = read_ct(choose_series(planning_cts(scanned), request.series), job, request.accepted)
    from autocontour.rtstruct import write_structure_set

    structure_set = _read_set(request.structures, ct, request.accepted)
    structure = find_structure(structure_set, request.name)
    slices = find_slices(ct.geometry, request.corrected_mm)
    first, noticed = None, _warnings(structure_set, structure)
    if request.automatic is not None:
        automatic_set = _read_set(request.automatic, ct, request.accepted)
        automatic = find_structure(automatic_set, request.name)
        first, noticed = automatic.contours, [*noticed, *_warnings(automatic_set, automatic)]
    elif not request.nothing:
        first = without_corrections(structure.contours, slices, ct.geometry)
    read = time.perf_counter()
    followed, result = follow_structure(ct, structure, slices, first, ends=request.ends)
    done = time.perf_counter()
    structures = tuple(result if one is structure else one for one in structure_set.structures)
    write_structure_set(replace(structure_set, structures=structures), ct, request.output, job=job)
    seconds = {"reading": read - start, "following": done - read, "writing": time.perf_counter() - done}
    changed = tuple(_changes(ct.geometry, structure, followed)) if followed.is_likely else ()
    return FollowReport(
        request.output,
        structure.name,
        tuple(slices),
        changed,
        (*dict.fromkeys(noticed), *followed.findings),
        followed.is_likely,
        seconds,
    )


def _read_set(path: Path, ct: CTVolume, accepted: frozenset[str]) -> StructureSet:
    """Read a structure set; one of another patient than the CT only if that is accepted."""
    from autocontour.rtstruct import read_structure_set

    found = read_structure_set(path, ct)
    for finding in found.findings:
        if finding.code == OTHER_PATIENT and "AC-FO-024" not in accepted:
            attributes = str(dict(finding.values)["attributes"])
            raise FollowError("AC-FO-024", file=shown_path(path), attributes=attributes)
    return found


def _warnings(structure_set: StructureSet, structure: Structure) -> list[Finding]:
    """Return what was found in reading that concerns the set or the structure, such as contours off the slices."""
    of_structure = (replace(finding, where=structure.name) for finding in structure.findings)
    return [one for one in (*structure_set.findings, *of_structure) if one.severity >= Severity.WARN]


def follow_structure(
    ct: CTVolume,
    structure: Structure,
    slices: Sequence[int],
    automatic: Contours | None,
    *,
    ends: bool = False,
) -> tuple[Followed, Structure]:
    """Return the proposal for a structure, and the structure with it, not approved.

    Parameters
    ----------
    ct
        The CT.
    structure
        With the corrected contours.
    slices
        Indices of the corrected slices; one without a contour is a slice that the structure is not on.
    automatic
        The contours before the correction; None if there are none.
    ends
        Whether the outermost corrected slices with a contour are the structure's first and last one.
    """
    from autocontour.models.follow.follow import follow_slices, prepare_scan
    from autocontour.models.follow.network import open_network

    corrected = {k: structure.contours.get(k) for k in slices}
    network = open_network()
    source = network.source
    followed = follow_slices(prepare_scan(ct), corrected, automatic, network, source.decision, source.blend, ends=ends)
    if not followed.is_likely:
        followed = replace(followed, findings=tuple(one for one in followed.findings if one.code not in OF_CHANGES))
    provenance = Provenance(ALGORITHM, __version__, source.checksum, network.device)
    changes = dict(followed.changes) if followed.is_likely else {}
    if automatic is None:
        others = structure.contours.keys() - set(slices) - changes.keys()
        unnamed: SliceChanges = dict.fromkeys(sorted(others)) if followed.is_likely else {}
    else:
        unnamed = _differing(structure.contours, automatic, slices)
    if unnamed:
        code = "AC-FO-026" if automatic is None else "AC-FO-023"
        finding = Finding.of(code, structure.name, unnamed, count=len(unnamed))
        followed = replace(followed, findings=(*followed.findings, finding))
    return followed, with_changes(structure, {**unnamed, **changes}, followed, provenance)


def with_changes(
    structure: Structure, changes: SliceChanges, followed: Followed, provenance: Provenance | None = None
) -> Structure:
    """Return a structure with proposed slices; the others keep their contours as they were read."""
    if not changes:
        return replace(structure, findings=(*structure.findings, *followed.findings))
    contours = {k: shape for k, shape in structure.contours.items() if k not in changes}
    contours.update({k: shape for k, shape in changes.items() if shape is not None})
    return replace(
        structure,
        contours=dict(sorted(contours.items())),
        imported={k: items for k, items in structure.imported.items() if k not in changes},
        generation=GenerationAlgorithm.SEMIAUTOMATIC,
        provenance=provenance,
        status=ReviewStatus.EDITED,
        findings=(*structure.findings, *followed.findings),
        reviewer="",
        reviewed_at=None,
    )


def find_structure(structure_set: StructureSet, name: str) -> Structure:
    """Return the structure of that name, ignoring case; raises ``AC-FO-021``, ``AC-FO-022``, ``AC-FO-025``."""
    found = [one for one in structure_set.structures if one.name == name]
    found = found or [one for one in structure_set.structures if folded_name(one.name) == folded_name(name)]
    if len(found) != 1:
        raise FollowError("AC-FO-021", structure=name, known=", ".join(structure_set.names) or "-")
    alike = [one for one in structure_set.structures if one is found[0] or _was_named(one, found[0].name)]
    if len(alike) > 1:
        raise FollowError("AC-FO-025", structure=name, count=len(alike), known=", ".join(one.name for one in alike))
    damage = [one for one in (*found[0].findings, *structure_set.findings) if one.severity is Severity.BLOCK]
    if damage:
        raise FollowError("AC-FO-022", structure=name, reason=damage[0].message)
    return found[0]


def _was_named(structure: Structure, name: str) -> bool:
    """Whether a structure has another name in the file, which would be that of the other structure."""
    renamed = any(finding.code == SAME_NAME for finding in structure.findings)
    return renamed and folded_name(structure.name.rpartition("_")[0]) == folded_name(name)


def find_slices(geometry: VolumeGeometry, positions_mm: Sequence[float]) -> list[int]:
    """Return the slices at positions along the patient's z, sorted.

    Raises
    ------
    FollowError
        ``AC-FO-020`` if no slice is within `NEAR_MM` of a position.
    """
    known = geometry.slice_origins_lps_mm[:, 2]
    slices = set[int]()
    for position in positions_mm:
        nearest = int(np.abs(known - position).argmin())
        if not abs(known[nearest] - position) <= NEAR_MM:
            low, high = float(known.min()), float(known.max())
            raise FollowError("AC-FO-020", position=position, nearest=float(known[nearest]), low=low, high=high)
        slices.add(nearest)
    return sorted(slices)


def without_corrections(contours: Contours, slices: Sequence[int], geometry: VolumeGeometry) -> Contours | None:
    """Return automatic contours whose corrected slices are interpolated between their neighbours.

    A corrected slice without automatic ones on both sides keeps its corrected contour. None if no other slice has one.
    """
    others = {k: shape for k, shape in contours.items() if k not in slices}
    if not others:
        return None
    filled = {k: shape for k, shape in interpolate_contours(others, geometry).items() if k in others or k in slices}
    return {**{k: contours[k] for k in slices if k in contours}, **filled}


def _differing(contours: Contours, automatic: Contours, corrected: Sequence[int]) -> SliceChanges:
    """Return the automatic contours of the slices that differ from them and are not among the corrected ones."""
    others = {*contours, *automatic}.difference(corrected)
    return {k: automatic.get(k) for k in sorted(others) if _differ(contours.get(k), automatic.get(k))}


def _differ(one: MultiPolygon | None, other: MultiPolygon | None) -> bool:
    if one is None or other is None:
        return one is not other
    return bool(one.symmetric_difference(other).area > SAME_MM2)


def _check_output(output: Path, inputs: Sequence[Path]) -> None:
    if output.is_dir():
        raise UsageError("AC-US-033", file=shown_path(output))
    refuse_inputs(output, inputs)
    if output.exists():
        raise OutputError("AC-OUT-002", file=shown_path(output))


def _changes(geometry: VolumeGeometry, structure: Structure, followed: Followed) -> list[dict[str, Any]]:
    return [
        {
            "slice": k,
            "z_mm": round(float(geometry.slice_origins_lps_mm[k, 2]), 3),
            "moved_mm": followed.moved_mm[k],
            "before": k in structure.contours,
            "after": shape is not None,
        }
        for k, shape in sorted(followed.changes.items())
    ]

"""Linking a later CT to the planning CT: registration, and the checks that it is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autocontour.base.errors import CourseError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import InnerJob, Job
from autocontour.contouring import mask_from_contours
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.registration.deformable import Deformation, register_deformable
from autocontour.registration.grid import Mask, Scan, sample_scan
from autocontour.registration.rigid import Match, Rigid, register_rigid
from autocontour.registration.values import difference_hu, with_values_of
from autocontour.rules import draw_structures

RIGID_MM, DEFORMABLE_MM = 4.0, 3.0
MOST_POINTS = 2.5e6
"""Largest grid for the deformable registration; larger bodies get a wider one."""
LEAST_CORRELATION, LEAST_BONE_DSC = 0.6, 0.56
"""Below either, the anatomy does not match (docs/experiments/course.md)."""
TURN_MARGIN = 0.02
"""A wrong orientation that fits better by this is refused; within it, the images do not show which one is right."""
RIVAL_MARGIN = 0.03
LARGEST_TURN_DEG = 20.0
LEAST_OVERLAP = 0.6
SAME_FRAME_MM = 10.0
CONE_BEAM_HU = 60.0
FOLDED_PERCENT = 0.1


@dataclass(frozen=True, eq=False)
class Prepared:
    """A CT with what registration needs of it.

    Attributes
    ----------
    ct
        The CT.
    external
        Contours of the patient's body.
    body
        The same as a mask on the CT's voxels.
    """

    ct: CTVolume
    external: Contours
    body: Mask


@dataclass(frozen=True, eq=False)
class Link:
    """A later CT's link to the planning CT.

    Attributes
    ----------
    rigid
        Takes points of the later CT to the planning CT.
    match
        Measures of the rigid registration.
    by_frame
        Whether both CTs share the frame of reference and the patient lies there.
    findings
        Of the checks; blocking ones that were accepted are warnings.
    deformation
        The rigid transform with the displacement.
    """

    rigid: Rigid
    match: Match
    by_frame: bool
    findings: tuple[Finding, ...]
    deformation: Deformation

    def to_json(self) -> dict[str, Any]:
        """Return transform and measures as plain JSON values."""
        match = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self.match).items()}
        return {"rigid": self.rigid.to_json(), "by_frame_of_reference": self.by_frame, "match": match}


def prepare(ct: CTVolume, job: Job) -> Prepared:
    """Find the patient's body, without couch and immobilisation.

    Raises
    ------
    CourseError
        ``AC-CO-025`` if there is none.
    """
    drawn = draw_structures(ct, ["External"], InnerJob(job)).get("External")
    if drawn is None:
        raise CourseError("AC-CO-025")
    return Prepared(ct, drawn.contours, mask_from_contours(drawn.contours, ct.geometry))


def link_cts(later: Prepared, planning: Prepared, job: Job, accepted: frozenset[str] = frozenset()) -> Link:
    """Register a later CT with the planning CT and check the registration.

    Raises
    ------
    CourseError
        ``AC-CO-020`` to ``AC-CO-024`` if the registration is not right and the code was not accepted.
    """
    job.advance("registering", 0.0)
    if later.ct.hu.shape == planning.ct.hu.shape and np.array_equal(later.ct.hu, planning.ct.hu):
        raise CourseError("AC-CO-020")
    scans = sample_scan(later.ct, later.body, RIGID_MM), sample_scan(planning.ct, planning.body, RIGID_MM)
    rigid, match = register_rigid(*scans)
    findings = list(_check_match(rigid, match))
    by_frame = _shares_frame(later.ct, planning.ct)
    if by_frame:
        mm = _distance_mm(rigid, scans[0])
        if mm > SAME_FRAME_MM:
            findings.append(Finding.of("AC-CO-027", mm=mm))
            by_frame = False
        else:
            rigid = Rigid.identity()
    refused = [one for one in findings if one.severity is Severity.BLOCK and one.code not in accepted]
    if refused:
        values: dict[str, Any] = dict(refused[0].values)
        raise CourseError(refused[0].code, **values)
    findings += _check_images(later.ct, planning.ct, scans, rigid)
    job.advance("registering", 1.0)
    deformation = deform(later, planning, rigid, job)
    folded = 100 * float((deformation.jacobian[deformation.measured] <= 0).mean())
    if folded > FOLDED_PERCENT:
        findings.append(Finding.of("AC-CO-030", percent=folded))
    return Link(rigid, match, by_frame, tuple(one.accept() for one in findings), deformation)


def deform(later: Prepared, planning: Prepared, rigid: Rigid, job: Job) -> Deformation:
    """Return the deformable registration of two CTs."""
    voxels = max(int(one.body.sum()) * one.ct.geometry.voxel_volume_mm3 for one in (later, planning))
    pixel = max(max(one.ct.geometry.pixel_spacing_vu_mm) for one in (later, planning))
    # A grid finer than the pixels costs time and adds nothing. The box holds about three times the body.
    spacing = max(DEFORMABLE_MM, pixel, (voxels * 3 / MOST_POINTS) ** (1 / 3))
    pair = sample_scan(later.ct, later.body, spacing), sample_scan(planning.ct, planning.body, spacing)
    return register_deformable(with_values_of(pair[1], pair[0], rigid), pair[1], rigid, job)


def _check_match(rigid: Rigid, match: Match) -> Iterator[Finding]:
    if match.turned > match.correlation + TURN_MARGIN:
        yield Finding.of("AC-CO-021", turn=match.turned_as, turned=match.turned, found=match.correlation)
    elif match.turned > match.correlation - TURN_MARGIN:
        yield Finding.of("AC-CO-031", turn=match.turned_as)
    if match.correlation < LEAST_CORRELATION or match.bone_dsc < LEAST_BONE_DSC:
        yield Finding.of("AC-CO-022", bones=match.bone_dsc, found=match.correlation)
    if match.rival > match.correlation - RIVAL_MARGIN:
        yield Finding.of("AC-CO-023", rival=match.rival, found=match.correlation)
    if rigid.angle_deg > LARGEST_TURN_DEG:
        yield Finding.of("AC-CO-024", degrees=rigid.angle_deg)
    if match.overlap < LEAST_OVERLAP:
        yield Finding.of("AC-CO-026", percent=100 * match.overlap)


def _check_images(later: CTVolume, planning: CTVolume, scans: tuple[Scan, Scan], rigid: Rigid) -> Iterator[Finding]:
    """Compare values and slices."""
    median = difference_hu(*scans, rigid)
    if median > CONE_BEAM_HU:
        yield Finding.of("AC-CO-028", hu=median)
    steps = later.geometry.slice_spacing_mm, planning.geometry.slice_spacing_mm
    if abs(steps[0] - steps[1]) > 0.01:
        yield Finding.of("AC-CO-029", later=steps[0], earlier=steps[1])


def _shares_frame(later: CTVolume, planning: CTVolume) -> bool:
    frames = [one.reference.frame_of_reference_uid if one.reference else "" for one in (later, planning)]
    return bool(frames[0]) and frames[0] == frames[1]


def _distance_mm(rigid: Rigid, scan: Scan) -> float:
    """Return the mean distance by which the transform moves the body."""
    points = scan.grid.points()[scan.body.ravel()][::53]
    return float(np.linalg.norm(rigid.pull(points) - points, axis=1).mean()) if len(points) else 0.0

"""The atlas: contoured patients registered with each patient, and their contours fused. The method to beat.

The nearest atlases are chosen by the correlation of the CTs after a shift, then registered (affine, demons), and their
contours are fused: by votes, by votes weighted with the local agreement of the images, or by STAPLE. An atlas of the
patient himself is never used.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from autocontour.archive.convert import hash_ct
from autocontour.archive.decisions import Decisions
from autocontour.archive.find import Archive, as_finding, find_archive
from autocontour.archive.key import Key
from autocontour.archive.names import NameMap
from autocontour.archive.private import map_names
from autocontour.archive.review import check_origin, review_structures
from autocontour.base.errors import AutoContourError, Cancelled, DatasetError
from autocontour.base.findings import Finding
from autocontour.base.jobs import InnerJob, Job
from autocontour.contouring import (
    box_of,
    contours_from_probability,
    coverage_from_contours,
    mask_from_contours,
)
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import Series
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours, hash_contours
from autocontour.patient.volume import CTVolume
from autocontour.qa.agreement import CONSENSUS_LEAST, build_consensus
from autocontour.qa.commissioning.study.cohort import LeftOut, StudyPatient, find_patients
from autocontour.qa.commissioning.study.request import ATLAS, REFERENCE, StudyRequest
from autocontour.registration.affine import find_shift, register_affine
from autocontour.registration.deformable import Deformation, register_deformable
from autocontour.registration.grid import Floats, Samples, Scan, points_in, sample_scan
from autocontour.registration.propagate import propagate_contours
from autocontour.rules import draw_structures

GRID_MM = 4.0
LEAST_ATLASES = 3
"""Of a structure; fewer votes do not decide anything."""
LEAST_PATIENTS = LEAST_ATLASES + 1
"""With a structure: one of them may be the patient himself."""
LAYOUT = 1
"""Changed whenever the same atlases give other contours."""
NOISE = 1e-3
"""Added to the squared difference of compressed HU, so that no atlas decides alone."""
FUSIONS = ("weighted", "majority", "staple")


Vote = tuple[Contours, Deformation]
"""The contours of an atlas on the slices of a patient (empty: they lie outside), and its deformation."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """A contoured patient.

    Attributes
    ----------
    name
        In the report.
    owners
        By what the patient is recognized: see `owners_of`.
    geometry, scan
        Of the CT, and the CT on a grid along the patient's axes.
    contours
        TG-263 name → contours.
    """

    name: str
    owners: frozenset[str]
    geometry: VolumeGeometry = field(repr=False)
    scan: Scan = field(repr=False)
    contours: Mapping[str, Contours] = field(repr=False)


@dataclass(frozen=True)
class AtlasDrawing:
    """What the atlas drew on a CT: contours by name, the atlases used, those of the same patient, and seconds."""

    contours: dict[str, Contours]
    used: tuple[str, ...]
    same_patient: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class AtlasMethod:
    """The atlas as a method of a study.

    Attributes
    ----------
    atlases
        The contoured patients.
    nearest
        How many are registered with each patient.
    fusion
        One of `FUSIONS`.
    identity
        Version and checksum: what the results depend on.
    """

    atlases: tuple[Atlas, ...]
    nearest: int
    fusion: str
    identity: str
    name: str = ATLAS
    trained_on: frozenset[str] = frozenset()
    without_fingerprints: tuple[str, ...] = ()

    @property
    def offered(self) -> frozenset[str]:
        """TG-263 names of the structures that enough atlases have."""
        counts = Counter(name for atlas in self.atlases for name in atlas.contours)
        return frozenset(name for name, count in counts.items() if count >= LEAST_PATIENTS)

    def draw(self, ct: CTVolume, series: Series, wanted: Sequence[str], job: Job) -> AtlasDrawing:
        """Draw structures on a CT; those that fewer than `LEAST_ATLASES` atlases reach are left out."""
        begin = time.perf_counter()
        own = owners_of(ct, series)
        same = tuple(sorted(atlas.name for atlas in self.atlases if atlas.owners & own))
        votes, used = self.collect_votes(ct, own, wanted, job)
        return AtlasDrawing(fuse_all(votes, ct.geometry, self.fusion, job), used, same, time.perf_counter() - begin)

    def collect_votes(
        self, ct: CTVolume, own: frozenset[str], wanted: Sequence[str], job: Job
    ) -> tuple[dict[str, list[Vote]], tuple[str, ...]]:
        """Register the nearest atlases, except those of the patient `own`; return their contours and their names."""
        others = [atlas for atlas in self.atlases if not atlas.owners & own]
        scan = scan_of(ct, job)
        chosen = _choose(scan, others, self.nearest, wanted, job)
        votes: dict[str, list[Vote]] = {name: [] for name in wanted}
        for atlas, shift in job.track(chosen, "registering the atlases"):
            affine = register_affine(scan, atlas.scan, shift, job)
            deformation = register_deformable(scan, atlas.scan, affine, InnerJob(job))
            for name in (name for name in wanted if name in atlas.contours):
                job.raise_if_cancelled()
                moved = propagate_contours(atlas.contours[name], atlas.geometry, ct.geometry, deformation)
                votes[name].append((moved, deformation))
        return votes, tuple(sorted(atlas.name for atlas, _ in chosen))


def owners_of(ct: CTVolume, series: Series) -> frozenset[str]:
    """Return by what a patient is recognized: Patient ID, frame of reference, and the CT itself, as hashes."""
    facts = {"id": series.patient_id.strip().casefold(), "frame": series.frame_of_reference_uid, "ct": hash_ct(ct)}
    return frozenset(hashlib.sha256(f"{kind} {text}".encode()).hexdigest() for kind, text in facts.items() if text)


def scan_of(ct: CTVolume, job: Job) -> Scan:
    """Return a CT on the grid of registration, with its body; without a body the whole CT counts."""
    external = draw_structures(ct, ["External"], InnerJob(job)).get("External")
    body = np.ones(ct.hu.shape, dtype=bool)
    if external is not None:
        body = mask_from_contours(external.contours, ct.geometry)
    return sample_scan(ct, body, GRID_MM)


def _choose(
    scan: Scan, atlases: Sequence[Atlas], count: int, wanted: Collection[str], job: Job
) -> list[tuple[Atlas, Floats]]:
    """Return the atlases that are most like the patient, with the shift to them.

    Each wanted structure is in at least `LEAST_ATLASES` of them, if there are as many.
    """
    matched = [(atlas, *find_shift(scan, atlas.scan)) for atlas in job.track(atlases, "choosing the atlases")]
    matched.sort(key=lambda one: (-one[2], one[0].name))
    chosen = matched[:count]
    for name in sorted(wanted):
        having = [one for one in matched if name in one[0].contours][:LEAST_ATLASES]
        present = sum(name in one[0].contours for one in chosen)
        if present < LEAST_ATLASES:
            chosen += [one for one in having if all(one[0] is not other[0] for other in chosen)]
    return [(atlas, shift) for atlas, shift, _ in chosen]


def fuse_all(
    votes: Mapping[str, Sequence[Vote]], geometry: VolumeGeometry, fusion: str, job: Job
) -> dict[str, Contours]:
    """Return the fused contours of every structure that enough atlases have and agree on; see `fuse`."""
    fused: dict[str, Contours] = {}
    for name, mine in votes.items():
        job.raise_if_cancelled()
        if len(mine) >= LEAST_ATLASES and (contours := fuse(mine, geometry, fusion)):
            fused[name] = contours
    return fused


def fuse(votes: Sequence[Vote], geometry: VolumeGeometry, fusion: str) -> Contours:
    """Return the contours on which the atlases agree; empty if they agree on nothing.

    Parameters
    ----------
    votes
        Of the atlases.
    geometry
        Of the patient's CT.
    fusion
        ``majority``: where half of them are. ``weighted``: the same, each atlas weighted at every voxel by 1 / (d + ε)²
        with the local mean squared difference d of the images (Artaechevarria et al., IEEE Trans Med Imaging
        2009;28:1266). ``staple``: where the probability of STAPLE is at least 0.5.
    """
    boxes = [box for box in (box_of(contours, geometry) for contours, _ in votes if contours) if box is not None]
    if not boxes:
        return {}
    start = [min(box.start_zyx[axis] for box in boxes) for axis in range(3)]
    stop = [max(box.stop_zyx[axis] for box in boxes) for axis in range(3)]
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).padded((1, 1, 1), geometry.shape_zyx)
    inside = [_coverage(contours, geometry, box) for contours, _ in votes]
    if fusion == "staple" and len(inside) >= CONSENSUS_LEAST:
        consensus = build_consensus([one >= 0.5 for one in inside])
        probability = np.zeros(box.shape_zyx, np.float32) if consensus is None else consensus.astype(np.float32)
    else:
        weights = [
            _weights(deformation, geometry, box) if fusion == "weighted" else np.ones(box.shape_zyx, np.float32)
            for _, deformation in votes
        ]
        votes_for = np.sum([w * one for w, one in zip(weights, inside, strict=True)], axis=0)
        probability = votes_for / np.sum(weights, axis=0)
    if not (probability >= 0.5).any():
        return {}
    drawn = contours_from_probability(probability.astype(np.float32), geometry.cropped(box), geometry)
    return {k: shape for k, shape in drawn.items() if not shape.is_empty}


def _coverage(contours: Contours, geometry: VolumeGeometry, box: Box) -> Samples:
    if not contours:
        return np.zeros(box.shape_zyx, np.float32)
    return np.asarray(coverage_from_contours(contours, geometry, box), np.float32)


def _weights(deformation: Deformation, geometry: VolumeGeometry, box: Box) -> NDArray[np.float32]:
    z, y, x = box.slices
    rows = [deformation.values_at(deformation.difference, points_in(geometry, k, y, x)) for k in range(z.start, z.stop)]
    difference = np.stack(rows).reshape(box.shape_zyx)
    return (1.0 / (np.maximum(difference, 0.0) + NOISE) ** 2).astype(np.float32)


def read_atlas(
    request: StudyRequest, archive: Archive, names: NameMap, key: Key, job: Job
) -> tuple[AtlasMethod, list[LeftOut]]:
    """Read the atlas of a study, and why patients of it are not used.

    Parameters
    ----------
    request
        States the folder; the cohort itself may be the atlas.
    archive, names
        Of the cohort.
    key
        Of the names in the report.
    job
        Reports progress; may cancel.

    Raises
    ------
    CTError
        If the folder has no DICOM file.
    """
    assert request.atlas is not None
    if request.atlas.resolve() != request.cohort.resolve():
        request = replace(request, cohort=request.atlas, observers=(), others=())
        archive = find_archive(request.cohort, key, job)
        names = map_names(request.names_file, archive)
    patients, left_out = find_patients(archive, request, key)
    atlases: list[Atlas] = []
    unusable = [LeftOut(one.patient, ATLAS, one.finding) for one in left_out if one.subject == ""]
    for patient in job.track(patients, "reading the atlas"):
        try:
            atlas, set_aside = _read_one(patient, names, job)
            atlases.append(atlas)
            unusable += set_aside
        except Cancelled:
            raise
        except AutoContourError as error:
            unusable.append(LeftOut(patient.name, ATLAS, as_finding(error)))
    if len(atlases) < LEAST_PATIENTS:
        unusable.append(LeftOut("", ATLAS, Finding.of("AC-QA-340", count=len(atlases), least=LEAST_PATIENTS)))
    sets = sorted((one.name, one.sets[REFERENCE].checksum, one.series.series_instance_uid) for one in patients)
    drawn = sorted(
        (one.name, sorted(one.owners), sorted((name, hash_contours(mine)) for name, mine in one.contours.items()))
        for one in atlases
    )
    settings = (LAYOUT, GRID_MM, request.atlas_nearest, request.atlas_fusion, sets, drawn)
    checksum = hashlib.sha256(repr(settings).encode()).hexdigest()
    identity = f"{len(atlases)} patients, nearest {request.atlas_nearest}, fusion {request.atlas_fusion}, {checksum}"
    return AtlasMethod(tuple(atlases), request.atlas_nearest, request.atlas_fusion, identity), unusable


def _read_one(patient: StudyPatient, names: NameMap, job: Job) -> tuple[Atlas, list[LeftOut]]:
    """Read a contoured patient, and return which structures are not used because they would be wrong labels."""
    ct = read_ct(patient.series, InnerJob(job))
    found, _ = patient.sets[REFERENCE].read(ct)
    for finding in check_origin(ct, found):
        raise DatasetError(finding.code)
    origins = dict.fromkeys(found.names, REFERENCE)
    reviewed = review_structures(ct, found, origins, names, frozenset(), Decisions(), patient.name)
    contours = {one.name: one.contours for one in reviewed.structures.structures}
    if not contours:
        raise DatasetError("AC-DS-037")
    unused = [
        LeftOut(patient.name, ATLAS, Finding.of("AC-QA-065", name, structure=name, codes=reviewed.reason(name)))
        for name in reviewed.set_aside
    ]
    return Atlas(patient.name, owners_of(ct, patient.series), ct.geometry, scan_of(ct, job), contours), unused

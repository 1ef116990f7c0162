"""The boxes of structures from a coarse network, for the profile ``two-stage``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.models.inference.localizer import find_patient, locate_structures
from autocontour.models.inference.runtime import open_runner
from autocontour.models.package.library import available_packages
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Floats
from autocontour.patient.identity import PatientFacts
from autocontour.patient.volume import CTVolume

MARGIN_MM = 15.0
COARSER = 1.5

Edges = tuple[Floats, Floats]


@dataclass(frozen=True)
class Boxes:
    """Where structures lie.

    Attributes
    ----------
    edges_mm
        Structure → lower and upper edges of its box along the patient's z, y, x, margin included.
    finders
        Names of the packages that were used.
    findings
        ``AC-MD-132`` for structures that no coarse network looks for, ``AC-MD-133`` for those it did not find.
    everywhere
        Structures that no coarse network looks for.
    """

    edges_mm: Mapping[str, Edges]
    finders: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    everywhere: tuple[str, ...] = field(default=())


def find_boxes(
    ct: CTVolume,
    package: ModelPackage,
    names: Collection[str],
    job: Job,
    device: str,
    packages: Sequence[ModelPackage] | None = None,
) -> Boxes:
    """Find the boxes of structures by the coarsest installed networks that draw them.

    Parameters
    ----------
    ct
        The scan.
    package
        The fine network.
    names
        Its structures.
    job, device
        As of `autocontour.models.inference.published.segment.draw_published`.
    packages
        The packages to choose from; the installed ones if None.

    Raises
    ------
    ModelError
        ``AC-MD-086`` if no coarse network draws any of the structures.
    """
    present = available_packages() if packages is None else packages
    chosen = choose_finders(package, names, [one for one in present if _is_for(ct, one)])
    everywhere = tuple(name for name in names if name not in chosen)
    if not chosen:
        raise ModelError("AC-MD-086", package=package.name)
    edges: dict[str, Edges] = {}
    finders: dict[str, ModelPackage] = {one.name: one for one in chosen.values()}
    for finder in finders.values():
        mine = [name for name, one in chosen.items() if one.name == finder.name]
        edges |= _edges(ct, finder, mine, job, device)
    missing = [name for name in chosen if name not in edges]
    findings = []
    if everywhere:
        findings.append(Finding.of("AC-MD-132", names=", ".join(everywhere)))
    if missing:
        findings.append(Finding.of("AC-MD-133", names=", ".join(missing), finders=", ".join(finders)))
    return Boxes(edges, tuple(finders), tuple(findings), everywhere)


def choose_finders(
    package: ModelPackage, names: Collection[str], packages: Sequence[ModelPackage]
) -> dict[str, ModelPackage]:
    """Return structure → the network that finds its box.

    A published network with checked sides comes first, the coarsest one first, then the localizer of one of this
    program's own packages.
    """
    fine = _voxel_mm(package)
    published = [
        one
        for one in packages
        if one.procedure is not None and one.sides is not None and _voxel_mm(one) >= COARSER * fine
    ]
    published.sort(key=lambda one: (-_voxel_mm(one), one.name))
    own = [one for one in packages if one.procedure is None and "localizer" in one.stages]
    chosen: dict[str, ModelPackage] = {}
    for name in names:
        found = next((one for one in (*published, *own) if name in one.structures), None)
        if found is not None:
            chosen[name] = found
    return chosen


def _is_for(ct: CTVolume, package: ModelPackage) -> bool:
    """Return whether a package may be used on a CT: one for a single patient only on that patient, and in time."""
    binding = package.patient
    return binding is None or (binding.is_for(PatientFacts.of(ct)) and not binding.is_expired(date.today()))


def _voxel_mm(package: ModelPackage) -> float:
    """Return the edge of a cube of a voxel's volume."""
    return float(np.cbrt(np.prod(package.stages["segmenter"].spacing_zyx_mm)))


def _edges(ct: CTVolume, finder: ModelPackage, names: Sequence[str], job: Job, device: str) -> dict[str, Edges]:
    if finder.procedure is None:
        patient = find_patient(ct)
        if patient is None:
            return {}
        own = replace(finder, site_anchors=(), site_minimum=0)
        found = locate_structures(patient, own, open_runner(finder, "localizer", device), job)
        return {name: found.boxes_mm[name] for name in names if name in found.boxes_mm}
    from autocontour.models.inference.published.segment import probabilities_in_boxes

    margin = max(MARGIN_MM, 2 * _voxel_mm(finder))
    edges = {}
    for name, grid, *_ in probabilities_in_boxes(ct, finder, names, job, device).parts:
        low = np.asarray(grid.origin_zyx_mm) - np.asarray(grid.spacing_zyx_mm) / 2
        high = low + np.multiply(grid.shape_zyx, grid.spacing_zyx_mm)
        edges[name] = (low - margin, high + margin)
    return edges

"""Measures of the structures on one CT of a course, from which the trend is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.course.methods import is_target
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.registration.grid import Floats
from autocontour.registration.propagate import surface_points
from autocontour.registration.rigid import Rigid

GAS_HU = -500


@dataclass(frozen=True)
class Measures:
    """Measures of one structure on one CT.

    Attributes
    ----------
    volume_cc
        Its volume.
    centroid_mm
        LPS of the planning CT, through the rigid registration.
    target_mm
        Target → shortest distance between the surfaces; 0 where they overlap.
    gas
        Fraction of its volume below −500 HU.
    is_cut
        Whether it reaches the first or last slice of the CT.
    """

    volume_cc: float
    centroid_mm: tuple[float, float, float]
    target_mm: Mapping[str, float]
    gas: float
    is_cut: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measures:
        """Return the measures from the output of `to_json`."""
        x, y, z = record["centroid_mm"]
        return cls(record["volume_cc"], (x, y, z), dict(record["target_mm"]), record["gas"], record["is_cut"])


def measure_structures(structures: Iterable[Structure], ct: CTVolume, rigid: Rigid) -> dict[str, Measures]:
    """Return the measures of every structure with contours.

    Parameters
    ----------
    structures
        On `ct`.
    ct
        Any CT of the course.
    rigid
        Takes its points to the planning CT.
    """
    drawn = [structure for structure in structures if structure.contours]
    targets = [structure for structure in drawn if is_target(structure)]
    trees = {target.name: cKDTree(surface_points(target.contours, ct.geometry)) for target in targets}
    return {structure.name: _measure(structure, ct, rigid, targets, trees) for structure in drawn}


def _measure(
    structure: Structure, ct: CTVolume, rigid: Rigid, targets: list[Structure], trees: Mapping[str, cKDTree]
) -> Measures:
    mask = mask_from_contours(structure.contours, ct.geometry)
    inside = ct.hu[mask]
    points = surface_points(structure.contours, ct.geometry)
    distances = {}
    for target in targets:
        if target.name != structure.name and not is_target(structure):
            overlap = _overlap(structure.contours, target.contours)
            nearest = float(np.min(trees[target.name].query(points)[0]))
            distances[target.name] = 0.0 if overlap else round(nearest, 2)
    x, y, z = rigid.pull(centroid(structure.contours, ct.geometry)[None])[0].round(3).tolist()
    return Measures(
        round(volume_cc(structure.contours, ct.geometry), 4),
        (x, y, z),
        distances,
        round(float((inside < GAS_HU).mean()), 4) if inside.size else 0.0,
        bool({0, ct.geometry.shape_zyx[0] - 1} & set(structure.contours)),
    )


def centroid(contours: Contours, geometry: VolumeGeometry) -> Floats:
    """Return the LPS centre of gravity of a structure."""
    weights, centers = [], []
    for k, shape in contours.items():
        weights.append(shape.area * geometry.slice_thicknesses_mm[k])
        centers.append((shape.centroid.x, shape.centroid.y, geometry.slice_positions_mm[k]))
    uvw: Floats = np.average(np.array(centers), axis=0, weights=np.array(weights))
    points = geometry.to_patient(uvw[None])
    center: Floats = points[0]
    return center


def _overlap(first: Contours, second: Contours) -> bool:
    return any(first[k].intersects(second[k]) for k in first.keys() & second.keys())


def body_areas(external: Contours, geometry: VolumeGeometry, rigid: Rigid) -> list[tuple[float, float]]:
    """Return the position of each slice in the planning CT (LPS z at the body's middle, mm) and its area, cm²."""
    areas = []
    for k, shape in sorted(external.items()):
        middle = geometry.to_patient(np.array([[shape.centroid.x, shape.centroid.y, geometry.slice_positions_mm[k]]]))
        areas.append((round(float(rigid.pull(middle)[0, 2]), 2), round(shape.area / 100, 3)))
    return sorted(areas)


def area_change(planning: list[tuple[float, float]], later: list[tuple[float, float]]) -> float | None:
    """Return the change of the mean area over the common length, as a fraction; None if there is hardly any."""
    if len(planning) < 2 or len(later) < 2:
        return None
    low, high = max(planning[0][0], later[0][0]), min(planning[-1][0], later[-1][0])
    if high - low < 30:
        return None
    at = np.linspace(low, high, 100)
    before, after = (float(np.interp(at, *np.array(areas).T).mean()) for areas in (planning, later))
    return after / before - 1 if before else None

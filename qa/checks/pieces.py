"""The contours of one structure: gaps, jumps, separate small pieces, slivers, empty structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.contouring.islands import label_pieces
from autocontour.contouring.slivers import mean_width_mm
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.plausibility import check_contours

STRAY_PART, STRAY_MM = 0.02, 15.0
"""A piece with less than this fraction of the volume, at more than this distance from the rest, is reported."""
SLIVER_WIDTH_MM = 0.3
"""A polygon with a smaller `mean_width_mm` is not a part of an organ."""
MANY_PIECES = frozenset(
    {"Bone", "External", "Bag_Bowel", "Bowel_Small", "Bowel_Large", "Colon", "Lungs", "BrachialPlex"}
)


def check_pieces(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield findings about gaps, jumps, separate small pieces and slivers, each with its slices."""
    for structure in structures:
        if structure.tg263_name not in MANY_PIECES:
            yield from check_contours(structure.name, structure.contours)
            yield from _check_stray(ct, structure)
        yield from _check_slivers(structure)


def _check_stray(ct: CTVolume, structure: Structure) -> Iterator[Finding]:
    slices = np.repeat(list(structure.contours), [len(multi.geoms) for multi in structure.contours.values()])
    polygons = np.array([p for multi in structure.contours.values() for p in multi.geoms], dtype=object)
    volumes = shapely.area(polygons) * ct.geometry.slice_thicknesses_mm[slices]
    piece = label_pieces(slices, polygons)
    sums = np.bincount(piece, weights=volumes)
    if len(sums) < 2:
        return
    main = piece == sums.argmax()
    w = ct.geometry.slice_positions_mm[slices]
    stray = []
    for number in np.flatnonzero(sums < STRAY_PART * sums.sum()):
        mine = np.flatnonzero(piece == number)
        apart = [_distance_mm(polygons[i], w[i], polygons[main], w[main]) for i in mine]
        if min(apart) > STRAY_MM:
            stray.append(number)
    if stray:
        at = sorted({int(k) for k in slices[np.isin(piece, stray)]})
        cc = float(sums[stray].sum()) / 1000
        yield Finding.of("AC-QA-109", structure.name, at, structure=structure.name, count=len(stray), cc=round(cc, 2))


def _distance_mm(polygon: shapely.Polygon, w: float, others: NDArray[np.object_], at_w: NDArray[np.float64]) -> float:
    """Return the distance in 3D between a polygon and the nearest of others, each a flat piece on its slice."""
    near = np.abs(at_w - w) <= STRAY_MM + 1
    if not near.any():
        return float("inf")
    in_plane = shapely.distance(polygon, others[near])
    return float(np.hypot(in_plane, at_w[near] - w).min())


def _check_slivers(structure: Structure) -> Iterator[Finding]:
    at = []
    for index, multi in structure.contours.items():
        if (mean_width_mm(list(multi.geoms)) < SLIVER_WIDTH_MM).any():
            at.append(index)
    if at:
        yield Finding.of("AC-QA-110", structure.name, at, structure=structure.name, count=len(at))

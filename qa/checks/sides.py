"""Left and right: structures on the wrong side of the body, and a mirrored CT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.contouring import box_of, mask_from_contours
from autocontour.patient.matching import tg263_name
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.anatomy import read_anatomy, split_side

LEAST_OFFSET_MM = 10.0
"""From the middle of the body; closer structures are not checked, since a patient may be rotated or tilted."""
MIDDLE_MM = 30.0
"""Tolerated distance of a midline structure from the middle."""
BODY_HU = -300
HEART_HU = (-50, 300)
HEART_OFFSET_MM = 8.0
"""Tolerated distance of the centre of the tissue between the lungs to the wrong side."""


def check_sides(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each structure on the wrong side, or each midline structure away from the middle."""
    pairs: dict[str, dict[str, Structure]] = {}
    for structure in structures:
        base, side = split_side(structure)
        if side:
            pairs.setdefault(base, {})[side] = structure
        elif base in read_anatomy().middle:
            offset = abs(_leftness(ct, structure) - body_middle_mm(ct, structure.contours))
            if offset > MIDDLE_MM:
                yield Finding.of("AC-QA-113", structure.name, structure=structure.name, mm=round(offset))
    for base, sides in pairs.items():
        if len(sides) == 2 and _leftness(ct, sides["left"]) < _leftness(ct, sides["right"]):
            names = f"{sides['left'].name}, {sides['right'].name}"
            yield Finding.of("AC-QA-103", names, left=sides["left"].name, right=sides["right"].name)
            continue
        for side, structure in sides.items() if base not in read_anatomy().asymmetric else ():
            offset = _leftness(ct, structure) - body_middle_mm(ct, structure.contours)
            if offset * (1 if side == "left" else -1) < -LEAST_OFFSET_MM:
                slices = structure.contours.keys()
                yield Finding.of(
                    "AC-QA-102", structure.name, slices, structure=structure.name, mm=round(abs(offset)), side=side
                )


def body_middle_mm(ct: CTVolume, contours: Contours) -> float:
    """Return the middle of the body along the patient's right-left axis (LPS x, mm) on the slices of `contours`.

    The middle of each slice is the median column of voxels denser than air.
    """
    slices = sorted(contours)[:: max(1, len(contours) // 12)]
    middles = [x for k in slices if (x := _slice_middle_mm(ct, k)) is not None]
    return float(np.median(middles)) if middles else 0.0


def _slice_middle_mm(ct: CTVolume, index: int) -> float | None:
    step = max(1, ct.hu.shape[2] // 256)
    rows, columns = np.nonzero(ct.hu[index, ::step, ::step] > BODY_HU)
    if not len(rows):
        return None
    v, u = np.median(rows) * step, np.median(columns) * step
    spacing_v, spacing_u = ct.geometry.pixel_spacing_vu_mm
    direction = ct.geometry.direction
    point = ct.geometry.slice_origins_lps_mm[index] + direction[:, 0] * u * spacing_u + direction[:, 1] * v * spacing_v
    return float(point[0])


def _leftness(ct: CTVolume, structure: Structure) -> float:
    """Return LPS x (mm, towards the patient's left) of a structure's centre."""
    return float(centre_lps_mm(ct, structure.contours)[0])


def centre_lps_mm(ct: CTVolume, contours: Contours) -> NDArray[np.float64]:
    """Return the centre of volume in LPS, mm."""
    slices = sorted(contours)
    shapes = np.array([contours[k] for k in slices], dtype=object)
    weights = shapely.area(shapes) * ct.geometry.slice_thicknesses_mm[slices]
    uv = shapely.get_coordinates(shapely.centroid(shapes))
    w = ct.geometry.slice_positions_mm[slices]
    centre: NDArray[np.float64] = np.average(np.column_stack([uv, w]), axis=0, weights=weights)
    lps: NDArray[np.float64] = ct.geometry.direction @ centre
    return lps


def check_ct_sides(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding if the heart is on the right: the CT may be mirrored (or the patient has dextrocardia).

    The tissue between the lungs, on the slices of their lower half, reaches further to the left than to the right of
    the spine, because the heart does. It is only checked if both lungs are drawn.
    """
    lungs = {tg263_name(s): s for s in structures if tg263_name(s) in ("Lung_L", "Lung_R")}
    if len(lungs) < 2:
        return
    offset = heart_offset_mm(ct, lungs["Lung_L"].contours, lungs["Lung_R"].contours)
    if offset is not None and offset < -HEART_OFFSET_MM:
        yield Finding.of("AC-QA-112", "Lung_L, Lung_R", mm=round(-offset))


def heart_offset_mm(ct: CTVolume, left: Contours, right: Contours) -> float | None:
    """Return the offset of the tissue between the lungs to the left of the body's middle (mm); None if unknown.

    The names of the two lungs are not used.
    """
    both = sorted(left.keys() & right.keys())
    if len(both) < 8:
        return None
    order = both if ct.geometry.step_to_head > 0 else both[::-1]
    span_mm = abs(float(np.diff(ct.geometry.slice_positions_mm[[order[0], order[-1]]])[0]))
    if span_mm < 120:
        return None  # the heart's level is not certain
    lower = order[len(order) // 6 : len(order) // 2]
    offsets = [x for k in lower if (x := _between_mm(ct, left[k], right[k], k)) is not None]
    return float(np.median(offsets)) if len(offsets) >= 4 else None


def _between_mm(ct: CTVolume, one: shapely.MultiPolygon, other: shapely.MultiPolygon, index: int) -> float | None:
    """Return the centre, left of the spine, of the soft tissue between the lungs in front of the spine on one slice."""
    both = shapely.MultiPolygon([*one.geoms, *other.geoms])
    hull = {index: shapely.MultiPolygon(shapely.get_parts(both.convex_hull).tolist())}
    box = box_of(hull, ct.geometry)
    if box is None:
        return None
    inside = mask_from_contours(hull, ct.geometry, box)[0]
    lungs = mask_from_contours({index: both}, ct.geometry, box)[0]
    _, y, x = box.slices
    hu = ct.hu[index, y, x]
    tissue = inside & ~lungs & (hu > HEART_HU[0]) & (hu < HEART_HU[1])
    rows, columns = np.nonzero(tissue)
    if len(rows) < 50:
        return None
    direction, (spacing_v, spacing_u) = ct.geometry.direction, ct.geometry.pixel_spacing_vu_mm
    columns_mm, rows_mm = (columns + x.start) * spacing_u, (rows + y.start) * spacing_v
    lps = ct.geometry.slice_origins_lps_mm[index] + np.outer(columns_mm, direction[:, 0])
    lps += np.outer(rows_mm, direction[:, 1])
    back = lps[:, 1] > np.quantile(lps[:, 1], 0.75)
    if not back.any() or back.all():
        return None
    return float(lps[~back, 0].mean() - np.median(lps[back, 0]))

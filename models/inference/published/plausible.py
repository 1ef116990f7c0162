"""Whether what a network drew can be the organ of its name: volume, tissue, place in the body, and the other side.

A network draws something on a CT of another body site as well, and what it draws there lies left or right by chance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from autocontour.contouring import mask_from_contours
from autocontour.models.inference.localizer import Patient
from autocontour.models.inference.plausibility import Measure
from autocontour.models.inference.sampling import sample_ct
from autocontour.patient.geometry import Floats
from autocontour.patient.structures import Contours

MOST_SAMPLES = 20_000
"""Voxels of a structure that are looked up in the body."""
NEAR_MM = 20.0
ENCLOSING_HU = -600.0
"""A voxel of a thin chest wall has air in it."""
LUNG_HU = (-980.0, -500.0)
X = 2


def find_implausible(
    patient: Patient,
    contours: Mapping[str, Contours],
    measures: Mapping[str, Measure],
    names: Collection[str],
    rules: Mapping[str, Any],
) -> dict[str, str]:
    """Return those of some structures that cannot be the organ of their name, with the values that show it.

    Parameters
    ----------
    patient
        The CT with its body.
    contours, measures
        Of every structure that was drawn.
    names
        The structures to check.
    rules
        Content of ``places.toml``.
    """
    found: dict[str, str] = {}
    patient = _whole(patient)
    for name in names:
        reasons = list(_reasons(patient, name, contours[name], measures[name], rules))
        if reasons:
            found[name] = f"{name} ({', '.join(reasons)})"
    for left in names:
        right = f"{left[:-2]}_R"
        if left.endswith("_L") and right in names and not _is_pair(measures[left], measures[right], patient, rules):
            for name in (left, right):
                x_mm = measures[name].centre_zyx_mm[X] - patient.midline_x_mm
                found.setdefault(name, f"{name} ({_cc(measures[name])}, x {x_mm:+.0f} mm)")
    return found


def _whole(patient: Patient) -> Patient:
    """Return the patient with all that is solid and what it encloses.

    `find_body` returns one piece, without legs or arms apart from it, and opens a chest wall thinner than a couch.
    """
    solid = sample_ct(patient.ct, patient.body_grid) > ENCLOSING_HU
    for plane in solid:
        ndimage.binary_fill_holes(plane, output=plane)
    columns = solid.sum(axis=(0, 1))
    middle = float(columns @ patient.body_grid.positions_mm(2) / max(columns.sum(), 1))
    return replace(patient, body=solid, midline_x_mm=middle)


def _reasons(
    patient: Patient, name: str, contours: Contours, measure: Measure, rules: Mapping[str, Any]
) -> Iterator[str]:
    low, high = rules["volumes_cc"].get(name, (0.0, float("inf")))
    if measure.volume_cc > high or (measure.volume_cc < low and not measure.at_end):
        yield _cc(measure)
    hu, inside = _look_up(patient, contours)
    tissue = next((kind for kind in ("air", "hollow") if _is_one_of(name, rules["tissues"][kind])), "solid")
    low, high = rules["median_hu"][tissue]
    if not low <= hu <= high:
        yield f"{hu:.0f} HU"
    if inside < rules["least_inside"]:
        yield f"External {100 * inside:.0f} %"
    if _is_one_of(name, rules["among_lungs"]) and (lungs := _lung_share(patient, measure)) < rules["least_lung"]:
        yield f"Lungs {100 * lungs:.0f} %"


def _is_pair(left: Measure, right: Measure, patient: Patient, rules: Mapping[str, Any]) -> bool:
    """Return whether two structures lie on both sides of the body's middle and are of about the same volume."""
    sides = [one.centre_zyx_mm[X] - patient.midline_x_mm for one in (left, right)]
    are_cut = left.at_end or right.at_end
    ratio = max(left.volume_cc, right.volume_cc) / min(left.volume_cc, right.volume_cc)
    return min(sides) < 0 < max(sides) and (are_cut or ratio <= rules["most_unequal"])


def _lung_share(patient: Patient, measure: Measure) -> float:
    """Return the share of the body that is lung at the height of a structure's middle."""
    grid, z_mm = patient.body_grid, measure.centre_zyx_mm[0]
    low, high = patient.low_zyx_mm.copy(), patient.high_zyx_mm.copy()
    low[0], high[0] = z_mm - NEAR_MM, z_mm + NEAR_MM
    box = grid.box_of(low, high)
    body = patient.body[box.slices]
    hu = sample_ct(patient.ct, grid.cropped(box))[body]
    return float(((hu > LUNG_HU[0]) & (hu < LUNG_HU[1])).mean()) if hu.size else 0.0


def _look_up(patient: Patient, contours: Contours) -> tuple[float, float]:
    """Return the median HU of a structure, and the share of it that lies in the body."""
    geometry, grid = patient.ct.geometry, patient.body_grid
    slices = sorted(contours)
    mask = mask_from_contours(contours, geometry)[slices]
    if not mask.any():
        return float("nan"), 0.0
    hu = float(np.median(patient.ct.hu[slices][mask]))
    indices = np.argwhere(mask)
    w, v, u = indices[:: max(1, len(indices) // MOST_SAMPLES)].T
    w = np.asarray(slices)[w]
    wvu_mm = np.stack(
        [
            geometry.slice_positions_mm[w],
            geometry.plane_origins_uv_mm[w, 1] + v * geometry.pixel_spacing_vu_mm[0],
            geometry.plane_origins_uv_mm[w, 0] + u * geometry.pixel_spacing_vu_mm[1],
        ],
        axis=1,
    )
    zyx_mm: Floats = wvu_mm[:, list(grid.frame.axes)] * grid.frame.signs
    at = np.rint((zyx_mm - grid.origin_zyx_mm) / grid.spacing_zyx_mm).astype(int)
    at = np.clip(at, 0, np.subtract(grid.shape_zyx, 1))
    return hu, float(patient.body[tuple(at.T)].mean())


def _cc(measure: Measure) -> str:
    return f"{measure.volume_cc:.0f} cc" if measure.volume_cc >= 10 else f"{measure.volume_cc:.1f} cc"


def _is_one_of(name: str, kinds: Collection[str]) -> bool:
    return any(name == kind or name.startswith(f"{kind}_") for kind in kinds)

"""Outlines of slices as signed distances on a grid, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import MultiPolygon

from autocontour.contouring import contours_from_probability, mask_from_contours
from autocontour.contouring.distance import distances_to_outline
from autocontour.models.follow.channels import REACH_MM, Array
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours

FLAT = np.ones((1, 3, 3), np.bool_)


def signed_distances(
    contours: Mapping[int, MultiPolygon], slices: Sequence[int], geometry: VolumeGeometry, plane: VolumeGeometry
) -> Array:
    """Return the signed distances within some slices: (slices, v, u) in mm, positive inside, at most `REACH_MM`.

    Parameters
    ----------
    contours
        Slice index → outline; a slice without one is −`REACH_MM` everywhere.
    slices
        Indices of the slices of `geometry`.
    geometry
        Of the CT.
    plane
        A grid whose rows and columns are used; its slices are not.
    """
    grid = on_slices(plane, geometry, slices)
    numbers = {k: number for number, k in enumerate(slices)}
    drawn = {numbers[k]: shape for k, shape in contours.items() if k in numbers and not shape.is_empty}
    inside = mask_from_contours(drawn, grid)
    distances = np.where(inside, np.float32(REACH_MM), np.float32(-REACH_MM))
    border = inside & ~binary_erosion(inside, FLAT, border_value=1)
    border |= binary_dilation(inside, FLAT) & ~inside
    near = binary_dilation(border, FLAT, iterations=int(np.ceil(REACH_MM / min(plane.pixel_spacing_vu_mm))))
    u, v = _axes(plane)
    for number, shape in drawn.items():
        rows, columns = np.nonzero(near[number] if near[number].any() else np.ones(inside.shape[1:], np.bool_))
        away = distances_to_outline(shape, np.column_stack((u[columns], v[rows])))
        signs = np.where(inside[number, rows, columns], 1, -1)
        distances[number, rows, columns] = (signs * np.minimum(away, REACH_MM)).astype(np.float32)
    return distances


def outlines(logits: Array, slices: Sequence[int], geometry: VolumeGeometry, plane: VolumeGeometry) -> Contours:
    """Return the contours where logits (slices, v, u) on the grid of `plane` are above 0: slice index → outline."""
    grid = on_slices(plane, geometry, slices)
    probability = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return {slices[number]: shape for number, shape in contours_from_probability(probability, grid, grid).items()}


def on_slices(plane: VolumeGeometry, geometry: VolumeGeometry, slices: Sequence[int]) -> VolumeGeometry:
    """Return a grid with the rows and columns of `plane` on some slices of `geometry`."""
    origin = np.append(plane.plane_origins_uv_mm[0], 0.0)
    points = np.array([[*origin[:2], geometry.slice_positions_mm[k]] for k in slices])
    origins = plane.to_patient(points)
    return VolumeGeometry(plane.rows, plane.columns, plane.pixel_spacing_vu_mm, plane.direction, origins)


def _axes(plane: VolumeGeometry) -> tuple[Floats, Floats]:
    """Return the coordinates u of the columns and v of the rows."""
    (u, v), (step_v, step_u) = plane.plane_origins_uv_mm[0], plane.pixel_spacing_vu_mm
    return u + step_u * np.arange(plane.columns), v + step_v * np.arange(plane.rows)

"""One patient as arrays: z to the head, y to the back, x to the left; air outside the body, as the networks see it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import DatasetError
from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.contouring.measure import box_of
from autocontour.models.data.planes import pack_planes
from autocontour.models.data.sample import AIR_HU
from autocontour.models.inference.body import find_body
from autocontour.models.inference.sampling import Frame, Grid, sample_ct, sample_mask
from autocontour.patient.geometry import Box, Floats, VolumeGeometry
from autocontour.patient.structures import Contours, StructureSet
from autocontour.patient.volume import CTVolume

Mask = NDArray[np.bool_]
Triple = tuple[float, float, float]
SOLID_MM2 = 2000.0
"""Least area of the body on a slice with enough CT."""
NEAR_END = 1
"""A structure that ends this many slices before the scan does counts as reaching its end."""
MARGIN = 2
"""Voxels around a structure that its resampling needs."""


@dataclass(frozen=True, eq=False)
class Converted:
    """The arrays of a patient and their entry in the index (see `autocontour.models.data.planes`)."""

    record: dict[str, Any]
    hu: NDArray[np.int16]
    flat: Mask


def convert(
    ct: CTVolume, structures: StructureSet, origins: Mapping[str, str], spacing_zyx_mm: Triple | None
) -> Converted:
    """Return the arrays of a patient.

    Parameters
    ----------
    ct
        The CT.
    structures
        Under their TG-263 names.
    origins
        TG-263 name → where the structure is from.
    spacing_zyx_mm
        Of the voxels along the patient's axes; None keeps the CT's voxels.

    Raises
    ------
    DatasetError
        ``AC-DS-035`` if voxels shall be kept and the slices are uneven, ``AC-DS-036`` if there is no body.
    ModelError
        ``AC-MD-030`` for a CT that is not along the patient's axes.
    """
    frame = Frame.of(ct.geometry)
    if spacing_zyx_mm is None and not ct.geometry.is_evenly_spaced:
        raise DatasetError("AC-DS-035")
    grid = Grid.over(frame, spacing_zyx_mm) if spacing_zyx_mm else _own_grid(ct.geometry, frame)
    body, body_grid = find_body(ct, frame)
    inside = sample_mask(body, body_grid, grid)
    body_box = Box.around(inside)
    if body_box is None:
        raise DatasetError("AC-DS-036")
    hu = _sample(ct, grid, resampled=spacing_zyx_mm is not None)
    hu[~inside] = AIR_HU
    masks = {
        one.name: _mask(one.contours, ct.geometry, grid, resampled=spacing_zyx_mm is not None)
        for one in structures.structures
    }
    z, y, x = grid.spacing_zyx_mm
    solid = inside.sum(axis=(1, 2)) * y * x >= SOLID_MM2
    box = _stored_box(body_box, masks, hu.shape)
    volumes = {one.name: volume_cc(one.contours, ct.geometry) for one in structures.structures}
    entries, flat = pack_planes({name: mask[box.slices] for name, mask in masks.items()}, volumes, origins)
    (_, y0, x0), (_, y1, x1) = box.start_zyx, box.stop_zyx
    body_yx = [[low - first, high - first] for low, high, first in zip(*_ends(body_box), (y0, x0), strict=True)]
    features = {name: measure_shape(masks[name][box.slices], grid, box, solid) for name in entries}
    record = {
        "shape_zyx": list(box.shape_zyx),
        "spacing_zyx_mm": [round(step, 6) for step in (z, y, x)],
        "margins_yx": [[y0, hu.shape[1] - y1], [x0, hu.shape[2] - x1]],
        "body_yx": body_yx,
        "solid_slices": _runs(solid),
        "structures": entries,
        "ct_hash": hash_ct(ct, frame),
        "features": features,
    }
    return Converted(record, hu[box.slices], flat)


def hash_ct(ct: CTVolume, frame: Frame | None = None) -> str:
    """Return the SHA-256 of a CT's Hounsfield units in the patient's orientation, with spacing and shape.

    It does not depend on UIDs, on the order of files or slices, or on the options of the data set.
    """
    frame = frame or Frame.of(ct.geometry)
    hu = np.ascontiguousarray(frame.to_patient(ct.hu).astype("<i2", copy=False))
    spacing = " ".join(f"{step:.3f}" for step in _own_spacing(ct.geometry, frame))
    found = hashlib.sha256(f"{hu.shape} {spacing}\n".encode())
    found.update(hu.data)
    return found.hexdigest()


def measure_shape(mask: Mask, grid: Grid, box: Box, solid: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the features of a mask that are compared over the patients.

    Returns
    -------
    dict
        ``volume_cc``; ``centre_zyx_mm``, ``extent_zyx_mm`` and ``voxel_zyx_mm``; ``fill``, the fraction of its box;
        ``ends``, the area of its lowest and highest slice as a fraction of its median area; ``cut``, whether it reaches
        the lower and the upper end of the scan, or ends at most one slice before it.
    """
    found = Box.around(mask)
    assert found is not None  # structures without a voxel are not stored
    inside = mask[found.slices]
    spacing: Floats = np.asarray(grid.spacing_zyx_mm)
    areas = inside.sum(axis=(1, 2)).astype(float)
    weights = [inside.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    middle = np.array([weight @ np.arange(len(weight)) / weight.sum() for weight in weights])
    offset = np.add(found.start_zyx, box.start_zyx)
    scanned = np.flatnonzero(solid)
    first, last = (found.start_zyx[0] + box.start_zyx[0], found.stop_zyx[0] + box.start_zyx[0] - 1)
    typical = float(np.median(areas[areas > 0]))
    return {
        "volume_cc": round(float(areas.sum() * np.prod(spacing) / 1000), 4),
        "centre_zyx_mm": [round(float(v), 2) for v in grid.origin_zyx_mm + (middle + offset) * spacing],
        "extent_zyx_mm": [round(float(v), 2) for v in np.array(found.shape_zyx) * spacing],
        "voxel_zyx_mm": [round(float(v), 4) for v in spacing],
        "fill": round(float(inside.mean()), 4),
        "ends": [round(float(areas[end] / typical), 4) for end in (0, -1)],
        "cut": [bool(first <= scanned[0] + NEAR_END), bool(last >= scanned[-1] - NEAR_END)],
    }


def _own_grid(geometry: VolumeGeometry, frame: Frame) -> Grid:
    """Return the grid of an evenly spaced CT's own voxels."""
    shape = [geometry.shape_zyx[axis] for axis in frame.axes]
    spacing = _own_spacing(geometry, frame)
    z, y, x = frame.extent_zyx_mm.mean(axis=1) - (np.array(shape) - 1) / 2 * spacing
    return Grid(frame, (float(z), float(y), float(x)), spacing, (shape[0], shape[1], shape[2]))


def _own_spacing(geometry: VolumeGeometry, frame: Frame) -> Triple:
    z, y, x = (geometry.spacing_zyx_mm[axis] for axis in frame.axes)
    return z, y, x


def _sample(ct: CTVolume, grid: Grid, *, resampled: bool) -> NDArray[np.int16]:
    if not resampled:
        return np.maximum(grid.frame.to_patient(ct.hu), np.int16(AIR_HU))
    return np.maximum(np.rint(sample_ct(ct, grid)), AIR_HU).astype(np.int16)


def _mask(contours: Contours, geometry: VolumeGeometry, grid: Grid, *, resampled: bool) -> Mask:
    if not resampled:
        return np.ascontiguousarray(grid.frame.to_patient(mask_from_contours(contours, geometry)))
    box = box_of(contours, geometry)
    if box is None:
        return np.zeros(grid.shape_zyx, dtype=bool)
    box = box.padded((MARGIN, MARGIN, MARGIN), geometry.shape_zyx)
    inside = mask_from_contours(contours, geometry, box)
    # The mask is resampled like a CT, so that uneven slices count at their true positions.
    as_ct = CTVolume(np.where(inside, 0, AIR_HU).astype(np.int16), geometry.cropped(box))
    found: Mask = sample_ct(as_ct, grid) >= AIR_HU / 2
    return found


def _stored_box(body: Box, masks: Mapping[str, Mask], shape_zyx: tuple[int, ...]) -> Box:
    """Return the box of all slices, and of the rows and columns of the body and the structures."""
    boxes = [body, *(found for mask in masks.values() if (found := Box.around(mask)))]
    low = np.min([one.start_zyx for one in boxes], axis=0)
    high = np.max([one.stop_zyx for one in boxes], axis=0)
    return Box((0, int(low[1]), int(low[2])), (shape_zyx[0], int(high[1]), int(high[2])))


def _ends(box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first row and column of a box, and the ends of its rows and columns."""
    (_, y0, x0), (_, y1, x1) = box.start_zyx, box.stop_zyx
    return (y0, x0), (y1, x1)


def _runs(solid: NDArray[np.bool_]) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], solid, [False]]).astype(np.int8)))
    return [[int(start), int(stop)] for start, stop in edges.reshape(-1, 2)]

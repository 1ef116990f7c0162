"""One patient's structure sets compared: a row of plain values for every structure and pair of sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import shapely

from autocontour.contouring import mask_from_contours
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.qa.agreement import Mask, build_consensus, compute_mask_kappa
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.tolerances import Tolerances
from autocontour.qa.compare import joint_box
from autocontour.qa.metrics import added_path_lengths_mm, compute_metrics

CONSENSUS = "consensus"
COPY_MM = 0.1
"""Distance of outlines up to which one is a copy of the other: what rounding of coordinates can change."""
Row = dict[str, Any]
Drawn = Mapping[str, Mapping[str, Contours]]
"""Set or method → TG-263 name → contours."""


def compare_structure(
    name: str,
    drawn: Drawn,
    observers: Sequence[str],
    methods: Sequence[str],
    geometry: VolumeGeometry,
    tolerances: Tolerances,
) -> tuple[list[Row], float | None]:
    """Compare everything that was drawn of one structure.

    Parameters
    ----------
    name
        TG-263 name; the reference has it.
    drawn
        All sets of the patient.
    observers
        Those besides the reference that are manual.
    methods
        Those that must have the structure: without it they have failed.
    geometry
        Of the CT.
    tolerances
        State tau, and whether only the slices of the reference count.

    Returns
    -------
    rows
        The first set of a pair is A.
    kappa
        Of the manual sets; None with only one.
    """
    manual = [REFERENCE, *(one for one in observers if name in drawn.get(one, {}))]
    contours = {one: drawn.get(one, {}).get(name, {}) for one in (*manual, *methods)}
    if tolerances.limit(name, "where_drawn"):
        contours = _between_ends(contours)
    box = _box_of(contours, geometry)
    masks = {one: mask_from_contours(mine, geometry, box) for one, mine in contours.items()}
    # Consensus and kappa depend on the background: their box must not depend on the methods.
    where = _crop([masks[one] for one in manual])
    cropped = [masks[one][where] for one in manual]
    consensus = build_consensus(cropped)
    pairs = [*combinations(manual, 2), *((one, method) for one in manual for method in methods)]
    if consensus is not None:
        masks[CONSENSUS] = np.zeros_like(masks[REFERENCE])
        masks[CONSENSUS][where] = consensus
        pairs += [(CONSENSUS, one) for one in (*manual, *methods)]
    rows = [
        {
            "structure": name,
            "a": a,
            "b": b,
            "identical": are_copies(contours.get(a, {}), contours.get(b, {})),
            **_measure(masks[a], masks[b], geometry, box, tolerances.tau_mm(name), slices=a == REFERENCE),
        }
        for a, b in pairs
    ]
    return rows, compute_mask_kappa(cropped) if len(manual) > 1 else None


def are_copies(first: Contours, second: Contours) -> bool:
    """Whether the outlines of two structures are the same, up to `COPY_MM`.

    Equal masks alone are no proof: outlines that differ by less than half a voxel can have the same voxels.
    """
    if not first or first.keys() != second.keys():
        return False
    return all(_is_same_outline(shape, second[k]) for k, shape in first.items())


def _is_same_outline(one: shapely.MultiPolygon, other: shapely.MultiPolygon) -> bool:
    if not np.allclose(one.bounds, other.bounds, rtol=0, atol=COPY_MM):
        return False
    return bool(shapely.hausdorff_distance(one.boundary, other.boundary) <= COPY_MM)


def _between_ends(contours: Mapping[str, Contours]) -> dict[str, Contours]:
    """Return only the contours between the first and the last slice of the reference."""
    low, high = min(contours[REFERENCE]), max(contours[REFERENCE])
    return {one: {k: shape for k, shape in mine.items() if low <= k <= high} for one, mine in contours.items()}


def _box_of(contours: Mapping[str, Contours], geometry: VolumeGeometry) -> Box:
    boxes = [joint_box(contours[REFERENCE], mine, geometry) for mine in contours.values()]
    start = [min(box.start_zyx[axis] for box in boxes) for axis in range(3)]
    stop = [max(box.stop_zyx[axis] for box in boxes) for axis in range(3)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _crop(masks: Sequence[Mask]) -> tuple[slice, ...]:
    """Return the smallest box around all masks."""
    places = np.argwhere(np.logical_or.reduce(masks))
    if not len(places):
        return tuple(slice(0, size) for size in masks[0].shape)
    starts, stops = places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist()
    return tuple(slice(start, stop) for start, stop in zip(starts, stops, strict=True))


def _measure(a: Mask, b: Mask, geometry: VolumeGeometry, box: Box, tau_mm: float, *, slices: bool) -> Row:
    metrics = compute_metrics(a, b, geometry.spacing_zyx_mm, tau_mm)
    row: Row = {
        "missing": not b.any(),
        **metrics.to_json(),
    }
    if slices:
        row["slices"] = list(_slice_profile(a, b, geometry, box))
    return row


def _slice_profile(a: Mask, b: Mask, geometry: VolumeGeometry, box: Box) -> Iterator[Row]:
    """Yield the areas, the DSC and the added path length of every slice on which something is drawn."""
    pixel_mm2 = geometry.spacing_zyx_mm[1] * geometry.spacing_zyx_mm[2]
    lengths = added_path_lengths_mm(a, b, geometry.spacing_zyx_mm)
    counts = [np.count_nonzero(mask, axis=(1, 2)) for mask in (a, b, a & b)]
    for k, (of_a, of_b, both) in enumerate(zip(*counts, strict=True)):
        if of_a or of_b:
            index = box.start_zyx[0] + k
            yield {
                "slice": index,
                "position_mm": round(float(geometry.slice_positions_mm[index]), 3),
                "area_a_mm2": float(of_a * pixel_mm2),
                "area_b_mm2": float(of_b * pixel_mm2),
                "dsc": float(2 * both / (of_a + of_b)),
                "added_path_length_mm": float(lengths[k]),
            }

"""Metrics of the difference between two contours of a structure, on a pair of masks.

A is the reference, B the evaluated mask. An undefined metric is nan (both masks empty: two empty masks never count as a
perfect match) or infinite (a distance to an empty mask).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.patient.geometry import Box
from autocontour.qa.surface import Floats, Mask, compute_surface_distances

TAU_MM = 3.0
MM3_PER_CC = 1000.0


@dataclass(frozen=True, slots=True)
class PairMetrics:
    """Every metric of one pair.

    Attributes
    ----------
    dsc
        Dice similarity coefficient 2|A∩B| / (|A|+|B|) over voxels (Dice, Ecology 1945;26:297). 0 if one is empty.
    surface_dsc, tau_mm
        See `SurfaceDistances.surface_dsc`.
    hd95_mm, hausdorff_mm, mean_surface_distance_mm
        See `SurfaceDistances`: directed, area-weighted 95th percentiles, the larger one; maximum; symmetric mean.
    added_path_length_mm
        See `added_path_length_mm`.
    volume_a_cc, volume_b_cc, volume_difference_cc
        Voxels times their volume; the difference is B − A.
    centroid_distance_mm
        Between the centres of gravity; nan if either is empty.
    """

    dsc: float
    surface_dsc: float
    tau_mm: float
    hd95_mm: float
    hausdorff_mm: float
    mean_surface_distance_mm: float
    added_path_length_mm: float
    volume_a_cc: float
    volume_b_cc: float
    volume_difference_cc: float
    centroid_distance_mm: float

    def to_json(self) -> dict[str, float | None]:
        """Return the values; those that are not finite become null."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


def compute_metrics(
    a: Mask, b: Mask, spacing_zyx_mm: tuple[float, float, float], tau_mm: float = TAU_MM
) -> PairMetrics:
    """Compute every metric of the reference `a` and of `b`, (z, y, x) masks on one grid.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> a = np.zeros((10, 40, 40), dtype=bool)
    >>> a[2:8, 10:30, 10:30] = True
    >>> b = np.roll(a, 2, axis=2)  # 2 voxels to the left of the patient
    >>> metrics = compute_metrics(a, b, (3.0, 1.0, 1.0))
    >>> round(metrics.dsc, 3), metrics.surface_dsc, metrics.hausdorff_mm, metrics.centroid_distance_mm
    (0.9, 1.0, 2.0, 2.0)
    """
    if a.shape != b.shape:
        raise ValueError(f"masks of {a.shape} and {b.shape} voxels cannot be compared")
    a, b = _crop(a, b)
    surfaces = compute_surface_distances(a, b, spacing_zyx_mm)
    count_a, count_b, both = (int(np.count_nonzero(mask)) for mask in (a, b, a & b))
    voxel_cc = math.prod(spacing_zyx_mm) / MM3_PER_CC
    return PairMetrics(
        dsc=2 * both / (count_a + count_b) if count_a or count_b else float("nan"),
        surface_dsc=surfaces.surface_dsc(tau_mm),
        tau_mm=tau_mm,
        hd95_mm=surfaces.robust_hausdorff_mm(0.95),
        hausdorff_mm=surfaces.hausdorff_mm(),
        mean_surface_distance_mm=surfaces.mean_mm(),
        added_path_length_mm=added_path_length_mm(a, b, spacing_zyx_mm),
        volume_a_cc=count_a * voxel_cc,
        volume_b_cc=count_b * voxel_cc,
        volume_difference_cc=(count_b - count_a) * voxel_cc,
        centroid_distance_mm=float(np.linalg.norm(_centroid(a, spacing_zyx_mm) - _centroid(b, spacing_zyx_mm))),
    )


def added_path_length_mm(a: Mask, b: Mask, spacing_zyx_mm: tuple[float, float, float]) -> float:
    """Return the added path length: the length of the reference's outline that is not on the outline of `b`.

    The outline's pixels of `a`, slice by slice, that are not outline pixels of `b`, times the pixel's size (Vaassen et
    al., Phys Imaging Radiat Oncol 2020;13:1). An outline pixel is inside and has one of its four neighbours in the
    slice outside; beyond the array is outside. Not symmetric. `autocontour.edits.added_path_length_mm` is the same on
    polygons.

    Examples
    --------
    >>> a = np.zeros((1, 20, 20), dtype=bool)
    >>> a[0, 5:15, 5:15] = True
    >>> b = a.copy()
    >>> b[0, :, 14] = False
    >>> added_path_length_mm(a, b, (3.0, 1.0, 1.0))
    10.0
    """
    return float(added_path_lengths_mm(a, b, spacing_zyx_mm).sum())


def added_path_lengths_mm(a: Mask, b: Mask, spacing_zyx_mm: tuple[float, float, float]) -> Floats:
    """Return the added path length of every slice, (z,); see `added_path_length_mm`."""
    added = np.count_nonzero(_outline(a) & ~_outline(b), axis=(1, 2))
    lengths: Floats = added * math.sqrt(spacing_zyx_mm[1] * spacing_zyx_mm[2])
    return lengths


def _crop(a: Mask, b: Mask) -> tuple[Mask, Mask]:
    """Crop both to their joint box."""
    boxes = [box for box in (Box.around(a), Box.around(b)) if box is not None]
    if not boxes:
        return a[:0], b[:0]
    start = np.min([box.start_zyx for box in boxes], axis=0)
    stop = np.max([box.stop_zyx for box in boxes], axis=0)
    where = tuple(slice(low, high) for low, high in zip(start.tolist(), stop.tolist(), strict=True))
    return a[where], b[where]


def _outline(mask: Mask) -> NDArray[np.bool_]:
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1]
    inner &= padded[:, 1:-1, :-2]
    inner &= padded[:, 1:-1, 2:]
    return mask & ~inner


def _centroid(mask: Mask, spacing_zyx_mm: tuple[float, float, float]) -> Floats:
    """Centre of gravity in mm from the array's first voxel; nan for an empty mask."""
    if not mask.any():
        return np.full(3, np.nan)
    plane = mask.sum(axis=0, dtype=np.int32)
    profiles = (np.count_nonzero(mask, axis=(1, 2)), plane.sum(axis=1), plane.sum(axis=0))
    middle = [np.average(np.arange(len(profile)), weights=profile) for profile in profiles]
    return np.array(middle) * spacing_zyx_mm

"""Distances between the surfaces of two masks, computed once; every distance metric is derived from them.

The definition is that of Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck
anatomy for radiotherapy" (J Med Internet Res 2021;23:e26151), as in their program surface-distance: the surface is made
of elements, one for every corner of the voxel grid whose 2×2×2 neighbours are neither all inside nor all outside. An
element is at that corner, and its weight is the area of the surface that passes through it, in mm² (a contour's length
in mm
for masks of two dimensions). Outside the array the mask is empty, so a mask at the image's border is closed there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
PARALLEL_FROM = 4000
SEARCHED = 600

# Triangles through each of the 2×2×2 neighbourhoods 1 to 127 (those above are their complements): the amounts of the
# normal's z, y and x in eighths of a voxel face. From surface-distance (Apache-2.0, Copyright 2018 Google Inc.).
_TRIANGLES = """
111 111 220220 111 202202 111111 111222400 111 111111 202202 111222400 220220 111222400 111222400 400400 111 022022
111111 040111222 111111 004111222 111111111 111111222222 111111 022022111 111202202 022111202333 111220220
022111220333 111111222400 111222400 111 111111 022022 040111222 111111 111202202 022022111 022111202333 111111
111111111 004111222 111111222222 111220220 111111222400 022111220333 111222400 220220 040111222 040111222 040040
111220220 111202220333 040111111222 040111222 111220220 040111111222 111202220333 040111222 220220220220 111220220
111220220 220220 111 111111 111111 111220220 022022 004111222 022022111 022111220333 111111 111111111 111202202
111111222400 040111222 111111222222 022111202333 111222400 202202 004111222 111202202 111202220333 004111222 004004
004111111222 004111222 111202202 004111111222 202202202202 111202202 111202220333 004111222 111202202 202202 111111
111111111 022022111 040111111222 022022111 004111111222 022022022022 022022111 111111111 111111111111 004111111222
111111111 040111111222 111111111 022022111 111111 111222400 111111222222 022111202333 040111222 022111220333 004111222
022022111 022022 111111222400 111111111 111202202 111111 111220220 111111 111111 111
"""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Every surface element's distance to the other surface.

    Attributes
    ----------
    a_to_b_mm, b_to_a_mm
        One distance per element of A's and of B's surface; infinite where the other mask is empty.
    area_a, area_b
        The elements' weights, in mm² (mm for two dimensions).
    """

    a_to_b_mm: Floats
    b_to_a_mm: Floats
    area_a: Floats
    area_b: Floats

    @property
    def is_defined(self) -> bool:
        """Whether there is a surface at all."""
        return bool(len(self.a_to_b_mm) or len(self.b_to_a_mm))

    def hausdorff_mm(self) -> float:
        """HD: the greatest distance from any point of one surface to the other (symmetric).

        Infinite if one mask is empty, undefined (nan) if both are.
        """
        return self._either(1.0)

    def robust_hausdorff_mm(self, fraction: float = 0.95) -> float:
        """HD95: the larger of the two directed distances within which `fraction` of the surface's area lies.

        Percentiles are weighted by area, and computed separately for each direction; other programs pool both
        directions or
        count border voxels, and differ by up to half. Infinite if one mask is empty, undefined (nan) if both are.
        """
        return self._either(fraction)

    def mean_mm(self) -> float:
        """Mean surface distance: the mean over both surfaces together, weighted by area (symmetric).

        Infinite if one mask is empty, undefined (nan) if both are.
        """
        if not self.is_defined:
            return float("nan")
        total = self.a_to_b_mm @ self.area_a + self.b_to_a_mm @ self.area_b
        return float(total / (self.area_a.sum() + self.area_b.sum()))

    def directed_means_mm(self) -> tuple[float, float]:
        """Mean distance from A's surface to B and from B's to A, weighted by area; nan for an empty surface."""
        pairs = ((self.a_to_b_mm, self.area_a), (self.b_to_a_mm, self.area_b))
        to_b, to_a = (float(d @ area / area.sum()) if len(d) else float("nan") for d, area in pairs)
        return to_b, to_a

    def surface_dsc(self, tau_mm: float) -> float:
        """Surface DSC: the fraction of both surfaces' area within `tau_mm` of the other surface.

        0 if one mask is empty, undefined (nan) if both are.
        """
        if not self.is_defined:
            return float("nan")
        within = self.area_a[self.a_to_b_mm <= tau_mm].sum() + self.area_b[self.b_to_a_mm <= tau_mm].sum()
        return float(within / (self.area_a.sum() + self.area_b.sum()))

    def _either(self, fraction: float) -> float:
        if not self.is_defined:
            return float("nan")
        pairs = ((self.a_to_b_mm, self.area_a), (self.b_to_a_mm, self.area_b))
        return max(_percentile(distances, area, fraction) for distances, area in pairs)


def compute_surface_distances(a: Mask, b: Mask, spacing_mm: tuple[float, ...]) -> SurfaceDistances:
    """Measure the distances between the surfaces of two masks of the same box.

    Parameters
    ----------
    a, b
        Two or three dimensions; crop them to their joint box first.
    spacing_mm
        Voxel size along each axis.
    """
    areas = surfel_areas(spacing_mm)
    rim = tuple(axis.max() for axis in _shells(spacing_mm)[1].T)
    surfaces = [_Surface.of(mask, areas, rim) for mask in (a, b)]
    first, second = surfaces
    to_b, to_a = _distances(first, second, spacing_mm), _distances(second, first, spacing_mm)
    return SurfaceDistances(to_b, to_a, first.area, second.area)


def surfel_areas(spacing_mm: tuple[float, ...]) -> Floats:
    """Return the surface in each of the 256 (16) neighbourhoods: mm² in three dimensions, mm in two."""
    if len(spacing_mm) == 2:
        y, x = spacing_mm
        corner = float(np.hypot(y, x)) / 2
        half = [0.0, corner, corner, x, corner, y, 2 * corner, corner]
        return np.array(half + half[::-1])
    z, y, x = spacing_mm
    faces = np.array([y * x, z * x, z * y]) / 8
    half = [0.0]
    for code in _TRIANGLES.split():
        normals = np.array([int(digit) for digit in code]).reshape(-1, 3) * faces
        half.append(float(np.linalg.norm(normals, axis=1).sum()))
    return np.array(half + half[::-1])


def _neighbour_codes(mask: Mask) -> NDArray[np.uint8]:
    """Return each neighbourhood's number: along the last axis the later voxel counts 1, the earlier 2; then 4 and 8."""
    codes = np.pad(mask, 1).view(np.uint8)
    for axis in reversed(range(mask.ndim)):
        before, after = _pairs(codes, axis)
        codes = (before << np.uint8(1 << (mask.ndim - 1 - axis))) | after
    return codes


def _pairs(codes: NDArray[np.uint8], axis: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    lower, upper = [slice(None)] * codes.ndim, [slice(None)] * codes.ndim
    lower[axis], upper[axis] = slice(None, -1), slice(1, None)
    return codes[tuple(lower)], codes[tuple(upper)]


@dataclass(frozen=True, eq=False)
class _Surface:
    """A mask's surface: the positions of its elements on the grid of corners, with an empty border."""

    here: Mask
    at: NDArray[np.intp]
    area: Floats

    @classmethod
    def of(cls, mask: Mask, areas: Floats, rim: tuple[int, ...]) -> _Surface:
        codes = _neighbour_codes(mask)
        element = ((codes + np.uint8(1)) & np.uint8(len(areas) - 1)) > 1  # neither all outside nor all inside
        here = np.pad(element, [(width, width) for width in rim])
        return cls(here, np.flatnonzero(here), areas[codes[element]])

    def points_mm(self, spacing_mm: tuple[float, ...], chosen: NDArray[np.intp] | slice = slice(None)) -> Floats:
        places: Floats = np.stack(np.unravel_index(self.at[chosen], self.here.shape), axis=1) * np.array(spacing_mm)
        return places


def _distances(surface: _Surface, other: _Surface, spacing_mm: tuple[float, ...]) -> Floats:
    """Distance of every element of `surface` to the nearest of `other`.

    The grid is searched outwards from each element, one distance after the other, which is fast where the surfaces
    are close; larger distances are found with a k-d tree.
    """
    distances = np.full(len(surface.at), np.inf)
    if not len(surface.at) or not len(other.at):
        return distances
    waiting, there = np.arange(len(surface.at)), other.here.ravel()
    lengths, offsets = _shells(spacing_mm)
    steps = offsets @ np.array([int(np.prod(other.here.shape[axis + 1 :])) for axis in range(other.here.ndim)])
    starts = np.flatnonzero(np.append(True, np.diff(lengths) > 0))
    for start, stop in zip(starts, [*starts[1:], len(lengths)], strict=True):
        at = surface.at[waiting]
        met = np.logical_or.reduce([there[at + step] for step in steps[start:stop]])
        distances[waiting[met]] = lengths[start]
        waiting = waiting[~met]
        if not len(waiting):
            return distances
    tree = KDTree(other.points_mm(spacing_mm))
    workers = -1 if len(waiting) > PARALLEL_FROM else 1
    distances[waiting], _ = tree.query(surface.points_mm(spacing_mm, waiting), workers=workers)
    return distances


@lru_cache(maxsize=8)
def _shells(spacing_mm: tuple[float, ...]) -> tuple[Floats, NDArray[np.int64]]:
    """Return about `SEARCHED` offsets of the grid, shortest first: lengths in mm, and steps along each axis."""
    size = len(spacing_mm)
    unit = np.pi if size == 2 else 4 / 3 * np.pi
    reach_mm = (SEARCHED * float(np.prod(spacing_mm)) / unit) ** (1 / size)
    axes = [np.arange(-int(reach_mm / step), int(reach_mm / step) + 1) for step in spacing_mm]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, size)
    lengths = np.sqrt(((offsets * np.array(spacing_mm)) ** 2).sum(axis=1))
    near = np.flatnonzero(lengths <= reach_mm)
    order = near[np.argsort(lengths[near], kind="stable")]
    return lengths[order], offsets[order]


def _percentile(distances: Floats, area: Floats, fraction: float) -> float:
    """Return the least distance within which `fraction` of the area lies; infinite for an empty surface."""
    if not len(distances):
        return float("inf")
    if fraction >= 1:
        return float(distances.max())
    order = np.argsort(distances)
    share = np.cumsum(area[order])
    index = np.searchsorted(share, fraction * share[-1])
    return float(distances[order[min(index, len(order) - 1)]])

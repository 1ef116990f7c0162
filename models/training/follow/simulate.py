"""Simulated corrections: a structure, automatic contours with errors, and a few slices corrected by hand.

Lengths along the slices are counted in slices of the network's grid. The region of an example is longer than the
network's window, so that some corrected slices lie outside the window, as they do in a long organ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.follow.channels import (
    REACH_MM,
    SLOPE_MM,
    SPACING_ZYX_MM,
    WINDOW_ZYX,
    Array,
    Corrected,
    base_distance,
    build_channels,
)
from autocontour.models.inference.intensity import OUTSIDE_HU
from autocontour.models.training.follow.config import FollowStage
from autocontour.models.training.follow.patients import Prepared, plane_distances

BEYOND = 24
REGION_ZYX = (WINDOW_ZYX[0] + 2 * BEYOND, *WINDOW_ZYX[1:])
WINDOW = slice(BEYOND, BEYOND + WINDOW_ZYX[0])
LEAST_VOXELS = 60
COUNTS = (0.2, 0.2, 0.2, 0.12, 0.12, 0.06, 0.05, 0.05)
"""Probability of 1, 2, … corrected slices."""
EVEN, WORST = 0.6, 0.15
"""Probability of evenly spaced slices with both ends, as people draw, and of the worst ones; the others are random."""
EDGE_MM = SPACING_ZYX_MM[2]


@dataclass(frozen=True)
class Example:
    """One window with simulated corrections.

    Attributes
    ----------
    channels
        The network's input; see `autocontour.models.follow.channels.build_channels`.
    base, target, weight
        (z, y, x) logit that the network's output is added to; what it should be, from 0 to 1; weight in the loss.
    """

    channels: Array
    base: Array
    target: Array
    weight: Array


@dataclass(frozen=True)
class Region:
    """A structure in a region of a patient.

    Attributes
    ----------
    hu, solid
        (z, y, x) HU, and (z,) whether the slices can be used.
    reference, automatic
        (z, y, x) signed distances within the slice in mm; `automatic` is None without automatic contours.
    is_seen
        Whether the package of the automatic contours was trained on the patient.
    """

    hu: Array
    solid: NDArray[np.bool_]
    reference: Array
    automatic: Array | None
    is_seen: bool = True


class Simulator:
    """Draws examples from prepared patients.

    Parameters
    ----------
    patients
        At least one.
    stage
        Its ``structures`` and the probabilities.
    """

    def __init__(self, patients: Sequence[Prepared], stage: FollowStage) -> None:
        self.patients, self.stage = patients, stage
        having = {name: [one for one in patients if _has_voxels(one, name)] for name in stage.structures}
        self.having = {name: found for name, found in having.items() if found}
        weights = np.array([stage.sampling_weights.get(name, 1.0) for name in self.having])
        self.shares = weights / weights.sum()

    def draw(self, rng: Generator) -> Example:
        """Return one example; regions without a structure are drawn again."""
        while True:
            region = self._draw_region(rng)
            usable = (region.reference[WINDOW] > 0).sum(axis=(1, 2)) * region.solid[WINDOW]
            if usable.sum() >= LEAST_VOXELS:
                region = vary_automatic(region, rng, self.stage)
                corrected, slices = correct_slices(region, rng, self.stage)
                return _example(region, corrected, slices)

    def _draw_region(self, rng: Generator) -> Region:
        name = str(rng.choice(list(self.having), p=self.shares))
        patient = self.having[name][rng.integers(len(self.having[name]))]
        region = cut_region(patient, name, rng, self.stage)
        if rng.random() < self.stage.unknown_probability:
            region = Region(region.hu, region.solid, invent_structure(region.hu, rng), None)
        elif rng.random() < self.stage.derived_probability:
            region = Region(region.hu, region.solid, derive_structure(region.reference, rng), None)
        return region


def _has_voxels(patient: Prepared, name: str) -> bool:
    return name in patient.references and bool((patient.references[name].tenths > 0).any())


def cut_region(patient: Prepared, name: str, rng: Generator, stage: FollowStage) -> Region:
    """Cut a region around a random part of a structure, rotated, scaled, mirrored and bent."""
    reference, automatic = patient.references[name], patient.automatic.get(name)
    drawn = reference.tenths > 0
    z = rng.choice(np.flatnonzero(drawn.any(axis=(1, 2))))
    rows, columns = np.nonzero(drawn[z])
    centre = np.add(reference.start_zyx, (z, rows.mean(), columns.mean()))
    centre += rng.uniform(-1, 1, 3) * (WINDOW_ZYX[0] / 4, 5, 5)
    zoom = float(np.exp(rng.uniform(-1, 1) * stage.zoom))
    points = _place_points(rng, zoom, stage) / SPACING_ZYX_MM + centre
    shape = patient.hu.shape
    volumes = [patient.hu - np.float32(OUTSIDE_HU), reference.whole(shape) + np.float32(REACH_MM)]
    if automatic is not None:
        volumes.append(automatic.whole(shape) + np.float32(REACH_MM))
    hu, *distances = _resample(np.stack(volumes), points)
    place = np.rint(points[:, REGION_ZYX[1] // 2, REGION_ZYX[2] // 2, 0]).astype(int)
    solid = (place >= 0) & (place < len(patient.solid)) & patient.solid[place.clip(0, len(patient.solid) - 1)]
    scaled = [np.clip((one - REACH_MM) / zoom, -REACH_MM, REACH_MM) for one in distances]
    for one in scaled:
        one[one <= (0.02 - REACH_MM) / zoom] = -REACH_MM
    drawn_by_package = scaled[1] if automatic is not None else None
    return Region(_vary_hu(hu + OUTSIDE_HU, rng), solid, scaled[0], drawn_by_package, patient.is_seen)


def _place_points(rng: Generator, zoom: float, stage: FollowStage) -> NDArray[np.float64]:
    """Return (z, y, x, 3) the region's voxels in mm from its middle, turned, scaled by `zoom` and bent."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(REGION_ZYX, SPACING_ZYX_MM, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    angles = np.radians(rng.uniform(-1, 1, 3) * stage.rotation_zyx_deg)
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = (k for k in range(3) if k != axis)
        turn = np.eye(3)
        turn[[a, b, a, b], [a, b, b, a]] = np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    scale = zoom * np.exp(rng.uniform(-0.12, 0.12)), zoom, zoom * (-1 if rng.random() < 0.5 else 1)
    bent = np.stack([smooth_noise(rng, REGION_ZYX, (5, 4, 4)) for _ in range(3)], axis=-1)
    moved: NDArray[np.float64] = points @ (matrix * np.array(scale)).T + bent * stage.elastic_mm
    return moved


def smooth_noise(rng: Generator, shape: tuple[int, ...], knots: tuple[int, ...]) -> Array:
    """Return a smooth random field with a standard deviation of about 1 at its knots."""
    coarse = torch.from_numpy(rng.standard_normal(knots).astype(np.float32))[None, None]
    mode = "trilinear" if len(shape) == 3 else "bilinear"
    field: Array = F.interpolate(coarse, size=shape, mode=mode, align_corners=True)[0, 0].numpy()
    return field


def _resample(volumes: Array, points: NDArray[np.float64]) -> Array:
    """Interpolate volumes (n, z, y, x) linearly at points (z, y, x, 3), 0 outside."""
    sizes = np.array(volumes.shape[1:])
    grid = (2 * points / np.maximum(sizes - 1, 1) - 1)[..., ::-1].astype(np.float32)
    at = torch.from_numpy(np.ascontiguousarray(grid))[None]
    found: Array = F.grid_sample(torch.from_numpy(volumes)[None], at, align_corners=True)[0].numpy()
    return found


def _vary_hu(hu: Array, rng: Generator) -> Array:
    air = hu < OUTSIDE_HU + 20
    varied = hu * np.float32(1 + 0.06 * rng.uniform(-1, 1)) + np.float32(25 * rng.uniform(-1, 1))
    varied += rng.standard_normal(hu.shape, np.float32) * np.float32(25 * rng.random())
    varied[air] = OUTSIDE_HU
    return varied.astype(np.float32)


def invent_structure(hu: Array, rng: Generator) -> Array:
    """Return the signed distances of an unknown structure: similar HU within a random ellipsoid, or all."""
    middle = np.array(hu.shape) / 2 + rng.uniform(-1, 1, 3) * (8, 8, 8)
    radii = rng.uniform(10, 42, 3) / SPACING_ZYX_MM
    z, y, x = (((np.arange(n) - m) / r) ** 2 for n, m, r in zip(hu.shape, middle, radii, strict=True))
    warp = 0.2 * smooth_noise(rng, hu.shape, (7, 5, 5))
    inside = z[:, None, None] + y[:, None] + x + warp < 1
    smooth = ndimage.gaussian_filter(hu, 1.0)
    inside &= smooth > -900 + 800 * rng.random()
    if rng.random() < 0.7:
        level = smooth[tuple(middle.astype(int))]
        inside &= np.abs(smooth - level) < rng.uniform(30, 150)
        inside = ndimage.binary_opening(inside)
    pieces, _ = ndimage.label(inside)
    sizes = np.bincount(pieces.ravel())[1:]
    if not len(sizes):
        return np.full(hu.shape, -REACH_MM, np.float32)
    largest = (pieces == 1 + sizes.argmax()).astype(np.float32)
    found = plane_distances(ndimage.gaussian_filter(largest, (0.3, 0.5, 0.5)), 0.5, SPACING_ZYX_MM[1:])
    return np.full(hu.shape, -REACH_MM, np.float32) if found is None else found.whole(hu.shape)


def derive_structure(reference: Array, rng: Generator) -> Array:
    """Return a structure made from another: larger, smaller, or cut by a plane."""
    if rng.random() < 0.6:
        drawn = reference > -REACH_MM
        moved: Array = np.where(drawn, np.clip(reference + rng.uniform(-2, 6), -REACH_MM, REACH_MM), -REACH_MM)
        return moved
    angle, axis = rng.uniform(0, 2 * np.pi), np.argwhere(reference > 0).mean(axis=0)
    rows, columns = (np.arange(n)[:, None] - axis[k] for k, n in ((1, reference.shape[1]), (2, reference.shape[2])))
    plane = EDGE_MM * (np.sin(angle) * rows + np.cos(angle) * columns.T)
    cut: Array = np.minimum(reference, plane.clip(-REACH_MM, REACH_MM)).astype(np.float32)
    return cut


def vary_automatic(region: Region, rng: Generator, stage: FollowStage) -> Region:
    """Return the region with the automatic contours of the package, varied ones, invented errors, or none."""
    automatic = region.automatic
    absent = stage.nothing_probability if automatic is not None else max(0.5, stage.nothing_probability)
    if rng.random() < absent:
        return Region(region.hu, region.solid, region.reference, None)
    if automatic is None or rng.random() < stage.invented_probability:
        automatic = _with_errors(region.reference, rng, amplitude_mm=rng.uniform(1, 6), ends=8)
    else:
        if region.is_seen:
            automatic = enlarge_errors(automatic, region.reference, rng.uniform(0, stage.error_growth))
        if rng.random() < 0.3:
            automatic = _with_errors(automatic, rng, amplitude_mm=rng.uniform(0, 2), ends=3)
    if not (automatic > 0).any():
        automatic = None
    return Region(region.hu, region.solid, region.reference, automatic)


def enlarge_errors(automatic: Array, reference: Array, share: float) -> Array:
    """Return automatic contours whose distance from the reference is larger by a share of it.

    A package's contours of its own training patients become as good as those of other patients, with errors at the
    same places.
    """
    moved: Array = np.clip(automatic + np.float32(share) * (automatic - reference), -REACH_MM, REACH_MM)
    return moved


def _with_errors(distance: Array, rng: Generator, amplitude_mm: float, ends: int) -> Array:
    """Move outlines by smooth noise, and end the structure earlier or later."""
    noise = amplitude_mm * smooth_noise(rng, distance.shape, (9, 6, 6))
    moved = np.where(distance > -REACH_MM, np.clip(distance + noise, -REACH_MM, REACH_MM), -REACH_MM)
    slices = np.flatnonzero((moved > 0).any(axis=(1, 2)))
    if not len(slices):
        return moved.astype(np.float32)
    for end, outward in ((slices[0], -1), (slices[-1], 1)):
        count = int(rng.integers(1, ends + 1))
        if rng.random() < 0.35:
            for k in range(count):
                moved[np.clip(end - outward * k, 0, len(moved) - 1)] = -REACH_MM
        elif rng.random() < 0.5:
            for k in range(1, count + 1):
                if 0 <= end + outward * k < len(moved):
                    moved[end + outward * k] = np.maximum(moved[end] - k * rng.uniform(0, 1), -REACH_MM)
    return moved.astype(np.float32)


def correct_slices(region: Region, rng: Generator, stage: FollowStage) -> tuple[Corrected, NDArray[np.int64]]:
    """Return corrected slices as a person would draw them, and their numbers in the region."""
    slices = _choose_slices(region, rng)
    fractions = np.where(rng.random(len(slices)) < 0.5, 0.0, rng.uniform(-0.5, 0.5, len(slices)))
    positions: NDArray[np.float64] = slices.astype(float) + fractions
    drawn = _between_slices(region.reference, positions)
    automatic = None if region.automatic is None else _between_slices(region.automatic, positions)
    for number, plane in enumerate(drawn):
        if automatic is not None and rng.random() < stage.stroke_probability:
            plane[:] = _stroke(plane, automatic[number], rng)
        if rng.random() < 0.5 and (plane > -REACH_MM).any():
            plane += rng.uniform(0, stage.hand_mm) * smooth_noise(rng, plane.shape, (7, 7))
        if rng.random() < stage.wrong_probability:
            other = int(np.clip(slices[number] + rng.integers(-10, 11), 0, len(region.reference) - 1))
            plane[:] = region.reference[other] + 4 * smooth_noise(rng, plane.shape, (5, 5))
    return Corrected(positions * SPACING_ZYX_MM[0], drawn.clip(-REACH_MM, REACH_MM), automatic), slices


def _choose_slices(region: Region, rng: Generator) -> NDArray[np.int64]:
    """Return sorted slices: evenly spaced with the ends, the worst ones, or random ones; empty ones among them."""
    structure = (region.reference > 0).any(axis=(1, 2)) & region.solid
    drawn = structure if region.automatic is None else structure | (region.automatic > 0).any(axis=(1, 2))
    usable = np.flatnonzero(ndimage.binary_dilation(drawn, iterations=2) & region.solid)
    ends = np.flatnonzero(structure)[[0, -1]]
    count = 1 + int(rng.choice(len(COUNTS), p=COUNTS))
    if region.automatic is None:
        count = max(count, 2) if rng.random() < 0.9 else count
    way = rng.random()
    if way < EVEN:
        chosen = np.linspace(ends[0], ends[1], count) if count > 1 else ends.mean(keepdims=True)
    elif way < EVEN + WORST and region.automatic is not None:
        wrong = ((region.reference > 0) != (region.automatic > 0)).sum(axis=(1, 2)) * region.solid
        chosen = _worst(wrong, count)
    else:
        chosen = rng.choice(usable, min(count, len(usable)), replace=False)
    slices = np.unique(np.rint(chosen).astype(int))
    if rng.random() < 0.2:
        beyond = ends[0] - rng.integers(1, 4) if rng.random() < 0.5 else ends[1] + rng.integers(1, 4)
        slices = np.unique(np.append(slices, np.clip(beyond, usable[0], usable[-1])))
    return slices


def _worst(wrong: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the slices with the most wrong voxels, at least three apart."""
    left, chosen = wrong.astype(float), []
    for _ in range(count):
        worst = int(left.argmax())
        chosen.append(worst)
        left[max(0, worst - 2) : worst + 3] = -1
    return np.array(chosen)


def _between_slices(distance: Array, positions: NDArray[np.float64]) -> Array:
    place = positions.clip(0, len(distance) - 1)
    low = np.minimum(place.astype(int), len(distance) - 2)
    share = (place - low)[:, None, None].astype(np.float32)
    planes: Array = (1 - share) * distance[low] + share * distance[low + 1]
    return planes


def _stroke(reference: Array, automatic: Array, rng: Generator) -> Array:
    """Return the automatic outline corrected by one stroke, a disc around some wrong voxel."""
    wrong = np.argwhere((reference > 0) != (automatic > 0))
    if not len(wrong):
        return reference.copy()
    y, x = wrong[rng.integers(len(wrong))]
    rows, columns = np.ogrid[: reference.shape[0], : reference.shape[1]]
    disc = EDGE_MM * np.hypot(rows - y, columns - x) < rng.uniform(8, 25)
    return np.where(disc, reference, automatic).astype(np.float32)


def _example(region: Region, corrected: Corrected, slices: NDArray[np.int64]) -> Example:
    positions = (np.arange(float(REGION_ZYX[0])) * SPACING_ZYX_MM[0])[WINDOW]
    automatic = None if region.automatic is None else region.automatic[WINDOW]
    channels = build_channels(region.hu[WINDOW], positions, corrected, automatic)
    target = np.clip(region.reference[WINDOW] / EDGE_MM + 0.5, 0, 1)
    weight = region.solid.astype(np.float32)
    weight[slices] *= 0.3
    whole = np.broadcast_to(weight[WINDOW, None, None], target.shape)
    base = base_distance(corrected, positions, automatic) / np.float32(SLOPE_MM)
    return Example(channels, base, target, np.ascontiguousarray(whole))

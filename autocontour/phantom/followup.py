"""A later CT of the same patient, with true contours, made from a CT and its contours.

The patient's change is a chain of maps with known Jacobians (`autocontour.phantom.motion`): weight loss, shrinking
targets and parotids, parotids nearer to the midline, another bend of the neck, other shoulders, small random shifts
of soft tissue and the set-up on the couch. Image and contours are moved by the same maps. The couch, its table top
and everything else outside the body is moved on its own. The later CT has its own slices and new noise.

The sizes follow published courses of head-and-neck radiotherapy: parotids lose about 0.6 % of their volume a
treatment day and move 3 mm to the midline, targets lose 1.8 % a day, the weight falls by 5 to 10 % (Barker et al.,
Int J Radiat Oncol Biol Phys 2004;59:960).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_probability, coverage_from_contours
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.phantom.artifacts import correlated_noise
from autocontour.phantom.motion import Bump, Chain, Flexion, Motion, Setup, Shoulders, Shrinkage, WeightLoss

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Samples = NDArray[np.float32]
AIR_HU = -1024
BODY_HU = -300
TREATMENT_DAYS = 33
TARGETS = ("GTV", "CTV", "PTV")
LONGEST_BUMP_MM = 3.0
LEVELS = 24
WIDTH = 2.2
"""Width of an organ's shrinkage over the standard deviation of its points along the same axis."""


WIDEST_MM = 25.0
"""Largest such width: of a large elective target only the middle shrinks, not the whole neck."""


@dataclass(frozen=True)
class Change:
    """How the patient and the scan differ from the earlier CT.

    Attributes
    ----------
    weight_loss
        How much nearer to the axis the skin comes, as a fraction of the half width.
    shrinkage
        Structure → fraction of its volume that is lost, 0 to 0.8.
    medial_mm
        How far the parotids move to the midline.
    flexion_deg, shoulders_mm
        See `Flexion` and `Shoulders`; 0 for scans of other body parts.
    setup_mm, setup_deg
        Rigid, LPS.
    wobble_mm
        Standard deviation of small random shifts of soft tissue.
    couch_mm
        Shift of what is outside the body, LPS.
    noise_hu
        Standard deviation of the noise that is added.
    spacing_z_mm
        Of the slices; None as before.
    offset_z_mm
        Of the first slice.
    cut_mm
        How much of the scan is missing at the lower and at the upper end.
    seed
        Of everything random.
    """

    weight_loss: float = 0.0
    shrinkage: Mapping[str, float] = field(default_factory=dict)
    medial_mm: float = 0.0
    flexion_deg: float = 0.0
    shoulders_mm: float = 0.0
    setup_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    setup_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wobble_mm: float = 0.0
    couch_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_hu: float = 0.0
    spacing_z_mm: float | None = None
    offset_z_mm: float = 0.0
    cut_mm: tuple[float, float] = (0.0, 0.0)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FollowUp:
    """A later CT.

    Attributes
    ----------
    hu
        (slices, rows, columns) int16.
    geometry
        Positions of the voxels; another grid than that of the earlier CT.
    coverage
        Structure → (z, y, x) float32 on `geometry`: the fraction of a voxel inside; structures outside are missing.
    motion
        Takes points of this CT (LPS, mm) to those of the earlier CT.
    """

    hu: NDArray[np.int16]
    geometry: VolumeGeometry
    coverage: Mapping[str, Samples]
    motion: Chain

    @property
    def masks(self) -> dict[str, Mask]:
        """Structure → its voxels."""
        return {name: values >= 0.5 for name, values in self.coverage.items()}

    @property
    def truth(self) -> dict[str, Contours]:
        """Structure → its true contours, on the slices of this CT."""
        drawn = {
            name: contours_from_probability(values, self.geometry, self.geometry)
            for name, values in self.coverage.items()
        }
        return {name: contours for name, contours in drawn.items() if contours}


def random_change(names: Collection[str], seed: int, day: int = TREATMENT_DAYS) -> Change:
    """Return a realistic change after some days of head-and-neck treatment.

    Parameters
    ----------
    names
        Of the structures; the parotids and one target shrink: a GTV, or else a CTV or PTV, of the highest dose.
    seed
        The same seed gives the same change.
    day
        Treatment day: weight loss and shrinkage grow with it; the pose and the set-up do not.
    """
    rng = np.random.default_rng([seed, 11])
    part = day / TREATMENT_DAYS
    target, parotids = rng.uniform(0.15, 0.45), rng.uniform(0.1, 0.35)
    shrinkage = {name: part * parotids for name in names if name.startswith("Parotid")}
    shrinkage |= dict.fromkeys(_main_target(names), part * target)
    three = [tuple(float(value) for value in rng.normal(0, sigma, 3)) for sigma in (3.0, 1.2, 8.0)]
    return Change(
        weight_loss=float(part * rng.uniform(0.01, 0.06)),
        shrinkage=shrinkage,
        medial_mm=float(part * rng.uniform(1.0, 4.0)),
        flexion_deg=float(rng.normal(0, 4.0)),
        shoulders_mm=float(rng.normal(0, 6.0)),
        setup_mm=(three[0][0], three[0][1], three[0][2]),
        setup_deg=(three[1][0], three[1][1], three[1][2]),
        wobble_mm=1.2,
        couch_mm=(three[2][0], abs(three[2][1]), three[2][2]),
        noise_hu=float(rng.uniform(8, 16)),
        offset_z_mm=float(rng.uniform(-1, 1)),
        cut_mm=(float(rng.uniform(0, 15)), float(rng.uniform(0, 15))),
        seed=seed,
    )


def make_followup(
    hu: NDArray[np.int16],
    geometry: VolumeGeometry,
    structures: Mapping[str, Contours | Mask],
    change: Change,
    *,
    body: Mask | None = None,
    job: Job | None = None,
) -> FollowUp:
    """Make a later CT.

    Parameters
    ----------
    hu, geometry
        Of the earlier CT.
    structures
        Name → contours, or mask on `geometry`.
    change
        What is different.
    body
        The patient without the couch; by default External of `structures`, or else the largest region of tissue.
    job
        Reports progress; may cancel.

    Notes
    -----
    Where the later CT reaches beyond the slices of the earlier one, the earlier CT's last slice is continued, in the
    image and in the contours.
    """
    job = job or Job()
    coverage = {name: _coverage(shape, geometry) for name, shape in structures.items()}
    inside = body if body is not None else _find_body(hu, coverage.get("External"))
    motion = Chain(list(_motions(geometry, inside, coverage, change)))
    later = _later_geometry(geometry, change)
    couch = np.where(ndimage.binary_dilation(inside, iterations=2), np.int16(AIR_HU), hu)
    patient = np.where(ndimage.binary_dilation(inside), hu, np.int16(AIR_HU))
    boxes = {name: _padded_box(values) for name, values in coverage.items() if values.any()}
    result = np.empty(later.shape_zyx, np.int16)
    moved = {name: np.zeros(later.shape_zyx, np.float32) for name in boxes}
    for k in job.track(range(len(result)), "moving the patient", len(result)):
        points = _points(later, k)
        came_from = _index(geometry, motion.pull(points))
        from_couch = _index(geometry, points - change.couch_mm)
        level = np.maximum(_sample(patient, came_from, AIR_HU), _sample(couch, from_couch, AIR_HU))
        if change.noise_hu:
            rng = np.random.default_rng([change.seed, 12, k])
            noise = correlated_noise((later.rows, later.columns), later.pixel_spacing_vu_mm, rng)
            level = level + change.noise_hu * noise.ravel() * (level > AIR_HU + 1)
        result[k] = np.rint(np.clip(level, AIR_HU, 30000)).reshape(later.rows, later.columns)
        for name, box in boxes.items():
            moved[name][k] = _sample_box(coverage[name], box, came_from).reshape(later.rows, later.columns)
    return FollowUp(result, later, {name: values for name, values in moved.items() if (values >= 0.5).any()}, motion)


def _main_target(names: Iterable[str]) -> list[str]:
    """Return the target that shrinks, as a list of one; empty if there is no target."""

    def rank(name: str) -> tuple[int, bool, str]:
        kind = next(place for place, prefix in enumerate(TARGETS) if name.upper().startswith(prefix))
        return kind, "high" not in name.lower(), name

    return sorted((name for name in names if name.upper().startswith(TARGETS)), key=rank)[:1]


def _coverage(shape: Contours | Mask, geometry: VolumeGeometry) -> Samples:
    if isinstance(shape, np.ndarray):
        return shape.astype(np.float32)
    return coverage_from_contours(shape, geometry)


def _find_body(hu: NDArray[np.int16], external: Samples | None) -> Mask:
    if external is not None:
        return external >= 0.5
    labels, count = ndimage.label(ndimage.binary_opening(hu > BODY_HU))
    if not count:
        return np.zeros(hu.shape, np.bool_)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = labels == sizes.argmax()
    return np.stack([ndimage.binary_fill_holes(plane) for plane in ndimage.binary_dilation(largest)])


def _motions(geometry: VolumeGeometry, body: Mask, coverage: Mapping[str, Samples], change: Change) -> Iterator[Motion]:
    """Yield the maps in the order in which they take a point of the later CT back."""
    levels, middles, halves = _outline(geometry, body)
    middle = np.append(middles.mean(axis=0), levels.mean())
    center = (float(middle[0]), float(middle[1]), float(middle[2]))
    yield Setup(change.setup_mm, change.setup_deg, center)
    neck = _neck_level(levels, halves)
    half_y = float(np.interp(neck, levels, halves[:, 1]))
    if change.flexion_deg:
        pivot = float(np.interp(neck, levels, middles[:, 1])) + 0.3 * half_y, neck
        yield Flexion(change.flexion_deg, pivot, neck - 20.0, 120.0)
    if change.shoulders_mm:
        lateral = 1.2 * float(halves[:, 0].min())
        length = max(60.0, 2.5 * abs(change.shoulders_mm))
        yield Shoulders(change.shoulders_mm, neck, length, center[0], lateral)
    if change.weight_loss:
        yield WeightLoss(change.weight_loss, levels, middles, halves)
    yield from _organ_motions(geometry, coverage, change, center[0])
    yield from _bumps(levels, middles, halves, change)


def _organ_motions(
    geometry: VolumeGeometry, coverage: Mapping[str, Samples], change: Change, middle_x: float
) -> Iterator[Motion]:
    for name, values in coverage.items():
        if not values.any():
            continue
        points = geometry_points(geometry, np.argwhere(values >= 0.5))
        if not len(points):
            continue
        at, spread = points.mean(axis=0), np.clip(points.std(axis=0) * WIDTH, 8.0, WIDEST_MM)
        center, sigma = _triple(at), _triple(spread)
        if change.medial_mm and name.startswith("Parotid"):
            outward = float(np.sign(at[0] - middle_x))
            yield Bump((outward * change.medial_mm, 0.0, 0.0), center, float(max(spread.max(), change.medial_mm)))
        lost = change.shrinkage.get(name, 0.0)
        if lost:
            yield Shrinkage(_strength(lost), center, sigma)


def _strength(lost: float) -> float:
    """Return the strength with which an ellipsoid loses a fraction of its volume.

    Its surface, at √5 standard deviations, comes from (1 − lost)^(−1/3) times as far.
    """
    scale = (1 - lost) ** (1 / 3)
    return float((1 / scale - 1) * np.exp(scale**2 * 5 / (2 * WIDTH**2)))


def _bumps(levels: Floats, middles: Floats, halves: Floats, change: Change) -> Iterator[Motion]:
    rng = np.random.default_rng([change.seed, 13])
    if not change.wobble_mm:
        return
    for _ in range(8):
        level = int(rng.integers(len(levels)))
        at = middles[level] + rng.uniform(-0.7, 0.7, 2) * halves[level]
        shift = np.clip(rng.normal(0, change.wobble_mm, 3), -LONGEST_BUMP_MM, LONGEST_BUMP_MM)
        yield Bump(_triple(shift), _triple(np.append(at, levels[level])), float(rng.uniform(18, 35)))


def _outline(geometry: VolumeGeometry, body: Mask) -> tuple[Floats, Floats, Floats]:
    """Return LPS z and the smoothed middle and half widths (x, y) of the body at some levels."""
    rows: list[Floats] = []
    for k in np.unique(np.linspace(0, len(body) - 1, LEVELS).astype(int)):
        voxels = np.argwhere(body[k])
        if len(voxels) < 10:
            continue
        points = geometry_points(geometry, np.insert(voxels, 0, k, axis=1))
        low, high = points.min(axis=0), points.max(axis=0)
        rows.append(np.array([points[:, 2].mean(), *(low + high)[:2] / 2, *np.maximum((high - low)[:2] / 2, 20.0)]))
    if not rows:
        middle = geometry_points(geometry, np.array([np.array(geometry.shape_zyx) // 2]))[0]
        rows = [np.array([middle[2], middle[0], middle[1], 100.0, 100.0])]
    table = np.array(sorted(rows, key=lambda row: float(row[0])))
    smooth = ndimage.gaussian_filter1d(table[:, 1:], 1.5, axis=0, mode="nearest")
    return table[:, 0], smooth[:, :2], smooth[:, 2:]


def _neck_level(levels: Floats, halves: Floats) -> float:
    """Return LPS z of the neck: where the body is narrowest."""
    return float(levels[np.argmin(halves[:, 0] * halves[:, 1])])


def _later_geometry(geometry: VolumeGeometry, change: Change) -> VolumeGeometry:
    """Return the grid of the later CT: even slices within the earlier CT's extent."""
    positions = geometry.slice_positions_mm
    step = change.spacing_z_mm or geometry.slice_spacing_mm
    start = positions[0] + change.cut_mm[0] + change.offset_z_mm
    count = max(1, int((positions[-1] - change.cut_mm[1] - start) / step + 1e-6) + 1)
    first = geometry.slice_origins_lps_mm[0] + geometry.direction[:, 2] * (start - positions[0])
    return VolumeGeometry.regular(
        (count, geometry.rows, geometry.columns), (step, *geometry.pixel_spacing_vu_mm), first, geometry.direction
    )


def geometry_points(geometry: VolumeGeometry, voxels_zyx: NDArray[np.integer]) -> Floats:
    """Return the LPS points of (n, 3) voxel indices z, y, x."""
    v, u = geometry.pixel_spacing_vu_mm
    origins = geometry.slice_origins_lps_mm[voxels_zyx[:, 0]]
    along = voxels_zyx[:, 2:3] * u * geometry.direction[:, 0] + voxels_zyx[:, 1:2] * v * geometry.direction[:, 1]
    points: Floats = origins + along
    return points


def _points(geometry: VolumeGeometry, k: int) -> Floats:
    rows, columns = np.mgrid[: geometry.rows, : geometry.columns].reshape(2, -1)
    return geometry_points(geometry, np.stack([np.full(rows.size, k), rows, columns], axis=1))


def _index(geometry: VolumeGeometry, points: Floats) -> Floats:
    """Return the (3, n) fractional voxel index z, y, x of LPS points; slices beyond the ends become the last ones."""
    uvw = geometry.to_plane(points)
    positions = geometry.slice_positions_mm
    z = np.interp(uvw[:, 2], positions, np.arange(len(positions), dtype=np.float64))
    origin = geometry.plane_origins_uv_mm[0]
    v, u = geometry.pixel_spacing_vu_mm
    return np.stack([z, (uvw[:, 1] - origin[1]) / v, (uvw[:, 0] - origin[0]) / u])


def _sample(values: NDArray[np.int16], index: Floats, outside: float) -> Floats:
    sampled: Floats = ndimage.map_coordinates(values, index, np.float64, order=1, mode="constant", cval=outside)
    return sampled


def _padded_box(values: Samples) -> tuple[slice, ...]:
    found = ndimage.find_objects((values > 0).astype(np.int8))[0]
    # A scan that ends inside a structure is continued there, so the box reaches exactly to the end.
    return tuple(
        slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(found, values.shape, strict=True)
    )


def _sample_box(values: Samples, box: tuple[slice, ...], index: Floats) -> Samples:
    """Sample a structure only at the points within its box."""
    sampled = np.zeros(index.shape[1], np.float32)
    start = np.array([part.start for part in box], dtype=np.float64)[:, None]
    stop = np.array([part.stop - 1 for part in box], dtype=np.float64)[:, None]
    near = np.flatnonzero(((index >= start) & (index <= stop)).all(axis=0))
    if len(near):
        inside = index[:, near] - start
        sampled[near] = ndimage.map_coordinates(values[box], inside, np.float32, order=1, mode="nearest")
    return sampled


def _triple(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])

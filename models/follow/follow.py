"""Corrected slices carried through a structure: contours for its other slices.

The network works on a grid of the patient; its result is a change of the distance to the outline, which is added on
the CT's own slices. Corrected slices are never part of the result.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import MultiPolygon

from autocontour.base.errors import FollowError
from autocontour.base.findings import Finding
from autocontour.models.follow.channels import (
    REACH_MM,
    SLOPE_MM,
    SPACING_ZYX_MM,
    WINDOW_ZYX,
    Array,
    Corrected,
    base_distance,
    build_channels,
    interpolate_outlines,
)
from autocontour.models.follow.decision import Blend, Decision, Tried, features_of
from autocontour.models.follow.network import Network, open_network
from autocontour.models.follow.planes import outlines, signed_distances
from autocontour.models.inference.intensity import OUTSIDE_HU
from autocontour.models.inference.localizer import find_patient
from autocontour.models.inference.sampling import Grid, sample_mask
from autocontour.models.inference.windows import gaussian_weights, tile_box
from autocontour.patient.geometry import Box, Floats
from autocontour.patient.structures import Contours, SliceChanges
from autocontour.patient.volume import CTVolume

BEYOND_MM = 30.0
"""How far beyond the outermost contour a slice can get one."""
AROUND_MM = 25.0
OVERLAP = 0.25
MOST_TILES = 60
SMALLEST_MOVE_MM = 1.0
"""A slice whose outline moves by less stays as it is."""
FAR_MM = 10.0
"""A slice whose outline moves by more is named in a finding."""
NEAR_MM = 20.0
"""A slice with automatic contours that is farther from every corrected one stays as it is."""
LEAST_IN_BODY = 0.5
DOUBT = 0.6
"""Logit by which a change of automatic contours is reduced, divided by the number of corrected slices."""
FAR_OUTSIDE = np.float32(-15.0)  # a logit


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT prepared for the network; see `prepare_scan`.

    Attributes
    ----------
    ct
        The scan.
    grid
        The network's voxels over the whole scan.
    hu
        (z, y, x) on `grid`, −1024 outside the body.
    body
        (z, y, x) on `grid`.
    """

    ct: CTVolume
    grid: Grid
    hu: Array
    body: NDArray[np.bool_]


@dataclass(frozen=True)
class Followed:
    """What the corrected slices suggest for the others.

    Attributes
    ----------
    changes
        Slice index → proposed outline, None where the structure would be removed; only slices that would change.
    moved_mm
        Slice index → how far its outline would move: the Hausdorff distance within the slice; for a slice that gets a
        contour or loses it, the distance to the nearest slice that has one before or after.
    findings
        Findings about the proposal.
    correction, change
        1 − DSC of automatic and corrected contours on the corrected slices, and of automatic and proposed contours on
        the others; 0 and 1 without automatic contours.
    hu
        Mean HU within the corrected outlines.
    is_likely
        Whether the proposal is expected to be better than the contours before it; if not, it should not be shown.
    """

    changes: SliceChanges
    moved_mm: Mapping[int, float]
    findings: tuple[Finding, ...] = ()
    correction: float = 0.0
    change: float = 0.0
    hu: float = 0.0
    is_likely: bool = True


def prepare_scan(ct: CTVolume) -> Scan:
    """Find the body and sample the CT on the network's grid; once per CT.

    Raises
    ------
    ModelError
        ``AC-MD-030`` for a CT too oblique.
    FollowError
        ``AC-FO-002`` if its slices are not axial, ``AC-FO-003`` without a body.
    """
    patient = find_patient(ct)
    if patient is None:
        raise FollowError("AC-FO-003")
    frame = patient.body_grid.frame
    if frame.axes[0] != 0:
        raise FollowError("AC-FO-002")
    grid = Grid.over(frame, SPACING_ZYX_MM)
    return Scan(ct, grid, patient.sample(grid), sample_mask(patient.body, patient.body_grid, grid))


def follow_slices(
    scan: Scan,
    corrected: SliceChanges,
    automatic: Contours | None = None,
    network: Network | None = None,
    decision: Decision | None = None,
    blend: Blend | None = None,
    *,
    ends: bool = False,
) -> Followed:
    """Carry corrected slices through a structure.

    Parameters
    ----------
    scan
        The CT.
    corrected
        Slice index → the outline as it was drawn or confirmed; None where the structure is not on the slice.
    automatic
        The contours before any correction, on all slices; None or empty if there are none: then the structure ends at
        the outermost corrected slices.
    network
        Instead of the program's own.
    decision, blend
        When a proposal is shown, and how much of it is interpolation, for a `network` that is given; the program's own
        network has its own.
    ends
        Whether the outermost drawn slices are the first and the last one of the structure.

    Raises
    ------
    FollowError
        ``AC-FO-004`` if nothing is drawn, ``AC-FO-005`` for a slice that is not in the CT, ``AC-FO-006`` for a
        structure too large, ``AC-FO-007`` if `ends` is set and fewer than two slices are drawn; or the errors of
        running the network.
    """
    work = _Work(scan, with_ends(corrected, scan.ct) if ends else corrected, automatic or {}, frozenset(corrected))
    work.check()
    if (finding := work.find_obstacle()) is not None:
        return Followed({}, {}, (finding,), work.correction)
    if network is None:
        network = own = open_network()
        decision, blend = own.source.decision, own.source.blend
    followed = work.compare(work.propose(network, blend))
    features = features_of(followed.correction, followed.change, len(corrected), followed.hu)
    if decision is None or not followed.changes or not automatic or decision.shows(features):
        return followed
    return replace(followed, is_likely=False, findings=(*followed.findings, Finding.of("AC-FO-011")))


def with_ends(corrected: SliceChanges, ct: CTVolume) -> SliceChanges:
    """Return corrected slices with an empty one beyond the outermost drawn ones; raises ``AC-FO-007``."""
    drawn = sorted(k for k, shape in corrected.items() if shape is not None and not shape.is_empty)
    if len(drawn) < 2:
        raise FollowError("AC-FO-007")
    beyond = [k for k in (drawn[0] - 1, drawn[-1] + 1) if 0 <= k < ct.geometry.shape_zyx[0]]
    return {**corrected, **dict.fromkeys(beyond)}


@dataclass(frozen=True, eq=False)
class _Work:
    """One call of `follow_slices`. Arrays "on slices" are in the order of the patient's z, `zs_mm`.

    `fixed` are the slices that never change; `corrected` may have empty ones beyond the ends besides.
    """

    scan: Scan
    corrected: SliceChanges
    automatic: Contours
    fixed: frozenset[int] = frozenset()
    drawn: Contours = field(init=False)

    def __post_init__(self) -> None:
        drawn = {k: shape for k, shape in self.corrected.items() if shape is not None and not shape.is_empty}
        object.__setattr__(self, "drawn", drawn)

    def check(self) -> None:
        """Raise if there is nothing to follow, or a slice is not in the CT."""
        count = self.scan.ct.geometry.shape_zyx[0]
        if wrong := [k for k in self.corrected if not 0 <= k < count]:
            raise FollowError("AC-FO-005", slice=wrong[0], count=count)
        if not self.drawn and not (self.automatic and self.corrected):
            raise FollowError("AC-FO-004")

    def find_obstacle(self) -> Finding | None:
        """Return why nothing is proposed; None if nothing is in the way."""
        if not self.drawn:
            return Finding.of("AC-FO-015")
        if self._share_in_body() < LEAST_IN_BODY:
            return Finding.of("AC-FO-013", slices=self.drawn)
        moves = [_moved(self.automatic.get(k), shape) for k, shape in self.corrected.items()]
        if self.automatic and all(move is not None and move < SMALLEST_MOVE_MM for move in moves):
            return Finding.of("AC-FO-012")
        return None

    def propose(self, network: Network, blend: Blend | None) -> Array:
        """Return the logits on `slices`, (slices, y, x) on the fine grid; 0 is the outline."""
        change = self._run(network)
        if self.automatic:  # what one slice alone suggests is trusted less than what several agree on
            doubt = np.float32(DOUBT / len(self.fixed))
            change = np.sign(change) * np.maximum(np.abs(change) - doubt, 0)
        logits = self._base_mm / np.float32(SLOPE_MM) + _refine(_along_z(change, self._grid_zs_mm, self.zs_mm))
        if blend is not None:
            shares = self._shares(blend)[:, None, None]
            logits += shares * (interpolate_outlines(self._corrections(1), self.zs_mm) / np.float32(SLOPE_MM) - logits)
        if self.automatic:
            logits[self._is_far] = self._base_mm[self._is_far] / np.float32(SLOPE_MM)
        logits[~self._on_fine(self._body)] = FAR_OUTSIDE
        logits[self._is_beyond_an_end] = FAR_OUTSIDE
        numbers = [self.slices.index(k) for k in self._corrected_slices]
        logits[numbers] = self._drawn_mm
        seeds = np.zeros(logits.shape, bool) if self._automatic_mm is None else self._automatic_mm > 0
        seeds[numbers] |= self._drawn_mm > 0
        pieces, _ = ndimage.label(logits > 0, np.ones((3, 3, 3)))
        reached = np.unique(pieces[seeds & (pieces > 0)])
        logits[(pieces > 0) & ~np.isin(pieces, reached)] = FAR_OUTSIDE
        return logits

    @cached_property
    def _is_beyond_an_end(self) -> NDArray[np.bool_]:
        """Whether the structure has ended before a slice, of `slices`.

        Without automatic contours it ends with the outermost corrected slices. With them a slice that was corrected to
        nothing ends it on the side where nothing is drawn; another piece, which begins after a slice without automatic
        contours, is not concerned.
        """
        if not self.automatic:
            return self._corrections(2).beyond_mm(self.zs_mm) > 0
        ended = np.zeros(len(self.slices), np.bool_)
        drawn = [n for n, k in enumerate(self.slices) if k in self.drawn]
        empty = [n for n, k in enumerate(self.slices) if k in self.corrected and k not in self.drawn]
        has_automatic = np.array([k in self.automatic for k in self.slices])
        for start in empty:
            for step in (-1, 1):
                beyond = np.arange(start + step, len(ended) if step > 0 else -1, step)
                if any((n - start) * step > 0 for n in drawn):
                    continue
                run = np.cumprod(has_automatic[beyond]).sum()
                later = np.flatnonzero(has_automatic[beyond[run:]])
                ended[beyond[: run + later[0] if len(later) else None]] = True
        return ended

    @cached_property
    def _is_far(self) -> NDArray[np.bool_]:
        """Whether a slice, of `slices`, is too far from every corrected one to be changed."""
        distances_mm = np.abs(self.zs_mm[:, None] - self._corrections(2).positions_mm)
        far: NDArray[np.bool_] = distances_mm.min(axis=1) > NEAR_MM
        return far

    def _shares(self, blend: Blend) -> Array:
        """Return the share of interpolation on every slice."""
        corrected = self._corrections(2)
        low, high, _ = corrected.neighbours(self.zs_mm)
        gaps_mm = corrected.positions_mm[high] - corrected.positions_mm[low]
        return blend.shares(gaps_mm, try_interpolation(self._corrections(1)), is_automatic=bool(self.automatic))

    def compare(self, logits: Array) -> Followed:
        """Return the slices whose contours differ from the automatic ones."""
        stays = self._is_far & ~self._is_beyond_an_end if self.automatic else np.zeros(len(self.slices), np.bool_)
        others = [number for number, k in enumerate(self.slices) if k not in self.fixed and not stays[number]]
        wanted = np.flatnonzero((logits[others] > 0).any(axis=(1, 2)))
        numbers = [others[n] for n in wanted]
        slices = [self.slices[number] for number in numbers]
        stack = self.scan.grid.frame.to_ct(logits[numbers])  # with the slices reversed where its z is
        in_ct_order = slices[:: self.scan.grid.frame.signs[0]]
        geometry = self.scan.ct.geometry
        found = outlines(np.ascontiguousarray(stack), in_ct_order, geometry, self._fine.geometry) if slices else {}
        proposed = {self.slices[number]: found.get(self.slices[number]) for number in others}
        return self._report(proposed)

    def _report(self, proposed: SliceChanges) -> Followed:
        changes: dict[int, MultiPolygon | None] = {}
        moved: dict[int, float] = {}
        before = set(self.automatic) or set(self.drawn)
        after = {k for k, shape in proposed.items() if shape is not None} | set(self.drawn)
        after |= {k for k in self.automatic if k not in proposed and k not in self.corrected}
        for k, shape in sorted(proposed.items()):
            old = self.automatic.get(k)
            if old is None and shape is None:
                continue
            distance = _moved(old, shape)
            if distance is None:
                distance = self._distance_mm(k, before if old is None else after)
            if distance >= SMALLEST_MOVE_MM:
                changes[k], moved[k] = shape, round(distance, 1)
        far = [k for k, distance in moved.items() if distance > FAR_MM and self.automatic]
        findings = [Finding.of("AC-FO-010", slices=far, count=len(far), limit=FAR_MM)] if far else []
        last = self.scan.ct.geometry.shape_zyx[0] - 1
        if ends := [k for k in (0, last) if changes.get(k) is not None]:
            findings.append(Finding.of("AC-FO-014", slices=ends))
        if solid := self._without_hole(changes):
            findings.append(Finding.of("AC-FO-016", slices=solid, count=len(solid)))
        if not changes:
            findings.append(Finding.of("AC-FO-012"))
        others = {k: shape for k, shape in self.automatic.items() if k not in self.fixed}
        new = {k: changes.get(k, old) for k, old in others.items()} | changes
        return Followed(changes, moved, tuple(findings), self.correction, _difference(others, new), self.mean_hu())

    def _without_hole(self, changes: SliceChanges) -> list[int]:
        """Return the slices that are proposed without a hole, though the drawn slices on both sides have one."""
        drawn = sorted(self.drawn)
        has_hole = {k: any(part.interiors for part in shape.geoms) for k, shape in self.drawn.items()}
        around = {k: (bisect(drawn, k) - 1, bisect(drawn, k)) for k in changes}
        return [
            k
            for k, shape in changes.items()
            if shape is not None
            and around[k][0] >= 0
            and around[k][1] < len(drawn)
            and all(has_hole[drawn[number]] for number in around[k])
            and not any(part.interiors for part in shape.geoms)
        ]

    @cached_property
    def correction(self) -> float:
        """1 − DSC of automatic and corrected contours on the corrected slices; 0 without automatic contours."""
        if not self.automatic:
            return 0.0
        drawn = {k: self.corrected[k] for k in self.fixed}
        return _difference({k: shape for k, shape in self.automatic.items() if k in self.fixed}, drawn)

    def mean_hu(self) -> float:
        """Return the mean HU within the corrected outlines; 0 if they contain no voxel of the network's grid."""
        zs_mm = self._corrections(2).positions_mm
        near = np.abs(self._grid_zs_mm - zs_mm[:, None]).argmin(axis=1)
        inside = self._drawn_mm[:, ::2, ::2] > 0
        return float(_crop(self.scan.hu, self._box, OUTSIDE_HU)[near][inside].mean()) if inside.any() else 0.0

    @cached_property
    def slices(self) -> list[int]:
        """Slices of the CT in the region, by increasing z of the patient."""
        half = SPACING_ZYX_MM[0] / 2
        positions = self._all_zs_mm
        inside = (positions >= self._grid_zs_mm[0] - half) & (positions <= self._grid_zs_mm[-1] + half)
        order = np.argsort(positions)
        return [int(k) for k in order if inside[k]]

    @cached_property
    def zs_mm(self) -> Floats:
        """Position of `slices` along the patient's z."""
        return self._all_zs_mm[self.slices]

    @cached_property
    def _all_zs_mm(self) -> Floats:
        return self.scan.ct.geometry.slice_positions_mm * self.scan.grid.frame.signs[0]

    @cached_property
    def _box(self) -> Box:
        """The region on the scan's grid, at least one window; it may reach beyond the grid."""
        drawn = {**self.automatic, **self.drawn}
        bounds = shapely.total_bounds(list(drawn.values()))
        reached = sorted({*self.automatic, *self.corrected})
        positions = self.scan.ct.geometry.slice_positions_mm[[reached[0], reached[-1]]]
        low_wvu, high_wvu = (positions[0], bounds[1], bounds[0]), (positions[1], bounds[3], bounds[2])
        frame = self.scan.grid.frame
        edges = np.sort([np.array(edge)[list(frame.axes)] * frame.signs for edge in (low_wvu, high_wvu)], axis=0)
        margin = np.array([BEYOND_MM, AROUND_MM, AROUND_MM])
        box = self.scan.grid.box_of(edges[0] - margin, edges[1] + margin)
        starts, stops = list(box.start_zyx), list(box.stop_zyx)
        for axis, size in enumerate(WINDOW_ZYX):
            lacking = max(0, size - (stops[axis] - starts[axis]))
            starts[axis] -= lacking // 2
            stops[axis] += lacking - lacking // 2
        return Box((starts[0], starts[1], starts[2]), (stops[0], stops[1], stops[2]))

    @cached_property
    def _coarse(self) -> Grid:
        return self.scan.grid.cropped(self._box)

    @cached_property
    def _fine(self) -> Grid:
        """Grid of the outlines: every second row and column is one of the network's."""
        step_z, step_y, step_x = SPACING_ZYX_MM
        z, y, x = self._coarse.shape_zyx
        return Grid(
            self._coarse.frame, self._coarse.origin_zyx_mm, (step_z, step_y / 2, step_x / 2), (z, 2 * y - 1, 2 * x - 1)
        )

    @cached_property
    def _grid_zs_mm(self) -> Floats:
        return self._coarse.positions_mm(0)

    @cached_property
    def _corrected_slices(self) -> list[int]:
        return [k for k in self.slices if k in self.corrected]

    @cached_property
    def _drawn_mm(self) -> Array:
        return self._distances(self.drawn, self._corrected_slices)

    @cached_property
    def _automatic_mm(self) -> Array | None:
        return self._distances(self.automatic, self.slices) if self.automatic else None

    def _distances(self, contours: Contours, slices: Sequence[int]) -> Array:
        """Return signed distances on slices, (slices, y, x) over the fine grid."""
        frame = self.scan.grid.frame
        in_ct_order = list(slices)[:: frame.signs[0]]
        stack = signed_distances(contours, in_ct_order, self.scan.ct.geometry, self._fine.geometry)
        return np.ascontiguousarray(frame.to_patient(stack))

    @cached_property
    def _base_mm(self) -> Array:
        return base_distance(self._corrections(1), self.zs_mm, self._automatic_mm)

    def _corrections(self, step: int) -> Corrected:
        """Return the corrected slices on every `step`-th row and column of the fine grid."""
        numbers = [self.slices.index(k) for k in self._corrected_slices]
        automatic = None if self._automatic_mm is None else self._automatic_mm[numbers][:, ::step, ::step]
        return Corrected(self.zs_mm[numbers], self._drawn_mm[:, ::step, ::step], automatic)

    @cached_property
    def _body(self) -> NDArray[np.bool_]:
        """The body with one voxel around it, on the region."""
        return ndimage.binary_dilation(_crop(self.scan.body, self._box, False))

    def _on_fine(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of the region on the slices and the fine grid, by the nearest voxel."""
        z = np.rint((self.zs_mm - self._grid_zs_mm[0]) / SPACING_ZYX_MM[0]).astype(int).clip(0, len(mask) - 1)
        _, rows, columns = self._fine.shape_zyx
        fine: NDArray[np.bool_] = mask[z][:, np.arange(rows) // 2][:, :, np.arange(columns) // 2]
        return fine

    def _share_in_body(self) -> float:
        numbers = [self.slices.index(k) for k in self._corrected_slices]
        inside = self._drawn_mm > 0
        return float(self._on_fine(self._body)[numbers][inside].mean()) if inside.any() else 1.0

    def _run(self, network: Network) -> Array:
        """Run the network over the region and return its change of the logits, (z, y, x)."""
        tiles = tile_box(self._box, WINDOW_ZYX, OVERLAP)
        if len(tiles) > MOST_TILES:
            raise FollowError("AC-FO-006")
        hu = _crop(self.scan.hu, self._box, OUTSIDE_HU)
        automatic = None
        if self._automatic_mm is not None:
            automatic = _along_z(self._automatic_mm[:, ::2, ::2], self.zs_mm, self._grid_zs_mm, -REACH_MM)
        channels = build_channels(hu, self._grid_zs_mm, self._corrections(2), automatic)
        total = np.zeros(hu.shape, np.float32)
        weights = np.zeros(hu.shape, np.float32)
        importance = gaussian_weights(WINDOW_ZYX)
        for tile in tiles:
            inner = tuple(
                slice(a - s, b - s) for a, b, s in zip(tile.start_zyx, tile.stop_zyx, self._box.start_zyx, strict=True)
            )
            total[inner] += importance * network(np.ascontiguousarray(channels[(slice(None), *inner)]))
            weights[inner] += importance
        return total / weights

    def _distance_mm(self, k: int, slices: set[int]) -> float:
        positions = self.scan.ct.geometry.slice_positions_mm
        return float(min(abs(positions[k] - positions[other]) for other in slices)) if slices else 0.0


def try_interpolation(corrected: Corrected) -> Tried:
    """Leave out each drawn slice between two others, and draw it by interpolation."""
    drawn = np.flatnonzero((corrected.drawn_mm > 0).any(axis=(1, 2)))
    scores, gaps_mm = [], []
    for number in drawn[1:-1]:
        low, high = number - 1, number + 1
        if not {low, high} <= set(drawn.tolist()):
            continue
        rest = Corrected(corrected.positions_mm[[low, high]], corrected.drawn_mm[[low, high]])
        found = interpolate_outlines(rest, corrected.positions_mm[number : number + 1])[0] > 0
        wanted = corrected.drawn_mm[number] > 0
        scores.append(2 * (found & wanted).sum() / (found.sum() + wanted.sum()))
        gaps_mm.append(rest.positions_mm[1] - rest.positions_mm[0])
    return Tried(float(np.mean(scores)), float(np.mean(gaps_mm))) if scores else Tried()


def _crop(array: NDArray[Any], box: Box, outside: float | bool) -> NDArray[Any]:
    """Return the part of an array inside a box that may reach beyond it."""
    result = np.full(box.shape_zyx, outside, array.dtype)
    into, out = [], []
    for start, stop, size in zip(box.start_zyx, box.stop_zyx, array.shape, strict=True):
        low, high = max(0, start), min(size, stop)
        into.append(slice(low - start, high - start))
        out.append(slice(low, high))
    result[tuple(into)] = array[tuple(out)]
    return result


def _along_z(planes: Array, from_mm: Floats, to_mm: Floats, outside: float | None = None) -> Array:
    """Interpolate planes linearly along z; beyond the last ones they continue, or are `outside`."""
    place = np.interp(to_mm, from_mm, np.arange(len(from_mm)))
    low = np.minimum(place.astype(int), max(0, len(from_mm) - 2))
    high = np.minimum(low + 1, len(from_mm) - 1)
    share = (place - low).astype(np.float32)[:, None, None]
    result: Array = (1 - share) * planes[low] + share * planes[high]
    if outside is not None:
        result[(to_mm < from_mm[0] - SPACING_ZYX_MM[0]) | (to_mm > from_mm[-1] + SPACING_ZYX_MM[0])] = outside
    return result


def _refine(planes: Array) -> Array:
    """Return planes (n, y, x) with a row and a column between each two, linear."""
    for axis in (1, 2):
        shape = list(planes.shape)
        shape[axis] = 2 * shape[axis] - 1
        finer = np.empty(shape, np.float32)
        even, odd = [slice(None)] * 3, [slice(None)] * 3
        even[axis], odd[axis] = slice(None, None, 2), slice(1, None, 2)
        finer[tuple(even)] = planes
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        finer[tuple(odd)] = (planes[tuple(first)] + planes[tuple(second)]) / 2
        planes = finer
    return planes


def _moved(old: MultiPolygon | None, new: MultiPolygon | None) -> float | None:
    """Return how far an outline moved in mm; None if it appears or disappears, 0 if there is none at all."""
    absent = old is None or old.is_empty, new is None or new.is_empty
    if all(absent):
        return 0.0
    if any(absent):
        return None
    return float(shapely.hausdorff_distance(old.boundary, new.boundary))  # type: ignore[union-attr]


def _difference(old: SliceChanges, new: SliceChanges) -> float:
    """Return 1 − DSC of contours on several slices, of their areas."""
    both = total = 0.0
    for k in {*old, *new}:
        a, b = old.get(k), new.get(k)
        total += sum(shape.area for shape in (a, b) if shape is not None)
        if a is not None and b is not None:
            both += a.intersection(b).area
    return 1 - 2 * both / total if total else 0.0

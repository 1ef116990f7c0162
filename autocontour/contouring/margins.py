"""Contours grown or shrunk in three dimensions, by millimetres in six directions of the patient.

The structure is grown by an ellipsoid whose six half axes are the margins (between any three of them one eighth of an
ellipsoid): what a slice adds to another is its own contour grown by the ellipsoid's section at their distance. It is
computed on the polygons, without rasterisation.

Along the slices nothing is rounded. A piece of a structure ends flat, half way to the slice after its last contour, as
its volume is counted, and so does a cavity within it; a slice belongs to the result where the grown surface reaches its
plane, and holds the section of the grown body in that plane: a box at 3 mm slices with 2 mm margin gains one slice at
each end, grown by √(2² − 1.5²) mm. Where a margin hardly reaches the next slice, the slope between two slices counts
too, as sections between them.

Tolerance: circles are polygons of 32 points on them, so the result lies inside the true one by up to 0.5 % of the
margin; leaving out needless points moves the line by about 0.05 mm at most. Slopes are known at slices and sections
alone: on balls of 15 to 60 mm, with margins from −8 to 8 mm, the radius is right within 0.4 mm at slices of up to 2 mm,
0.5 mm at 3 mm and 0.8 mm at 5 mm, away from the ball's ends. Inwards a slope on one side counts as well: 3 or 5 mm
inside the External of a thorax on 3 mm slices, the surface is nowhere nearer by more than 0.3 mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from autocontour.base.jobs import Job
from autocontour.contouring.between import sections_between
from autocontour.contouring.ragged import contours_of, drop_small, polygons_of, rings_of
from autocontour.contouring.simplify import simplify_rings
from autocontour.contouring.slivers import wide_polygons
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours

Margins = tuple[float, float, float, float, float, float]
Pieces = NDArray[np.object_]
TOLERANCE_MM = 0.05
QUARTER_POINTS = 8
STEPS_PER_MARGIN = 4  # closer slices add less than 1 % of the margin
SMALLEST_MM = 1e-3
"""A margin below this is none: it is less than what a file keeps of a coordinate."""
SMALLEST_MM2 = 0.05
SLOPE_ERROR_MM = 0.1
"""Where treating a slope as a vertical wall makes less difference than this, it is treated as one."""
FEW_STEPS, FEW_STEPS_INWARDS = 1.5, 2.5
"""A margin of fewer slice steps than this reaches too few slices to see the slope between them."""
SECTIONS_PER_MARGIN = 3.0
PARTS_OF_A_STEP = (4, 12)
"""Number of parts into which the step along a slope is then divided: three for each length of the margin, 4 to 12."""


def margin_contours(
    contours: Contours, geometry: VolumeGeometry, margins_mm: Margins, job: Job | None = None
) -> dict[int, MultiPolygon]:
    """Grow or shrink a structure by a margin in each direction of the patient.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates.
    geometry
        Of the CT; nothing is drawn beyond its first and last slice.
    margins_mm
        To the patient's left, right, anterior, posterior, superior, inferior; negative ones shrink. Where both signs
        occur the structure is first grown and the result then shrunk. On an oblique series a direction is taken to be
        the axis of the slices nearest to it.
    job
        Receives the progress after every slice; may cancel.

    Returns
    -------
    Contours
        The structure with its margin; empty if it vanishes.

    Raises
    ------
    ValueError
        If a margin is NaN or infinite.
    Cancelled
        If `job` was cancelled.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((20, 100, 100), (3.0, 1.0, 1.0))
    >>> box = {k: MultiPolygon([shapely.box(40, 40, 60, 60)]) for k in range(8, 12)}
    >>> grown = margin_contours(box, grid, (5.0, 3.0, 2.0, 1.0, 4.0, 0.0))
    >>> [round(float(end), 1) for end in grown[9].bounds], max(grown)
    ([37.0, 38.0, 65.0, 61.0], 12)
    """
    if not np.isfinite(margins_mm).all():
        raise ValueError(f"margins must be finite numbers, not {margins_mm}")
    margins = _to_plane_axes(margins_mm, geometry)
    margins[np.abs(margins) < SMALLEST_MM] = 0.0
    job = job or Job()
    grown = dict(contours)
    if (margins > 0).any():
        grown = _grow(_tidy(contours), geometry, np.maximum(margins, 0.0), job)
    return _shrink(_tidy(grown), geometry, np.maximum(-margins, 0.0), job) if (margins < 0).any() else grown


@dataclass(frozen=True, eq=False)
class _Reach:
    """How far the ellipsoid reaches along u, v, w, each to lower and to higher values (3, 2), in mm."""

    mm: Floats

    def share_at(self, step_mm: float) -> float | None:
        """Return the size of the section at a distance along w, as a share of the middle one; None if out of reach."""
        reach_mm = self.mm[2, int(step_mm > 0)]
        if abs(step_mm) > reach_mm + 1e-6:
            return None
        return float(np.sqrt(max(0.0, 1.0 - (step_mm / reach_mm) ** 2))) if step_mm else 1.0


def _to_plane_axes(margins_mm: Margins, geometry: VolumeGeometry) -> Floats:
    """Return margins (3, 2) along u, v, w towards lower and higher values."""
    left, right, anterior, posterior, superior, inferior = margins_mm
    patient = np.array([(right, left), (anterior, posterior), (inferior, superior)], dtype=np.float64)
    margins = np.empty((3, 2))
    for axis, column in enumerate(geometry.direction.T):
        nearest = int(np.abs(column).argmax())
        margins[axis] = patient[nearest] if column[nearest] > 0 else patient[nearest][::-1]
    return margins


def _grow(contours: Contours, geometry: VolumeGeometry, margins: Floats, job: Job) -> dict[int, MultiPolygon]:
    reach = _Reach(margins)
    sources, caps = _sections(contours, geometry, reach), _caps(contours, geometry)
    grown = {}
    for k, position in enumerate(job.track(geometry.slice_positions_mm.tolist(), "growing")):
        near = _spread([(position - w, shape) for w, shape in sources], reach)
        near += [(position - w, shape) for w, shape in caps]
        parts = [
            _offset(shape, reach.mm[:2] * share, outwards=True)
            for step, shape in near
            if (share := reach.share_at(step)) is not None
        ]
        if parts:
            grown[k] = polygons_of(shapely.union_all(parts))
    return _tidy(grown)


def _shrink(contours: Contours, geometry: VolumeGeometry, margins: Floats, job: Job) -> dict[int, MultiPolygon]:
    reach = _Reach(margins)
    positions = geometry.slice_positions_mm
    sources = _sections(contours, geometry, reach, inwards=True)
    caps = _caps(contours, geometry)
    shrunk = {}
    for k in job.track(sorted(contours), "shrinking"):
        # Its own contour leaves the least, and only what is near the rest matters then.
        rest = _offset(contours[k], reach.mm[:2], outwards=False)
        for w, shape in caps:
            # Beyond the end of a piece all is outside: what lies within reach of it goes.
            if (share := reach.share_at(w - positions[k])) and not rest.is_empty:
                near = _pieces_near(shape, rest, float(reach.mm[:2].max()) * share)
                rest = rest.difference(_offset(near, (reach.mm[:2] * share)[:, ::-1], outwards=True))
        for step, shape in _spread([(w - positions[k], shape) for w, shape in sources], reach):
            share = reach.share_at(step)
            if step and share is not None and not rest.is_empty:
                rest = rest.intersection(_offset(_pieces_near(shape, rest), reach.mm[:2] * share, outwards=False))
        shrunk[k] = wide_polygons(rest)
    return _tidy(shrunk)


def _pieces_near(shape: MultiPolygon, rest: BaseGeometry, distance_mm: float = 0.0) -> MultiPolygon:
    """Return the pieces of `shape` within a distance of `rest`."""
    pieces = shapely.get_parts(shape)
    return MultiPolygon(list(pieces[shapely.dwithin(pieces, rest, distance_mm)]))


def _sections(
    contours: Contours, geometry: VolumeGeometry, reach: _Reach, *, inwards: bool = False
) -> list[tuple[float, MultiPolygon]]:
    """Return the contours with their positions, and sections up a slope that a short reach would miss.

    Outwards the outline as a whole must slope; inwards any part of it, such as the shoulders of a body.
    """
    positions, reach_mm = geometry.slice_positions_mm, float(reach.mm[2].max())
    sections = [(float(positions[k]), contours[k]) for k in sorted(contours)]
    for k in sorted(contours):
        beyond = contours.get(k + 1)
        if beyond is None:
            continue
        step_mm = float(positions[k + 1] - positions[k])
        if not 0 < reach_mm <= (FEW_STEPS_INWARDS if inwards else FEW_STEPS) * step_mm:
            continue
        apart = shapely.symmetric_difference(contours[k], beyond)
        # Up a slope of s mm for each mm the outline moves by the margin times √(1 + s²).
        upright_mm = step_mm * math.sqrt(2 * SLOPE_ERROR_MM / reach_mm)
        if (inwards and not apart.buffer(-upright_mm / 2, quad_segs=1).is_empty) or (
            apart.area > upright_mm * max(contours[k].length, beyond.length)
        ):
            parts = int(np.clip(math.ceil(SECTIONS_PER_MARGIN * step_mm / reach_mm), *PARTS_OF_A_STEP))
            steps_mm = np.linspace(positions[k], positions[k + 1], parts + 1)
            sections += _slope(contours[k], beyond, steps_mm, reach_mm)
    return sections


def _slope(
    low: MultiPolygon, high: MultiPolygon, steps_mm: Floats, reach_mm: float
) -> list[tuple[float, MultiPolygon]]:
    """Return sections between two slices; pieces and cavities that end between them do so half way."""
    endings = _endings(low, high), _endings(high, low)
    solid = [
        polygons_of(shapely.union_all([shape, *cavities])) if len(cavities) else shape
        for shape, (_, cavities) in zip((low, high), endings, strict=True)
    ]
    between = sections_between(solid[0], solid[1], steps_mm, reach_mm)
    sections = []
    for number, step_mm in enumerate(steps_mm[1:-1].tolist(), 1):
        pieces, cavities = endings[int(2 * step_mm > steps_mm[0] + steps_mm[-1])]
        parts = [*pieces, *([between[number]] if number in between else [])]
        shape = parts[0] if len(parts) == 1 else shapely.union_all(parts)
        if len(cavities) and not np.isclose(2 * step_mm, steps_mm[0] + steps_mm[-1]):
            shape = shape.difference(shapely.union_all(cavities))
        sections.append((step_mm, polygons_of(shape)))
    return [section for section in sections if not section[1].is_empty]


def _caps(contours: Contours, geometry: VolumeGeometry) -> list[tuple[float, MultiPolygon]]:
    """Return where pieces and cavities end: half way to the next slice, with the contours that end there.

    The structure has an upright face there, of a piece towards the outside, of a cavity towards the structure. A piece
    ends where the next slice holds nothing that it touches, a cavity where the next slice covers it.
    """
    ends = _halfway_positions(geometry)
    caps = []
    for k in sorted(contours):
        for side, position in zip((-1, 1), ends[k], strict=True):
            endings = _endings(contours[k], contours.get(k + side))
            caps += [(float(position), MultiPolygon(list(ended))) for ended in endings if len(ended)]
    return caps


def _endings(shape: MultiPolygon, beyond: MultiPolygon | None) -> tuple[Pieces, Pieces]:
    """Return the pieces of a slice, and its cavities, that do not continue on the next."""
    pieces = np.asarray(shape.geoms, dtype=object)
    if beyond is None:
        return pieces, pieces[:0]
    cavities = _cavities(shape)
    return pieces[~shapely.intersects(pieces, beyond)], cavities[shapely.contains_properly(beyond, cavities)]


def _halfway_positions(geometry: VolumeGeometry) -> Floats:
    """(slices, 2) half way from each slice to the one before and to the one after; beyond the ends as within."""
    positions = geometry.slice_positions_mm
    steps = np.diff(positions) if len(positions) > 1 else geometry.slice_thicknesses_mm
    count = len(positions)
    below, above = np.append(steps[:1], steps)[:count], np.append(steps, steps[-1:])[-count:]
    return np.column_stack((positions - below / 2, positions + above / 2))


def _cavities(shape: MultiPolygon) -> Pieces:
    """Return the holes of a slice as polygons, without what lies in them."""
    holes = [Polygon(ring) for part in shape.geoms for ring in part.interiors]
    if not holes or len(shape.geoms) == 1:
        return np.array(holes, dtype=object)
    return shapely.get_parts(shapely.difference(np.array(holes, dtype=object), shape))


def _spread(steps: list[tuple[float, MultiPolygon]], reach: _Reach) -> list[tuple[float, MultiPolygon]]:
    """Leave out sources that lie closer together than matters; the nearest and the farthest stay."""
    kept: list[tuple[float, MultiPolygon]] = []
    within = sorted((pair for pair in steps if reach.share_at(pair[0]) is not None), key=lambda pair: pair[0])
    for number, (step, shape) in enumerate(within):
        gap = reach.mm[2, int(step > 0)] / STEPS_PER_MARGIN
        is_end = number in (0, len(within) - 1)
        if is_end or step == 0 or step - kept[-1][0] >= gap:
            kept.append((step, shape))
    return kept


def _offset(shape: MultiPolygon, reach_uv: Floats, *, outwards: bool) -> BaseGeometry:
    """Grow a polygon by (or shrink it by) an ellipse that reaches (2, 2) mm along u and v, low and high."""
    if reach_uv.max() < SMALLEST_MM or shape.is_empty:
        return shape
    low, high = reach_uv.T
    if reach_uv.all() and np.allclose(low, high):
        scaled = shapely.transform(shape, lambda points: points / high)
        ring = scaled.buffer(1.0 if outwards else -1.0, quad_segs=QUARTER_POINTS)
        return shapely.transform(ring, lambda points: points * high)
    band = _swept(shape, _ellipse(reach_uv if outwards else reach_uv[:, ::-1]))
    return shape.union(band) if outwards else shape.difference(band)


def _ellipse(reach_uv: Floats) -> Floats:
    """Points of four quarters of ellipses around the origin, of a true ellipse's area."""
    angles = np.arange(4 * QUARTER_POINTS) * (np.pi / 2 / QUARTER_POINTS)
    circle = np.column_stack((np.cos(angles), np.sin(angles)))
    return circle * np.where(circle > 0, reach_uv[:, 1], reach_uv[:, 0])


def _swept(shape: MultiPolygon, points: Floats) -> BaseGeometry:
    """Return what a convex polygon around the origin sweeps along the outline of `shape`."""
    rings = rings_of({0: shape})
    start = np.ones(len(rings.points_uv_mm), np.bool_)
    start[rings.starts[1:] - 1] = False
    at = np.flatnonzero(start)
    ends = [rings.points_uv_mm[index][:, None] + points for index in (at, at + 1)]
    return shapely.union_all(shapely.convex_hull(shapely.linestrings(np.concatenate(ends, axis=1))))


def _tidy(contours: Contours) -> dict[int, MultiPolygon]:
    """Leave out needless points, slivers and slices with nothing on them."""
    rings = rings_of({k: shape for k, shape in contours.items() if not shape.is_empty})
    return contours_of(simplify_rings(drop_small(rings, SMALLEST_MM2), TOLERANCE_MM))

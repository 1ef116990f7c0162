"""Interpolated contours on the slices between drawn ones.

Shape-based interpolation (Raya and Udupa 1990, IEEE Trans. Med. Imaging 9:32): on each slice between two drawn ones
the distance to the outline is the mean of the drawn ones' distances, weighted by the slice position. Only pieces that
correspond (see `autocontour.contouring.pairing`) are interpolated with each other. Outlines that overlap better after
alignment of their centroids are interpolated in the aligned position, so that an oblique vessel keeps its cross-section
between the slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import MultiPolygon
from shapely.affinity import translate

from autocontour.base.jobs import Job
from autocontour.contouring.distance import distances_to_outline
from autocontour.contouring.march import trace_planes
from autocontour.contouring.pairing import Neighbour, Pair, pair_pieces
from autocontour.contouring.ragged import Rings, contours_of, drop_small, join_rings, polygons_of, rings_of
from autocontour.contouring.simplify import simplify_rings
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours

TOLERANCE_MM = 0.1
SMALLEST_MM2 = 0.05
SAMPLES, SECTION_SAMPLES = 96, 48
"""Across the outlines; sections are only added to others."""
FINEST_MM, COARSEST_MM = 0.25, 3.0
MARGIN_SAMPLES = 4
NEAR_SAMPLES = 3  # the cubic kernel reaches two samples from the line


@dataclass(frozen=True)
class Gap:
    """Two neighbouring drawn slices with empty slices between them.

    Attributes
    ----------
    low, high
        Indices of the drawn slices.
    distance_mm
        Distance of their positions.
    unpaired
        Number of pieces on `low` and on `high` without a counterpart on the other slice; they are not interpolated.
    """

    low: int
    high: int
    distance_mm: float
    unpaired: tuple[int, int] = (0, 0)

    @property
    def slices(self) -> range:
        """The empty slices."""
        return range(self.low + 1, self.high)


def find_gaps(contours: Contours, geometry: VolumeGeometry) -> list[Gap]:
    """Return every gap between drawn slices, with its distance and the pieces that have no counterpart."""
    drawn, positions = sorted(contours), geometry.slice_positions_mm
    found = []
    for number, (low, high) in enumerate(pairwise(drawn)):
        if high - low > 1:
            pairs = _pairs_of_gap(contours, drawn, number, positions)
            paired = [sum(len(pair[side].geoms) for pair in pairs) for side in (0, 1)]
            unpaired = len(contours[low].geoms) - paired[0], len(contours[high].geoms) - paired[1]
            found.append(Gap(low, high, float(positions[high] - positions[low]), unpaired))
    return found


def interpolate_gaps(
    contours: Contours, geometry: VolumeGeometry, gaps: Iterable[Gap], job: Job | None = None
) -> dict[int, MultiPolygon]:
    """Return the interpolated contours in some of the gaps of `find_gaps`, without the drawn ones."""
    drawn, positions = sorted(contours), geometry.slice_positions_mm
    parts = []
    for gap in (job or Job()).track(list(gaps), "interpolating"):
        pairs = _pairs_of_gap(contours, drawn, drawn.index(gap.low), positions)
        parts.append(_between_pairs(pairs, gap.low, positions[gap.low : gap.high + 1]))
    rings = simplify_rings(drop_small(join_rings(parts), SMALLEST_MM2), TOLERANCE_MM)
    return dict(sorted(contours_of(rings).items()))


def interpolate_contours(
    contours: Contours, geometry: VolumeGeometry, job: Job | None = None
) -> dict[int, MultiPolygon]:
    """Draw the slices between drawn ones; the drawn ones stay as they are.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates, on some slices.
    geometry
        Of the CT; true slice positions count, not slice numbers.
    job
        Receives the progress after every gap; may cancel.

    Returns
    -------
    Contours
        The given contours and, between each two neighbouring slices, the interpolated contours of corresponding pieces:
        those that overlap, and those that can be sections of one oblique piece (see `pair_pieces`). A piece without a
        counterpart ends on its own slice.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((10, 100, 100), (3.0, 1.0, 1.0))
    >>> small, large = (MultiPolygon([shapely.Point(50, 50).buffer(radius)]) for radius in (10, 20))
    >>> filled = interpolate_contours({2: small, 4: large}, grid)
    >>> {k: round(float(shape.area / np.pi) ** 0.5) for k, shape in filled.items()}
    {2: 10, 3: 15, 4: 20}

    Pieces that do not meet are not joined:

    >>> apart = MultiPolygon([shapely.Point(90, 50).buffer(5)])
    >>> list(interpolate_contours({2: small, 4: apart}, grid))
    [2, 4]
    """
    filled = interpolate_gaps(contours, geometry, find_gaps(contours, geometry), job)
    return dict(sorted((filled | dict(contours)).items()))


def sections_between(
    low: MultiPolygon, high: MultiPolygon, positions_mm: Floats, coarsest_mm: float
) -> dict[int, MultiPolygon]:
    """Return outlines between two slices, only of pieces that overlap.

    Parameters
    ----------
    low, high
        At the first and the last position.
    positions_mm
        All but the first and the last are drawn; their numbers are the keys of the result.
    coarsest_mm
        Thinner parts may be lost.
    """
    pairs = pair_pieces(low, high, 0.0)
    return contours_of(_between_pairs(pairs, 0, positions_mm, SECTION_SAMPLES, min(coarsest_mm, COARSEST_MM)))


def _pairs_of_gap(contours: Contours, drawn: list[int], number: int, positions_mm: Floats) -> list[Pair]:
    """Return the corresponding pieces of the drawn slices `number` and `number` + 1."""
    low, high = drawn[number], drawn[number + 1]
    before = after = None
    if number > 0:
        k = drawn[number - 1]
        before = Neighbour(contours[k], float(positions_mm[low] - positions_mm[k]))
    if number + 2 < len(drawn):
        k = drawn[number + 2]
        after = Neighbour(contours[k], float(positions_mm[k] - positions_mm[high]))
    gap_mm = float(positions_mm[high] - positions_mm[low])
    return pair_pieces(contours[low], contours[high], gap_mm, before, after)


def _between_pairs(
    pairs: list[Pair], number: int, positions_mm: Floats, samples: int = SAMPLES, coarsest_mm: float = COARSEST_MM
) -> Rings:
    """Trace the contours between each pair; pairs whose contours meet are united."""
    parts = [_between(low, high, number, positions_mm, samples, coarsest_mm) for low, high in pairs]
    if len(parts) < 2:
        return join_rings(parts)
    shapes: dict[int, list[MultiPolygon]] = {}
    for part in parts:
        for k, shape in contours_of(part).items():
            shapes.setdefault(k, []).append(shape)
    return rings_of({k: polygons_of(shapely.union_all(found)) for k, found in shapes.items()})


def _between(
    low: MultiPolygon, high: MultiPolygon, number: int, positions_mm: Floats, samples: int, coarsest_mm: float
) -> Rings:
    """Trace the slices between slice `number` (`low`) and the one at the last position (`high`)."""
    centres = _common_centres(low, high)
    shapes = [translate(shape, *-centre) for shape, centre in zip((low, high), centres, strict=True)]
    bounds = shapely.total_bounds(shapes)
    step = float(np.clip(np.max(bounds[2:] - bounds[:2]) / samples, FINEST_MM, max(coarsest_mm, FINEST_MM)))
    start = bounds[:2] - MARGIN_SAMPLES * step
    columns, rows = np.ceil((bounds[2:] - start) / step).astype(int) + MARGIN_SAMPLES + 1
    u, v = np.meshgrid(start[0] + step * np.arange(columns), start[1] + step * np.arange(rows))
    first, last = _depths(shapes, u, v)

    shares = ((positions_mm - positions_mm[0]) / (positions_mm[-1] - positions_mm[0]))[1:-1, None, None]
    level = MARGIN_SAMPLES * step
    rings = trace_planes(np.maximum((1 - shares) * first + shares * last + level, 0.0), level)
    share = shares.ravel()[rings.slices[rings.ring_of_point]][:, None]
    points = rings.points_uv_mm * step + start + (1 - share) * centres[0] + share * centres[1]
    return Rings(points, rings.starts, rings.slices + (number + 1), rings.is_hole)


def _common_centres(low: MultiPolygon, high: MultiPolygon) -> Floats:
    """Return the centroids of both (2, 2) if the shapes overlap better with aligned centroids, else zeros."""
    centres = shapely.get_coordinates(shapely.centroid([low, high]))
    moved = translate(high, *(centres[0] - centres[1]))
    return centres if low.intersection(moved).area > low.intersection(high).area else np.zeros((2, 2))


def _depths(shapes: list[MultiPolygon], u: Floats, v: Floats) -> list[Floats]:
    """Signed distances in mm from the outlines, positive inside, at every (v, u).

    The zero line of their mean runs where only one shape is, or along both outlines. Elsewhere the sign is enough.
    """
    shapely.prepare(shapes)
    insides = [np.asarray(shapely.contains_xy(shape, u, v)) for shape in shapes]
    border = np.logical_xor(*insides)
    for inside in insides:
        border |= inside & ~binary_erosion(inside)
    near = binary_dilation(border, np.ones((3, 3), np.bool_), iterations=NEAR_SAMPLES)
    points = np.column_stack((u[near], v[near]))
    depths = []
    for shape, inside in zip(shapes, insides, strict=True):
        depth = np.full(u.shape, MARGIN_SAMPLES * (u[0, 1] - u[0, 0]))
        depth[near] = distances_to_outline(shape, points)
        depths.append(np.where(inside, depth, -depth))
    return depths

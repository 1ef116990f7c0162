"""Connected pieces of a structure."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours


def drop_islands(contours: Contours, geometry: VolumeGeometry, smallest_cc: float) -> Contours:
    """Drop every piece of a structure that is smaller than `smallest_cc`.

    A piece is a set of polygons in which neighbours overlap on neighbouring slices.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates (mm).
    geometry
        Of the CT.
    smallest_cc
        Smallest volume in cm³ that is kept; a piece of just that volume is.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((5, 100, 100), (2.0, 1.0, 1.0))
    >>> two = shapely.MultiPolygon([shapely.box(0, 0, 30, 30), shapely.box(50, 50, 52, 52)])
    >>> kept = drop_islands({2: two}, grid, 0.1)
    >>> len(kept[2].geoms)
    1
    """
    if smallest_cc <= 0 or not contours:
        return contours
    slices = np.repeat(list(contours), [len(multi.geoms) for multi in contours.values()])
    polygons = np.array([polygon for multi in contours.values() for polygon in multi.geoms], dtype=object)
    volumes_cc = shapely.area(polygons) * geometry.slice_thicknesses_mm[slices] / 1000.0
    piece_of = label_pieces(slices, polygons)
    kept = np.bincount(piece_of, weights=volumes_cc)[piece_of] >= smallest_cc
    return {
        int(k): shapely.MultiPolygon(list(polygons[kept & (slices == k)]))
        for k in contours
        if (kept & (slices == k)).any()
    }


def label_pieces(slices: NDArray[np.int64], polygons: NDArray[np.object_]) -> NDArray[np.int32]:
    """Give each polygon its piece's number: polygons on neighbouring slices are joined where they intersect.

    Only neighbouring slices are compared, so that the work grows with the number of polygons, not with its square.
    """
    on_slice = {int(k): np.flatnonzero(slices == k) for k in np.unique(slices)}
    below, above = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for k, lower in on_slice.items():
        upper = on_slice.get(k + 1)
        if upper is not None:
            at_lower, at_upper = shapely.STRtree(polygons[upper]).query(polygons[lower], predicate="intersects")
            below.append(lower[at_lower])
            above.append(upper[at_upper])
    links = np.concatenate(below), np.concatenate(above)
    graph = coo_array((np.ones(len(links[0])), links), shape=(len(polygons),) * 2)
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels

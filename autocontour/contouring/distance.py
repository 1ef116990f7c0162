"""Distances from many points to an outline."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from shapely import MultiPolygon

from autocontour.contouring.ragged import rings_of
from autocontour.patient.geometry import Floats

SAMPLE_MM = 0.5
CANDIDATES = (1, 2, 3)


def distances_to_outline(shape: MultiPolygon, points_uv_mm: Floats) -> Floats:
    """Return the distances from points (n, 2) to the outline of `shape` (n,), in mm.

    The nearest samples along the outline, its corners and points at most 0.5 mm apart between them, select the edges to
    which the exact distance is then computed. Where edges are dense the nearest one may be missed: at a distance of d
    mm the result may be too large by 0.03 / d, and by at most 0.25.
    """
    rings = rings_of({0: shape})
    is_start = np.ones(len(rings.points_uv_mm), np.bool_)
    is_start[rings.starts[1:] - 1] = False
    at = np.flatnonzero(is_start)
    begin, along = rings.points_uv_mm[at], rings.points_uv_mm[at + 1] - rings.points_uv_mm[at]
    squares = (along**2).sum(axis=1)
    counts = np.ceil(np.sqrt(squares) / SAMPLE_MM).astype(np.intp).clip(1)
    edge = np.repeat(np.arange(len(at)), counts)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)) / counts[edge]
    tree = cKDTree(begin[edge] + share[:, None] * along[edge], balanced_tree=False, compact_nodes=False)
    _, nearest = tree.query(points_uv_mm, k=CANDIDATES)
    near = edge[np.minimum(nearest, len(edge) - 1)]  # missing neighbours have an index past the end
    off = points_uv_mm[:, None] - begin[near]
    share = ((off * along[near]).sum(axis=2) / np.maximum(squares[near], 1e-12)).clip(0.0, 1.0)
    away = off - share[..., None] * along[near]
    distances: Floats = np.sqrt((away**2).sum(axis=2).min(axis=1))
    return distances

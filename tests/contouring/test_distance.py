"""Distances to an outline agree with those to every edge."""

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Point, box

from autocontour.contouring.distance import distances_to_outline

RING = Point(3, 4).buffer(20, 64).difference(Point(3, 4).buffer(6, 16))


@pytest.mark.parametrize("shape", [MultiPolygon([RING, box(40, -5, 41, 60)]), MultiPolygon([box(0, 0, 0.2, 0.2)])])
def test_distances_are_those_to_the_nearest_edge(shape):
    points = np.random.default_rng(3).uniform(-60, 60, (2000, 2))
    expected = shapely.distance(shapely.boundary(shape), shapely.points(points))
    excess = distances_to_outline(shape, points) - expected
    assert excess.min() > -1e-9
    assert (excess < np.minimum(0.25, 0.03125 / expected) + 1e-9).all()
    assert np.median(excess) < 1e-9

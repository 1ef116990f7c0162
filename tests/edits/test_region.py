"""Threshold within a region: iso-lines where they analytically run, and nothing beyond the limits."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, box

from autocontour.base.errors import Cancelled
from autocontour.base.jobs import Job
from autocontour.edits import HURange, ball_region, disc_region, flood, flood_slice, learn_range, swept_ball
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

GEOMETRY = VolumeGeometry.regular((21, 80, 90), (3.0, 1.0, 1.0), (-44.3, -39.6, -30.0))
Z = 10


def coordinates():
    _, rows, columns = GEOMETRY.shape_zyx
    u0, v0 = GEOMETRY.plane_origins_uv_mm[0]
    return GEOMETRY.slice_positions_mm[:, None, None], (v0 + np.arange(rows))[:, None], u0 + np.arange(columns)


def ct_of(hu):
    return CTVolume(np.ascontiguousarray(np.rint(hu), dtype=np.int16), GEOMETRY)


def cone(slope=20.0):
    """HU falls from 1000 by `slope` with every mm from the axis: a threshold's iso-line is a circle."""
    _, v, u = coordinates()
    return ct_of(np.broadcast_to(1000 - slope * np.hypot(u, v), GEOMETRY.shape_zyx))


def two_bubbles():
    """Air bubbles of 8 mm in soft tissue at u = −15 and 15, a blurred edge of 2 mm; the right one ends at w = 9."""
    w, v, u = coordinates()
    left, right = np.hypot(u + 15, v), np.where(w <= 9, np.hypot(u - 15, v), 99.0)
    depth = np.minimum(left, right) - 8
    return ct_of(40 - 1040 * np.clip(0.5 - depth / 2, 0, 1) + 0 * w)


@pytest.mark.parametrize("threshold_hu", [521.0, 600.5, 733.3])
def test_the_outline_is_the_iso_line_between_the_voxels(threshold_hu):
    outline = flood_slice(cone(), Z, (0.0, 0.0), HURange(threshold_hu, np.inf), disc_region((0, 0), 35))
    radius_mm = (1000 - threshold_hu) / 20
    points = shapely.get_coordinates(outline)
    assert np.abs(np.hypot(*points.T) - radius_mm).max() < 0.06
    assert outline.area == pytest.approx(np.pi * radius_mm**2, rel=2e-3)


def test_a_range_with_two_ends_is_a_ring():
    outline = flood_slice(cone(), Z, (15.0, 0.0), HURange(600, 800), disc_region((0, 0), 35))
    assert outline.area == pytest.approx(np.pi * (20**2 - 10**2), rel=5e-3)
    assert len(outline.geoms[0].interiors) == 1


def test_the_region_cuts_along_its_own_edge():
    region = MultiPolygon([box(-7.3, -30, 4.4, 30)])
    outline = flood_slice(cone(), Z, (0.0, 0.0), HURange(500, np.inf), region)
    assert outline.difference(region).area < 1e-6
    assert outline.symmetric_difference(Point(0, 0).buffer(25, 64).intersection(region)).area < 1.0


def test_the_proposed_range_lies_half_way_to_the_tissue_around():
    learned = learn_range(two_bubbles(), Z, (-15.0, 0.0), 25.0)
    assert learned.high_hu == pytest.approx(-480, abs=40)
    assert learned.low_hu == -np.inf
    narrow = learn_range(two_bubbles(), Z, (-15.0, 0.0), 25.0, breadth=0.5)
    assert narrow.high_hu == pytest.approx(-740, abs=40)
    assert str(learned).startswith("below ")
    outline = flood_slice(two_bubbles(), Z, (-15.0, 0.0), learned, disc_region((-15, 0), 25))
    assert outline.area == pytest.approx(np.pi * 8**2, rel=0.03)


def test_only_what_hangs_together_with_the_seed():
    ct, air = two_bubbles(), HURange(-np.inf, -480)
    region = {k: MultiPolygon([box(-40, -35, 40, 35)]) for k in range(21)}
    one = flood(ct, air, region, (Z, (15.0, 0.0)))
    assert sorted(one) == list(range(14))  # w from −30 to 9
    assert all(shape.bounds[0] > 0 for shape in one.values())
    both = flood(ct, air, region)
    assert sorted(both) == list(range(21))
    assert len(both[Z].geoms) == 2
    assert flood(ct, air, region, (Z, (0.0, 0.0))) == {}  # soft tissue
    assert flood(ct, air, {}, (Z, (15.0, 0.0))) == {}


def test_a_ball_limits_the_slices():
    region = ball_region(GEOMETRY, Z, (-15.0, 0.0), 12.5)
    found = flood(two_bubbles(), HURange(-np.inf, -480), region, (Z, (-15.0, 0.0)))
    assert sorted(found) == list(range(Z - 4, Z + 5))
    assert all(found[k].difference(region[k]).area < 1e-6 for k in found)


def test_a_noisy_voxel_under_the_seed_is_passed_over_and_pinholes_close():
    hu = np.array(cone().hu)
    hu[Z, 40, 44] = -1000
    outline = flood_slice(CTVolume(hu, GEOMETRY), Z, (-0.3, 0.4), HURange(600, np.inf), disc_region((0, 0), 35))
    assert outline.area == pytest.approx(np.pi * 20**2, rel=0.01)
    assert not outline.geoms[0].interiors


def test_it_can_be_cancelled():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        flood(cone(), HURange(500, np.inf), {Z: disc_region((0, 0), 20)}, job=job)


@given(st.floats(3, 25), st.floats(-20, 20), st.floats(-14, 14))
@settings(max_examples=30, deadline=None)
def test_a_ball_brush_leaves_its_sections(radius_mm, u, w):
    swept = swept_ball([(u, 2.0, w)], radius_mm, GEOMETRY)
    for k, position in enumerate(GEOMETRY.slice_positions_mm):
        distance = abs(position - w)
        if distance > 1.5:
            expected = np.pi * max(radius_mm**2 - distance**2, 0)
            assert (swept[k].area if k in swept else 0.0) == pytest.approx(expected, rel=2e-3, abs=1e-6)


def test_a_ball_brush_swept_along_the_slices_is_a_cylinder_and_a_small_one_misses_none():
    along = swept_ball([(0, 0, -12.0), (0, 0, 12.0)], 5.0, GEOMETRY)
    for k in range(6, 15):
        assert along[k].area == pytest.approx(np.pi * 25, rel=0.02)
    small = swept_ball([(-10, 0, 1.4), (10, 0, 1.4)], 1.0, GEOMETRY)
    assert list(small) == [Z]
    assert small[Z].area == pytest.approx(20 * 2 + np.pi, rel=0.02)
    beside = swept_ball([(-10, 0, 0), (10, 0, 0)], 5.0, GEOMETRY)
    assert beside[Z + 1].area == pytest.approx(20 * 8 + np.pi * 16, rel=0.02)
    assert swept_ball([(0, 0, 99.0)], 5.0, GEOMETRY) == {}

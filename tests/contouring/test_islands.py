"""Pieces of a structure."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask, islands
from autocontour.contouring.islands import drop_islands
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours

GEOMETRY = VolumeGeometry.regular((6, 100, 100), (2.0, 1.0, 1.0))


def boxes(*corners: tuple[float, float, float, float]) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(*corner) for corner in corners])


def test_a_piece_is_measured_over_all_its_slices() -> None:
    large, small = (0, 0, 20, 20), (50, 50, 60, 60)  # 3 slices × 2 mm: 2.4 cc and 0.6 cc
    contours: Contours = {k: boxes(large, small) for k in (1, 2, 3)}
    assert {k: len(m.geoms) for k, m in drop_islands(contours, GEOMETRY, 0.6).items()} == {1: 2, 2: 2, 3: 2}
    assert {k: len(m.geoms) for k, m in drop_islands(contours, GEOMETRY, 0.7).items()} == {1: 1, 2: 1, 3: 1}
    assert drop_islands(contours, GEOMETRY, 3.0) == {}


def test_a_gap_of_one_slice_parts_two_pieces() -> None:
    contours: Contours = {k: boxes((0, 0, 20, 20)) for k in (0, 1, 2, 4)}
    assert sorted(drop_islands(contours, GEOMETRY, 1.0)) == [0, 1, 2]


def test_a_branch_hangs_on_its_trunk() -> None:
    contours: Contours = {
        0: boxes((0, 0, 5, 5), (30, 0, 35, 5)),
        1: boxes((0, 0, 35, 5)),
    }
    assert len(drop_islands(contours, GEOMETRY, 0.4)[0].geoms) == 2


def every_pair(slices, polygons):
    """The definition, without any short cut: all pairs that intersect, of those the ones on neighbouring slices."""
    above, below = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    joined = np.abs(slices[above] - slices[below]) == 1
    links = coo_array((np.ones(joined.sum()), (above[joined], below[joined])), shape=(len(polygons),) * 2)
    return connected_components(links, directed=False)[1]


def assert_pieces_as_defined(contours: Contours) -> None:
    slices = np.repeat(list(contours), [len(multi.geoms) for multi in contours.values()])
    polygons = np.array([polygon for multi in contours.values() for polygon in multi.geoms], dtype=object)
    np.testing.assert_array_equal(islands.label_pieces(slices, polygons), every_pair(slices, polygons))


corner = st.integers(0, 9)
squares = st.lists(st.tuples(corner, corner), min_size=1, max_size=5, unique=True)


@given(st.dictionaries(st.integers(0, 5), squares, min_size=1))
@settings(max_examples=80, deadline=None)
def test_pieces_are_those_of_every_pair(stacks) -> None:
    assert_pieces_as_defined({k: boxes(*((u, v, u + 1, v + 1) for u, v in at)) for k, at in stacks.items()})


def test_pieces_of_a_skeleton_are_those_of_every_pair(dicom_data) -> None:
    ct = read_ct(planning_cts(scan_folder(dicom_data / "lung1-001" / "ct", Job()))[0], Job())
    bone = contours_from_mask(ct.hu > 200, ct.geometry)
    assert sum(len(multi.geoms) for multi in bone.values()) > 1000
    assert_pieces_as_defined(bone)

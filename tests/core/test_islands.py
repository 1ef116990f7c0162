"""Pieces of a structure."""

from __future__ import annotations

import shapely

from autocontour.contouring.islands import drop_islands
from autocontour.geometry import VolumeGeometry
from autocontour.structures import Contours

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

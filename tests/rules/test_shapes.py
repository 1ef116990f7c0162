"""Masks of cells and what is done to outlines, beside slow ways that are plainly right."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy import ndimage

from autocontour.contouring.ragged import contours_of
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules.grid import Grid
from autocontour.rules.holes import fill_holes
from autocontour.rules.shapes import close_squares, fill_slices, grow, label_pieces, pick_pieces, shrink
from autocontour.rules.touching import SURE, keep_touching
from autocontour.rules.trace import _trace_slab, confine


def random_mask(shape, share, seed=0):
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("mm", [0.5, 3.0, 7.3, 20.0, 75.0])
@pytest.mark.parametrize("columns", [5, 64, 65, 150])
def test_growing_adds_what_lies_within_the_distance(mm, columns):
    cell_mm = (3.0, 2.9, 0.8)
    mask = random_mask((9, 12, columns), 0.004, columns)
    mask[4, 5, columns // 2] = True
    assert np.array_equal(grow(mask, mm, cell_mm), ndimage.distance_transform_edt(~mask, cell_mm) <= mm)
    assert np.array_equal(shrink(~mask, mm, cell_mm), ndimage.distance_transform_edt(~mask, cell_mm) > mm)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 0.7, 1.0])
def test_filling_and_closing_of_slices(share):
    mask = random_mask((4, 20, 23), share)
    assert np.array_equal(fill_slices(mask), [ndimage.binary_fill_holes(plane) for plane in mask])
    square = np.ones((3, 3), np.bool_)
    assert np.array_equal(close_squares(mask), [ndimage.binary_closing(plane, square) for plane in mask])


@pytest.mark.parametrize("count", [0, 3, 40])
def test_picked_pieces_and_their_cells(count):
    labels, sizes = label_pieces(random_mask((8, 20, 20), 0.2))
    assert sizes[0] == 0
    assert np.array_equal(sizes[1:], np.bincount(labels.ravel())[1:])
    is_picked = np.zeros(len(sizes), np.bool_)
    is_picked[1 : 1 + count] = True
    assert np.array_equal(pick_pieces(labels, is_picked), is_picked[labels])


@pytest.mark.parametrize("spacing_zyx_mm", [(3.0, 1.0, 1.0), (1.0, 3.0, 0.7), (1.25, 1.5, 1.4)])
@pytest.mark.parametrize("start", [0, 5])
def test_polygons_that_touch_sure_cells_stay(spacing_zyx_mm, start):
    """Each polygon is kept just if the interpolated cells exceed `SURE` at a voxel in it."""
    hu = np.zeros((20, 61, 65), np.int16)
    hu[:, :3] = -1024
    grid = Grid(CTVolume(hu, VolumeGeometry.regular(hu.shape, spacing_zyx_mm)))
    slab = Box((start, start, start), (start + 11, 58, 60))
    field = ndimage.gaussian_filter(np.random.default_rng(1).random(slab.shape_zyx), 1.2).astype(np.float32) * 1.02
    sure = random_mask(grid.hu.shape, 0.1)
    rings = _trace_slab(field, slab)
    is_sure = grid.spread(sure, slab) > SURE
    v, u = np.mgrid[slab.slices[1:]]
    expected = {
        k: [part for part in multi.geoms if (shapely.contains_xy(part, u, v) & is_sure[k - start]).any()]
        for k, multi in contours_of(rings).items()
    }
    expected = {k: shapely.MultiPolygon(parts) for k, parts in expected.items() if parts}
    assert 0 < sum(len(multi.geoms) for multi in expected.values()) < np.count_nonzero(~rings.is_hole)
    assert contours_of(keep_touching(rings, grid, sure, slab)) == expected


def test_cells_cover_what_is_not_air():
    """Positions of cells and voxels are the same with and without air around."""
    hu = np.random.default_rng(0).integers(-1010, -990, (6, 90, 120)).astype(np.int16)
    hu[:, 39:51, 60:90] = 40
    wide = Grid(CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 1.0, 1.0))))
    assert wide.hu.shape < (6, 30, 40)
    assert np.count_nonzero(wide.hu > -500) == 4 * 10 * 6
    box = Box((0, 36, 57), (6, 54, 93))
    spread = wide.spread(wide.hu > -500, box)
    at = np.stack([axis.ravel() for axis in np.mgrid[box.slices]])
    np.testing.assert_allclose(wide.at_voxels(wide.hu > -500, at), spread.ravel(), atol=1e-6)
    rows, columns = np.nonzero(spread[0] == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 13, 4, 31)  # middles of the outermost cells
    assert wide.box_of(wide.hu > -500) == box


def test_a_field_is_confined_between_within_and_around():
    limits = np.array([[[0.0, 0.3, 1.0, 1.4, 2.0]]], np.float32)
    for value, expected in ((0.0, (0, 0, 0, 0.4, 1)), (0.6, (0, 0.3, 0.6, 0.6, 1)), (1.0, (0, 0.3, 1, 1, 1))):
        field = np.full(limits.shape, value, np.float32)
        np.testing.assert_allclose(confine(field, limits.copy())[0, 0], expected, atol=1e-6)


def test_what_lies_in_a_filled_hole_belongs_to_what_is_around():
    ring = shapely.box(0, 0, 20, 20) - shapely.box(2, 2, 8, 8) - shapely.box(10, 10, 18, 18)
    small, large, apart = shapely.box(4, 4, 6, 6), shapely.box(12, 12, 16, 16), shapely.box(30, 0, 40, 9)
    parts = shapely.MultiPolygon([small, ring, large, apart])
    assert fill_holes({0: parts})[0].equals(shapely.MultiPolygon([shapely.box(0, 0, 20, 20), apart]))
    kept = shapely.MultiPolygon([shapely.box(0, 0, 20, 20) - shapely.box(10, 10, 18, 18), large, apart])
    assert fill_holes({0: parts}, 50.0)[0].equals(kept)
    assert fill_holes({0: parts}, 10.0)[0].equals(parts)


def test_specks_are_left_out_of_every_rule(monkeypatch):
    """Remainders of operations on outlines would be written as contours without an area."""
    from shapely import MultiPolygon, box

    from autocontour.base.jobs import Job
    from autocontour.rules import Rule, draw, draw_structures

    whole = MultiPolygon([box(0, 0, 20, 20)])
    speck, strip = box(30, 0, 30.01, 0.01), box(30, 5, 45, 5.2)
    drawn = {1: MultiPolygon([*whole.geoms, speck, strip]), 2: MultiPolygon([speck])}
    monkeypatch.setattr(draw, "RULES", {"Bone": Rule(("Bone",), lambda anatomy, name, job: drawn)})
    monkeypatch.setattr(draw, "Anatomy", lambda ct, options: None)
    assert draw_structures(None, ["Bone"], Job())["Bone"].contours == {1: whole}

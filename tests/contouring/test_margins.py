"""Margins: spheres grow into spheres, boxes by what was asked for on each side of the patient."""

import numpy as np
import pytest
import shapely

from autocontour.base.errors import Cancelled
from autocontour.base.jobs import Job
from autocontour.contouring import margin_contours, volume_cc
from autocontour.patient.geometry import VolumeGeometry

HEAD_FIRST = VolumeGeometry.regular((60, 100, 100), (2.0, 1.0, 1.0), (-50, -50, -60))
FEET_FIRST_PRONE = VolumeGeometry.regular((60, 100, 100), (2.0, 1, 1), (50, -50, 60), np.diag([-1.0, 1, -1]))
DECUBITUS = VolumeGeometry.regular(
    (60, 100, 100), (2.0, 1, 1), (-50, 50, -60), np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
)


def sphere(geometry, radius_mm, centre_uvw=(0.0, 0.0, 0.0)):
    u, v, w = centre_uvw
    contours = {}
    for k, position in enumerate(geometry.slice_positions_mm):
        squared = radius_mm**2 - (position - w) ** 2
        if squared > 0:
            contours[k] = shapely.MultiPolygon([shapely.Point(u, v).buffer(np.sqrt(squared), 32)])
    return contours


def patient_box(contours, geometry):
    """Lowest and highest x, y, z that the contours reach in the patient."""
    points = [
        np.column_stack((shapely.get_coordinates(shape), np.full(shapely.count_coordinates(shape), w)))
        for shape, w in ((shape, geometry.slice_positions_mm[k]) for k, shape in contours.items())
    ]
    patient = geometry.to_patient(np.concatenate(points))
    return patient.min(axis=0), patient.max(axis=0)


@pytest.mark.parametrize("margin_mm", [3.0, 5.0, 10.0, -4.0])
def test_sphere_becomes_sphere(margin_mm):
    grown = margin_contours(sphere(HEAD_FIRST, 20.0), HEAD_FIRST, (margin_mm,) * 6)
    assert volume_cc(grown, HEAD_FIRST) == pytest.approx(4 / 3 * np.pi * (20 + margin_mm) ** 3 / 1000, rel=0.02)
    assert shapely.is_valid(list(grown.values())).all()
    ideal = sphere(HEAD_FIRST, 20.0 + margin_mm)
    for k in set(ideal) & set(grown):
        if abs(HEAD_FIRST.slice_positions_mm[k]) < 12:
            assert shapely.hausdorff_distance(grown[k], ideal[k]) < 0.35


@pytest.mark.parametrize("geometry", [HEAD_FIRST, FEET_FIRST_PRONE, DECUBITUS])
@pytest.mark.parametrize("sign", [1, -1])
def test_each_margin_goes_to_its_side_of_the_patient(geometry, sign):
    box = {k: shapely.MultiPolygon([shapely.box(-20, -20, 20, 20)]) for k in range(15, 46)}
    low, high = patient_box(box, geometry)
    left, right, anterior, posterior, superior, inferior = margins = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    grown = margin_contours(box, geometry, tuple(sign * margin for margin in margins))
    grown_low, grown_high = patient_box(grown, geometry)
    np.testing.assert_allclose(grown_low, low - sign * np.array([right, anterior, inferior]), atol=0.1)
    np.testing.assert_allclose(grown_high, high + sign * np.array([left, posterior, superior]), atol=0.1)


def test_ring_closes_when_grown_and_opens_again():
    ring = shapely.Point(0, 0).buffer(15, 64).difference(shapely.Point(0, 0).buffer(3, 64))
    contours = {k: shapely.MultiPolygon([ring]) for k in range(10, 30)}
    grown = margin_contours(contours, HEAD_FIRST, (4.0, 4.0, 4.0, 4.0, 0.0, 0.0))
    assert all(not part.interiors for shape in grown.values() for part in shape.geoms)
    assert sorted(grown) == sorted(contours)
    assert grown[20].area == pytest.approx(np.pi * 19**2, rel=0.005)


def test_nothing_is_left_of_what_is_thinner_than_the_margin():
    assert margin_contours(sphere(HEAD_FIRST, 4.0), HEAD_FIRST, (-5.0,) * 6) == {}
    assert margin_contours({}, HEAD_FIRST, (5.0,) * 6) == {}


def test_no_margin_changes_nothing():
    contours = sphere(HEAD_FIRST, 12.0)
    same = margin_contours(contours, HEAD_FIRST, (0.0,) * 6)
    assert same == contours


def test_margin_stops_at_the_ends_of_the_scan():
    contours = {k: shapely.MultiPolygon([shapely.box(-5, -5, 5, 5)]) for k in range(3)}
    grown = margin_contours(contours, HEAD_FIRST, (0.0, 0.0, 0.0, 0.0, 10.0, 10.0))
    assert sorted(grown) == list(range(8))


THICK = VolumeGeometry.regular((40, 100, 100), (3.0, 1.0, 1.0), (-50, -50, -60))
MARGINS_MM = (2.0, 4.0, 5.0, 7.0)


@pytest.mark.parametrize("margin_mm", MARGINS_MM)
def test_a_box_on_thick_slices_gains_every_slice_its_surface_reaches(margin_mm):
    box = {k: shapely.MultiPolygon([shapely.box(-20, -15, 20, 15)]) for k in range(15, 26)}  # w −15 to 15, ends ±16.5
    grown = margin_contours(box, THICK, (margin_mm,) * 6)
    ideal = {}
    for k, w in enumerate(THICK.slice_positions_mm):
        squared = margin_mm**2 - max(abs(w) - 16.5, 0.0) ** 2
        if squared > 0:
            s = np.sqrt(squared)
            ideal[k] = 40 * 30 + 2 * 70 * s + np.pi * s**2
    assert sorted(grown) == sorted(ideal)
    for k, area in ideal.items():
        assert grown[k].area == pytest.approx(area, rel=1e-3)
    assert volume_cc(grown, THICK) == pytest.approx(sum(ideal.values()) * 3 / 1000, rel=1e-3)


@pytest.mark.parametrize("margin_mm", MARGINS_MM)
def test_a_sphere_on_thick_slices_keeps_the_volume_of_its_sections(margin_mm):
    grown = margin_contours(sphere(THICK, 20.0), THICK, (margin_mm,) * 6)
    ideal = sphere(THICK, 20.0 + margin_mm)
    assert volume_cc(grown, THICK) == pytest.approx(volume_cc(ideal, THICK), rel=0.015)  # its poles are flat
    for k in sorted(ideal)[1:-1]:
        assert np.sqrt(grown[k].area / np.pi) == pytest.approx(np.sqrt(ideal[k].area / np.pi), abs=0.6)


@pytest.mark.parametrize("margin_mm", MARGINS_MM)
def test_what_was_grown_shrinks_back_on_thick_slices(margin_mm):
    box = {k: shapely.MultiPolygon([shapely.box(-20, -15, 20, 15)]) for k in range(10, 31)}
    shrunk = margin_contours(box, THICK, (-margin_mm,) * 6)
    ends = [k for k, w in enumerate(THICK.slice_positions_mm) if 31.5 - abs(w) >= margin_mm]
    assert sorted(shrunk) == ends
    assert shrunk[20].area == pytest.approx((40 - 2 * margin_mm) * (30 - 2 * margin_mm), rel=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_piece_ends_alike_with_and_without_another_beside_it(sign):
    short = {k: shapely.box(-40, -8, -24, 8) for k in range(18, 23)}
    long = {k: shapely.box(10, -8, 40, 8) for k in range(5, 35)}
    both = {k: shapely.MultiPolygon([p for p in (short.get(k), long[k]) if p]) for k in long}
    alone = margin_contours({k: shapely.MultiPolygon([p]) for k, p in short.items()}, THICK, (sign * 5.0,) * 6)
    beside = margin_contours(both, THICK, (sign * 5.0,) * 6)
    left = {k: shapely.intersection(shape, shapely.box(-60, -60, 0, 60)) for k, shape in beside.items()}
    left = {k: shape for k, shape in left.items() if not shape.is_empty}
    assert left.keys() == alone.keys()
    for k, shape in alone.items():
        assert shapely.symmetric_difference(left[k], shape).area < 0.005 * shape.area  # which sections are thinned out


def test_a_margin_can_be_cancelled():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        margin_contours(sphere(THICK, 20.0), THICK, (5.0,) * 6, job)

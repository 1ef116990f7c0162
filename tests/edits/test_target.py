"""Targets by recipe, beside analytic truth."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point

from autocontour.base.errors import Cancelled, TargetError
from autocontour.base.jobs import Job
from autocontour.contouring import volume_cc
from autocontour.edits import make_target
from autocontour.edits.target import count_ends
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.recipe import Minus, Recipe, find_cycle, in_order
from autocontour.patient.structures import ImportedContour, Structure

POSITIONS = {
    "HFS": np.diag([1.0, 1.0, 1.0]),
    "HFP": np.diag([-1.0, -1.0, 1.0]),
    "FFS": np.diag([-1.0, 1.0, -1.0]),
    "FFP": np.diag([1.0, -1.0, -1.0]),
}
GRID = VolumeGeometry.regular((41, 120, 120), (3.0, 1.0, 1.0), (-60.0, -60.0, -60.0))
MM = (5.0,) * 6


def ball(geometry, radius_mm, centre_lps_mm=(0.0, 0.0, 0.0)):
    u, v, w = geometry.to_plane([centre_lps_mm])[0]
    squares = radius_mm**2 - (geometry.slice_positions_mm - w) ** 2
    return {
        int(k): MultiPolygon([Point(u, v).buffer(np.sqrt(squares[k]), quad_segs=32)])
        for k in np.flatnonzero(squares > 0.01)
    }


def box(u0, v0, u1, v1, slices):
    return {k: MultiPolygon([shapely.box(u0, v0, u1, v1)]) for k in slices}


def structures(**contours):
    return {name: Structure(name, n, shapes) for n, (name, shapes) in enumerate(contours.items(), 1)}


def made(recipe, geometry=GRID, **contours):
    return make_target("PTV", recipe, structures(**contours), geometry)


def codes(target):
    return [finding.code for finding in target.findings]


@pytest.mark.parametrize("step_mm", [1.0, 2.0, 3.0])
def test_a_sphere_with_a_margin_has_the_volume_of_the_larger_sphere(step_mm):
    geometry = VolumeGeometry.regular((int(120 / step_mm) + 1, 120, 120), (step_mm, 1.0, 1.0), (-60.0, -60.0, -60.0))
    target = made(Recipe(("CTV",), MM), geometry, CTV=ball(geometry, 25))
    truth = 4 / 3 * np.pi * 30**3 / 1000
    assert volume_cc(target.contours, geometry) == pytest.approx(truth, rel=0.02)


def test_a_sphere_inside_the_body_minus_an_organ_has_the_volumes_of_the_segments():
    """CTV r 20 + 5; External r 40 at x 20 less 3 mm; organ r 10 + 2 at the other side."""
    geometry = VolumeGeometry.regular((121, 120, 120), (1.0, 1.0, 1.0), (-60.0, -60.0, -60.0))
    recipe = Recipe(("CTV",), MM, inside="Body", inside_mm=3, minus=(Minus("Cord", 2),))
    organs = {
        "CTV": ball(geometry, 20),
        "Body": ball(geometry, 40, (20.0, 0, 0)),
        "Cord": ball(geometry, 10, (0, 25.0, 0)),
    }
    target = make_target("PTV", recipe, structures(**organs), geometry)
    points = np.random.default_rng(1).uniform(-26, 26, (400_000, 3))
    inside = np.linalg.norm(points, axis=1) <= 25
    inside &= np.linalg.norm(points - (20, 0, 0), axis=1) <= 37
    inside &= np.linalg.norm(points - (0, 25, 0), axis=1) > 12
    truth = inside.mean() * 52**3 / 1000
    assert volume_cc(target.contours, geometry) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize(
    ("side", "axis", "sign"),
    [("L", 0, 1), ("R", 0, -1), ("A", 1, -1), ("P", 1, 1), ("S", 2, 1), ("I", 2, -1)],
)
def test_a_margin_goes_to_the_patients_side_in_every_position(name, side, axis, sign):
    direction = POSITIONS[name]
    corner = direction @ (-60.0, -60.0, -60.0)
    geometry = VolumeGeometry.regular((41, 120, 120), (3.0, 1.0, 1.0), corner, direction)
    margins = tuple(12.0 if one == side else 0.0 for one in "LRAPSI")
    source = ball(geometry, 15)
    target = made(Recipe(("CTV",), margins), geometry, CTV=source)

    def extent(contours):
        rings = [
            geometry.to_patient(np.column_stack((shapely.get_coordinates(p), np.full(shapely.count_coordinates(p), w))))
            for p, w in ((p, geometry.slice_positions_mm[k]) for k, p in contours.items())
        ]
        points = np.vstack(rings)
        return points.min(axis=0), points.max(axis=0)

    (low, high), (old_low, old_high) = extent(target.contours), extent(source)
    moved = {(a, 1): abs(high[a] - old_high[a]) for a in range(3)}
    moved |= {(a, -1): abs(low[a] - old_low[a]) for a in range(3)}
    tolerance = 3.0 if axis == 2 else 0.3
    assert moved.pop((axis, sign)) == pytest.approx(12, abs=tolerance)
    assert max(moved.values()) < 0.3
    for end in target.ends:
        assert end.slices == (4 if end.side == side else 0)


@pytest.mark.parametrize(
    ("margin_mm", "slices", "mm"), [(1.0, 0, 0.0), (2.0, 1, 3.0), (5.0, 2, 6.0), (6.0, 2, 6.0), (8.0, 3, 9.0)]
)
def test_the_ends_are_counted_in_whole_slices(margin_mm, slices, mm):
    margins = (5.0, 5.0, 5.0, 5.0, margin_mm, margin_mm)
    target = made(Recipe(("CTV",), margins), CTV=box(0, 0, 20, 20, range(15, 25)))
    assert [(end.side, end.slices, end.length_mm) for end in target.ends] == [("I", slices, mm), ("S", slices, mm)]
    assert (min(target.contours), max(target.contours)) == (15 - slices, 24 + slices)
    assert codes(target).count("AC-TG-023") == (2 if slices == 0 else 0)


def test_the_ends_are_counted_on_uneven_slices():
    w = np.array([0, 2, 4, 6, 8, 10, 15, 20, 25.0])
    geometry = VolumeGeometry(90, 90, (1.0, 1.0), np.eye(3), np.column_stack((np.zeros((9, 2)), w)))
    target = made(Recipe(("CTV",), (5, 5, 5, 5, 7, 3)), geometry, CTV=box(30, 30, 50, 50, [3, 4, 5]))
    low, high = target.ends
    # Slice 5 ends half way to 15, at 12.5; + 7 mm is 19.5: slice 6 at 15, not slice 7 at 20.
    assert (high.side, high.slices, high.thicknesses_mm) == ("S", 1, (5.0,))
    # Slice 3 ends at 5; − 3 mm is 2: slices 2 at 4 and 1 at 2.
    assert (low.side, low.slices, low.thicknesses_mm) == ("I", 2, (2.0, 2.0))


def test_a_negative_margin_counts_the_slices_it_removes():
    target = made(Recipe(("CTV",), (-3.0,) * 6), CTV=box(0, 0, 20, 20, range(10, 25)))
    assert [end.slices for end in target.ends] == [-1, -1]


def test_a_margin_that_the_scan_cuts_is_reported():
    target = made(Recipe(("CTV",), MM), CTV=box(0, 0, 20, 20, range(30, 40)))
    assert codes(target) == ["AC-TG-022"]
    assert target.ends[1].is_cut
    assert not target.ends[0].is_cut


def test_external_does_not_end_where_the_scan_ends():
    body = box(-50, -50, 50, 50, range(41))
    target = made(Recipe(("CTV",), inside="External", inside_mm=5), CTV=box(0, 0, 20, 20, range(41)), External=body)
    assert sorted(target.contours) == list(range(41))
    assert target.contours[0].area == pytest.approx(400)


def test_external_that_ends_within_the_scan_has_a_surface_there():
    body = box(-50, -50, 50, 50, range(31))
    target = made(Recipe(("CTV",), inside="External", inside_mm=5), CTV=box(0, 0, 20, 20, range(31)), External=body)
    assert max(target.contours) == 28  # the end of slice 30 is at 31.5 mm; 5 mm inside lies between slices 28 and 29
    assert codes(target) == ["AC-TG-025"]


def test_the_crop_is_measured_from_the_oblique_surface_not_within_the_slice():
    """A cone with a slope of 45° along the slices: 3 mm inside it is 3·√2 within a slice."""
    cone = {k: MultiPolygon([Point(0, 0).buffer(58 - 3 * k, quad_segs=32)]) for k in range(19)}
    target = made(Recipe(("CTV",), inside="B", inside_mm=3), CTV=box(-58, -58, 58, 58, range(5, 15)), B=cone)
    assert target.contours[10].bounds[2] == pytest.approx(28 - 3 * np.sqrt(2), abs=0.6)


def test_the_crop_sees_a_slope_on_one_side_such_as_a_shoulder():
    body = {k: MultiPolygon([shapely.box(-50, -50, 58 - 3 * k, 50)]) for k in range(19)}
    target = made(Recipe(("CTV",), inside="B", inside_mm=3), CTV=box(-20, -20, 58, 20, range(5, 15)), B=body)
    assert target.contours[10].bounds[2] == pytest.approx(28 - 3 * np.sqrt(2), abs=0.3)
    target = made(Recipe(("CTV",), inside="B", inside_mm=5), CTV=box(-20, -20, 58, 20, range(5, 15)), B=body)
    assert target.contours[10].bounds[2] == pytest.approx(28 - 5 * np.sqrt(2), abs=0.3)


def test_a_hole_is_kept_and_a_ring_has_one():
    outer, hole = Point(0, 0).buffer(30, quad_segs=32), Point(0, 0).buffer(12, quad_segs=32)
    tube = {k: MultiPolygon([outer.difference(hole)]) for k in range(10, 20)}
    grown = made(Recipe(("CTV",), MM), CTV=tube).contours[15]
    assert len(grown.geoms[0].interiors) == 1
    assert shapely.Polygon(grown.geoms[0].interiors[0]).area == pytest.approx(np.pi * 7**2, rel=0.02)
    ring = made(Recipe(("PTV",), MM, minus=(Minus("PTV"),)), PTV=ball(GRID, 20))
    assert len(ring.contours[20].geoms[0].interiors) == 1
    assert ring.contours[20].area == pytest.approx(np.pi * (25**2 - 20**2), rel=0.02)
    assert not ring.findings


def test_several_sources_and_plus_are_united_and_only_the_sources_grow():
    organs = {
        "A": box(0, 0, 10, 10, [20]), "B": box(30, 0, 40, 10, [20]), "C": box(-30, 0, -20, 10, [20]),
    }  # fmt: skip
    target = made(Recipe(("A", "B"), (5, 5, 5, 5, 0, 0), plus=("C",)), **organs)
    areas = sorted(p.area for p in target.contours[20].geoms)
    assert len(areas) == 3
    assert areas[0] == pytest.approx(100)
    assert areas[1:] == pytest.approx([100 + 4 * 50 + np.pi * 25] * 2, rel=0.01)


def test_plus_is_cropped_and_cut_too():
    organs = {"A": box(0, 0, 10, 10, [20]), "C": box(8, 0, 60, 10, [20])}
    organs |= {"B": box(-50, -50, 50, 50, [19, 20, 21]), "O": box(30, -5, 35, 15, [20])}
    target = made(Recipe(("A",), plus=("C",), inside="B", minus=(Minus("O"),)), **organs)
    assert target.contours[20].bounds[2] == 50
    assert target.contours[20].intersection(organs["O"][20]).area == 0


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        (Recipe(("CTV",), (-30.0,) * 6), "AC-TG-003"),
        (Recipe(("CTV",), MM, inside="Far", inside_mm=3), "AC-TG-004"),
        (Recipe(("CTV",), MM, inside="CTV", inside_mm=30), "AC-TG-004"),
        (Recipe(("CTV",), MM, minus=(Minus("Body"),)), "AC-TG-005"),
        (Recipe(("CTV",), MM, minus=(Minus("Empty"),)), "AC-TG-002"),
        (Recipe(("CTV",), MM, inside="Empty"), "AC-TG-002"),
        (Recipe(("Empty",), MM), "AC-TG-002"),
        (Recipe(("Absent",), MM), "AC-TG-001"),
        (Recipe(("CTV",), MM, minus=(Minus("Absent"),)), "AC-TG-001"),
        (Recipe(("Outside",), MM), "AC-TG-002"),
        (Recipe(()), "AC-TG-010"),
    ],
)
def test_what_cannot_be_made_is_refused(recipe, code):
    organs = {"CTV": ball(GRID, 20), "Far": ball(GRID, 5, (50, 50, 50)), "Body": ball(GRID, 50), "Empty": {}}
    organs["Outside"] = box(0, 0, 5, 5, [77])
    with pytest.raises(TargetError) as refused:
        made(recipe, **organs)
    assert refused.value.code == code


def test_contours_off_the_ct_are_named_and_left_out():
    found = {"CTV": Structure("CTV", 1, {**ball(GRID, 10), 50: MultiPolygon([shapely.box(0, 0, 9, 9)])})}
    target = make_target("PTV", Recipe(("CTV",), MM), found, GRID)
    assert max(target.contours) < 41
    assert codes(target) == ["AC-TG-021"]
    carried = (ImportedContour("CLOSED_PLANAR", "0\\0\\900\\1\\0\\900\\1\\1\\900"), ImportedContour("POINT", "0\\0\\0"))
    found = {"CTV": Structure("CTV", 1, ball(GRID, 10), carried=carried)}
    assert codes(make_target("PTV", Recipe(("CTV",), MM), found, GRID)) == ["AC-TG-021"]


def test_a_source_that_is_not_drawn_on_every_slice_is_reported_with_the_slices():
    target = made(Recipe(("CTV",), MM), CTV=box(0, 0, 20, 20, [10, 11, 15, 16]))
    (finding,) = target.findings
    assert (finding.code, finding.slices) == ("AC-TG-020", (12, 13, 14))


def test_a_part_of_the_source_that_is_not_in_the_target_is_reported():
    organs = {"CTV": box(0, 0, 20, 20, [20]), "Body": box(-50, -50, 15, 50, [20])}
    target = made(Recipe(("CTV",), inside="Body"), **organs)
    (finding,) = target.findings
    assert finding.code == "AC-TG-025"
    assert "0.30 cm³" in finding.message


def test_different_margins_on_turned_slices_are_reported():
    c, s = np.cos(0.3), np.sin(0.3)
    turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    geometry = VolumeGeometry.regular((41, 120, 120), (3.0, 1.0, 1.0), turned @ (-60.0, -60.0, -60.0), turned)
    assert codes(made(Recipe(("CTV",), (5, 1, 1, 1, 2, 2)), geometry, CTV=ball(geometry, 10))) == ["AC-TG-024"]
    assert codes(made(Recipe(("CTV",), MM), geometry, CTV=ball(geometry, 10))) == []


def test_it_can_be_cancelled():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        make_target("PTV", Recipe(("CTV",), MM), structures(CTV=ball(GRID, 20)), GRID, job)


@settings(max_examples=25, deadline=None)
@given(
    centre=st.tuples(*[st.floats(-25, 25)] * 3),
    organ=st.tuples(*[st.floats(-30, 30)] * 3),
    margin=st.floats(1, 8),
    gap=st.floats(0.5, 6),
    depth=st.floats(0.5, 8),
)
def test_a_result_never_leaves_the_body_nor_reaches_an_organ(centre, organ, margin, gap, depth):
    organs = {"CTV": ball(GRID, 14, centre), "Body": ball(GRID, 42), "Cord": ball(GRID, 9, organ)}
    recipe = Recipe(("CTV",), (margin,) * 6, inside="Body", inside_mm=depth, minus=(Minus("Cord", gap),))
    try:
        result = make_target("PTV", recipe, structures(**organs), GRID).contours
    except TargetError:
        return
    for z, shape in result.items():
        # Within a slice the distance is kept too, but for what polygons of circles and thinning take away.
        assert shape.difference(organs["Body"][z].buffer(-depth * 0.98 + 0.1)).area < 0.5
        if z in organs["Cord"]:
            assert shape.intersection(organs["Cord"][z].buffer(gap * 0.98 - 0.1)).area < 0.5


def test_the_part_that_is_computed_near_the_target_gives_what_the_whole_gives():
    body = ball(GRID, 55)
    organs = {"CTV": ball(GRID, 12, (30, 10, 8)), "Body": body, "Cord": ball(GRID, 30, (-15, 5, 0))}
    recipe = Recipe(("CTV",), MM, inside="Body", inside_mm=8, minus=(Minus("Cord", 6),))
    from autocontour.contouring import margin_contours
    from autocontour.edits import Boolean, combined

    whole = combined(
        margin_contours(organs["CTV"], GRID, MM), margin_contours(body, GRID, (-8.0,) * 6), Boolean.INTERSECTION
    )
    whole = combined(whole, margin_contours(organs["Cord"], GRID, (6.0,) * 6), Boolean.DIFFERENCE)
    result = made(recipe, **organs).contours
    apart_mm2 = sum(result[z].symmetric_difference(whole[z]).area for z in whole)
    assert apart_mm2 < 1e-3 * sum(p.area for p in whole.values())
    assert result.keys() == whole.keys()


def test_uneven_counting_needs_no_margin_on_the_other_side():
    source = box(0, 0, 20, 20, range(10, 20))
    low, high = count_ends(source, source, GRID, (0.0,) * 6)
    assert (low.slices, high.slices) == (0, 0)


def test_recipes_in_order_and_in_circles():
    chain = {"Ring": Recipe(("PTV",), minus=(Minus("ptv"),)), "PTV": Recipe(("CTV",)), "CTV": Recipe(("GTV",))}
    assert in_order(chain) == ["CTV", "PTV", "Ring"]
    assert find_cycle(chain) == ()
    assert find_cycle({**chain, "GTV": Recipe(("A",), inside="Ring")}) == ("Ring", "PTV", "CTV", "GTV", "Ring")
    assert find_cycle({"A": Recipe(("a",))}) == ("A", "A")


def test_a_recipe_survives_json():
    recipe = Recipe(("A", "B"), (1, 2, 3, 4, 5, 6), ("C",), "External", 3.0, (Minus("D", 2.5),))
    assert Recipe.from_json(recipe.to_json()) == recipe
    grown = "(A or B) + (L 1, R 2, A 3, P 4, S 5, I 6) mm"
    assert recipe.text == f"({grown}) or C, 3 mm inside External, minus (D + 2.5 mm)"


def test_a_long_recipe_fits_into_the_description_of_a_file():
    recipe = Recipe(tuple(f"{n:064}" for n in range(20)))
    assert len(recipe.description) < 1024 - len(", edited")
    assert recipe.description.endswith("…")

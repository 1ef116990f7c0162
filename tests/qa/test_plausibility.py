"""Where to look first, told from the contours alone."""

import pytest
from shapely import MultiPolygon, Point

from autocontour.base.findings import Severity
from autocontour.qa import check_contours


def disc(r=20.0, u=0.0):
    return MultiPolygon([Point(u, 0).buffer(r)])


def tapering():
    """A structure that grows, stays and shrinks as an organ does, and wanders a little."""
    return {z: disc(min(6 + 3 * z, 20, 6 + 3 * (30 - z)), 0.8 * z) for z in range(31)}


def test_anatomy_raises_nothing():
    assert check_contours("Liver", tapering()) == ()
    assert check_contours("Lens_L", {3: disc(2), 4: disc(4), 5: disc(1)}) == ()
    assert check_contours("Empty", {}) == ()


def test_a_gap_is_told_with_its_slices():
    contours = {z: shape for z, shape in tapering().items() if z not in (7, 8, 20)}
    (finding,) = check_contours("Liver", contours)
    assert (finding.code, finding.severity, finding.slices) == ("AC-QA-005", Severity.WARN, (7, 8, 20))
    assert "3 slices" in finding.message


def test_two_pieces_one_above_the_other_side_are_no_gap():
    contours = {**{z: disc(8, -40) for z in range(5)}, **{z: disc(8, 40) for z in range(9, 14)}}
    assert check_contours("LN_Neck", contours) == ()


@pytest.mark.parametrize("odd", [disc(8, 9.6), disc(34, 9.6), disc(20, 33.0)])
def test_a_slice_unlike_both_its_neighbours_stands_out(odd):
    (finding,) = check_contours("Liver", {**tapering(), 12: odd})
    assert (finding.code, finding.slices) == ("AC-QA-006", (12,))
    assert finding.message.endswith("on 1 slice.")


def test_what_changes_for_good_does_not_stand_out():
    contours = {z: disc(20) if z < 10 else disc(8) for z in range(20)}
    assert check_contours("Aorta", contours) == ()

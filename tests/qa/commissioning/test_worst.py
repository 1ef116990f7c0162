"""The pictures of the worst cases go through the outlines, in a window that shows the outline."""

import pytest
import shapely

from autocontour.qa.commissioning.study.text import metric_label
from autocontour.qa.commissioning.study.worst import _middle, window_of
from autocontour.report.pictures import BONE_HU, LUNG_HU, SOFT_TISSUE_HU


def square(left, size):
    return shapely.MultiPolygon([shapely.box(left, 0, left + size, size)])


def test_the_planes_go_through_the_outlines():
    """The middle of a horseshoe lies outside of it: a plane there would show nothing of a mandible."""
    assert _middle(square(0, 10), square(4, 10)) == pytest.approx((7, 5))
    assert _middle(square(0, 10), None) == pytest.approx((5, 5))
    assert _middle(shapely.MultiPolygon(), square(20, 4)) == pytest.approx((22, 2))
    horseshoe = shapely.box(0, 0, 30, 30) - shapely.box(5, 5, 25, 30)
    assert horseshoe.contains(shapely.Point(_middle(shapely.MultiPolygon([horseshoe]), square(100, 2))))


@pytest.mark.parametrize(
    ("structure", "window"),
    [("Lung_L", LUNG_HU), ("Lungs", LUNG_HU), ("Bone_Mandible", BONE_HU), ("Brainstem", SOFT_TISSUE_HU)],
)
def test_windows(structure, window):
    assert window_of(structure) == window


def test_every_figure_has_a_name_with_its_unit():
    names = ("hd95_mm", "mean_gy", "d003cc_gy", "d95_gy", "v20gy_percent", "jaccard")
    assert [metric_label(name) for name in names] == [
        "HD95, mm", "Dmean, Gy", "D0.03cc, Gy", "D95%, Gy", "V20Gy, %", "jaccard"
    ]  # fmt: skip

"""The pictures of the worst cases go through the largest difference, in a window that shows the outline."""

import pytest
import shapely

from autocontour.qa.commissioning.study.text import metric_label
from autocontour.qa.commissioning.study.worst import _largest_difference, window_of
from autocontour.report.pictures import BONE_HU, LUNG_HU, SOFT_TISSUE_HU


def square(left, size):
    return shapely.MultiPolygon([shapely.box(left, 0, left + size, size)])


def test_the_planes_go_through_the_largest_difference():
    u, v = _largest_difference(square(0, 10), shapely.MultiPolygon([shapely.box(1, 0, 16, 10)]))
    assert 10 < u < 16
    assert 0 < v < 10
    assert 0 < _largest_difference(square(0, 10), None)[0] < 10
    assert 0 < _largest_difference(square(0, 10), square(0, 10))[0] < 10
    assert 20 < _largest_difference(shapely.MultiPolygon(), square(20, 4))[0] < 24


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

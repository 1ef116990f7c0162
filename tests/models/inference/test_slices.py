"""Where on the CT the network's doubts are shown."""

import numpy as np
import pytest
from shapely import box

from autocontour.base.findings import Finding, Severity
from autocontour.models.inference.slices import Seen, point_at_slices
from autocontour.patient.geometry import VolumeGeometry


@pytest.fixture
def seen(toy_package):
    """Ten planes of 3 mm over a CT of thirty slices of 1 mm, sure but for planes 4 and 5."""
    probability = np.zeros((10, 6, 6), np.float32)
    probability[:, 2:4, 2:4] = 0.95
    probability[4:6, 2:4, 2:4] = 0.55
    coarse = VolumeGeometry.regular((10, 6, 6), (3.0, 4.0, 4.0), (0, 0, 1.0))
    fine = VolumeGeometry.regular((30, 24, 24), (1.0, 1.0, 1.0))
    contours = {k: box(8, 8, 16, 16) for k in range(3, 30)}
    return Seen(contours, probability, coarse, fine, toy_package.structures["Parotid_L"])


def pointed(seen, code):
    return point_at_slices([Finding(code, Severity.WARN, "Doubt.")], seen)[0].slices


def test_low_confidence_is_shown_where_it_is_low(seen):
    assert pointed(seen, "AC-MD-107") == tuple(range(12, 18))


def test_the_end_of_the_scan_is_the_one_that_is_reached(seen):
    assert pointed(seen, "AC-MD-102") == (3, 29)
    inside = Seen({k: seen.contours[k] for k in range(8, 22)}, seen.probability, seen.box, seen.ct, seen.structure)
    assert pointed(inside, "AC-MD-102") == ()


def test_the_box_is_shown_where_it_is_touched(seen):
    assert pointed(seen, "AC-MD-103") == (27, 28, 29)
    seen.probability[7, 0, 2] = 0.9
    again = Seen(seen.contours, seen.probability, seen.box, seen.ct, seen.structure)
    assert pointed(again, "AC-MD-103") == (21, 22, 23, 27, 28, 29)


def test_what_concerns_the_whole_points_nowhere(seen):
    assert pointed(seen, "AC-MD-104") == ()

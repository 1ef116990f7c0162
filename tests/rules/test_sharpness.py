"""The width of the edge between air and skin against that of a known blur."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from autocontour.patient.geometry import VolumeGeometry
from autocontour.rules.sharpness import AIR_HU, SKIN_HU, doubt_sharpness, find_edge_width_mm


def anatomy(sigma_mm, pixel_mm=1.0):
    """A block whose left side is blurred by a Gaussian, between −1000 and 0 HU."""
    x = (np.arange(200) - 60.3) * pixel_mm
    row = -1000 + 1000 * ndtr(x / sigma_mm)
    hu = np.broadcast_to(row, (12, 120, 200)).astype(np.float32)
    geometry = VolumeGeometry.regular(hu.shape, (3.0, pixel_mm, pixel_mm))
    made = SimpleNamespace(ct=SimpleNamespace(hu=hu, geometry=geometry))
    made.find = lambda finder: finder(made)
    return made


@pytest.mark.parametrize("sigma_mm", [1.0, 2.0, 3.0, 5.0])
def test_the_width_is_that_of_the_blur(sigma_mm):
    rise = ndtri((SKIN_HU + 1000) / 1000) - ndtri((AIR_HU + 1000) / 1000)
    assert find_edge_width_mm(anatomy(sigma_mm)) == pytest.approx(rise * sigma_mm, abs=0.2)


@pytest.mark.parametrize(("sigma_mm", "pixel_mm", "doubted"), [(1.0, 1.0, False), (3.0, 1.0, True), (2.0, 5.0, False)])
def test_blur_is_a_doubt_and_large_pixels_alone_are_not(sigma_mm, pixel_mm, doubted):
    found = doubt_sharpness(anatomy(sigma_mm, pixel_mm), "Bone")
    assert [finding.code for finding in found] == (["AC-RU-021"] if doubted else [])


def test_without_an_edge_nothing_is_doubted():
    made = anatomy(1.0)
    made.ct.hu = np.zeros_like(made.ct.hu)
    assert find_edge_width_mm(made) == 0.0

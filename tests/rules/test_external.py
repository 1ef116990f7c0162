"""External is the patient: no boards and head rests, and the air inside the head."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.patient.volume import CTVolume
from autocontour.rules import draw_structures


def draw_external(toy, hu):
    drawn = draw_structures(CTVolume(hu, toy.ct().geometry), ["External"], Job())
    return toy.masks_of(drawn["External"].contours)


def axes_of(hu):
    """Positions in mm to the head, back and left."""
    return np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * 3.0 for n in hu.shape], indexing="ij", sparse=True)


@pytest.mark.parametrize("rest_hu", [-200, 60])
def test_a_head_rest_is_not_the_patient(head, rest_hu):
    """A solid block under the neck, held to the neck by a strip 12 mm wide, with a couch below."""
    hu = head.hu.copy()
    z, y, x = axes_of(hu)
    external = np.broadcast_to(head.truth["External"], hu.shape)
    block = (np.abs(x) < 70) & (y > 78) & (y < 112) & (z < -15)
    rest = (block | ((np.abs(x) < 6) & (y > 60) & (y <= 78) & (z < -20))) & ~external
    hu[rest] = rest_hu
    hu[np.broadcast_to((y > 130) & (y < 136) & (np.abs(x) < 240), hu.shape)] = 0
    drawn = draw_external(head, hu)
    assert np.count_nonzero(drawn & rest) < 0.03 * np.count_nonzero(rest)
    assert np.count_nonzero(drawn & external) > 0.98 * np.count_nonzero(external)


def test_a_nose_and_the_air_behind_it_belong_to_external(head, dsc):
    """A thin-walled nose 50 mm high that opens downwards, and sinuses behind it."""
    hu = head.hu.copy()
    z, y, x = axes_of(hu)
    front = y < -60
    nose = ((x / 14) ** 2 + ((y + 80) / 26) ** 2 <= 1) & (z > 10) & (z < 60) & front
    cavity = ((x / 7) ** 2 + ((y + 74) / 24) ** 2 <= 1) & (z > 8) & (z < 55)
    hu[np.broadcast_to(nose, hu.shape)] = 45
    hu[np.broadcast_to(cavity, hu.shape)] = -1000
    right = np.broadcast_to(head.truth["External"], hu.shape) | nose
    drawn = draw_external(head, hu)
    assert dsc(drawn, right) > 0.99
    assert np.count_nonzero(drawn & cavity) > 0.9 * np.count_nonzero(cavity & right)


def test_real_heads_keep_nose_and_sinuses(shared_data):
    """Above the mouth the outline holds all tissue and the air enclosed by it."""
    from autocontour.contouring import mask_from_contours
    from autocontour.patient.geometry import VolumeGeometry

    with np.load(shared_data / "openkbp" / "val" / "pt_214.npz") as arrays:
        hu, spacing = arrays["hu"], arrays["spacing_zyx_mm"]
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, tuple(map(float, spacing))))
    external = mask_from_contours(draw_structures(ct, ["External"], Job())["External"].contours, ct.geometry)
    tissue = hu[88:115] > -200
    assert np.count_nonzero(external[88:115] & tissue) > 0.97 * np.count_nonzero(tissue)

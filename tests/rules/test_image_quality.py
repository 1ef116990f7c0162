"""Noise, thick slices and a wrong HU scale are reported on the structures that suffer from them."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules import draw_structures
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.scale import find_soft_tissue

QUALITY = {"AC-RU-017", "AC-RU-019", "AC-RU-020"}


def codes_of(hu, spacing_zyx_mm=(3.0, 3.0, 3.0)):
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, spacing_zyx_mm))
    bone = draw_structures(ct, ["Bone"], Job())["Bone"]
    return {finding.code for finding in bone.findings} & QUALITY


def test_noise_thick_slices_and_scale(thorax):
    noisy = thorax.hu + np.random.default_rng(0).normal(0, 120, thorax.hu.shape)
    assert codes_of(thorax.hu) == set()
    assert codes_of(np.clip(noisy, -1024, 3071).astype(np.int16)) == {"AC-RU-017"}
    assert codes_of(np.ascontiguousarray(thorax.hu[::2]), (6.0, 3.0, 3.0)) == {"AC-RU-019"}
    assert "AC-RU-020" in codes_of((0.85 * thorax.hu.astype(float) + 100).astype(np.int16))


@pytest.mark.parametrize(("scale", "offset", "is_ct"), [(1, 0, True), (0.9, -100, False), (0.85, 100, False)])
def test_the_peak_of_soft_tissue(thorax, scale, offset, is_ct):
    hu = (scale * thorax.hu.astype(float) + offset).astype(np.int16)
    peak = find_soft_tissue(Anatomy(CTVolume(hu, thorax.ct().geometry)))
    assert (peak is not None and peak <= 70) == is_ct

"""A structure that may be in the scan is not left out without a reason."""

from __future__ import annotations

import numpy as np

from autocontour.base.jobs import Job
from autocontour.patient.volume import CTVolume
from autocontour.rules import draw_structures


def draw(hu, geometry, name):
    reasons = []
    drawn = draw_structures(CTVolume(hu, geometry), [name], Job(), on_finding=reasons.append)
    return drawn, [finding.code for finding in reasons]


def test_no_trachea_where_gas_has_the_values_of_cone_beam_ct(thorax):
    hu = np.rint(0.7 * thorax.hu + 60).astype(np.int16)
    assert draw(hu, thorax.ct().geometry, "Trachea") == ({}, ["AC-RU-022"])


def test_no_canal_below_a_skull(thorax):
    """A ring of bone around brain, and below it soft tissue alone."""
    hu = np.full(thorax.hu.shape, -1000, np.int16)
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    away = np.hypot(y - 60, x - 84)
    hu[:, away < 30] = 40
    hu[40:, (away < 29) & (away > 26)] = 900
    assert draw(hu, thorax.ct().geometry, "SpinalCanal") == ({}, ["AC-RU-023"])

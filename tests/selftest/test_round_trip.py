"""True contours come back from a file in every position and with every profile; a lost one is found."""

import numpy as np
from shapely import MultiPolygon, box

from autocontour.base.jobs import Job
from autocontour.selftest import round_trip
from autocontour.selftest.round_trip import ALLOWED_MM, RoundTrip, run_round_trips


def test_every_contour_comes_back(monkeypatch):
    monkeypatch.setattr(round_trip, "POSITIONS", ("HFP", "FFS"))
    monkeypatch.setattr(round_trip, "SHAPE_ZYX", (12, 96, 96))
    monkeypatch.setattr(round_trip, "SPACING_ZYX_MM", (12.0, 6.0, 6.0))
    trips = run_round_trips(Job())
    assert len(trips) == 2 * len(round_trip.list_profiles())
    assert all(trip.passed and trip.contours > 20 for trip in trips)
    assert trips[0].to_json()["passed"]


def test_a_lost_or_moved_contour_fails():
    one = MultiPolygon([box(0, 0, 10, 10)])
    assert round_trip._shift_mm(one, None) == np.inf
    moved = MultiPolygon([box(0.1, 0, 10.1, 10)])
    assert round_trip._shift_mm(one, moved) > ALLOWED_MM
    trip = RoundTrip("HFS", "generic", 1, 1, float("inf"))
    assert (trip.passed, trip.to_json()["largest_shift_mm"]) == (False, None)

"""Seeded phantom patients with exactly known contours."""

from autocontour.phantom.build import SITES, Phantom, PhantomOptions, Site, build_phantom
from autocontour.phantom.followup import Change, FollowUp, make_followup, random_change
from autocontour.phantom.positions import PATIENT_POSITIONS
from autocontour.phantom.truth import truth_structures

__all__ = [
    "PATIENT_POSITIONS",
    "SITES",
    "Change",
    "FollowUp",
    "Phantom",
    "PhantomOptions",
    "Site",
    "build_phantom",
    "make_followup",
    "random_change",
    "truth_structures",
]

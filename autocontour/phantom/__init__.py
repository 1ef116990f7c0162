"""Seeded phantom patients with exactly known contours."""

from autocontour.phantom.build import SITES, Phantom, PhantomOptions, Site, build_phantom
from autocontour.phantom.positions import PATIENT_POSITIONS
from autocontour.phantom.truth import truth_structures

__all__ = [
    "PATIENT_POSITIONS",
    "SITES",
    "Phantom",
    "PhantomOptions",
    "Site",
    "build_phantom",
    "truth_structures",
]

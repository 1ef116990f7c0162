"""Masks and probabilities to planar polygons, and back."""

from autocontour.contouring.between import Gap, find_gaps, interpolate_contours, interpolate_gaps
from autocontour.contouring.coverage import coverage_from_contours
from autocontour.contouring.isoline import contours_from_probability
from autocontour.contouring.margins import margin_contours
from autocontour.contouring.measure import box_of, volume_cc
from autocontour.contouring.raster import mask_from_contours
from autocontour.contouring.trace import contours_from_mask

__all__ = [
    "Gap",
    "box_of",
    "contours_from_mask",
    "contours_from_probability",
    "coverage_from_contours",
    "find_gaps",
    "interpolate_contours",
    "interpolate_gaps",
    "margin_contours",
    "mask_from_contours",
    "volume_cc",
]

"""Editing contours: operations on shapely polygons in plane coordinates, without any window."""

from autocontour.edits.polygons import Outline, clean, difference, intersection, thinned, union
from autocontour.edits.shapes import (
    added_path_mm,
    filled,
    largest,
    moved,
    offset,
    rotated,
    simplified,
    smoothed,
)
from autocontour.edits.slicewise import Boolean, combined, copied, cropped, deleted, mapped, replaced
from autocontour.edits.strokes import brushed, enclosed, erased, pushed, swept_disc

__all__ = [
    "Boolean",
    "Outline",
    "added_path_mm",
    "brushed",
    "clean",
    "combined",
    "copied",
    "cropped",
    "deleted",
    "difference",
    "enclosed",
    "erased",
    "filled",
    "intersection",
    "largest",
    "mapped",
    "moved",
    "offset",
    "pushed",
    "replaced",
    "rotated",
    "simplified",
    "smoothed",
    "swept_disc",
    "thinned",
    "union",
]

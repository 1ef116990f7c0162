"""Editing contours: operations on shapely polygons in plane coordinates, independent of the viewer."""

from autocontour.edits.polygons import Outline, clean, difference, intersection, thinned, union
from autocontour.edits.ranges import (
    LARGEST_GAP_MM,
    RangePlan,
    plan_copy,
    plan_deletion,
    plan_interpolation,
    plan_margin,
    plan_smoothing,
)
from autocontour.edits.region import HURange, ball_region, disc_region, flood, flood_slice, learn_range
from autocontour.edits.shapes import (
    added_path_length_mm,
    filled,
    largest,
    moved,
    offset,
    rotated,
    simplified,
    smoothed,
)
from autocontour.edits.slicewise import Boolean, combined, copied, cropped, deleted, mapped, replaced
from autocontour.edits.strokes import brushed, enclosed, erased, pushed, swept_ball, swept_disc
from autocontour.edits.target import EndCount, Target, make_target

__all__ = [
    "LARGEST_GAP_MM",
    "Boolean",
    "EndCount",
    "HURange",
    "Outline",
    "RangePlan",
    "Target",
    "added_path_length_mm",
    "ball_region",
    "brushed",
    "clean",
    "combined",
    "copied",
    "cropped",
    "deleted",
    "difference",
    "disc_region",
    "enclosed",
    "erased",
    "filled",
    "flood",
    "flood_slice",
    "intersection",
    "largest",
    "learn_range",
    "make_target",
    "mapped",
    "moved",
    "offset",
    "plan_copy",
    "plan_deletion",
    "plan_interpolation",
    "plan_margin",
    "plan_smoothing",
    "pushed",
    "replaced",
    "rotated",
    "simplified",
    "smoothed",
    "swept_ball",
    "swept_disc",
    "thinned",
    "union",
]

"""Changes of a chosen range of slices, computed as a plan that can be shown before it is applied.

Every plan changes slices of the range alone. All changes are within the plane of each slice; only interpolation uses
other slices: those drawn next to a gap, also outside the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import shapely
from shapely import MultiPolygon, Polygon

from autocontour.base.jobs import Job
from autocontour.contouring import Gap, find_gaps, interpolate_gaps
from autocontour.edits.polygons import Outline, intersection
from autocontour.edits.shapes import offset, smoothed
from autocontour.edits.slicewise import deleted, mapped
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours, SliceChanges

LARGEST_GAP_MM = 30.0
"""Distance of two drawn slices above which nothing is interpolated between them unless the user asks for it."""


@dataclass(frozen=True)
class RangePlan:
    """A change of a range of slices that has not been applied.

    Attributes
    ----------
    changes
        The slices that change.
    filled, changed, removed
        Slices that are empty and receive a contour, whose contour changes, and that lose their contour.
    still_empty
        Slices of the range between drawn ones that stay empty.
    wide
        Gaps that are left out because they are larger than the largest distance.
    unpaired
        Gaps with pieces that have no counterpart on the other side; these pieces are not interpolated.
    """

    changes: SliceChanges
    filled: tuple[int, ...]
    changed: tuple[int, ...]
    removed: tuple[int, ...]
    still_empty: tuple[int, ...] = ()
    wide: tuple[Gap, ...] = ()
    unpaired: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, contours: Contours, changes: SliceChanges, **notes: tuple[int, ...] | tuple[Gap, ...]) -> RangePlan:
        """Return the plan of `changes` to `contours`."""
        filled = tuple(z for z in changes if z not in contours)
        removed = tuple(z for z, outline in changes.items() if outline is None)
        changed = tuple(z for z in changes if z in contours and z not in removed)
        return cls(dict(changes), filled, changed, removed, **notes)  # type: ignore[arg-type]  # the three notes


def plan_interpolation(
    contours: Contours,
    geometry: VolumeGeometry,
    slices: range,
    largest_gap_mm: float = LARGEST_GAP_MM,
    job: Job | None = None,
) -> RangePlan:
    """Plan contours on the empty slices of a range, between drawn slices.

    Parameters
    ----------
    contours
        Of the structure.
    geometry
        Of the CT.
    slices
        The range. A gap that begins or ends outside it is filled only inside the range.
    largest_gap_mm
        Gaps between slices further apart are left out.
    job
        Receives the progress; may cancel.
    """
    gaps = [gap for gap in find_gaps(contours, geometry) if set(gap.slices) & set(slices)]
    near = [gap for gap in gaps if gap.distance_mm <= largest_gap_mm]
    drawn = interpolate_gaps(contours, geometry, near, job)
    changes = {z: outline for z, outline in drawn.items() if z in slices}
    empty = (z for gap in gaps for z in gap.slices if z in slices and z not in changes)
    wide = tuple(gap for gap in gaps if gap.distance_mm > largest_gap_mm)
    unpaired = tuple(gap for gap in near if any(gap.unpaired))
    return RangePlan.of(contours, changes, still_empty=tuple(empty), wide=wide, unpaired=unpaired)


def plan_copy(
    contours: Contours, geometry: VolumeGeometry, slices: range, source: int, *, replaces: bool = False
) -> RangePlan:
    """Plan copies of the outline of slice `source` on the empty slices of a range, and on all others if `replaces`.

    A part of the copy that lies outside the image of a slice is left out.
    """
    outline = contours.get(source)
    targets = [z for z in slices if z != source and (replaces or z not in contours)] if outline else []
    copies = {z: _within_image(outline, geometry, z) for z in targets}
    return RangePlan.of(contours, {z: copy for z, copy in copies.items() if copy or z in contours})


def plan_deletion(contours: Contours, slices: range) -> RangePlan:
    """Plan the deletion of the structure on a range."""
    return RangePlan.of(contours, deleted(contours, slices))


def plan_margin(
    contours: Contours, geometry: VolumeGeometry, slices: range, margin_mm: float, job: Job | None = None
) -> RangePlan:
    """Plan a margin on a range: each outline grows (below zero: shrinks) within its slice.

    Nothing is added above or below: the ends of the structure and of the range stay on their slices. A part that would
    lie outside the image is left out.
    """
    grown = mapped(contours, partial(offset, margin_mm=margin_mm), slices, job)
    return RangePlan.of(contours, {z: _within_image(outline, geometry, z) for z, outline in grown.items()})


def plan_smoothing(contours: Contours, slices: range, sigma_mm: float, job: Job | None = None) -> RangePlan:
    """Plan smoothing of every outline of a range along its length (see `smoothed`)."""
    return RangePlan.of(contours, mapped(contours, partial(smoothed, sigma_mm=sigma_mm), slices, job))


def _within_image(outline: Outline, geometry: VolumeGeometry, z: int) -> Outline:
    """Return the part of `outline` inside the image of slice `z`; the same object if all of it is."""
    image = _image(geometry, z)
    return outline if outline is None or image.contains(outline) else intersection(outline, MultiPolygon([image]))


def _image(geometry: VolumeGeometry, z: int) -> Polygon:
    u, v = geometry.plane_origins_uv_mm[z]
    step_v, step_u = geometry.pixel_spacing_vu_mm
    left, top = float(u - step_u / 2), float(v - step_v / 2)
    return shapely.box(left, top, left + geometry.columns * step_u, top + geometry.rows * step_v)

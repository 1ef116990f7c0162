"""Targets: a structure made from others by a recipe (`autocontour.patient.recipe`).

Margins, the distance inside External and the gaps to other structures are three-dimensional
(`autocontour.contouring.margins`). Where the scan ends, External is taken to continue: its last slice is not a surface.

Along the slices a margin is not rounded to its number of millimetres: a slice belongs to the result if the grown body
reaches the position of the slice, counted from half way to the slice after the last contour. So a margin of 5 mm
on slices of 3 mm adds two slices, which are 6 mm; `EndCount` has the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import MultiPolygon

from autocontour.base.errors import TargetError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import margin_contours, volume_cc
from autocontour.contouring.ragged import polygons_of
from autocontour.edits.slicewise import Boolean, combined
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.recipe import DIRECTIONS, Margins, Recipe
from autocontour.patient.structures import Contours, Structure

BEYOND_MM = 5.0
"""Another structure is computed this far beyond the box in which it can matter."""
TURNED_DEGREES = 5.0
SMALLEST_CC = 0.01
AXES = (("L", "R"), ("P", "A"), ("S", "I"))
"""Sides of the patient towards higher and lower x, y, z."""


@dataclass(frozen=True, slots=True)
class EndCount:
    """The slices that a margin adds at one end.

    Attributes
    ----------
    side
        The direction of the patient, such as ``S``.
    margin_mm
        The margin asked for; below zero it removes slices.
    slices
        Number of slices added (below zero: removed).
    thicknesses_mm
        Thickness of each of these slices.
    is_cut
        Whether the margin reaches beyond the end of the scan.
    """

    side: str
    margin_mm: float
    slices: int
    thicknesses_mm: tuple[float, ...]
    is_cut: bool = False

    @property
    def length_mm(self) -> float:
        """Thickness of the added slices together."""
        return sum(self.thicknesses_mm)


@dataclass(frozen=True)
class Target:
    """The result of a recipe.

    Attributes
    ----------
    contours
        Never empty.
    findings
        What the user should know about it.
    ends
        What the margin adds at both ends; empty without a margin.
    source_cc, grown_cc, cropped_cc
        Volume of the sources, of the sources with margin and `plus`, and after it is kept inside; the final volume
        follows from the contours.
    """

    contours: Contours
    findings: tuple[Finding, ...] = ()
    ends: tuple[EndCount, ...] = ()
    source_cc: float = 0.0
    grown_cc: float = 0.0
    cropped_cc: float = 0.0


def make_target(
    name: str,
    recipe: Recipe,
    structures: Mapping[str, Structure],
    geometry: VolumeGeometry,
    job: Job | None = None,
) -> Target:
    """Make a structure from others.

    Parameters
    ----------
    name
        Of the result, for messages.
    recipe
        What is done.
    structures
        Every structure that the recipe names, by that name.
    geometry
        Of the CT.
    job
        Receives the progress; may cancel.

    Raises
    ------
    TargetError
        ``AC-TG-001`` or ``AC-TG-002`` if a structure is missing or empty, ``AC-TG-003`` to ``AC-TG-005`` if nothing is
        left, ``AC-TG-010`` without a source.
    Cancelled
        If `job` was cancelled.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((20, 100, 100), (3.0, 1.0, 1.0))
    >>> box = {k: MultiPolygon([shapely.box(40, 40, 60, 60)]) for k in range(8, 12)}
    >>> target = make_target("PTV", Recipe(("CTV",), (5.0,) * 6), {"CTV": Structure("CTV", 1, box)}, grid)
    >>> min(target.contours), max(target.contours), target.ends[1].slices, target.ends[1].length_mm
    (6, 13, 2, 6.0)
    """
    job = job or Job()
    if not recipe.sources:
        raise TargetError("AC-TG-010", target=name)
    drawn = {needed: _drawn(name, needed, structures, geometry) for needed in recipe.names}
    source = _united(drawn, recipe.sources, job)
    grown = margin_contours(source, geometry, recipe.margins_mm, job) if any(recipe.margins_mm) else source
    if not grown:
        raise TargetError("AC-TG-003", target=name, source=", ".join(recipe.sources))
    whole = combined(grown, _united(drawn, recipe.plus, job), Boolean.UNION, job) if recipe.plus else grown
    kept = _kept_inside(whole, drawn[recipe.inside], recipe.inside_mm, geometry, job) if recipe.inside else whole
    if not kept:
        raise TargetError("AC-TG-004", target=name, structure=recipe.inside, mm=f"{recipe.inside_mm:g}")
    left = kept
    for one in recipe.minus:
        left = _kept_away(left, drawn[one.name], one.gap_mm, geometry, job) if left else left
    if not left:
        raise TargetError("AC-TG-005", target=name, structures=", ".join(one.name for one in recipe.minus))
    ends = count_ends(source, grown, geometry, recipe.margins_mm) if any(recipe.margins_mm) else ()
    findings = (
        *_find_in_sources(recipe, structures, geometry),
        *_find_in_margin(name, recipe, ends, geometry),
        *_find_uncovered(name, recipe, source, left, geometry),
    )
    volumes = (volume_cc(contours, geometry) for contours in (source, whole, kept))
    return Target(dict(sorted(left.items())), findings, ends, *volumes)


def count_ends(
    source: Contours, grown: Contours, geometry: VolumeGeometry, margins_mm: Margins
) -> tuple[EndCount, EndCount]:
    """Return what a margin has added at the end of the first and the last slice, in the patient's directions.

    Parameters
    ----------
    source, grown
        The structure without and with its margin; neither is empty.
    geometry
        Of the CT; the slices may be uneven.
    margins_mm
        As in `autocontour.contouring.margin_contours`.
    """
    axis = int(np.abs(geometry.direction[:, 2]).argmax())
    high, low = AXES[axis] if geometry.direction[axis, 2] > 0 else AXES[axis][::-1]
    towards = dict(zip(DIRECTIONS, margins_mm, strict=True))
    lower = _count_end(low, towards[low], min(source), min(grown), geometry, is_low=True)
    return lower, _count_end(high, towards[high], max(source), max(grown), geometry, is_low=False)


def _count_end(
    side: str, margin_mm: float, before: int, after: int, geometry: VolumeGeometry, *, is_low: bool
) -> EndCount:
    thicknesses, w = geometry.slice_thicknesses_mm, geometry.slice_positions_mm
    first, last = min(before, after), max(before, after)
    changed = range(first, last) if is_low else range(first + 1, last + 1)
    end = 0 if is_low else len(w) - 1
    room_mm = abs(w[end] - w[before]) + (thicknesses[end] - thicknesses[before]) / 2
    is_cut = margin_mm > 0 and bool(margin_mm > room_mm + 1e-3)
    count = before - after if is_low else after - before
    return EndCount(side, margin_mm, count, tuple(float(thicknesses[k]) for k in changed), is_cut)


def _drawn(target: str, name: str, structures: Mapping[str, Structure], geometry: VolumeGeometry) -> Contours:
    """Return the contours of a structure on the slices of the CT; refuse one that is missing or empty."""
    if name not in structures:
        raise TargetError("AC-TG-001", target=target, source=name)
    contours = structures[name].contours
    count = geometry.shape_zyx[0]
    within = {z: shape for z, shape in contours.items() if 0 <= z < count and not shape.is_empty}
    if not within:
        raise TargetError("AC-TG-002", target=target, source=name)
    return within


def _united(drawn: Mapping[str, Contours], names: tuple[str, ...], job: Job) -> Contours:
    united = drawn[names[0]]
    for name in names[1:]:
        united = combined(united, drawn[name], Boolean.UNION, job)
    return united


def _kept_inside(contours: Contours, body: Contours, mm: float, geometry: VolumeGeometry, job: Job) -> Contours:
    """Return what of `contours` lies in `body` at least `mm` from its surface."""
    if mm:
        near, padded, shift = _padded(_near(body, contours, mm, geometry), geometry, mm)
        shrunk = margin_contours(near, padded, _same(-mm), job)
        body = {z - shift: shape for z, shape in shrunk.items()}
    return combined(contours, body, Boolean.INTERSECTION, job)


def _kept_away(contours: Contours, other: Contours, gap_mm: float, geometry: VolumeGeometry, job: Job) -> Contours:
    """Return what of `contours` lies outside `other` and at least `gap_mm` from it."""
    if gap_mm:
        other = margin_contours(_near(other, contours, gap_mm, geometry), geometry, _same(gap_mm), job)
    return combined(contours, other, Boolean.DIFFERENCE, job)


def _near(other: Contours, contours: Contours, mm: float, geometry: VolumeGeometry) -> dict[int, MultiPolygon]:
    """Return the part of `other` that matters within `mm` of `contours`, which is much less than the whole body."""
    w = geometry.slice_positions_mm
    step_mm = float(geometry.slice_thicknesses_mm.max())
    reach_mm = mm + 3 * step_mm
    low, high = w[min(contours)] - reach_mm, w[max(contours)] + reach_mm
    left, top, right, bottom = shapely.total_bounds(list(contours.values()))
    pad = mm + BEYOND_MM
    window = shapely.box(left - pad, top - pad, right + pad, bottom + pad)
    cut = {z: polygons_of(shape.intersection(window)) for z, shape in other.items() if low <= w[z] <= high}
    return {z: shape for z, shape in cut.items() if not shape.is_empty}


def _padded(
    contours: dict[int, MultiPolygon], geometry: VolumeGeometry, mm: float
) -> tuple[dict[int, MultiPolygon], VolumeGeometry, int]:
    """Continue a structure beyond the scan where it is cut by its ends; return by how much its slices are shifted."""
    count = geometry.shape_zyx[0]
    if not contours or count < 2 or not {0, count - 1} & set(contours):
        return contours, geometry, 0
    origins = geometry.slice_origins_lps_mm
    steps = origins[1] - origins[0], origins[-1] - origins[-2]
    added = [int(np.ceil(mm / float(np.linalg.norm(step)))) + 2 for step in steps]
    before = [origins[0] - k * steps[0] for k in range(added[0], 0, -1)]
    after = [origins[-1] + k * steps[1] for k in range(1, added[1] + 1)]
    longer = VolumeGeometry(
        geometry.rows,
        geometry.columns,
        geometry.pixel_spacing_vu_mm,
        geometry.direction,
        np.vstack([*before, origins, *after]),
    )
    shifted = {z + added[0]: shape for z, shape in contours.items()}
    if 0 in contours:
        shifted.update(dict.fromkeys(range(added[0]), contours[0]))
    if count - 1 in contours:
        shifted.update(dict.fromkeys(range(added[0] + count, added[0] + count + added[1]), contours[count - 1]))
    return dict(sorted(shifted.items())), longer, added[0]


def _same(mm: float) -> Margins:
    return (mm, mm, mm, mm, mm, mm)


def _find_in_sources(
    recipe: Recipe, structures: Mapping[str, Structure], geometry: VolumeGeometry
) -> Iterator[Finding]:
    """Report sources that are not drawn on every slice, and contours that are not used."""
    count = geometry.shape_zyx[0]
    for name in recipe.names:
        structure = structures[name]
        drawn = {z for z in structure.contours if 0 <= z < count}
        gaps = tuple(z for z in range(min(drawn), max(drawn)) if z not in drawn)
        if gaps:
            yield Finding.of("AC-TG-020", name, gaps, structure=name, count=len(gaps))
        off = [one for one in structure.carried if one.geometric_type.startswith("CLOSED")]
        beyond = len(structure.contours) - len(drawn) + len(off)
        if beyond:
            yield Finding.of("AC-TG-021", name, structure=name, count=beyond)


def _find_in_margin(
    name: str, recipe: Recipe, ends: tuple[EndCount, ...], geometry: VolumeGeometry
) -> Iterator[Finding]:
    """Report margins that the scan cuts, that add no slice, or whose directions are those of the image only."""
    for end in ends:
        if end.is_cut:
            yield Finding.of("AC-TG-022", name, target=name, mm=f"{end.margin_mm:g}", side=end.side)
        elif end.margin_mm > 0 and end.slices == 0:
            yield Finding.of("AC-TG-023", name, target=name, mm=f"{end.margin_mm:g}", side=end.side)
    turn = _turn_degrees(geometry)
    if turn > TURNED_DEGREES and len(set(recipe.margins_mm)) > 1:
        yield Finding.of("AC-TG-024", name, target=name, degrees=f"{turn:.0f}")


def _turn_degrees(geometry: VolumeGeometry) -> float:
    """Return the largest angle between an axis of the image and the nearest of the patient."""
    nearest = np.abs(geometry.direction).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(nearest.min(), -1, 1))))


def _find_uncovered(
    name: str, recipe: Recipe, source: Contours, result: Contours, geometry: VolumeGeometry
) -> Iterator[Finding]:
    """Report a part of the sources that the crop or `minus` has taken out of the target."""
    is_ring = any(one.name in recipe.sources for one in recipe.minus)
    if is_ring or min(recipe.margins_mm) < 0 or not (recipe.inside or recipe.minus):
        return
    outside = combined(source, result, Boolean.DIFFERENCE)
    cc = volume_cc(outside, geometry)
    if cc >= SMALLEST_CC:
        sources = ", ".join(recipe.sources)
        yield Finding.of("AC-TG-025", name, tuple(outside), target=name, source=sources, cc=f"{cc:.2f}")

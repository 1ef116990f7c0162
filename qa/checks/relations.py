"""Relations of structures: overlaps, nested targets, inclusion in the body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.contouring import volume_cc
from autocontour.patient.matching import tg263_name
from autocontour.patient.nomenclature import find_term, sides_of
from autocontour.patient.structures import Contours, SliceChanges, Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.anatomy import read_anatomy, split_side

LEAST_OVERLAP_CC, LEAST_OVERLAP = 0.3, 0.05
"""Tolerated overlap of two organs, in cm³ and as a fraction of the smaller one."""
LEAST_OUTSIDE_CC, LEAST_OUTSIDE = 0.1, 0.01
"""Tolerated part of a target outside the larger one, in cm³ and as a fraction of its volume: the accuracy of manual
contours."""
PAIR_TOLERANCE_MM2, PAIR_TOLERANCE = 10.0, 0.01
"""How much the area of a structure such as Lungs may differ on a slice from both sides together, in mm² and of them."""
BODY_TOLERANCE_MM = 2.0
"""Tolerated distance of a structure beyond External: about a voxel."""
LEAST_ADDED_MM2 = 4.0
"""A stroke that adds less outside External is not reported: about a voxel."""
TARGETS = ("GTV", "CTV", "PTV")
BESIDE_THE_BODY = ("SUPPORT", "BOLUS", "FIXATION", "MARKER")
"""Interpreted types of what may lie outside External."""


def check_overlaps(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each pair of known organs with an anatomically impossible overlap."""
    anatomy = read_anatomy()
    organs = [s for s in structures if s.interpreted_type in ("ORGAN", "AVOIDANCE") and _is_known(s)]
    for one, other in combinations(organs, 2):
        (base, side), (base_other, side_other) = split_side(one), split_side(other)
        if anatomy.may_share(base, base_other) or (base == base_other and side == side_other):
            continue
        shared = _shared(one.contours, other.contours)
        cc = volume_cc(shared, ct.geometry)
        smaller = min(volume_cc(s.contours, ct.geometry) for s in (one, other))
        if cc > LEAST_OVERLAP_CC and cc > LEAST_OVERLAP * smaller:
            where = f"{one.name}, {other.name}"
            yield Finding.of("AC-QA-104", where, shared, one=one.name, other=other.name, cc=round(cc, 1))


def check_pairs(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:  # noqa: ARG001  (as every check)
    """Yield a finding for each structure such as Lungs that is not its left and right one together."""
    yield from (finding for _, finding in find_outdated_pairs(structures))


def find_outdated_pairs(structures: Sequence[Structure]) -> Iterator[tuple[Structure, Finding]]:
    """Yield each structure such as Lungs whose area differs from that of both sides together, with the slices.

    After one side is edited the combined structure is out of date. Areas are compared, which takes a few milliseconds.
    """
    by_name = {tg263_name(structure): structure for structure in structures if structure.contours}
    for name, whole in by_name.items():
        sides = [by_name[side] for side in sides_of(name) or () if side in by_name]
        if len(sides) < 2:
            continue
        slices = [
            index
            for index in sorted(set().union(*(s.contours.keys() for s in (whole, *sides))))
            if not _is_sum(_area(whole, index), sum(_area(side, index) for side in sides))
        ]
        if slices:
            left, right = (side.name for side in sides)
            where = ", ".join((whole.name, left, right))
            values = {"whole": whole.name, "left": left, "right": right}
            yield whole, Finding.of("AC-QA-116", where, slices, None, **values, count=len(slices))


def _area(structure: Structure, index: int) -> float:
    return float(structure.contours[index].area) if index in structure.contours else 0.0


def _is_sum(whole_mm2: float, sides_mm2: float) -> bool:
    return abs(whole_mm2 - sides_mm2) <= max(PAIR_TOLERANCE_MM2, PAIR_TOLERANCE * sides_mm2)


def check_targets(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each target that is not inside the next larger one of the same name (GTV, CTV, PTV)."""
    by_family: dict[str, dict[str, Structure]] = {family: {} for family in TARGETS}
    for structure in structures:
        name = structure.name.strip()
        family = next((f for f in TARGETS if name.upper().startswith(f)), None)
        if family:
            by_family[family][name[3:].strip(" _-").casefold()] = structure
    for small, large in (("GTV", "CTV"), ("CTV", "PTV"), ("GTV", "PTV")):
        if (small, large) == ("GTV", "PTV") and by_family["CTV"]:
            continue
        for inner, outer in _partners(by_family[small], by_family[large]):
            yield from _check_inside(ct, inner, outer)


def check_external(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each structure that reaches outside the body's outline."""
    outline = find_external(structures)
    if outline is None:
        return
    body = {k: _filled(shape) for k, shape in outline.contours.items()}
    for structure in structures:
        if structure is outline or structure.interpreted_type in BESIDE_THE_BODY:
            continue
        outside = _outside(structure.contours, body)
        cc, whole = (volume_cc(c, ct.geometry) for c in (outside, structure.contours))
        if cc > LEAST_OVERLAP_CC and cc > LEAST_OUTSIDE * whole:
            where = structure.name
            yield Finding.of("AC-QA-101", where, outside, structure=structure.name, cc=round(cc, 1))


def find_external(structures: Sequence[Structure]) -> Structure | None:
    """Return the outline of the body; None without one, or with several."""
    outlines = [s for s in structures if s.interpreted_type == "EXTERNAL" or tg263_name(s) == "External"]
    return outlines[0] if len(outlines) == 1 else None


def added_outside(external: Structure, structure: Structure, changes: SliceChanges) -> dict[int, float]:
    """Return what a change of `structure` adds outside External, as slice index → area in mm².

    Slices without External are left out, and so is what lies less than `BODY_TOLERANCE_MM` outside.
    """
    if structure.number == external.number or structure.interpreted_type in BESIDE_THE_BODY:
        return {}
    nothing, found = shapely.MultiPolygon(), {}
    for index, shape in changes.items():
        if shape is None or (outline := external.contours.get(index)) is None:
            continue
        added = shapely.difference(shape, structure.contours.get(index) or nothing)
        if not outline.contains(added):
            found[index] = float(shapely.difference(added, _filled(outline)).area)
    return {index: area for index, area in found.items() if area > LEAST_ADDED_MM2}


def _filled(outline: shapely.MultiPolygon) -> shapely.Geometry:
    """Return the body on one slice with its airways, a little larger."""
    solid = shapely.MultiPolygon([shapely.Polygon(part.exterior) for part in outline.geoms])
    return shapely.buffer(solid, BODY_TOLERANCE_MM, quad_segs=4)


def _is_known(structure: Structure) -> bool:
    name = tg263_name(structure)
    return bool(name) and find_term(name).known


def _partners(small: dict[str, Structure], large: dict[str, Structure]) -> Iterator[tuple[Structure, Structure]]:
    """Pair targets with the same rest of the name; a single one of each type is a pair with any name."""
    if len(small) == len(large) == 1:
        yield next(iter(small.values())), next(iter(large.values()))
        return
    yield from ((structure, large[rest]) for rest, structure in small.items() if rest in large)


def _check_inside(ct: CTVolume, inner: Structure, outer: Structure) -> Iterator[Finding]:
    outside = _outside(inner.contours, outer.contours)
    cc, whole = (volume_cc(contours, ct.geometry) for contours in (outside, inner.contours))
    if cc > LEAST_OUTSIDE_CC and cc > LEAST_OUTSIDE * whole:
        where = f"{inner.name}, {outer.name}"
        yield Finding.of("AC-QA-105", where, outside, inner=inner.name, outer=outer.name, cc=round(cc, 1))


def _shared(one: Contours, other: Contours) -> Contours:
    slices = sorted(one.keys() & other.keys())
    a, b = (np.array([contours[k] for k in slices], dtype=object) for contours in (one, other))
    return _areas(slices, shapely.intersection(a, b)) if slices else {}


def _outside(inner: Contours, outer: Mapping[int, shapely.Geometry]) -> Contours:
    slices = sorted(inner)
    a = np.array([inner[k] for k in slices], dtype=object)
    b = np.array([outer.get(k, shapely.MultiPolygon()) for k in slices], dtype=object)
    return _areas(slices, shapely.difference(a, b))


def _areas(slices: Sequence[int], shapes: NDArray[np.object_]) -> Contours:
    """Return the non-empty slices as contours."""
    found = {}
    for index, shape in zip(slices, shapes, strict=True):
        parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
        if parts:
            found[index] = shapely.MultiPolygon(parts)
    return found

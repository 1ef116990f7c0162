"""Comparing two structure sets drawn on one CT."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import box_of, mask_from_contours
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.matching import Pair, match_structures, tg263_name
from autocontour.patient.structures import Contours, Structure, StructureSet
from autocontour.qa.metrics import TAU_MM, PairMetrics, compute_metrics
from autocontour.qa.surface import Mask


@dataclass(frozen=True, slots=True)
class ComparedStructure:
    """One structure found in both sets.

    Attributes
    ----------
    name_a, name_b
        Its name in the reference and in the evaluated set.
    tg263_name
        Its TG-263 name if known, else empty.
    metrics
        The reference is A.
    """

    name_a: str
    name_b: str
    tg263_name: str
    metrics: PairMetrics

    @property
    def name(self) -> str:
        """Its name in the reference."""
        return self.name_a

    def to_json(self) -> dict[str, Any]:
        """Return the names and metrics as plain JSON values."""
        names = {"name_a": self.name_a, "name_b": self.name_b, "tg263_name": self.tg263_name}
        return {**names, **self.metrics.to_json()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two structure sets, structure by structure.

    Attributes
    ----------
    rows
        In the reference's order.
    only_a, only_b
        Names of the structures without a counterpart.
    findings
        Findings that affect the comparison.
    """

    rows: tuple[ComparedStructure, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def __iter__(self) -> Iterator[ComparedStructure]:
        return iter(self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; values that are not finite are null."""
        return {
            "structures": [row.to_json() for row in self.rows],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "findings": [finding.to_json() for finding in self.findings],
        }


def compare_sets(
    a: StructureSet,
    b: StructureSet,
    geometry: VolumeGeometry,
    *,
    tau_mm: float = TAU_MM,
    names: Collection[str] | None = None,
    where_a_is_drawn: bool = False,
    job: Job | None = None,
) -> Comparison:
    """Compare the reference `a` with `b` on the voxels of their CT (for the pairs see `match_structures`).

    Parameters
    ----------
    a
        One structure set.
    b
        The other one.
    geometry
        Of the CT.
    tau_mm
        Tolerance of the surface DSC.
    names
        Only structures with one of these names (own or TG-263); all if None.
    where_a_is_drawn
        Compare only from the first to the last slice of the reference, for references that were not drawn over the
        whole scan.
    job
        Reports progress; may cancel.
    """
    pairs = match_structures(a, b)
    wanted = [pair for pair in pairs if _is_asked(pair[0], names)]
    rows: list[ComparedStructure] = []
    findings = [*_check_spacing(geometry), *_check_names(a, names), *_imported_findings(a, b, names)]
    for pair in (job or Job()).track(wanted, "comparing structures", len(wanted)):
        masks = _masks(pair, geometry, where_a_is_drawn=where_a_is_drawn)
        metrics = compute_metrics(*masks, geometry.spacing_zyx_mm, tau_mm)
        rows.append(ComparedStructure(pair[0].name, pair[1].name, tg263_name(pair[0]) or tg263_name(pair[1]), metrics))
        findings += _check_masks(pair, masks)
    only_a, only_b = (
        tuple(s.name for s in whole.structures if _is_asked(s, names) and all(s is not pair[side] for pair in pairs))
        for side, whole in enumerate((a, b))
    )
    return Comparison(tuple(rows), only_a, only_b, tuple(findings))


def compare_contours(a: Contours, b: Contours, geometry: VolumeGeometry, tau_mm: float = TAU_MM) -> PairMetrics:
    """Compute every metric of the reference `a` and of `b` on the voxels of their CT, as `compare_sets` does."""
    box = joint_box(a, b, geometry)
    mask_a, mask_b = (mask_from_contours(contours, geometry, box) for contours in (a, b))
    return compute_metrics(mask_a, mask_b, geometry.spacing_zyx_mm, tau_mm)


def _is_asked(structure: Structure, names: Collection[str] | None) -> bool:
    return names is None or not {structure.name, tg263_name(structure)}.isdisjoint(names)


def _check_names(a: StructureSet, names: Collection[str] | None) -> Iterator[Finding]:
    for name in names or ():
        if not any(_is_asked(structure, {name}) for structure in a.structures):
            yield Finding.of("AC-QA-004", name)


def _imported_findings(a: StructureSet, b: StructureSet, names: Collection[str] | None) -> Iterator[Finding]:
    """Yield the findings from reading the sets, since contours that could not be read are not compared."""
    for label, whole in (("A", a), ("B", b)):
        for structure in (structure for structure in whole.structures if _is_asked(structure, names)):
            yield from (
                replace(f, where=f"{label} {structure.name}") for f in structure.findings if f.severity > Severity.INFO
            )
        yield from (
            replace(f, where=f"{label} {f.where}".strip()) for f in whole.findings if f.severity > Severity.INFO
        )


def joint_box(a: Contours, b: Contours, geometry: VolumeGeometry) -> Box:
    """Return the smallest box of voxels that contains both; an empty one if both are empty."""
    boxes = [box for box in (box_of(a, geometry), box_of(b, geometry)) if box is not None]
    if not boxes:
        return Box((0, 0, 0), (0, 0, 0))
    z0, y0, x0 = (min(box.start_zyx[axis] for box in boxes) for axis in range(3))
    z1, y1, x1 = (max(box.stop_zyx[axis] for box in boxes) for axis in range(3))
    return Box((z0, y0, x0), (z1, y1, x1))


def _masks(pair: Pair, geometry: VolumeGeometry, *, where_a_is_drawn: bool) -> tuple[Mask, Mask]:
    a, b = pair[0].contours, pair[1].contours
    if where_a_is_drawn and a:
        b = {index: polygons for index, polygons in b.items() if min(a) <= index <= max(a)}
    box = joint_box(a, b, geometry)
    return mask_from_contours(a, geometry, box), mask_from_contours(b, geometry, box)


def _check_spacing(geometry: VolumeGeometry) -> Iterator[Finding]:
    if not geometry.is_evenly_spaced:
        yield Finding.of("AC-QA-001")


def _check_masks(pair: Pair, masks: tuple[Mask, Mask]) -> Iterator[Finding]:
    if not pair[0].contours and not pair[1].contours:
        yield Finding.of("AC-QA-002", pair[0].name)
        return
    for label, structure, mask in zip("AB", pair, masks, strict=True):
        if not structure.contours:
            yield Finding.of("AC-QA-002", f"{label} {structure.name}")
        elif not mask.any():
            yield Finding.of("AC-QA-003", f"{label} {structure.name}")

"""Report of a contoured CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding
from autocontour.contouring import volume_cc
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import StructureSet


@dataclass(frozen=True, slots=True)
class StructureReport:
    """One structure of the report."""

    name: str
    volume_cc: float
    slices: int
    drawn_by: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Result for one CT.

    Attributes
    ----------
    series
        Its Series Instance UID; the file's name for a research image.
    output
        The written file; None if it failed.
    error
        The error, if other series of the folder were continued.
    """

    series: str
    output: Path | None
    structures: tuple[StructureReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: AutoContourError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        error = self.error
        return {
            "series": self.series,
            "output": str(self.output) if self.output else None,
            "error": {"code": error.code, "message": error.message, "remedy": error.remedy} if error else None,
            "structures": [
                {
                    "name": structure.name,
                    "volume_cc": round(structure.volume_cc, 3),
                    "slices": structure.slices,
                    "drawn_by": structure.drawn_by,
                    "findings": [finding.to_json() for finding in structure.findings],
                }
                for structure in self.structures
            ],
            "findings": [finding.to_json() for finding in self.findings],
            "seconds": {stage: round(seconds, 2) for stage, seconds in self.seconds.items()},
        }


def build_report(
    name: str, output: Path, structure_set: StructureSet, geometry: VolumeGeometry, seconds: Mapping[str, float]
) -> Report:
    """Report a CT whose structures were written to `output`."""
    structures = tuple(
        StructureReport(
            structure.name,
            volume_cc(structure.contours, geometry),
            len(structure.contours),
            structure.provenance.algorithm if structure.provenance else "",
            structure.findings,
        )
        for structure in structure_set.structures
    )
    return Report(name, output, structures, structure_set.findings, seconds)

"""Results of a package, run as in the program, compared with the references of a set of patients."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import UsageError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models import ModelPackage, segment_structures
from autocontour.qa.commissioning.cohort import CohortCase, list_patients, read_cases
from autocontour.qa.metrics import PairMetrics, compute_metrics
from autocontour.qa.plausibility import check_contours

ABOUT_ALL = frozenset({"AC-MD-112", "AC-MD-134", "AC-MD-140", "AC-MD-141"})
"""Findings that do not depend on the contour: a target volume, and what is known of a published network."""


@dataclass(frozen=True)
class MeasuredStructure:
    """One reference of one patient, compared with the package's contour.

    Attributes
    ----------
    patient, structure
        Names.
    metrics
        The reference is A. A structure that was not drawn has a DSC of 0 and infinite distances.
    findings, warnings
        Codes of all findings about it, and of those shown as warnings.
    inside
        Fraction of the reference on the evaluated slices, 0 to 1.
    seconds
        Wall-clock time of the whole patient.
    """

    patient: str
    structure: str
    metrics: PairMetrics
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inside: float = 1.0
    seconds: float = 0.0

    @property
    def is_drawn(self) -> bool:
        """Whether the structure was drawn."""
        return self.metrics.volume_b_cc > 0

    def to_json(self) -> dict[str, Any]:
        """Return one flat object of plain values; values that are not finite are null."""
        return {
            "patient": self.patient,
            "structure": self.structure,
            **self.metrics.to_json(),
            "findings": list(self.findings),
            "warnings": list(self.warnings),
            "inside": self.inside,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> MeasuredStructure:
        """Return the row from the output of `to_json`, also of an older version."""
        values = {each.name: float("inf") if row[each.name] is None else row[each.name] for each in fields(PairMetrics)}
        return cls(
            row["patient"],
            row["structure"],
            PairMetrics(**values),
            tuple(row.get("findings", ())),
            tuple(row.get("warnings", row.get("findings", ()))),
            row.get("inside", 1.0),
            row.get("seconds", 0.0),
        )


@dataclass(frozen=True, eq=False)
class CaseResult:
    """Result of a package in a patient.

    Attributes
    ----------
    masks
        Structure → (z, y, x) on the evaluated slices, empty if it was not drawn; only structures with a reference.
    findings
        Structure → (code, whether it is shown as a warning) of each finding.
    seconds
        Wall-clock time.
    """

    masks: dict[str, NDArray[np.bool_]]
    findings: dict[str, list[tuple[str, bool]]]
    seconds: float


def measure_package(
    package: ModelPackage,
    data: Path,
    split: str,
    job: Job | None = None,
    *,
    device: str = "auto",
    patients: int | None = None,
) -> list[MeasuredStructure]:
    """Contour every patient of a split as in the program and measure the structures with a reference.

    Parameters
    ----------
    package
        The package to measure.
    data
        Folder of the patients.
    split
        A split of the index of `data`, or `autocontour.qa.commissioning.cohort.CALIBRATION`.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.segment_structures`.
    patients
        Only the first ones; all if None.
    """
    count = len(list_patients(data, split, package)[1][:patients])
    rows: list[MeasuredStructure] = []
    cases = (case for case, _ in zip(read_cases(data, split, package), range(count), strict=False))
    for case in (job or Job()).track(cases, "contouring the patients", count):
        rows += measure_case(case, run_case(case, package, device))
    return rows


def without_localizer(package: ModelPackage) -> ModelPackage:
    """Return the package with only its segmenter, which then runs over the whole body."""
    return replace(package, stages={"segmenter": package.stages["segmenter"]}, site_anchors=(), site_minimum=0)


def run_case(case: CohortCase, package: ModelPackage, device: str = "auto") -> CaseResult:
    """Contour a patient as in the program: all structures drawn by default, and those with a reference."""
    start = time.perf_counter()
    names = dict.fromkeys([*package.drawn_names, *case.references])
    outcome = segment_structures(case.ct, package, list(names), device=device)
    seconds = time.perf_counter() - start
    masks = {name: np.zeros(case.ct.hu.shape, bool) for name in case.references}
    findings: dict[str, list[tuple[str, bool]]] = {}
    for name in case.references:
        if name in outcome.drawings:
            drawing = outcome.drawings[name]
            masks[name] = mask_from_contours(drawing.contours, case.ct.geometry) & case.solid[:, None, None]
            known = [one for one in drawing.findings if one.code not in ABOUT_ALL]
            every = (*known, *check_contours(name, drawing.contours))
            findings[name] = [(finding.code, finding.severity >= Severity.WARN) for finding in every]
    return CaseResult(masks, findings, seconds)


def measure_case(case: CohortCase, result: CaseResult) -> list[MeasuredStructure]:
    """Measure every reference of a patient."""
    spacing = case.ct.geometry.spacing_zyx_mm
    rows = []
    for name, reference in case.references.items():
        found = result.findings.get(name, [])
        rows.append(
            MeasuredStructure(
                case.patient,
                name,
                compute_metrics(reference, result.masks[name], spacing),
                tuple(dict.fromkeys(code for code, _ in found)),
                tuple(dict.fromkeys(code for code, shown in found if shown)),
                case.inside[name],
                round(result.seconds, 3),
            )
        )
    return rows


def of_structure(rows: Iterable[MeasuredStructure], name: str) -> list[MeasuredStructure]:
    """Return the rows of one structure."""
    return [row for row in rows if row.structure == name]


def values_of(rows: Iterable[MeasuredStructure], metric: Callable[[PairMetrics], float]) -> NDArray[np.float64]:
    """Return a metric of every row."""
    return np.array([metric(row.metrics) for row in rows])


def write_measured(path: Path, rows: Sequence[MeasuredStructure]) -> None:
    """Write the rows as JSON."""
    write_atomically(path, json.dumps([row.to_json() for row in rows], indent=0).encode())


def read_measured(path: Path) -> list[MeasuredStructure]:
    """Read a file of `write_measured`.

    Raises
    ------
    UsageError
        ``AC-QA-012`` if the file contains something else.
    """
    try:
        return [MeasuredStructure.from_json(row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError("AC-QA-012", file=path.name) from error

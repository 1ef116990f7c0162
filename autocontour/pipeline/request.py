"""The headless job: a path goes in, structure sets (or, for research images, masks) come out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autocontour.base.errors import AutoContourError, CTError, OutputError, UsageError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.dicom.ct import read_ct
from autocontour.dicom.image import SUFFIXES, read_image, write_mask
from autocontour.dicom.scan import Series, planning_cts, scan_folder
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import Contoured, contour_ct
from autocontour.site.template import Template, read_template

Existing = Literal["refuse", "append", "replace", "force"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to contour and where to put it.

    Attributes
    ----------
    source
        Folder of DICOM files, or a NIfTI or NRRD file.
    output
        The RTSTRUCT; a folder if `all_series`, and for a NIfTI or NRRD file.
    template
        Name or path; None for everything that can be drawn.
    names
        TG-263 names; empty for all of the template.
    package
        The model package that draws, as for `autocontour.pipeline.contour.contour_ct`.
    series
        Series Instance UID, where the folder holds several planning CTs.
    existing
        What to do if the output is there: refuse, append structures, replace those of the same name, or overwrite.
    accepted
        Codes of blocking findings the user accepts.
    """

    source: Path
    output: Path
    template: str | None = None
    names: tuple[str, ...] = ()
    package: str = ""
    series: str | None = None
    all_series: bool = False
    existing: Existing = "refuse"
    accepted: frozenset[str] = frozenset()
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class StructureReport:
    """A structure as reported."""

    name: str
    volume_cc: float
    slices: int
    drawn_by: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one CT.

    Attributes
    ----------
    series
        Its Series Instance UID; the file's name for a research image.
    output
        What was written; None if it failed.
    error
        Why it failed, where other series of the folder went on.
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


def contour_path(request: Request, job: Job) -> list[Report]:
    """Contour what lies at a path and write the results, each file whole or not at all.

    With `all_series`, a CT that fails is reported and the others go on.

    Raises
    ------
    AutoContourError
        Whatever stands in the way, before anything is written.
    """
    template = read_template(request.template) if request.template else None
    if request.source.is_file():
        return [_contour_image(request, template, job)]
    found = planning_cts(scan_folder(request.source, job))
    if request.all_series:
        return list(_contour_all(request, found, template, job))
    series = choose_series(found, request.series)
    return [_contour_series(request, series, request.output, template, job)]


def no_planning_ct() -> CTError:
    """Return the error for a folder in which nothing is a planning CT."""
    return CTError("AC-CT-100", "The folder holds no planning CT.", "See what it holds with `autocontour info`.")


def choose_series(found: list[Series], uid: str | None) -> Series:
    """Return the one planning CT of a folder, or the one asked for."""
    listed = "; ".join(f"{s.series_instance_uid} ({s.description or 'no description'}, {len(s)} slices)" for s in found)
    if not found:
        raise no_planning_ct()
    if uid is None and len(found) > 1:
        raise UsageError(
            "AC-US-030", f"The folder holds {len(found)} planning CTs: {listed}.", "Choose one with --series, or --all."
        )
    chosen = [series for series in found if uid is None or series.series_instance_uid == uid]
    if len(chosen) != 1:
        what = "is not in the folder" if not chosen else "names images of several patients or frames of reference"
        raise UsageError("AC-US-031", f"The series {uid} {what}.", f"Planning CTs there: {listed}.")
    return chosen[0]


def _contour_all(request: Request, found: list[Series], template: Template | None, job: Job) -> Iterator[Report]:
    if not found:
        raise no_planning_ct()
    if request.output.exists() and not request.output.is_dir():
        raise UsageError("AC-US-032", "With --all the output must be a folder.", "Give a folder with -o.")
    for series in found:
        output = request.output / f"RS.{series.series_instance_uid}.dcm"
        try:
            yield _contour_series(request, series, output, template, job)
        except AutoContourError as error:
            if error.exit_code == 130:
                raise
            yield Report(series.series_instance_uid, None, error=error)


def _contour_series(request: Request, series: Series, output: Path, template: Template | None, job: Job) -> Report:
    _check_output(output, request.existing)
    start = time.perf_counter()
    ct = read_ct(series, job, request.accepted)
    read = time.perf_counter()
    contoured = _contour(ct, request, template, job)
    _check_something_drawn(contoured.structure_set)
    drawn = time.perf_counter()
    job.advance("writing the structure set", 0.0)
    _write(contoured.structure_set, ct, output, request.existing)
    job.advance("writing the structure set", 1.0)
    seconds = {"reading": read - start, **contoured.seconds, "writing": time.perf_counter() - drawn}
    return _report(series.series_instance_uid, output, ct, contoured, seconds)


def _contour(ct: CTVolume, request: Request, template: Template | None, job: Job) -> Contoured:
    return contour_ct(
        ct, template=template, names=request.names, package=request.package, device=request.device, job=job
    )


def _check_output(output: Path, existing: Existing) -> None:
    if output.is_dir():
        raise UsageError("AC-US-033", "The output is a folder.", "Name the file to write, such as RS.dcm.")
    if output.exists() and existing == "refuse":
        raise OutputError(
            "AC-OUT-002", f"{output.name} exists.", "Use --append, --replace or --force, or another name."
        )
    if not output.exists() and existing in {"append", "replace"}:
        raise OutputError("AC-OUT-003", f"There is no {output.name} to add to.", f"Leave out --{existing}.")


def _check_something_drawn(structure_set: StructureSet) -> None:
    if not structure_set.structures:
        raise CTError(
            "AC-CT-101",
            "Nothing that was asked for is in this scan; no structure set was written.",
            "Check that this is the CT and the site you mean.",
        )


def _write(structure_set: StructureSet, ct: CTVolume, output: Path, existing: Existing) -> None:
    from autocontour.rtstruct import append_structures, write_structure_set

    if existing in {"append", "replace"}:
        append_structures(output, structure_set, ct, replace=existing == "replace")
    else:
        write_structure_set(structure_set, ct, output, overwrite=existing == "force")


def _report(name: str, output: Path, ct: CTVolume, contoured: Contoured, seconds: Mapping[str, float]) -> Report:
    structures = tuple(
        StructureReport(
            structure.name,
            volume_cc(structure.contours, ct.geometry),
            len(structure.contours),
            structure.provenance.algorithm if structure.provenance else "",
            structure.findings,
        )
        for structure in contoured.structure_set.structures
    )
    return Report(name, output, structures, contoured.structure_set.findings, seconds)


def _contour_image(request: Request, template: Template | None, job: Job) -> Report:
    """Contour a NIfTI or NRRD file into one mask per structure: without DICOM there is no structure set."""
    if not request.source.name.endswith(SUFFIXES):
        raise UsageError("AC-US-034", "The CT is neither a folder nor NIfTI or NRRD.", "Give the folder of its series.")
    if request.output.suffix or request.output.is_file():
        raise UsageError(
            "AC-US-035",
            "A structure set needs the CT's DICOM series; from NIfTI or NRRD only masks can be written.",
            "Give a folder with -o, or the DICOM series.",
        )
    if request.output.is_dir() and any(request.output.iterdir()) and request.existing != "force":
        raise OutputError("AC-OUT-002", f"The folder {request.output.name} is not empty.", "Use --force or another.")
    ct = read_image(request.source)
    contoured = _contour(ct, request, template, job)
    _check_something_drawn(contoured.structure_set)
    for structure in contoured.structure_set.structures:
        mask = mask_from_contours(structure.contours, ct.geometry)
        name = re.sub(r"[^\w.+-]", "_", structure.name)
        write_mask(mask, request.source, request.output / f"{name}.nii.gz")
    return _report(request.source.name, request.output, ct, contoured, contoured.seconds)

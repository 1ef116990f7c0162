"""The headless job: from a path to structure sets (or, for research images, masks)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.matching import folded_name
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.pipeline.contour import check_drawn, contour_ct
from autocontour.pipeline.plan import Plan, read_plan
from autocontour.pipeline.report import Report, build_report
from autocontour.pipeline.sources import Existing, ImageSource, Source, find_series


@dataclass(frozen=True, slots=True)
class Request:
    """Input, output and options of a job.

    Attributes
    ----------
    source
        Folder of DICOM files, or a NIfTI or NRRD file.
    output
        The RTSTRUCT; a folder if `all_series`, and for a NIfTI or NRRD file.
    template_name
        Name or path of the site template; empty for everything that can be drawn.
    names
        TG-263 names; empty for all of the template.
    package_name
        Name or path of the model package to use (see `autocontour.pipeline.plan.build_plan`).
    series
        Series Instance UID, where the folder holds several planning CTs.
    existing
        What to do if the output exists.
    accepted
        Codes of blocking findings the user accepts.
    compare
        Whether structures are also drawn by every further package that can, for comparison.
    """

    source: Path
    output: Path
    template_name: str = ""
    names: tuple[str, ...] = ()
    package_name: str = ""
    series: str | None = None
    all_series: bool = False
    existing: Existing = "refuse"
    accepted: frozenset[str] = frozenset()
    device: str = "auto"
    compare: bool = False


def contour_path(request: Request, job: Job) -> list[Report]:
    """Contour the CTs at a path and write the results, each file atomically.

    With `all_series`, a CT that fails is reported and the others are continued.

    Raises
    ------
    AutoContourError
        For any problem, before a file is written.
    """
    plan = read_plan(request.template_name, request.names, request.package_name)
    plan = replace(plan, compare=request.compare)
    sources = _find_sources(request, job)
    inputs = [*_files_at(Path(request.template_name)), *(file for one in plan.packages for file in _files_at(one.path))]
    if request.all_series:
        return list(_contour_all(sources, plan, inputs, request.device, job))
    return [_contour_source(source, plan, inputs, request.device, job) for source in sources]


def _find_sources(request: Request, job: Job) -> Sequence[Source]:
    if request.source.is_file():
        return [ImageSource(request.source, request.output, request.existing, request.accepted)]
    return find_series(
        request.source,
        request.output,
        job,
        existing=request.existing,
        accepted=request.accepted,
        uid=request.series,
        every=request.all_series,
    )


def _files_at(path: Path) -> Iterator[Path]:
    """Yield the file of a template or a package, or the files in a package's folder; nothing for a template's name."""
    if path.is_file():
        yield path
    elif path != Path() and path.is_dir():
        yield from path.iterdir()


def _contour_all(
    sources: Sequence[Source], plan: Plan, inputs: Iterable[Path], device: str, job: Job
) -> Iterator[Report]:
    for source in sources:
        try:
            yield _contour_source(source, plan, inputs, device, job)
        except Cancelled:
            raise
        except AutoContourError as error:
            yield Report(source.name, None, error=error)


def _contour_source(source: Source, plan: Plan, inputs: Iterable[Path], device: str, job: Job) -> Report:
    source.check_output(inputs)
    start = time.perf_counter()
    ct = source.read(job)
    read = time.perf_counter()
    given = source.existing_structures(ct) if plan.recipes else ()
    contoured = contour_ct(ct, plan, device=device, job=job, given=given)
    # Read only now: contouring takes minutes, in which a person may have corrected what is replaced.
    replaced = source.existing_structures(ct) if source.existing == "replace" else ()
    structure_set = _with_replaced(contoured.structure_set, replaced)
    check_drawn(structure_set, plan)
    drawn = time.perf_counter()
    source.write(structure_set, ct, job)
    seconds = {"reading": read - start, **contoured.seconds, "writing": time.perf_counter() - drawn}
    return build_report(source.name, source.output, structure_set, ct.geometry, seconds)


def _with_replaced(structure_set: StructureSet, existing: Sequence[Structure]) -> StructureSet:
    """Add a finding to each structure that replaces one of the file that was drawn or corrected by hand."""
    by_hand = {folded_name(one.name) for one in existing if one.status is not ReviewStatus.AUTO}
    structures = tuple(
        replace(one, findings=(*one.findings, Finding.of("AC-PL-014", one.name, structure=one.name)))
        if folded_name(one.name) in by_hand
        else one
        for one in structure_set.structures
    )
    return replace(structure_set, structures=structures)

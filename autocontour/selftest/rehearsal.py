"""The main job on a phantom, from DICOM files to a DICOM file, compared with the true contours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autocontour.base.jobs import Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom import Site, build_phantom, truth_structures
from autocontour.pipeline.report import Report
from autocontour.pipeline.request import Request, contour_path
from autocontour.qa.compare import ComparedStructure, compare_sets
from autocontour.rtstruct import read_structure_set


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """A contoured phantom.

    Attributes
    ----------
    ct
        As read from its files.
    drawn
        As read from the written RTSTRUCT.
    truth
        The phantom's own contours.
    compared
        Comparison of each true contour (A) with the drawn one (B); structures without a counterpart are left out.
    report
        The report of the main job.
    """

    site: str
    ct: CTVolume
    drawn: StructureSet
    truth: StructureSet
    compared: tuple[ComparedStructure, ...]
    report: Report


def rehearse(
    site: Site,
    folder: Path,
    job: Job,
    *,
    seed: int,
    spacing_zyx_mm: tuple[float, float, float],
    shape_zyx: tuple[int, int, int],
) -> Rehearsal:
    """Write a phantom to ``folder/CT``, contour it into ``folder/RS.dcm`` as any CT, read that back and compare."""
    phantom = build_phantom(site, seed, spacing_zyx_mm=spacing_zyx_mm, shape_zyx=shape_zyx, job=job)
    described = SeriesDescription(f"PHANTOM^SEED{seed}", f"PHANTOM{seed}", uid_seed=f"rehearsal {site} {seed}")
    write_ct_series(phantom.hu, phantom.geometry, folder / "CT", described, job)
    (report,) = contour_path(Request(folder / "CT", folder / "RS.dcm"), job)
    ct = read_ct(planning_cts(scan_folder(folder / "CT", job))[0], job)
    drawn = read_structure_set(folder / "RS.dcm", ct)
    truth = truth_structures(phantom, ct)
    return Rehearsal(site, ct, drawn, truth, compare_sets(truth, drawn, ct.geometry, job=job).rows, report)

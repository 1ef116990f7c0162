"""The main job on two real patients: from CT series to structure set, compared with the clinic's contours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import OutputError
from autocontour.base.files import shown_path
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.request import Request, contour_path
from autocontour.qa.compare import ComparedStructure, compare_sets
from autocontour.report.page import Figure, Row, Table, write_page
from autocontour.rtstruct import read_structure_set, write_structure_set

DATA = Path(__file__).parent / "openkbp"
PATIENTS = ("pt_201", "pt_236")
ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible")
CLINICAL_RGB = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class DemoPatient:
    """A contoured patient.

    Attributes
    ----------
    name
        Of the patient in OpenKBP.
    ct, drawn, clinical
        As read from the written DICOM files.
    compared
        Comparison of each clinical contour (A) with the drawn one (B); an organ that was not drawn is left out.
    """

    name: str
    ct: CTVolume
    drawn: StructureSet
    clinical: StructureSet
    compared: tuple[ComparedStructure, ...]


def run_demo(folder: Path, job: Job, patients: Sequence[str] = PATIENTS) -> tuple[Path, list[DemoPatient]]:
    """Contour the patients and write a page with figures and pictures.

    Parameters
    ----------
    folder
        New or empty; receives for each patient ``CT/``, ``RS.dcm`` (drawn) and ``RS.clinical.dcm``, and ``index.html``.
    job
        Reports progress; may cancel.
    patients
        Which of `PATIENTS`.

    Returns
    -------
    page, patients
        Path of the page, and the patients on it.

    Raises
    ------
    OutputError
        ``AC-OUT-002`` if the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputError("AC-OUT-002", file=shown_path(folder))
    done = [contour_patient(name, folder / name, job) for name in patients]
    page = folder / "index.html"
    write_page(
        page,
        "autocontour: two head-and-neck patients",
        paragraphs=[
            "Planning CTs of two patients from OpenKBP (MIT licence), at the resolution in which they were published. "
            "Each was written as a DICOM CT series and contoured; its structure set was checked and read back. "
            "The tables compare it with the contours that the patient's clinic drew (white in the pictures).",
            "No network was trained on these patients. Two patients show what a result looks like, not the "
            "accuracy in general: see the model card. Every contour must be reviewed before use.",
        ],
        tables=[_table(patient) for patient in done],
        figures=[figure for patient in done for figure in _figures(patient)],
    )
    return page, done


def contour_patient(name: str, folder: Path, job: Job) -> DemoPatient:
    """Write the patient's CT and clinical contours as DICOM into `folder`, contour the CT and compare."""
    _write_patient(name, folder, job)
    contour_path(Request(folder / "CT", folder / "RS.dcm"), job)
    ct = read_ct(planning_cts(scan_folder(folder / "CT", job))[0], job)
    drawn = read_structure_set(folder / "RS.dcm", ct)
    clinical = read_structure_set(folder / "RS.clinical.dcm", ct)
    return DemoPatient(name, ct, drawn, clinical, compare_sets(clinical, drawn, ct.geometry, job=job).rows)


def _write_patient(name: str, folder: Path, job: Job) -> None:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
    z, y, x = (float(step) for step in spacing)
    origin = -np.array([(hu.shape[2] - 1) * x, (hu.shape[1] - 1) * y, (hu.shape[0] - 1) * z]) / 2
    geometry = VolumeGeometry.regular(hu.shape, (z, y, x), origin)
    described = SeriesDescription(
        f"OPENKBP^{name.upper()}", name, text="OpenKBP head and neck (MIT licence)", uid_seed=f"openkbp {name}"
    )
    ct = write_ct_series(hu, geometry, folder / "CT", described, job)
    write_structure_set(_clinical_set(labels, ct), ct, folder / "RS.clinical.dcm")


def _clinical_set(labels: NDArray[np.uint8], ct: CTVolume) -> StructureSet:
    assert ct.reference is not None
    structures = tuple(
        Structure(
            organ,
            bit + 1,
            contours_from_mask(labels >> bit & 1 > 0, ct.geometry),
            tg263_name=organ,
            interpreted_type=find_term(organ).interpreted_type,
            color_rgb=find_term(organ).color_rgb,
            generation=GenerationAlgorithm.MANUAL,
            provenance=Provenance("OpenKBP", "2021"),
        )
        for bit, organ in enumerate(ORGANS)
    )
    reference = ct.reference
    return StructureSet("CLINICAL", structures, reference.series_instance_uid, reference.frame_of_reference_uid)


def _table(patient: DemoPatient) -> Table:
    rows = [
        Row(
            (
                row.name,
                f"{row.metrics.dsc:.2f}",
                f"{row.metrics.hd95_mm:.1f}",
                f"{row.metrics.surface_dsc:.2f}",
                f"{row.metrics.volume_b_cc:.1f}",
                f"{row.metrics.volume_a_cc:.1f}",
            ),
            "#{:02x}{:02x}{:02x}".format(*patient.drawn[row.name].color_rgb),
        )
        for row in patient.compared
    ]
    missing = {structure.name for structure in patient.clinical.structures} - {row.name for row in patient.compared}
    rows += [Row((name, "not drawn", "", "", "", "")) for name in sorted(missing)]
    heads = ("organ", "DSC", "HD95 mm", "surface DSC at 3 mm", "drawn cc", "clinical cc")
    return Table(f"Patient {patient.name}", heads, tuple(rows))


def _figures(patient: DemoPatient) -> Iterator[Figure]:
    """Three views through the organ with the lowest DSC, and through each parotid."""
    from autocontour.report.pictures import middle_of, render_slices

    worst = min(patient.compared, key=lambda row: row.metrics.dsc).name
    names = dict.fromkeys((worst, "Parotid_L", "SpinalCord"))
    white = [replace(structure, color_rgb=CLINICAL_RGB) for structure in patient.clinical.structures]
    shown = [patient.drawn[row.name] for row in patient.compared]
    for name in (name for name in names if any(row.name == name for row in patient.compared)):
        at = middle_of(patient.ct.geometry, [patient.clinical[name].contours])
        what = f"{name}, the lowest DSC" if name == worst else name
        yield Figure(
            render_slices(patient.ct, [*white, *shown], at, labelled=shown),
            f"Patient {patient.name}: {what}. White: drawn by the clinic.",
        )

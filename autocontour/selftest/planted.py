"""Archives of small phantom patients with planted faults, for trials of data sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon, affinity

from autocontour.dicom.alter import alter_series
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom import Phantom, build_phantom
from autocontour.rtstruct import write_structure_set

SHAPE, SPACING = (44, 80, 100), (8.0, 5.0, 5.0)
if TYPE_CHECKING:
    from pydicom import Dataset

    from autocontour.archive.build import BuildReport

ORGANS = ("External", "Lung_L", "Lung_R", "Heart", "Liver", "Esophagus", "SpinalCord", "Trachea")


Drawn = dict[str, dict[int, MultiPolygon]]
"""Name → slice → outline."""


@dataclass
class Patient:
    """What is written for one patient; a fault changes it before, or its files after writing."""

    number: int
    hu: NDArray[np.int16]
    geometry: VolumeGeometry
    contours: Drawn
    surname: str = ""
    folder: Path = Path()
    description: SeriesDescription = field(default_factory=SeriesDescription)

    def write(self, folder: Path) -> CTVolume:
        """Write CT and structure set into ``folder/CT`` and ``folder/RS/RS.dcm``."""
        self.folder = folder
        ct = write_ct_series(self.hu, self.geometry, folder / "CT", self.description)
        self.write_set(ct, folder / "RS" / "RS.dcm")
        return ct

    def write_set(self, ct: CTVolume, path: Path, contours: Drawn | None = None) -> None:
        """Write a structure set on a CT."""
        drawn = self.contours if contours is None else contours
        structures = tuple(
            Structure(name, number, mine, interpreted_type=find_term(name).interpreted_type)
            for number, (name, mine) in enumerate(drawn.items(), 1)
        )
        reference = ct.reference
        assert reference is not None  # a DICOM series has one
        uids = (reference.series_instance_uid, reference.frame_of_reference_uid)
        write_structure_set(StructureSet("CLINICAL", structures, *uids), ct, path)


Fault = Callable[[Patient], None]
"""Changes a patient before it is written."""
Damage = Callable[[Patient, CTVolume], None]
"""Changes the files of a patient."""


@dataclass(frozen=True)
class Expected:
    """A planted fault, and what must be reported.

    Attributes
    ----------
    fault, damage
        Change the patient before it is written, and its files after that.
    codes
        One of them must be reported for the patient.
    structure
        The structure it must be reported for; empty for the patient.
    """

    fault: Fault | None
    damage: Damage | None
    codes: frozenset[str]
    structure: str = ""

    def is_in(self, found: set[tuple[str, str]]) -> bool:
        """Whether it is among the reports of its patient (see `reported`)."""
        return any(code in self.codes and self.structure in ("", structure) for code, structure in found)


def _expect(fault: Fault | None = None, damage: Damage | None = None, codes: str = "", structure: str = "") -> Expected:
    return Expected(fault, damage, frozenset(codes.split()), structure)


def make_patient(phantom: Phantom, number: int, scale: float | None = None) -> Patient:
    """Return a variation of a phantom: its own size, noise, identity and UIDs."""
    rng = np.random.default_rng(number)
    factor = round(float(rng.uniform(0.95, 1.05)), 3) if scale is None else scale
    grid = phantom.geometry
    v, u = grid.pixel_spacing_vu_mm
    origins = np.round(grid.slice_origins_lps_mm * factor, 3)
    geometry = VolumeGeometry(grid.rows, grid.columns, (v * factor, u * factor), grid.direction, origins)
    hu = phantom.hu.copy()
    body = hu > -500
    hu[body] += rng.integers(-8, 9, int(body.sum())).astype(np.int16)
    contours = {
        name: {k: affinity.scale(p, factor, factor, origin=(0, 0)) for k, p in phantom.truth[name].items()}
        for name in ORGANS
        if name in phantom.truth
    }
    surname, seed = f"Canary{number:03d}son", f"planted {number}"
    name, patient_id = f"{surname}^Given{number}", f"ID-{number:05d}"
    description = SeriesDescription(name, patient_id, body_part="CHEST", text=f"CT {surname}", uid_seed=seed)
    return Patient(number, hu, geometry, contours, surname, description=description)


def write_archive(
    folder: Path,
    count: int,
    faults: Mapping[int, Expected] | None = None,
    phantoms: Callable[[int], Phantom] | None = None,
) -> list[Patient]:
    """Write `count` patients into folders of their own, with faults by number, and return them."""
    phantoms = phantoms or base_phantom
    patients = []
    for number in range(count):
        patient = make_patient(phantoms(number), number)
        planted = (faults or {}).get(number)
        if planted and planted.fault:
            planted.fault(patient)
        ct = patient.write(folder / f"{patient.surname}_{number:03d}")
        if planted and planted.damage:
            planted.damage(patient, ct)
        patients.append(patient)
    return patients


def reported(report: BuildReport, private: Path, patient: Patient) -> set[tuple[str, str]]:
    """Return (code, structure) of everything that a build reported about a patient's folder.

    Parameters
    ----------
    report
        Of the build.
    private
        Folder of its ``sources.json``.
    patient
        As `write_archive` returned it.
    """
    sources = json.loads((private / "sources.json").read_text(encoding="utf-8"))
    names = {name for name, source in sources.items() if str(patient.folder) in json.dumps(source)}
    found = {(str(one["code"]), "") for one in report.index["quarantine"] if one["patient"] in names}
    for entry in report.index["patients"]:
        if entry["patient"] in names:
            found |= {(str(one["code"]), name) for one in entry["findings"] for name in one["where"].split(", ")}
    return found


_BASES: dict[int, Phantom] = {}


def base_phantom(number: int, bases: int = 2) -> Phantom:
    """Return one of a few phantoms, built once."""
    seed = number % bases
    if seed not in _BASES:
        _BASES[seed] = build_phantom("thorax", seed, spacing_zyx_mm=SPACING, shape_zyx=SHAPE)
    return _BASES[seed]


# Faults in what is drawn


def _swap_lungs(patient: Patient) -> None:
    left, right = patient.contours["Lung_L"], patient.contours["Lung_R"]
    patient.contours["Lung_L"], patient.contours["Lung_R"] = right, left


def _unsided_lung(patient: Patient) -> None:
    patient.contours["Lung"] = patient.contours.pop("Lung_L")


def _half_the_slices(patient: Patient) -> None:
    patient.contours["Esophagus"] = {k: p for k, p in patient.contours["Esophagus"].items() if k % 2}


def _inflated(patient: Patient) -> None:
    patient.contours["Heart"] = {k: affinity.scale(p, 2.2, 2.2) for k, p in patient.contours["Heart"].items()}


def _shifted(patient: Patient) -> None:
    patient.contours["Liver"] = {k: affinity.translate(p, 0, 70) for k, p in patient.contours["Liver"].items()}


def _upper_half_missing(patient: Patient) -> None:
    slices = sorted(patient.contours["Heart"])
    patient.contours["Heart"] = {k: patient.contours["Heart"][k] for k in slices[: len(slices) // 2]}


def _not_contoured(patient: Patient) -> None:
    patient.contours.pop("Esophagus")


def _tiny(patient: Patient) -> None:
    patient.contours["Heart"] = {k: affinity.scale(p, 0.25, 0.25) for k, p in patient.contours["Heart"].items()}


def _two_hearts(patient: Patient) -> None:
    patient.contours["heart_old"] = patient.contours["Heart"]


def _exchange_cord(patient: Patient) -> None:
    # The esophagus is called cord, and the cord esophagus
    one, other = patient.contours["Esophagus"], patient.contours["SpinalCord"]
    patient.contours["Esophagus"], patient.contours["SpinalCord"] = other, one


def _scale_of_values(patient: Patient) -> None:
    # Stored values are taken as HU with 1000 too much
    patient.hu = (patient.hu + 1000).astype(np.int16)


def _cut_scan(patient: Patient) -> None:
    # The scan ends in the lower lungs
    keep = 12
    origins = patient.geometry.slice_origins_lps_mm[keep:]
    patient.hu, patient.geometry = patient.hu[keep:], replace(patient.geometry, slice_origins_lps_mm=origins)
    patient.contours = {
        name: {k - keep: p for k, p in mine.items() if k >= keep} for name, mine in patient.contours.items()
    }
    patient.contours = {name: mine for name, mine in patient.contours.items() if mine}


def _images_mirrored(patient: Patient) -> None:
    # The contours are right, but the images were turned over: all contours lie on other anatomy
    patient.hu = np.ascontiguousarray(patient.hu[::-1, :, ::-1])


def _uneven_slices(patient: Patient) -> None:
    origins = patient.geometry.slice_origins_lps_mm.copy()
    origins[20:, 2] += 5.0
    patient.geometry = replace(patient.geometry, slice_origins_lps_mm=origins)


# Faults in the files


def _between_slices(patient: Patient, _ct: CTVolume) -> None:
    # Contours 2 mm beside their slices, without references to images

    def change(dataset: Dataset, _number: int) -> None:
        for roi in dataset.ROIContourSequence:
            for contour in roi.ContourSequence:
                del contour.ContourImageSequence
                points = np.array(contour.ContourData, dtype=float).reshape(-1, 3) + np.array([0.0, 0.0, 2.0])
                contour.ContourData = [f"{value:.3f}" for value in points.ravel()]

    alter_series(patient.folder / "RS", change)


def _damaged_set(patient: Patient, _ct: CTVolume) -> None:
    path = patient.folder / "RS" / "RS.dcm"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _damaged_slice(patient: Patient, _ct: CTVolume) -> None:
    path = sorted((patient.folder / "CT").iterdir())[10]
    path.write_bytes(path.read_bytes()[:-3000])


def _missing_slice(patient: Patient, _ct: CTVolume) -> None:
    sorted((patient.folder / "CT").iterdir())[22].unlink()


def _two_sets(patient: Patient, ct: CTVolume) -> None:
    fewer = {name: mine for name, mine in patient.contours.items() if name != "Heart"}
    patient.write_set(ct, patient.folder / "RS2" / "RS.dcm", fewer)


def _no_set(patient: Patient, _ct: CTVolume) -> None:
    (patient.folder / "RS" / "RS.dcm").unlink()


def _no_ct(patient: Patient, _ct: CTVolume) -> None:
    shutil.rmtree(patient.folder / "CT")


def _other_patient(patient: Patient, _ct: CTVolume) -> None:
    # The structure set of another patient, in the same frame of reference
    _edit(patient.folder / "RS", PatientID="ID-99999", PatientName="Another^Person")


def _other_series(patient: Patient, _ct: CTVolume) -> None:
    # The contours reference images of another series, under the UID of this one

    def change(dataset: Dataset, _number: int) -> None:
        for roi in dataset.ROIContourSequence:
            for contour in roi.ContourSequence:
                for image in contour.ContourImageSequence:
                    image.ReferencedSOPInstanceUID += ".9"

    alter_series(patient.folder / "RS", change)


def _copy_under_another_id(patient: Patient, _ct: CTVolume) -> None:
    # The same CT and contours as those of another patient, with new UIDs
    ct = _write_again(patient, "copy", f"{patient.surname}^Copy", f"ID-{patient.number + 50000:05d}")
    fewer = {name: mine for name, mine in patient.contours.items() if name != "Heart"}
    patient.write_set(ct, patient.folder / "copy" / "RS" / "RS.dcm", fewer)


def _second_ct(patient: Patient, _ct: CTVolume) -> None:
    # A later CT of the same patient
    rng = np.random.default_rng(1000 + patient.number)
    patient.hu = patient.hu + rng.integers(-5, 6, patient.hu.shape).astype(np.int16)
    ct = _write_again(patient, "later", patient.description.patient_name, patient.description.patient_id)
    patient.write_set(ct, patient.folder / "later" / "RS" / "RS.dcm")


def _burned_in(patient: Patient, _ct: CTVolume) -> None:
    _edit(patient.folder / "CT", BurnedInAnnotation="YES")


def _write_again(patient: Patient, folder: str, name: str, patient_id: str) -> CTVolume:
    seed = f"planted {folder} {patient.number}"
    description = replace(patient.description, patient_name=name, patient_id=patient_id, uid_seed=seed)
    return write_ct_series(patient.hu, patient.geometry, patient.folder / folder / "CT", description)


def _edit(folder: Path, **values: str) -> None:
    def change(dataset: Dataset, _number: int) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    alter_series(folder, change)


PLANTED: dict[str, Expected] = {
    "lungs exchanged": _expect(_swap_lungs, codes="AC-QA-103", structure="Lung_L"),
    "lung without a side": _expect(_unsided_lung, codes="AC-DS-056", structure="Lung_L"),
    "half of the slices": _expect(_half_the_slices, codes="AC-DS-051", structure="Esophagus"),
    "inflated": _expect(_inflated, codes="AC-DS-052 AC-QA-107", structure="Heart"),
    "shifted": _expect(_shifted, codes="AC-DS-053", structure="Liver"),
    "upper half missing": _expect(_upper_half_missing, codes="AC-DS-052 AC-DS-054 AC-DS-059", structure="Heart"),
    "not contoured": _expect(_not_contoured, codes="AC-DS-056", structure="Esophagus"),
    "far too small": _expect(_tiny, codes="AC-QA-107 AC-DS-052", structure="Heart"),
    "two hearts": _expect(_two_hearts, codes="AC-DS-050", structure="Heart"),
    "cord and esophagus exchanged": _expect(_exchange_cord, codes="AC-QA-115", structure="SpinalCord"),
    "values 1000 too high": _expect(_scale_of_values, codes="AC-CT-045"),
    "contours of other images": _expect(_images_mirrored, codes="AC-DS-047"),
    "scan ends in the lungs": _expect(_cut_scan, codes="AC-DS-055", structure="Lung_L"),
    "uneven slices": _expect(_uneven_slices, codes="AC-DS-035 AC-CT-033"),
    "contours between the slices": _expect(damage=_between_slices, codes="AC-RS-029", structure="Heart"),
    "damaged structure set": _expect(damage=_damaged_set, codes="AC-RS-001 AC-RS-006"),
    "damaged slice": _expect(damage=_damaged_slice, codes="AC-CT-040"),
    "missing slice": _expect(damage=_missing_slice, codes="AC-CT-032"),
    "two structure sets": _expect(damage=_two_sets, codes="AC-DS-032"),
    "no structure set": _expect(damage=_no_set, codes="AC-DS-030"),
    "no CT": _expect(damage=_no_ct, codes="AC-DS-031"),
    "structure set of another patient": _expect(damage=_other_patient, codes="AC-DS-033"),
    "images of another series": _expect(damage=_other_series, codes="AC-DS-034"),
    "same CT under another ID": _expect(damage=_copy_under_another_id, codes="AC-DS-038"),
    "second CT of a patient": _expect(damage=_second_ct, codes="AC-DS-045"),
    "burned-in text": _expect(damage=_burned_in, codes="AC-DS-041"),
}
"""Name of the fault → what must be reported."""

"""Approved cases of phantom patients with canary names, and a small package that contours the same structures."""

import json
import shutil
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from shapely import affinity

from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.learning.settings import LearningSettings, write_settings
from autocontour.learning.work import Learning
from autocontour.models.package.package import read_package
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, Structure
from autocontour.phantom import build_phantom
from autocontour.selftest.planted import make_patient
from tests.models.toy_package import write_untrained

ORGANS = "Heart", "Lung_R", "Lung_L"
LIMITS = """
least_patients = 2
[default]
dsc_margin = 1
surface_dsc_margin = 1
worst_margin = 1
source = "test"
"""


@dataclass
class Clinic:
    """Folders of a clinic that learns, and what a pass has told."""

    root: Path
    package: Path
    events: list[tuple[str, dict]] = field(default_factory=list)

    @property
    def cases(self) -> Path:
        return self.root / "cases"

    @property
    def folder(self) -> Path:
        return self.root / "learning"

    def switch_on(self, **changes) -> None:
        limits = self.root / "limits.toml"
        limits.write_text(LIMITS)
        values = {"when": 2, "test_share": 0.4, "quiet_minutes": 0.0, "steps": 1, "device": "torch-cpu"}
        values |= {"package": str(self.package), "cases": str(self.cases), "limits": str(limits)}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_settings(self.folder, LearningSettings(enabled=True, **values | changes))

    def learn(self, job=None, **options):
        self.events = []
        learning = Learning(self.folder, job or Job(), lambda *event: self.events.append(event))
        return learning.work_once(**options)

    def records(self):
        content = json.loads((self.folder / "cases.json").read_text())["cases"]
        return {Path(one["path"]).name: one for one in content}

    def of(self, folder: Path):
        return self.records()[folder.name]


def write_ct(root: Path, number: int, change=None):
    """Write the CT of a patient and return it with the patient."""
    patient = make_patient(small_phantom(), number)
    if change:
        change(patient)
    patient.write(root / f"{patient.surname}_{number}")
    return patient


def read_patient_ct(patient):
    return read_ct(planning_cts(scan_folder(patient.folder / "CT", Job()))[0], Job())


def write_case(root: Path, patient, *, edited=("Heart",), unedited=("Lung_L",), names=None, version="1.0"):
    """Write a case with approved structures, edited or as the package drew them; return its folder."""
    ct = read_patient_ct(patient)
    with actions.open_case(ct, root=root, source=patient.folder / "CT") as case:
        for number, name in enumerate((*edited, *unedited), 1):
            shown = (names or {}).get(name, name)
            provenance = Provenance("toy", version)
            drawn = Structure(shown, number, patient.contours[name], generation=GenerationAlgorithm.AUTOMATIC)
            drawn = replace(drawn, provenance=provenance)
            case.apply(actions.receive(case.state, drawn))
            if name in edited:
                edit(case, number)
            case.apply(actions.approve(case.state, number, reviewer="A. Physicist"))
        return case.folder


def edit(case, number, scale=0.9):
    contours = case.state[number].structure.contours
    middle = sorted(contours)[len(contours) // 2]
    case.apply(actions.redraw(number, {middle: affinity.scale(contours[middle], scale, scale)}))


@pytest.fixture(scope="session")
def toy_package(tmp_path_factory):
    """A package of untrained networks for heart and lungs that states whom it was trained on."""
    return write_untrained(
        tmp_path_factory.mktemp("package") / "toy",
        [{"name": name, "drawn": True} for name in ORGANS],
        24,
        [-1000, 400],
        body_site="CHEST",
        training={"fingerprints": ["f" * 64]},
        network_data_format={"outputs": {}},
    ).path


@cache
def small_phantom():
    return build_phantom("thorax", 0, spacing_zyx_mm=(12.0, 8.0, 8.0), shape_zyx=(30, 50, 62))


@pytest.fixture(scope="session")
def seven(tmp_path_factory):
    """CTs and cases of seven patients; not to be changed."""
    root = tmp_path_factory.mktemp("seven")
    patients = [write_ct(root / "archive", number) for number in range(7)]
    folders = [write_case(root / "cases", patient) for patient in patients]
    return root, patients, folders


@pytest.fixture
def clinic(tmp_path, toy_package):
    """A clinic without cases; learning is switched on."""
    found = Clinic(tmp_path, toy_package)
    found.cases.mkdir()
    found.switch_on()
    return found


def take(clinic, seven, *numbers):
    """Copy cases of `seven` into the clinic; return their folders."""
    _, _, folders = seven
    return [shutil.copytree(folders[number], clinic.cases / folders[number].name) for number in numbers]


def read_candidate(found):
    return read_package(found.round.candidate)

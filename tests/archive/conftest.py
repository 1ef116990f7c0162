"""Archives of phantom patients, and the data sets built from them, once for all tests."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from autocontour.archive.build import BuildReport, BuildRequest, build_dataset
from autocontour.base.errors import DatasetError
from autocontour.base.jobs import Job
from autocontour.selftest.planted import PLANTED, Patient, base_phantom, make_patient, write_archive

SOUND = 8
"""Patients without a fault, the least number for a comparison over the cohort."""


@dataclass
class Built:
    request: BuildRequest
    report: BuildReport
    patients: list[Patient]


def confirm(path: Path, **structures: str) -> None:
    """Confirm a file of names as a whole, after setting the structure of some names."""
    text = path.read_text(encoding="utf-8").replace("confirmed = false", "confirmed = true", 1)
    for name, structure in structures.items():
        text = text.replace(f'name = "{name}"\nstructure = ""', f'name = "{name}"\nstructure = "{structure}"')
    path.write_text(text, encoding="utf-8")


def build_confirmed(request: BuildRequest, **structures: str) -> BuildReport:
    """Build once for the names, confirm them, and build."""
    with pytest.raises(DatasetError, match="AC-DS-002"):
        build_dataset(request, Job())
    confirm(request.names_file, **structures)
    return build_dataset(request, Job())


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """Sound patients and one with each fault of `PLANTED`."""
    root = tmp_path_factory.mktemp("planted")
    faults = dict(enumerate(PLANTED.values(), SOUND))
    patients = write_archive(root / "archive", SOUND + len(faults), faults)
    request = BuildRequest(root / "archive", root / "data")
    return Built(request, build_confirmed(request, heart_old="Heart"), patients)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Three sound patients and their data set; not to be changed."""
    root = tmp_path_factory.mktemp("small")
    patients = write_archive(root / "archive", 3)
    request = BuildRequest(root / "archive", root / "data")
    return Built(request, build_confirmed(request), patients)


@pytest.fixture
def copied(small, tmp_path):
    """A copy of `small` to change: archive, data set and private folder."""
    for folder in (small.request.archive, small.request.output, small.request.private):
        shutil.copytree(folder, tmp_path / folder.name)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    return Built(request, small.report, small.patients)


@pytest.fixture
def one_patient(tmp_path):
    """A function that writes one patient into an archive, after a change."""

    def write(change=None, number=0, folder=None):
        patient = make_patient(base_phantom(number), number)
        if change:
            change(patient)
        return patient, patient.write(tmp_path / "archive" / (folder or patient.surname))

    return write

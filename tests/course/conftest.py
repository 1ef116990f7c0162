"""A small phantom patient with a planning CT, approved contours and later CTs, written once."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.course import link
from autocontour.course.contour import Options, contour_course
from autocontour.course.intake import Intake, add_course
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import ReviewStatus, Structure
from autocontour.phantom import Change, PhantomOptions, build_phantom, make_followup, truth_structures
from autocontour.rtstruct import write_structure_set

NAME, PATIENT = "NEVERSHOWN^PATIENT", "ID-NEVERSHOWN"
KEPT = ("External", "Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Bone_Mandible")
LATER = Change(
    weight_loss=0.05,
    shrinkage={"Parotid_L": 0.25},
    flexion_deg=3.0,
    setup_mm=(4.0, -3.0, 5.0),
    setup_deg=(0.5, 0.5, 1.0),
    couch_mm=(0.0, 9.0, 0.0),
    noise_hu=10.0,
    offset_z_mm=1.5,
    cut_mm=(6.0, 6.0),
    seed=3,
)


def describe(key: str, date: str, **changes: str) -> SeriesDescription:
    return replace(SeriesDescription(NAME, PATIENT, uid_seed=f"course {key}", date=date), **changes)


def approved(structures):
    moment = datetime(2026, 1, 6, tzinfo=UTC)
    return tuple(
        replace(one, status=ReviewStatus.APPROVED, reviewer="Dr. Kim", reviewed_at=moment) for one in structures
    )


@pytest.fixture(scope="session")
def phantom():
    built = build_phantom(
        "head-neck",
        3,
        spacing_zyx_mm=(5.0, 3.0, 3.0),
        shape_zyx=(60, 150, 150),
        options=PhantomOptions(noise_hu=6.0),
    )
    truth = {name: contours for name, contours in built.truth.items() if name in KEPT}
    return replace(built, truth=truth)


@pytest.fixture(scope="session")
def followup(phantom):
    return make_followup(phantom.hu, phantom.geometry, phantom.truth, LATER)


@pytest.fixture(scope="session")
def patient_folder(phantom, followup, tmp_path_factory) -> Path:
    """Folder with the planning CT, its approved structure set with a CTV, and one later CT."""
    root = tmp_path_factory.mktemp("patients") / "p1"
    ct = write_ct_series(phantom.hu, phantom.geometry, root / "plan", describe("plan", "20260105"))
    drawn = truth_structures(phantom, ct)
    contours = phantom.truth["Brainstem"]
    ctv = Structure("CTV_54", 90, contours, interpreted_type="CTV", color_rgb=(255, 0, 0))
    whole = replace(drawn, structures=approved((*drawn.structures, ctv)))
    write_structure_set(whole, ct, root / "RS_plan.dcm")
    write_ct_series(followup.hu, followup.geometry, root / "day10", describe("day10", "20260115"))
    return root


@pytest.fixture(scope="session")
def contoured(patient_folder, tmp_path_factory):
    """The course after contouring, by propagation and rules."""
    folder = tmp_path_factory.mktemp("courses") / "c1"
    course, findings = add_course(Intake(patient_folder, folder), Job())
    assert not findings
    with pytest.MonkeyPatch.context() as patch:  # coarser grids, which are quicker and enough for a phantom
        patch.setattr(link, "RIGID_MM", 6.0)
        patch.setattr(link, "DEFORMABLE_MM", 5.0)
        (report,) = contour_course(course, Options(), Job())
    assert report.error is None
    return course


@pytest.fixture
def copied(patient_folder, tmp_path) -> Path:
    """A copy of the patient's folder to damage."""
    return Path(shutil.copytree(patient_folder, tmp_path / "p1"))


def dsc(a, b) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))

"""The atlas: warped phantoms of one anatomy, so that the right contours are known."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from shapely import MultiPolygon, affinity, box

from autocontour.archive.find import find_archive
from autocontour.archive.key import open_key
from autocontour.archive.private import map_names
from autocontour.base.errors import Cancelled, UsageError
from autocontour.base.jobs import Job
from autocontour.contouring import volume_cc
from autocontour.patient.geometry import VolumeGeometry
from autocontour.qa.commissioning.study import atlas as module
from autocontour.qa.commissioning.study.atlas import (
    Atlas,
    AtlasMethod,
    _choose,
    fuse,
    owners_of,
    read_atlas,
    scan_of,
)
from autocontour.qa.commissioning.study.request import StudyRequest
from autocontour.qa.commissioning.study.run import run_study
from autocontour.qa.compare import compare_contours
from autocontour.registration.affine import Affine, find_shift, register_affine
from autocontour.registration.deformable import register_deformable
from autocontour.registration.grid import Grid, Scan
from autocontour.registration.rigid import Rigid
from autocontour.selftest.planted import base_phantom, make_patient

ORGANS = ("Heart", "Liver", "Lung_L", "Lung_R")
GRID = VolumeGeometry.regular((10, 40, 40), (3.0, 1.0, 1.0))


def square(u=0.0, side=20.0):
    return {k: MultiPolygon([box(u, 5, u + side, 25)]) for k in range(2, 8)}


class Flat:
    """A deformation with a known agreement of the images everywhere."""

    def __init__(self, difference):
        self.difference = difference

    def values_at(self, values, points):
        return np.full(len(points), values)


def votes(*pairs):
    return [(contours, Flat(difference)) for contours, difference in pairs]


def dsc(a, b):
    return compare_contours(a, b, GRID).dsc


@pytest.mark.parametrize("fusion", ["majority", "weighted", "staple"])
def test_the_same_contours_come_back(fusion):
    fused = fuse(votes((square(5), 0.01), (square(5), 0.01), (square(5), 0.01)), GRID, fusion)
    assert dsc(square(5), fused) > 0.94
    assert fuse(votes(({}, 0.01), ({}, 0.01), ({}, 0.01)), GRID, fusion) == {}


def test_the_majority_decides():
    fused = fuse(votes((square(5), 0.01), (square(5), 0.01), (square(12), 0.01)), GRID, "majority")
    assert dsc(square(5), fused) > 0.92
    assert dsc(square(12), fused) < 0.75
    assert fuse(votes((square(5), 0.01), ({}, 0.01), ({}, 0.01)), GRID, "majority") == {}


def test_the_atlas_whose_images_agree_decides():
    fused = fuse(votes((square(5), 0.05), (square(5), 0.05), (square(12), 0.001)), GRID, "weighted")
    assert dsc(square(12), fused) > 0.94


def atlas_of(name, scan, names, owners=()):
    return Atlas(name, frozenset(owners), GRID, scan, {one: square() for one in names})


def test_every_structure_has_enough_of_the_chosen_atlases():
    rng = np.random.default_rng(1)
    grid = Grid((12, 12, 12), np.zeros(3), 4.0)
    whole = np.ones(grid.shape_zyx, dtype=bool)
    hu = rng.normal(0, 100, grid.shape_zyx).astype(np.float32)
    noise = [rng.normal(0, 20 * k, grid.shape_zyx).astype(np.float32) for k in range(6)]
    scans = [Scan(grid, hu + one, whole, whole) for one in noise]
    atlases = [atlas_of(str(k), scan, ["Heart"] if k < 3 else ["Heart", "Larynx"]) for k, scan in enumerate(scans)]
    chosen = [atlas.name for atlas, _ in _choose(scans[0], atlases, 3, ["Heart"], Job())]
    assert chosen == ["0", "1", "2"]
    chosen = [atlas.name for atlas, _ in _choose(scans[0], atlases, 3, ["Heart", "Larynx"], Job())]
    assert sorted(chosen) == ["0", "1", "2", "3", "4", "5"]


def test_a_structure_needs_four_contoured_patients():
    """One of them may be the patient."""
    scan = Scan(Grid((4, 4, 4), np.zeros(3), 4.0), *(np.ones((4, 4, 4), t) for t in (np.float32, bool, bool)))
    atlases = tuple(atlas_of(str(k), scan, ["Heart", "Larynx"][: 1 + (k < 3)]) for k in range(4))
    assert AtlasMethod(atlases, 3, "majority", "x").offered == {"Heart"}


def blob(shape=(24, 30, 30), center=(12, 15, 15), scale=(1.0, 1.0, 1.0)):
    """A body with a bone on one side, on a grid of 4 mm."""
    z, y, x = ((np.arange(n) - c) * 4.0 * s for n, c, s in zip(shape, center, scale, strict=True))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    hu = np.full(shape, -1000.0, np.float32)
    body = (z / 40) ** 2 + (y / 34) ** 2 + (x / 44) ** 2 < 1
    hu[body] = 0
    hu[(z / 16) ** 2 + (y / 8) ** 2 + ((x - 20) / 8) ** 2 < 1] = 700
    hu[(z / 10) ** 2 + ((y - 12) / 12) ** 2 + ((x + 16) / 12) ** 2 < 1] = -700
    return Scan(Grid(shape, np.zeros(3), 4.0), hu, body, np.ones(shape, dtype=bool))


def test_a_larger_patient_is_found_by_an_affine_map():
    patient, atlas = blob(), blob(center=(13, 14, 16), scale=(1.15, 1.1, 1.1))
    shift, correlation = find_shift(patient, atlas)
    assert correlation > 0.5
    found = register_affine(patient, atlas, shift)
    assert np.diag(found.matrix) == pytest.approx([1 / 1.1, 1 / 1.1, 1 / 1.15], abs=0.06)
    points = np.array([[60.0, 60.0, 48.0], [70.0, 50.0, 40.0]])
    assert found.push(found.pull(points)) == pytest.approx(points)


def test_without_a_body_or_an_overlap_the_shift_is_kept():
    patient = blob()
    empty = replace(patient, body=np.zeros_like(patient.body))
    assert register_affine(empty, patient, np.zeros(3)).matrix.tolist() == np.eye(3).tolist()
    far = register_affine(patient, patient, np.full(3, 1e5))
    assert far.matrix.tolist() == np.eye(3).tolist()
    assert isinstance(far, Affine)


class CancelledLater(Job):
    """Cancelled when it has been looked at a number of times."""

    def __init__(self, times):
        super().__init__()
        self.left, self.looks = times, 0

    @property
    def is_cancelled(self):
        self.looks += 1
        return self.looks > self.left


@pytest.mark.parametrize("times", [0, 3, 10])
@pytest.mark.parametrize("register", [register_affine, register_deformable])
def test_a_registration_ends_within_an_iteration_of_a_cancel(register, times):
    patient, atlas = blob(), blob(center=(13, 14, 16))
    job = CancelledLater(times)
    with pytest.raises(Cancelled):
        register(patient, atlas, np.zeros(3) if register is register_affine else Rigid.identity(), job)
    assert job.looks <= times + 4


def write_patients(folder, positions):
    """Write phantoms of different sizes; the last is the first one's second scan, under the same Patient ID."""
    for number, position in enumerate(positions):
        patient = make_patient(base_phantom(number), number)
        patient.contours = {name: patient.contours[name] for name in ORGANS}
        if position == "again":
            patient.description = replace(patient.description, patient_id=f"ID-{0:04d}", uid_seed="again")
        patient.write(folder / f"patient{number}")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("atlas")
    write_patients(root / "cohort", ("HFS",) * 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GRID_MM", 10.0)  # a coarse grid: fast, and near enough
        yield root


def request_of(root, **values):
    return StudyRequest(root / "cohort", root / "report", atlas=root / "cohort", atlas_nearest=3, pictures=0,
                        structures=["Lung_L", "Lung_R"], **values)  # fmt: skip


@pytest.fixture(scope="module")
def study(cohort):
    request = request_of(cohort)
    with pytest.raises(UsageError, match="AC-QA-072"):
        run_study(request, Job())
    path = request.names_file
    path.write_text(path.read_text().replace("confirmed = false", "confirmed = true", 1))
    return run_study(request, Job())


def test_a_patient_is_never_contoured_with_his_own_contours(study):
    for record in study.records:
        assert record["atlases"]["same_patient"] == [record["patient"]]
        assert record["patient"] not in record["atlases"]["used"]
        assert len(record["atlases"]["used"]) == 3


def test_left_is_left_and_the_contours_are_near(study):
    results = {one["structure"]: one["metrics"]["dsc"]["median"] for one in study.content["results"]}
    assert min(results["Lung_L"], results["Lung_R"]) > 0.75
    assert study.content["settings"]["methods"]["atlas"].startswith("4 patients, nearest 3, fusion weighted")


def test_other_atlases_give_other_records(study, cohort):
    before = study.content["settings"]["methods"]["atlas"]
    again = run_study(request_of(cohort), Job())
    assert again.reused == len(again.records)
    assert again.content["settings"]["methods"]["atlas"] == before


def test_an_atlas_with_other_contours_under_the_same_names_is_another_method(study, cohort, tmp_path):
    """Exchanging two names in the confirmed file changes what the atlas draws, not the list of its structures."""
    shutil.copytree(cohort / "report.private", tmp_path / "report.private")
    names = tmp_path / "report.private" / "names.toml"
    rows = names.read_text().split("structure = ")
    organs = {'"Heart"': '"Liver"', '"Liver"': '"Heart"'}
    rows[1:] = [organs.get(row.split("\n")[0], row.split("\n")[0]) + row[len(row.split("\n")[0]) :] for row in rows[1:]]
    names.write_text("structure = ".join(rows))
    request = replace(request_of(cohort), output=tmp_path / "report", names=names)
    key = open_key(request.key_file, "")
    archive = find_archive(request.cohort, key, Job())
    identities = [read_atlas(request, archive, map_names(path, archive), key, Job())[0].identity
                  for path in (names, request_of(cohort).names_file)]  # fmt: skip
    assert identities[0] != identities[1]


def test_the_same_patient_is_recognized_by_id_frame_or_voxels():
    patient = make_patient(base_phantom(0), 0)

    class Series:
        patient_id, frame_of_reference_uid = " Id-7 ", "1.2"

    class Other(Series):
        patient_id, frame_of_reference_uid = "id-7", "1.3"

    class Nameless(Series):
        patient_id = frame_of_reference_uid = ""

    ct = module.CTVolume(patient.hu, patient.geometry)
    first, second, third = (owners_of(ct, one()) for one in (Series, Other, Nameless))
    assert len(first & second) == 2  # voxels and Patient ID
    assert len(first & third) == 1
    changed = module.CTVolume(np.ascontiguousarray(ct.hu[:, :, ::-1]), ct.geometry)
    assert not owners_of(changed, Nameless()) & third


def test_too_few_atlases_are_reported(cohort, study, tmp_path):
    write_patients(tmp_path / "cohort", ("HFS", "HFS"))
    request = replace(request_of(cohort), atlas=tmp_path / "cohort", output=tmp_path / "report",
                      names=cohort / "report.private" / "names.toml")  # fmt: skip
    report = run_study(request, Job())
    assert [(one["subject"], one["code"]) for one in report.content["left_out"]] == [("atlas", "AC-QA-340")]
    assert report.content["results"] == []


def test_the_scan_of_a_ct_without_a_body():
    ct = module.CTVolume(np.full((6, 32, 32), -1000, np.int16), VolumeGeometry.regular((6, 32, 32), (3.0, 4.0, 4.0)))
    assert scan_of(ct, Job()).body.any()


def test_contours_of_a_square_have_its_volume():
    fused = fuse(votes(*[(affine_square(), 0.01)] * 3), GRID, "majority")
    assert volume_cc(fused, GRID) == pytest.approx(volume_cc(affine_square(), GRID), rel=0.05)


def affine_square():
    return {k: affinity.rotate(shape, 20) for k, shape in square(8).items()}

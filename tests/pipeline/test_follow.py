"""``autocontour follow``: from files to a new structure set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from shapely import MultiPolygon, Point

from autocontour.base.findings import Finding
from autocontour.cli import main
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.models.follow import follow, network
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.follow import without_corrections
from autocontour.rtstruct import read_structure_set, write_structure_set

SLICES = range(12, 29)
DIRECTIONS = {"HFS": np.eye(3), "HFP": np.diag([-1.0, -1.0, 1.0]), "FFS": np.diag([-1.0, 1.0, -1.0])}


def disc(radius_mm: float, u: float = 20.0, v: float = 10.0) -> MultiPolygon:
    return MultiPolygon([Point(u, v).buffer(radius_mm, quad_segs=16)])


class Patient:
    """A CT in a folder with two structure sets: as contoured, and with two corrected slices."""

    def __init__(self, folder: Path, position: str = "HFS") -> None:
        axes = DIRECTIONS[position]
        geometry = VolumeGeometry.regular((40, 64, 64), (3.0, 4.0, 4.0), axes @ np.array([-126.0, -126.0, 0.0]), axes)
        rows, columns = np.mgrid[:64, :64]
        hu = np.full(geometry.shape_zyx, -1000, np.int16)
        hu[:, np.hypot(rows - 31.5, columns - 31.5) < 25] = 0
        self.folder = folder / position
        self.folder.mkdir()
        self.ct: CTVolume = write_ct_series(hu, geometry, self.folder / "CT", SeriesDescription(position=position))
        self.z = geometry.slice_origins_lps_mm[:, 2]
        contours = {k: disc(18) for k in SLICES}
        other = Structure("Other", 2, {k: disc(9, -40) for k in SLICES}, status=ReviewStatus.EDITED)
        structure = Structure("Parotid_R", 1, contours)
        self.write("auto.dcm", structure, other)
        self.write("RS.dcm", replace(structure, contours=contours | {18: disc(21), 24: disc(21)}), other)

    def write(self, name: str, *structures: Structure) -> None:
        reference = self.ct.reference
        assert reference is not None
        uids = reference.series_instance_uid, reference.frame_of_reference_uid
        write_structure_set(StructureSet("TEST", structures, *uids), self.ct, self.folder / name)

    def follow(self, *arguments: str, output: str = "OUT.dcm", corrected: tuple[float, ...] = ()) -> int:
        positions = [f"{z}" for z in corrected or self.z[[18, 24]]]
        place = self.folder
        given = [str(place / "CT"), str(place / "RS.dcm"), "-o", str(place / output), "--corrected", *positions]
        name = () if "--structure" in arguments else ("--structure", "Parotid_R")
        return main(["follow", *given, *name, *arguments])

    def items(self, name: str, roi: str) -> dict[float, list[str]]:
        """The contours of a file as written: z → the file's own strings."""
        dataset = pydicom.dcmread(self.folder / name)
        number = next(one.ROINumber for one in dataset.StructureSetROISequence if one.ROIName == roi)
        found: dict[float, list[str]] = {}
        for item in next(
            one for one in dataset.ROIContourSequence if one.ReferencedROINumber == number
        ).ContourSequence:
            found.setdefault(float(item.ContourData[2]), []).append("\\".join(map(str, item.ContourData)))
        return found


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that moves every outline outwards by 2 mm."""

    class Growing:
        source = network.FollowWeights({}, {}, "0" * 64)
        device = "test"

        def __call__(self, channels: np.ndarray) -> np.ndarray:
            return np.full(channels.shape[1:], 1 + follow.DOUBT / 2, np.float32)

    monkeypatch.setattr(network, "open_network", lambda: Growing())


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    return Patient(tmp_path_factory.mktemp("follow"))


@pytest.mark.usefixtures("growing")
@pytest.mark.parametrize("position", list(DIRECTIONS))
def test_corrected_slices_and_other_structures_are_written_byte_for_byte(tmp_path: Path, position: str) -> None:
    patient = Patient(tmp_path, position)
    before = {path: path.read_bytes() for path in patient.folder.rglob("*.dcm")}
    assert patient.follow("--automatic", str(patient.folder / "auto.dcm")) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    source, result = patient.items("RS.dcm", "Parotid_R"), patient.items("OUT.dcm", "Parotid_R")
    for k in (18, 24):
        assert result[patient.z[k]] == source[patient.z[k]]
    assert patient.items("OUT.dcm", "Other") == patient.items("RS.dcm", "Other")
    written = read_structure_set(patient.folder / "OUT.dcm", patient.ct)["Parotid_R"]
    for k in SLICES:
        wanted = 21 if k in (18, 24) else 20
        assert (written.contours[k].area / np.pi) ** 0.5 == pytest.approx(wanted, abs=0.2)
        assert written.contours[k].centroid.distance(Point(20, 10)) < 0.3
    assert str(written.generation) == "SEMIAUTOMATIC"
    assert written.status is not ReviewStatus.APPROVED


@pytest.mark.usefixtures("growing")
def test_the_report_names_every_changed_slice(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    assert patient.follow("--json", output="json.dcm") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["structure"] == "Parotid_R"
    assert report["corrected_slices"] == [18, 24]
    assert {one["slice"] for one in report["changed_slices"]} >= set(SLICES) - {18, 24}
    assert all(one["z_mm"] == patient.z[one["slice"]] for one in report["changed_slices"])
    assert patient.follow(output="text.dcm") == 0
    assert "outline moved" in capsys.readouterr().out


@pytest.mark.usefixtures("growing")
def test_the_written_structure_names_the_algorithm(patient: Patient) -> None:
    assert patient.follow(output="named.dcm") == 0
    dataset = pydicom.dcmread(patient.folder / "named.dcm")
    assert "autocontour follow" in str(dataset.StructureSetROISequence[0])


@pytest.mark.usefixtures("growing")
def test_from_nothing_the_other_slices_of_the_file_do_not_count(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert patient.follow("--nothing", "--json", output="nothing.dcm") == 0
    changed = {one["slice"] for one in json.loads(capsys.readouterr().out)["changed_slices"]}
    assert set(range(19, 24)) <= changed


@pytest.mark.parametrize(
    ("arguments", "corrected", "code"),
    [
        ((), (6.4,), "AC-FO-020"),  # on slices of 1 mm it could be either neighbour
        ((), (55.0,), "AC-FO-020"),
        ((), (-500.0,), "AC-FO-020"),
        ((), (float("nan"),), "AC-FO-020"),
        (("--structure", "Liver"), (), "AC-FO-021"),
        (("-o", "RS.dcm"), (), "AC-OUT-004"),
        (("-o", "CT/0.dcm"), (), "AC-OUT-004"),
        (("-o", "CT"), (), "AC-US-033"),
        (("-o", "auto.dcm"), (), "AC-OUT-002"),
        (("--nothing",), (6.0, 9.0), "AC-FO-004"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    patient: Patient,
    arguments: tuple[str, ...],
    corrected: tuple[float, ...],
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = next((patient.folder / "CT").iterdir())
    arguments = tuple(
        str(first if one == "CT/0.dcm" else patient.folder / one)
        if one in ("RS.dcm", "auto.dcm", "CT", "CT/0.dcm")
        else one
        for one in arguments
    )
    before = first.read_bytes()
    status = patient.follow("--json", *arguments, output="refused.dcm", corrected=corrected)
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
    assert status != 0
    assert not (patient.folder / "refused.dcm").exists()
    assert first.read_bytes() == before


def test_contours_of_another_scan_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Patient(tmp_path / "a"), Patient(tmp_path / "b")
    place = one.folder
    files = str(other.folder / "CT"), str(place / "RS.dcm"), "-o", str(place / "x.dcm")
    status = main(["follow", *files, "--structure", "Parotid_R", "--corrected", str(one.z[18]), "--json"])
    assert status != 0
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-RS-003"


def test_automatic_contours_under_a_correction_are_interpolated() -> None:
    geometry = VolumeGeometry.regular((40, 64, 64), (3.0, 4.0, 4.0))
    contours = {k: disc(10 + k) for k in range(5, 12)} | {8: disc(40), 11: disc(50)}
    automatic = without_corrections(contours, [8, 11], geometry)
    assert automatic is not None
    assert (automatic[8].area / np.pi) ** 0.5 == pytest.approx(18, abs=0.3)
    assert automatic[11] is contours[11]  # an end: nothing is known of the contour before
    assert without_corrections({8: disc(9)}, [8], geometry) is None


@pytest.mark.usefixtures("growing")
def test_slices_that_differ_but_are_not_named_start_from_the_automatic_contours(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    """A structure set that is clinical throughout must not pass as followed."""
    automatic = str(patient.folder / "auto.dcm")
    assert patient.follow("--automatic", automatic, "--json", output="one.dcm", corrected=(patient.z[18],)) == 0
    found = {one["code"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["AC-FO-023"]["slices"] == [24]
    written = read_structure_set(patient.folder / "one.dcm", patient.ct)["Parotid_R"]
    assert (written.contours[24].area / np.pi) ** 0.5 < 20.5


@pytest.mark.usefixtures("growing")
def test_from_nothing_leaves_out_slices_not_named(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    """The ends of the automatic contour must not stay beside a structure that is drawn anew."""
    assert patient.follow("--nothing", "--json", output="anew.dcm") == 0
    found = {one["code"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    written = read_structure_set(patient.folder / "anew.dcm", patient.ct)["Parotid_R"]
    assert sorted(written.contours) == list(range(18, 25))
    assert found["AC-FO-026"]["slices"] == [*range(12, 18), *range(25, 29)]


@pytest.mark.usefixtures("growing")
@pytest.mark.parametrize("argument", ["RS.dcm", "auto.dcm"])
def test_contours_of_another_patient_are_refused_unless_accepted(
    patient: Patient, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = pydicom.dcmread(patient.folder / argument)
    dataset.PatientID = "SOMEBODY-ELSE"
    dataset.save_as(patient.folder / f"other-{argument}")
    sets = {"RS.dcm": "RS.dcm", "auto.dcm": "auto.dcm", argument: f"other-{argument}"}
    output = patient.folder / f"of-other-{argument}"
    command = ["follow", str(patient.folder / "CT"), str(patient.folder / sets["RS.dcm"]), "--structure", "Parotid_R"]
    command += ["--automatic", str(patient.folder / sets["auto.dcm"]), "--corrected", f"{patient.z[18]}"]
    command += ["-o", str(output), "--json"]
    assert main(command) != 0
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-FO-024"
    assert not output.exists()
    assert main([*command, "--accept", "AC-FO-024"]) == 0
    assert "AC-RS-012" in {one["code"] for one in json.loads(capsys.readouterr().out)["findings"]}


def test_a_name_of_two_structures_is_refused(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = pydicom.dcmread(patient.folder / "RS.dcm")
    dataset.StructureSetROISequence[1].ROIName = "parotid_r "
    dataset.save_as(patient.folder / "two.dcm")
    place = patient.folder
    files = str(place / "CT"), str(place / "two.dcm"), "-o", str(place / "of-two.dcm"), "--json"
    assert main(["follow", *files, "--structure", "Parotid_R", "--corrected", f"{patient.z[18]}"]) != 0
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-FO-025"


@pytest.mark.usefixtures("growing")
def test_contours_between_the_slices_are_reported(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = pydicom.dcmread(patient.folder / "RS.dcm")
    for item in dataset.ROIContourSequence[0].ContourSequence:
        item.ContourData = [f"{v + (1.2 if n % 3 == 2 else 0):.3f}" for n, v in enumerate(map(float, item.ContourData))]
        del item.ContourImageSequence
    dataset.save_as(patient.folder / "between.dcm")
    place = patient.folder
    files = str(place / "CT"), str(place / "between.dcm"), "-o", str(place / "of-between.dcm"), "--json"
    assert main(["follow", *files, "--structure", "Parotid_R", "--corrected", f"{patient.z[18]}"]) == 0
    assert "AC-RS-029" in {one["code"] for one in json.loads(capsys.readouterr().out)["findings"]}


@pytest.mark.usefixtures("growing")
def test_stated_ends_delete_what_lies_beyond_the_outermost_corrected_slices(patient: Patient) -> None:
    automatic = str(patient.folder / "auto.dcm")
    assert patient.follow("--ends", "--automatic", automatic, output="ends.dcm") == 0
    written = read_structure_set(patient.folder / "ends.dcm", patient.ct)
    assert set(written["Parotid_R"].contours) == set(range(18, 25))
    assert set(written["Other"].contours) == set(SLICES)


def test_ends_of_a_single_slice_are_refused(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    assert patient.follow("--ends", output="single.dcm", corrected=(float(patient.z[18]),)) != 0
    assert "AC-FO-007" in capsys.readouterr().err
    assert not (patient.folder / "single.dcm").exists()


@pytest.mark.usefixtures("growing")
def test_a_proposal_that_is_not_carried_out_has_no_findings_about_its_slices(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unlikely(*arguments: object, **options: object) -> follow.Followed:
        found = followed(*arguments, **options)  # type: ignore[arg-type]
        codes = ("AC-FO-010", "AC-FO-011", "AC-FO-014")
        values = {"count": 1, "limit": 10.0}
        return replace(found, is_likely=False, findings=tuple(Finding.of(code, **values) for code in codes))

    followed = follow.follow_slices
    monkeypatch.setattr(follow, "follow_slices", unlikely)
    assert patient.follow("--json", output="unlikely.dcm") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["changed_slices"], [one["code"] for one in report["findings"]]) == ([], ["AC-FO-011"])

"""The main job as its users run it: a CT folder goes in, a structure set comes out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import StructureSet
from autocontour.phantom import build_phantom
from autocontour.pipeline import request, sources
from autocontour.rtstruct import read_structure_set

NAME = "PHANTOM^NEVERSHOWN"


def make_series(folder: Path, seed: int = 1) -> Path:
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=(5.0, 2.5, 2.5), shape_zyx=(50, 200, 200))
    write_ct_series(phantom.hu, phantom.geometry, folder, SeriesDescription(NAME, "ID-NEVERSHOWN", uid_seed=str(seed)))
    return folder


@pytest.fixture(scope="module")
def ct_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_series(tmp_path_factory.mktemp("thorax") / "CT")


@pytest.fixture(scope="module")
def contoured(ct_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("contoured") / "RS.dcm"
    assert main(["contour", str(ct_folder), "-o", str(output), "--structures", "External", "Lung_L", "Lung_R"]) == 0
    return output


def read(path: Path, ct_folder: Path) -> StructureSet:
    return read_structure_set(path, read_ct(planning_cts(scan_folder(ct_folder, Job()))[0], Job()))


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, object]:
    code = main([str(argument) for argument in arguments] + ["--json"])
    return code, json.loads(capsys.readouterr().out)


def test_what_is_written_is_what_was_drawn(contoured: Path, ct_folder: Path) -> None:
    drawn = read(contoured, ct_folder)
    assert drawn.names == ("External", "Lung_L", "Lung_R")
    for structure in drawn.structures:
        assert structure.contours
        assert structure.provenance is None or structure.provenance.algorithm == "autocontour rules"
    roi = dcmread(contoured).StructureSetROISequence[0]
    assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
    assert dcmread(contoured).ApprovalStatus == "UNAPPROVED"


def test_sources_are_never_modified_and_no_identity_is_shown(
    ct_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = digest(ct_folder)
    assert main(["contour", str(ct_folder), "-o", str(tmp_path / "RS.dcm"), "--structures", "Lung_L"]) == 0
    assert digest(ct_folder) == before
    shown = capfd.readouterr()
    assert "NEVERSHOWN" not in shown.out + shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["RS.dcm"]


def without_uids_and_times(dataset: Dataset) -> str:
    changing = {"SOPInstanceUID", "SeriesInstanceUID", "InstanceCreationDate", "InstanceCreationTime", "SeriesDate"}
    changing |= {"SeriesTime", "StructureSetDate", "StructureSetTime", "ContributionDateTime", "DateTime"}
    ct = dataset.ReferencedFrameOfReferenceSequence[0].to_json()

    def drop(_parent: Dataset, element: object) -> None:
        if getattr(element, "keyword", "") in changing:
            del _parent[element.tag]  # type: ignore[attr-defined]

    dataset.walk(drop)
    return dataset.to_json() + ct


def test_the_same_input_twice_gives_the_same_contours(contoured: Path, ct_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "RS.dcm"
    assert main(["contour", str(ct_folder), "-o", str(again), "--structures", "External", "Lung_L", "Lung_R"]) == 0
    assert without_uids_and_times(dcmread(again)) == without_uids_and_times(dcmread(contoured))
    assert dcmread(again).SOPInstanceUID != dcmread(contoured).SOPInstanceUID


def test_an_existing_output_is_refused_unless_overwritten_on_request(
    contoured: Path, ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "RS.dcm"
    shutil.copy(contoured, output)
    before = output.read_bytes()
    code, said = run_json(capsys, "contour", ct_folder, "-o", output, "--structures", "Lung_L")
    assert (code, said["error"]["code"]) == (5, "AC-OUT-002")  # type: ignore[index]
    assert output.read_bytes() == before

    assert main(["contour", str(ct_folder), "-o", str(output), "--structures", "Trachea", "--append"]) == 0
    assert read(output, ct_folder).names == ("External", "Lung_L", "Lung_R", "Trachea")
    assert main(["contour", str(ct_folder), "-o", str(output), "--structures", "Trachea", "--append"]) != 0
    assert main(["contour", str(ct_folder), "-o", str(output), "--structures", "Trachea", "--replace"]) == 0
    assert sorted(read(output, ct_folder).names) == ["External", "Lung_L", "Lung_R", "Trachea"]
    assert main(["contour", str(ct_folder), "-o", str(output), "--structures", "Lung_L", "--force"]) == 0
    assert read(output, ct_folder).names == ("Lung_L",)


def test_replacing_a_structure_that_was_corrected_by_hand_is_stated(
    contoured: Path, ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "RS.dcm"
    dataset = dcmread(contoured)
    lung = next(roi for roi in dataset.StructureSetROISequence if roi.ROIName == "Lung_L")
    lung.ROIGenerationAlgorithm = "SEMIAUTOMATIC"
    dataset.save_as(output)
    for stated in (["AC-PL-014"], []):  # what it was replaced by is automatic
        code, reports = run_json(capsys, "contour", ct_folder, "-o", output, "--structures", "Lung_L", "--replace")
        findings = [one["code"] for one in reports[0]["structures"][0]["findings"]]  # type: ignore[index]
        assert (code, [one for one in findings if one == "AC-PL-014"]) == (0, stated)


def test_another_patients_or_a_damaged_set_is_not_extended(
    contoured: Path, ct_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output, append = tmp_path / "RS.dcm", ["--structures", "Trachea", "--append"]
    dataset = dcmread(contoured)
    dataset.PatientID = "ANOTHER-NEVERSHOWN"
    dataset.save_as(output)
    before = output.read_bytes()
    assert main(["contour", str(ct_folder), "-o", str(output), *append]) == 4
    shown = capfd.readouterr()
    assert "AC-RS-008" in shown.err
    assert "NEVERSHOWN" not in shown.out + shown.err
    assert output.read_bytes() == before
    assert main(["contour", str(ct_folder), "-o", str(output), *append, "--accept", "AC-RS-008"]) == 0
    assert read(output, ct_folder).names == ("External", "Lung_L", "Lung_R", "Trachea")
    damaged = bytearray(before)
    damaged[damaged.index(b"\xfe\xff\x00\xe0", damaged.index(b"\x06\x30\x39\x00")) + 4] ^= 4
    output.write_bytes(damaged)
    assert main(["contour", str(ct_folder), "-o", str(output), *append]) == 4
    assert "AC-RS-006" in capfd.readouterr().err
    assert output.read_bytes() == bytes(damaged)


def test_append_needs_something_to_append_to(ct_folder: Path, tmp_path: Path) -> None:
    assert main(["contour", str(ct_folder), "-o", str(tmp_path / "RS.dcm"), "--append"]) == 5
    assert list(tmp_path.iterdir()) == []


def test_several_series_in_a_folder_are_never_guessed_at(
    ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "two"
    shutil.copytree(ct_folder, folder / "a")
    make_series(folder / "b", seed=2)
    uids = {dcmread(next((folder / part).iterdir())).SeriesInstanceUID for part in "ab"}

    code, said = run_json(capsys, "contour", folder, "-o", tmp_path / "RS.dcm", "--structures", "Lung_L")
    assert (code, said["error"]["code"]) == (2, "AC-US-030")  # type: ignore[index]
    assert all(uid in said["error"]["message"] for uid in uids)  # type: ignore[index]

    one = sorted(uids)[0]
    code, said = run_json(
        capsys, "contour", folder, "-o", tmp_path / "1.dcm", "--structures", "Lung_L", "--series", one
    )
    assert code == 0
    assert said[0]["series"] == one  # type: ignore[index]

    code, said = run_json(capsys, "contour", folder, "-o", tmp_path / "all", "--structures", "Lung_L", "--all")
    assert code == 0
    assert {report["series"] for report in said} == uids  # type: ignore[attr-defined]
    assert {path.name for path in (tmp_path / "all").iterdir()} == {f"RS.{uid}.dcm" for uid in uids}


def test_with_all_one_bad_series_does_not_stop_the_others(
    ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "two"
    make_series(folder / "good", seed=2)
    shutil.copytree(ct_folder, folder / "bad")
    sorted((folder / "bad").iterdir())[20].unlink()
    code, said = run_json(capsys, "contour", folder, "-o", tmp_path / "all", "--structures", "Lung_L", "--all")
    assert code == 3
    assert sorted(report["error"] is None for report in said) == [False, True]  # type: ignore[attr-defined]
    assert len(list((tmp_path / "all").iterdir())) == 1


def test_a_missing_slice_is_refused_and_can_be_accepted_by_name(
    ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gap"
    shutil.copytree(ct_folder, folder)
    sorted(folder.iterdir())[20].unlink()
    output = tmp_path / "RS.dcm"
    code, said = run_json(capsys, "contour", folder, "-o", output, "--structures", "Lung_L")
    assert code == 3
    blocked = said["error"]["code"]  # type: ignore[index]
    code, said = run_json(capsys, "contour", folder, "-o", output, "--structures", "Lung_L", "--accept", blocked)
    assert code == 0
    assert blocked in [finding["code"] for finding in said[0]["findings"]]  # type: ignore[index]
    ct = read_ct(planning_cts(scan_folder(folder, Job()))[0], Job(), frozenset({blocked}))
    positions = [float(contour.ContourData[2]) for contour in dcmread(output).ROIContourSequence[0].ContourSequence]
    assert set(positions) <= set(np.round(ct.geometry.slice_positions_mm, 3))


def test_a_template_gives_the_clinics_names_colours_and_margins(ct_folder: Path, tmp_path: Path) -> None:
    template = tmp_path / "ours.toml"
    template.write_text(
        '[[structures]]\nname = "Lunge li"\ntg263 = "Lung_L"\ncolor = "#0a0b0c"\n'
        '[[structures]]\nname = "Lunge li +5"\nmargin_of = "Lunge li"\nmargin_mm = 5\ntype = "AVOIDANCE"\n'
        '[[structures]]\nname = "Leber"\ntg263 = "Liver"\n'
    )
    output = tmp_path / "RS.dcm"
    assert main(["contour", str(ct_folder), "-o", str(output), "--template", str(template)]) == 0
    lung, grown = read(output, ct_folder).structures
    assert (lung.name, lung.color_rgb, grown.name) == ("Lunge li", (10, 11, 12), "Lunge li +5")
    assert grown.interpreted_type == "AVOIDANCE"
    middle = sorted(lung.contours)[len(lung.contours) // 2]
    inner, outer = lung.contours[middle], grown.contours[middle]
    assert outer.buffer(0.2).contains(inner)
    assert inner.boundary.hausdorff_distance(outer.boundary) >= 4.9


def test_what_nobody_can_draw_is_refused(ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run_json(capsys, "contour", ct_folder, "-o", tmp_path / "RS.dcm", "--structures", "Gizzard")
    assert (code, said["error"]["code"]) == (2, "AC-US-012")  # type: ignore[index]


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_research_image_gives_masks_and_never_a_structure_set(
    ct_folder: Path, tmp_path: Path, left_handed: bool
) -> None:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(ct_folder)))
    given = reader.Execute()
    if left_handed:
        given = sitk.Flip(given, (False, True, False))
        assert np.linalg.det(np.reshape(given.GetDirection(), (3, 3))) < 0
    source = tmp_path / "ct.nii.gz"
    sitk.WriteImage(given, str(source))
    assert main(["contour", str(source), "-o", str(tmp_path / "RS.dcm"), "--structures", "Lung_L"]) == 2
    assert not (tmp_path / "RS.dcm").exists()
    assert main(["contour", str(source), "-o", str(tmp_path / "masks"), "--structures", "Lung_L"]) == 0
    mask = sitk.ReadImage(str(tmp_path / "masks" / "Lung_L.nii.gz"))
    hu, inside = sitk.GetArrayViewFromImage(given), sitk.GetArrayViewFromImage(mask) > 0
    assert hu.shape == inside.shape
    assert np.allclose(mask.GetOrigin(), given.GetOrigin(), atol=1e-3)
    assert hu[inside].mean() < -600  # voxel for voxel it is the lung of the file that was given
    middle = mask.TransformContinuousIndexToPhysicalPoint(np.argwhere(inside).mean(axis=0)[::-1].tolist())
    assert middle[0] > 20  # and it lies on the patient's left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("module", "stage"), [(sources, "read_ct"), (request, "contour_ct")])
def test_a_signal_leaves_nothing_half_written(
    ct_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, stage: str, number: int
) -> None:
    work = getattr(module, stage)

    def interrupted(*args: object, **options: object) -> object:
        done = work(*args, **options)
        os.kill(os.getpid(), number)
        return done

    monkeypatch.setattr(module, stage, interrupted)
    assert main(["contour", str(ct_folder), "-o", str(tmp_path / "RS.dcm"), "--structures", "Lung_L"]) == 130
    assert list(tmp_path.iterdir()) == []

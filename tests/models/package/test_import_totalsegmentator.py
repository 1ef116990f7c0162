"""TotalSegmentator's models on the disk: tasks, grids, licences and names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.cli import main
from autocontour.models.inference.published.oriented import orient
from autocontour.models.inference.published.prepare import prepare
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.names import combined_names, known_names, side_of
from autocontour.models.package.importers.totalsegmentator import (
    FREE,
    NON_COMMERCIAL,
    default_folder,
    find_tasks,
    import_task,
    known_tasks,
)
from autocontour.models.package.importers.writing import write_imported
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.nomenclature import known_names as nomenclature
from autocontour.patient.volume import CTVolume
from tests.models import tiny_nnunet as tiny

pytest.importorskip("torch")

ORGANS = known_tasks()[291].classes


@pytest.fixture
def here(monkeypatch, tmp_path):
    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)


def write_task(root, number, classes, name="x"):
    labels = {"background": 0} | {one: value for value, one in enumerate(classes, 1)}
    folder = root / f"Dataset{number}_{name}" / "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
    return tiny.write(folder, described=tiny.dataset(labels), trainer_name="nnUNetTrainerNoMirroring")


@pytest.mark.parametrize(("label", "name"), known_names().items())
def test_every_name_is_in_the_nomenclature(label, name):
    term = find_term(name)
    assert term.known
    assert name in nomenclature()
    assert side_of(label) == side_of(name) or name.startswith(("Lung_", "Rib")), label
    if side_of(label) and side_of(name):
        assert side_of(label) == side_of(name)
    if term.laterality in ("Left", "Right"):
        assert term.laterality[0] == side_of(label)


def test_lobes_have_the_side_of_their_label():
    for label, name in known_names().items():
        if label.startswith("lung_") and "lobe" in label:
            assert name[5] == side_of(label)


def test_ribs_and_vertebrae_keep_their_numbers():
    for label, name in known_names().items():
        if label.startswith(("rib_", "vertebrae_")):
            number = int("".join(letter for letter in label.replace("vertebrae_", "")[1:] if letter.isdigit()))
            assert int("".join(letter for letter in name if letter.isdigit())) == number


def test_no_two_labels_of_a_task_share_a_name():
    for task in known_tasks().values():
        names = [known_names()[one] for one in task.classes if one in known_names()]
        assert len(set(names)) == len(names), task.name


def test_total_is_complete():
    total = known_tasks()[297].classes
    parts = [one for number in range(291, 296) for one in known_tasks()[number].classes]
    assert len(total) == 117
    assert sorted(parts) == sorted(total)
    assert sum(one in known_names() for one in total) >= 98


def test_table_is_that_of_the_program():
    """Compared with TotalSegmentator's own tables where its package is installed."""
    theirs = pytest.importorskip("totalsegmentator.map_to_binary")
    assert known_tasks()[297].classes == tuple(theirs.class_map["total"][k] for k in range(1, 118))


def test_combined_structures_are_known():
    for whole, parts in combined_names().items():
        assert whole in nomenclature()
        assert all(part in nomenclature() for part in parts)


def test_tasks_are_found_with_grid_step_and_licence(tmp_path, here, monkeypatch):
    write_task(tmp_path, 291, ORGANS)
    write_task(tmp_path, 303, known_tasks()[303].classes)
    write_task(tmp_path, 113, ["tooth"])
    write_task(tmp_path, 9999, ["thing"])
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    found = find_tasks(default_folder())
    assert [one.task.id if one.task else None for one in found] == [113, 291, 303, None]
    assert [one.can_be_run for one in found] == [False, True, True, False]
    total, face = import_task(found[1]), import_task(found[2])
    assert (total.license, face.license) == (FREE, NON_COMMERCIAL)
    assert (total.procedure["step"], face.procedure["step"]) == (0.8, 0.5)
    assert total.procedure["first_spacing_mm"] == [1.5, 1.5, 1.5]
    assert total.procedure["orientation"] == "RAS"
    for one in (found[0], found[3]):
        with pytest.raises(ModelError, match="AC-MD-044"):
            import_task(one)
    package, findings = write_imported(total, tmp_path / "package")
    assert package.procedure.values["Lung_L"] == (10, 11)
    assert package.procedure.values["Lung_R"] == (12, 13, 14)
    assert package.procedure.values["Kidney_L"] == (3,)
    assert "kidney_cyst_left" in findings[0].message


def test_shuffled_labels_are_refused(tmp_path, here):
    write_task(tmp_path, 291, [ORGANS[0], ORGANS[2], ORGANS[1], *ORGANS[3:]])
    with pytest.raises(ModelError, match="AC-MD-047"):
        import_task(find_tasks(tmp_path)[0])


def test_missing_label_is_refused(tmp_path, here):
    write_task(tmp_path, 291, ORGANS[:-1])
    with pytest.raises(ModelError, match="AC-MD-047"):
        import_task(find_tasks(tmp_path)[0])


def test_nothing_there(tmp_path):
    with pytest.raises(ModelError, match="AC-MD-053"):
        find_tasks(tmp_path)


def test_non_commercial_model_is_asked_for(tmp_path, here, capsys):
    write_task(tmp_path / "results", 303, known_tasks()[303].classes)
    source, output = str(tmp_path / "results"), str(tmp_path / "out")
    arguments = ["models", "import", "totalsegmentator", source, "-o", output, "--json"]
    assert main(arguments) == ModelError.exit_code
    assert "AC-MD-052" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--non-commercial"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["license"] == NON_COMMERCIAL
    assert shown["sides_checked"] is False


def test_resampling_between_centres(tmp_path, here):
    """The first and the last voxel stay where they are; the labels come back on the CT's own voxels."""
    write_task(tmp_path, 291, ORGANS)
    package, _ = write_imported(import_task(find_tasks(tmp_path)[0]), tmp_path / "package")
    hu = np.random.default_rng(0).integers(-1000, 1000, (9, 20, 24)).astype(np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 1.0, 2.0)))
    prepared = prepare(orient(ct, "RAS"), package.stages["segmenter"], package.procedure)
    assert prepared.first_shape == (18, 13, 32)
    labels = np.zeros(prepared.box.shape_zyx, np.uint16)
    labels[:, :, 0] = 7  # the first column of a RAS array is the patient's left
    back = prepared.labels_to_patient(labels)
    assert back.shape == hu.shape
    assert (back[:, :, -1] == 7).all()
    assert (back[:, :, 0] == 0).all()


REFUSED = {8: False, 113: True, 299: True, 300: True, 301: True, 315: True, 615: True, 710: True, 713: True, 716: True}


@pytest.mark.parametrize(("number", "refused"), (REFUSED | {803: True, 952: True, 775: False}).items())
def test_what_its_program_does_besides_the_network_is_refused(number, refused):
    """Models of MR images, those that are cleaned afterwards, and those whose part of the CT is found in other ways."""
    assert bool(known_tasks()[number].refusal) == refused


def test_it_never_mirrors(tmp_path, here):
    """Its program switches off the mirroring that some of its models were trained with."""
    classes = known_tasks()[343].classes
    labels = {"background": 0} | {one: value for value, one in enumerate(classes, 1)}
    folder = tmp_path / "Dataset343_x" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    tiny.write(folder, described=tiny.dataset(labels), inference_allowed_mirroring_axes=(0, 1, 2))
    assert import_task(find_tasks(tmp_path)[0]).procedure["mirror_axes"] == []


def test_auxiliary_classes_are_no_structures(tmp_path, here):
    """The liver of a model of bones only helped its training."""
    write_task(tmp_path, 304, known_tasks()[304].classes)
    package, _ = write_imported(import_task(find_tasks(tmp_path)[0]), tmp_path / "package")
    assert "patella" in package.structures
    assert not {"Liver", "Spleen", "femur", "humerus"} & set(package.structures)


def test_model_of_a_part_of_the_ct(tmp_path, here):
    write_task(tmp_path, 775, known_tasks()[775].classes)
    package, findings = write_imported(import_task(find_tasks(tmp_path)[0]), tmp_path / "package")
    crop = package.procedure.crop
    assert (crop.structures, crop.finder, crop.margin_mm) == (("Skull",), "TotalSegmentator 298", 20.0)
    assert package.procedure.values["Parotid_L"] == (7,)
    assert [one.code for one in findings] == ["AC-MD-130", "AC-MD-136"]
    for task in known_tasks().values():
        assert not task.crop or set(task.crop) <= set(known_tasks()[task.finder].classes), task.name


def test_model_of_totalsegmentator_is_not_imported_as_one_of_nnunet(tmp_path, here, capsys):
    stated = tiny.plans(dataset_name="Dataset303_face_1559subj")
    labels = {"background": 0, "face": 1}
    folder = tiny.write(tmp_path / "model", stated=stated, described=tiny.dataset(labels))
    command = ["models", "import", "nnunet", str(folder), "--orientation", "RAS", "-o", str(tmp_path / "out"), "--json"]
    assert main(command) == ModelError.exit_code
    assert "AC-MD-098" in capsys.readouterr().out
    other = tiny.plans(dataset_name="Dataset303_mine")
    folder = tiny.write(tmp_path / "other", stated=other)
    assert main([*command[:3], str(folder), *command[4:]]) == 0

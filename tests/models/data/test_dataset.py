"""Patients for training: read, cut, kept apart, set aside."""

import json
import zipfile

import numpy as np
import pytest

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.data import dataset
from autocontour.models.data.dataset import Plane, Sample, choose_validation, read_dataset, read_index, read_sample
from autocontour.models.training.config import DataConfig, read_config
from tests.models.toy_patients import STRUCTURES, config_text, write_patient


def test_data_are_cut_to_the_body_and_to_solid_slices(toy):
    _, dataset = toy
    samples = dataset.training + dataset.validation
    assert {sample.hu.shape for sample in samples} == {(22, 20, 20)}
    assert {sample.patient: list(sample.known) for sample in samples}["p7"] == [True, False, True]
    assert all(sample.mask(0).any() and len(sample.planes) == 3 for sample in samples)


def test_fold_is_kept_apart_and_decided_by_the_seed(toy):
    config, dataset = toy
    fold = [sample.patient for sample in dataset.validation]
    assert len(fold) == 2
    assert not set(fold) & {sample.patient for sample in dataset.training}
    again = read_dataset(config.data, Job())
    assert [sample.patient for sample in again.validation] == fold


def test_bad_patients_are_quarantined_with_the_reason(toy_data, tmp_path):
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    patients = [write_patient(folder, name, 0) for name in ("good", "cut", "odd", "flat", "empty", "gone", "pickle")]
    path = folder / "train" / "cut.npz"
    path.write_bytes(path.read_bytes()[:-200])
    sound = dict(np.load(folder / "train" / "good.npz"))
    np.savez(folder / "train" / "odd.npz", **{**sound, "labels": sound["labels"][:5]})
    np.savez(folder / "train" / "flat.npz", **{**sound, "spacing_zyx_mm": np.float32([0, 4, 4])})
    np.savez(folder / "train" / "empty.npz", **{**sound, "labels": sound["labels"] * 0})
    np.savez(folder / "train" / "pickle.npz", hu=np.array([{}], dtype=object))
    (folder / "train" / "gone.npz").unlink()
    index = {"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}
    (folder / "index.json").write_text(json.dumps(index))
    path = tmp_path / "toy.toml"
    path.write_text(config_text(folder).replace("validation_patients = 2", "validation_patients = 0"))
    dataset = read_dataset(read_config(path).data, Job())
    assert [sample.patient for sample in dataset.training] == ["good"]
    assert set(dataset.quarantined) == {"cut", "odd", "flat", "empty", "gone", "pickle"}
    assert all(dataset.quarantined.values())


def test_a_fault_of_the_program_is_not_quarantined_as_a_damaged_patient(toy_data, monkeypatch):
    """Every patient would be left out, and the training be of what is left."""
    monkeypatch.setattr(dataset, "read_patient", lambda folder: folder)
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        read_dataset(DataConfig(str(toy_data), tuple(STRUCTURES), validation_patients=0), Job())


def test_an_array_whose_header_asks_for_more_than_its_file_holds_is_quarantined(toy_data, tmp_path):
    """Silent fault: a MemoryError ended the whole run."""
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    patients = [write_patient(folder, name, 0) for name in ("good", "huge")]
    arrays = dict(np.load(folder / "train" / "good.npz"))
    with zipfile.ZipFile(folder / "train" / "huge.npz", "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                header = np.lib.format.header_data_from_array_1_0(array)
                if name == "hu":
                    header["shape"] = (1 << 18, 1 << 10, 1 << 10)
                np.lib.format.write_array_header_1_0(file, header)
                file.write(array.tobytes())
    index = {"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}
    (folder / "index.json").write_text(json.dumps(index))
    path = tmp_path / "toy.toml"
    path.write_text(config_text(folder).replace("validation_patients = 2", "validation_patients = 0"))
    dataset = read_dataset(read_config(path).data, Job())
    assert dataset.quarantined == {"huge": "the array hu is not as large as its header states"}


@pytest.mark.parametrize("cut", [True, False])
def test_a_patient_as_a_ct_is_the_array_of_the_file(toy_data, cut):
    index = read_index(toy_data)
    for entry in index["patients"]:
        path = toy_data / "train" / f"{entry['patient']}.npz"
        with np.load(path) as arrays:
            hu, labels = arrays["hu"][:22], arrays["labels"][:22]
        sample = read_sample(path, entry, index, STRUCTURES, cut=cut)
        ct = sample.to_ct()
        np.testing.assert_array_equal(ct.hu, hu)
        assert ct.geometry.spacing_zyx_mm == (4.0, 4.0, 4.0)
        if cut:  # the body fills rows and columns 2 to 22
            labels = labels * np.pad(np.ones((22, 20, 20), np.uint16), ((0, 0), (2, 2), (2, 2)))
        for k in range(len(STRUCTURES)):
            reference = sample.reference(k)
            if sample.known[k]:
                np.testing.assert_array_equal(reference, labels >> (k + 1) & 1 == 1)
            else:
                assert reference is None


def sound_arrays():
    hu = np.full((6, 8, 8), -1024, np.int16)
    hu[:, 2:6, 2:6] = 40
    labels = np.zeros(hu.shape, np.uint16)
    labels[2:4, 3:5, 3:5] = 1
    return {"hu": hu, "labels": labels, "spacing_zyx_mm": np.float32([3, 1, 1])}


SOUND_ENTRY = {"patient": "p", "split": "train", "voxels": {"Larynx": 8}, "solid_slices": [[0, 6]]}


@pytest.mark.parametrize(
    ("arrays", "entry", "reason"),
    [
        ({"hu": sound_arrays()["hu"].astype(np.float32)}, {}, "whole numbers"),
        ({"hu": np.where(sound_arrays()["hu"] > 0, np.nan, 0.0)}, {}, "whole numbers"),
        ({"hu": sound_arrays()["hu"].astype(np.int32) * 1000}, {}, "HU go from"),
        ({"labels": sound_arrays()["labels"].astype(np.float64)}, {}, "whole numbers"),
        ({"labels": sound_arrays()["labels"] << 1}, {}, "none is labelled"),
        ({"spacing_zyx_mm": np.float32([3000, 1, 1])}, {}, "spacing"),
        ({"spacing_zyx_mm": np.float32([3, np.nan, 1])}, {}, "spacing"),
        ({}, {"solid_slices": [[-2, 4]]}, r"solid_slices\[0\]\[0\]"),
        ({}, {"solid_slices": [[4, 2]]}, "solid_slices"),
        ({}, {"solid_slices": []}, "solid_slices"),
        ({}, {"solid_slices": [[0, 7]]}, "there are 6 slices"),
        ({}, {"solid_slices": "0-6"}, "solid_slices"),
        ({}, {"voxels": ["Larynx"]}, "voxels"),
        ({}, {"voxels": {"Larynx": "many"}}, "voxels.Larynx"),
        ({}, {"patient": "../p"}, "patient"),
    ],
)
def test_a_patient_that_would_be_misread_is_refused_with_the_reason(tmp_path, arrays, entry, reason):
    np.savez(tmp_path / "p.npz", **sound_arrays() | arrays)
    with pytest.raises(ValueError, match=reason):
        read_sample(tmp_path / "p.npz", SOUND_ENTRY | entry, {"structures_by_bit": ["Larynx"]}, ["Larynx"])


def test_the_sound_patient_of_these_tests_is_read(tmp_path):
    np.savez(tmp_path / "p.npz", **sound_arrays())
    sample = read_sample(tmp_path / "p.npz", SOUND_ENTRY, {"structures_by_bit": ["Larynx"]}, ["Larynx"])
    assert np.count_nonzero(sample.mask(0)) == 8


@pytest.mark.parametrize(
    "structures", [["Larynx", "larynx"], "Larynx", ["Larynx", 3], [""], [f"S{k}" for k in range(65)]]
)
def test_an_index_whose_structures_are_unclear_is_refused(tmp_path, structures):
    (tmp_path / "index.json").write_text(json.dumps({"structures_by_bit": structures, "patients": [SOUND_ENTRY]}))
    with pytest.raises(TrainingError, match="AC-TR-002"):
        read_index(tmp_path)


def test_crops_footprints_and_slices_agree_with_the_masks():
    rng = np.random.default_rng(5)
    masks = np.zeros((3, 12, 14, 16), bool)
    masks[0, 3:7, 4:9, 2:15] = rng.random((4, 5, 13)) > 0.5
    masks[1, 11, 13, 0] = True
    planes = tuple(map(Plane.of, masks))
    assert planes[2] is None
    hu, solid = np.zeros((12, 14, 16), np.int16), np.ones(12, bool)
    sample = Sample("p", hu, planes, np.ones(3, bool), solid, np.ones(3))
    for structure, mask in enumerate(masks):
        np.testing.assert_array_equal(sample.mask(structure), mask)
        np.testing.assert_array_equal(sample.slices(structure), np.flatnonzero(mask.any(axis=(1, 2))))
    for _ in range(200):
        ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in hu.shape]
        z, y, x = (slice(int(a), int(b)) for a, b in ends)
        np.testing.assert_array_equal(sample.crop(z, y, x), masks[:, z, y, x])
        np.testing.assert_array_equal(sample.footprint(z), masks[:, z].any(axis=(0, 1)))


def test_every_patient_is_held_out_in_one_fold_and_a_person_in_one():
    patients = [f"p{n}" for n in range(17)]
    groups = {"p1": "p0", "p5": "p0"}
    configs = [DataConfig("", ("Brainstem",), folds=5, fold=fold, seed=3) for fold in range(5)]
    parts = [choose_validation(patients, config, groups) for config in configs]
    assert sorted(patient for part in parts for patient in part) == sorted(patients)
    assert any({"p0", "p1", "p5"} <= set(part) for part in parts)
    assert max(map(len, parts)) <= 6

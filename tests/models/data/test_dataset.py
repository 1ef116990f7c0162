"""Patients for training: read, cut, kept apart, set aside."""

import json
import zipfile

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.models.data.dataset import read_dataset, read_index, read_sample
from autocontour.models.training.config import read_config
from tests.models.toy_patients import STRUCTURES, config_text, write_patient


def test_data_are_cut_to_the_body_and_to_solid_slices(toy):
    _, dataset = toy
    samples = dataset.training + dataset.validation
    assert {sample.hu.shape for sample in samples} == {(22, 20, 20)}
    assert {sample.patient: list(sample.known) for sample in samples}["p7"] == [True, False, True]
    assert all(sample.mask(0).any() and not (sample.labels & 8).any() for sample in samples)


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

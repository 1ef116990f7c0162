"""Learning with packages of several networks: calibration, retraining, and what a run takes from them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.package.ensemble import Joining, join_packages
from autocontour.models.package.package import read_package, rewrite_metadata, verify_package, write_package
from autocontour.models.training.config import read_config
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.joined import calibrate_joined
from autocontour.models.training.packaging import package_run
from autocontour.models.training.retrain import Retraining, retrain_package
from autocontour.models.training.run import train_run
from tests.models.toy_patients import config_text, write_patient


@pytest.fixture(scope="module")
def config(toy_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "toy.toml"
    path.write_text(config_text(toy_data, 2))
    return read_config(path)


@pytest.fixture(scope="module")
def package(config, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    train_run(config, run, Job())
    return package_run(config, run, Job(), device="torch-cpu")


@pytest.fixture(scope="module")
def joined(package, tmp_path_factory):
    """The same network twice: the first for two structures, the second for two."""
    weights = {"Brainstem": (1, 0), "Parotid_L": (0, 1)}
    parts = join_packages(Joining([package, package], "2.0.0", weights, localizer=1))
    return write_package(tmp_path_factory.mktemp("joined") / "toy", *parts)


def test_two_equal_networks_get_the_thresholds_of_one(package, joined, toy_data):
    """The calibration of training and of a joined package are one: `models ensemble --data` may not differ."""
    metadata, _ = calibrate_joined(joined, toy_data, Job(), "torch-cpu")
    before = {name: one.threshold for name, one in package.structures.items()}
    assert {entry["name"]: entry["threshold"] for entry in metadata["structures"]} == before
    assert [entry["statistics"] for entry in metadata["structures"]] == [
        entry["statistics"] for entry in package.metadata["structures"]
    ]
    assert set(metadata["findings"]) == set(package.metadata["findings"])


def test_patients_that_a_network_was_trained_on_do_not_calibrate(joined, toy_data, tmp_path):
    package = read_package(shutil.copytree(joined.path, tmp_path / "toy"))
    training = {**package.metadata["training"], "validation_patients": ["p-elsewhere"]}
    package = rewrite_metadata(package, {**package.metadata, "training": training})
    with pytest.raises(TrainingError, match="AC-TR-030"):
        calibrate_joined(package, toy_data, Job(), "torch-cpu")


def test_the_command_calibrates(package, toy_data, tmp_path, capsys):
    out = tmp_path / "out"
    words = [str(package.path)] * 2 + ["-o", str(out), "--data", str(toy_data), "--device", "torch-cpu", "--json"]
    assert main(["models", "ensemble", *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["networks"]["segmenter"] == 2
    assert report["thresholds"] == {name: one.threshold for name, one in package.structures.items()}


def test_a_structure_that_is_no_longer_drawn_by_default_is_named(package, toy_data, tmp_path, capsys):
    """Row: an ensemble that drops an organ from the contours without a word."""
    structures = [{**entry, "drawn": True} for entry in package.metadata["structures"]]
    drawn = rewrite_metadata(
        read_package(shutil.copytree(package.path, tmp_path / "toy")), {**package.metadata, "structures": structures}
    )
    words = [str(drawn.path)] * 2 + ["--data", str(toy_data), "--device", "torch-cpu"]
    assert main(["models", "ensemble", *words, "-o", str(tmp_path / "a")]) == 0
    shown = capsys.readouterr().out
    dropped = set(drawn.drawn_names) - set(read_package(tmp_path / "a").drawn_names)
    assert dropped
    for name in dropped:
        assert f"AC-TR-038 {name} is no longer drawn by default" in shown
    assert main(["models", "ensemble", *words, "-o", str(tmp_path / "b"), "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [one["code"] for one in findings] == ["AC-TR-038"] * len(dropped)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "train").mkdir()
    patients = [write_patient(folder, "c0", 2), write_patient(folder, "c1", -2)]
    index = {"structures_by_bit": ["PTV", "Brainstem", "Parotid_R", "Parotid_L"], "patients": patients}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def test_every_network_is_retrained(joined, clinic, tmp_path):
    """With one network trained on, the mean would hold an old one, or the package would lose its others."""
    candidate = retrain_package(Retraining(joined, clinic, steps=2), tmp_path / "run", Job())
    verify_package(candidate)
    assert candidate.networks("segmenter") == 2
    assert candidate.stages["segmenter"].members == joined.stages["segmenter"].members
    for before, after in zip(joined.read_networks("segmenter"), candidate.read_networks("segmenter"), strict=True):
        assert any(not np.array_equal(before[key], after[key]) for key in before)


def test_a_structure_is_added_to_every_network(joined, clinic, tmp_path):
    folder = shutil.copytree(clinic, tmp_path / "clinic")
    index = json.loads((folder / "index.json").read_text())
    for entry in index["patients"]:
        path = folder / "train" / f"{entry['patient']}.npz"
        arrays = dict(np.load(path))
        arrays["labels"][10:12, 10:14, 10:14] |= 1
        np.savez(path, **arrays)
        entry["voxels"]["PTV"] = 32
    (folder / "index.json").write_text(json.dumps(index))
    candidate = retrain_package(Retraining(joined, folder, added=("PTV",), steps=1), tmp_path / "run", Job())
    assert list(candidate.structures)[-1] == "PTV"
    assert candidate.networks("segmenter") == 2


def test_a_run_starts_from_the_network_with_the_largest_part(package, joined, config):
    stage, names = config.stages["segmenter"], config.data.structures
    main_network = joined.main_network("segmenter")
    weights = initial_weights(joined, "segmenter", stage, names, 1)
    for key, value in joined.read_networks("segmenter")[main_network].items():
        np.testing.assert_array_equal(weights[key].numpy(), value.astype(np.float32))
    assert package.main_network("segmenter") == 0


def test_the_package_of_a_run_does_not_lose_networks_of_its_source(config, joined, tmp_path):
    with pytest.raises(TrainingError, match="AC-TR-031"):
        package_run(config, tmp_path / "empty", Job(), source=joined, device="torch-cpu")

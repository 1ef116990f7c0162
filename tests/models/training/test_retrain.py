"""Retraining: it learns from new cases, keeps what it knew, and states what it learnt from."""

import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch

from autocontour.base.errors import Cancelled, TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.data.dataset import read_dataset
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.inference.runtime import open_runner
from autocontour.models.networks import head_names
from autocontour.models.package.package import read_package, rewrite_metadata
from autocontour.models.package.patient import PatientBinding
from autocontour.models.training.config import DataConfig
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.retrain import (
    BACKGROUND,
    CLINIC,
    Retraining,
    _configure,
    _read,
    about_retraining,
    next_version,
    retrain_package,
)
from autocontour.models.training.run import train_run
from autocontour.patient.identity import PatientFacts
from tests.models.toy_patients import STRUCTURES, train_package, write_patient
from tests.models.training.test_loop import StopAfter


@pytest.fixture(scope="module")
def package(toy_data, tmp_path_factory):
    """A package that has learnt a little about two of the three structures."""
    return train_package(toy_data, tmp_path_factory.mktemp("run"), 3)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Three new patients; one does not contain a structure, one file is damaged."""
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "train").mkdir()
    patients = [write_patient(folder, "c0", 2), write_patient(folder, "c1", -2, missing=("Brainstem",))]
    patients.append(write_patient(folder, "c2", -1))
    (folder / "train" / "c2.npz").write_bytes(b"damaged")
    (folder / "index.json").write_text(json.dumps({"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}))
    return folder


def weights_of(package):
    return {role: package.read_weights(role) for role in package.stages}


def test_neither_a_patients_package_nor_a_published_model_is_trained_on(package, clinic, tmp_path):
    binding = PatientBinding.of(PatientFacts(patient_id="P1"), 60, date(2026, 1, 1))
    unfit = {"AC-TR-039": replace(package, patient=binding), "AC-TR-035": replace(package, procedure=object())}
    for code, one in unfit.items():
        with pytest.raises(TrainingError, match=code):
            retrain_package(Retraining(one, clinic, steps=1), tmp_path / "run", Job())
        with pytest.raises(TrainingError, match=code):
            initial_weights(one, "segmenter", None, STRUCTURES, 1)
    assert not (tmp_path / "run").exists()


def test_a_bad_case_does_not_stop_it_and_what_was_learnt_is_stated(package, clinic, toy_data, tmp_path):
    plan = Retraining(package, clinic, replay=(toy_data,), steps=3)
    candidate = retrain_package(plan, tmp_path / "run", Job())
    learnt = candidate.metadata["training"]["retrained"]
    assert len(learnt) == 1
    assert learnt[0]["from"].startswith(f"toy {package.version} ({package.checksum}")
    assert len(learnt[0]["cases"]) == 2
    assert list(learnt[0]["quarantined"]) == ["c2"]
    assert learnt[0]["replayed"] == 8
    assert candidate.version == f"{package.version}+1"
    assert set(learnt[0]["cases"]) < set(candidate.metadata["training"]["fingerprints"])
    assert set(package.metadata["training"]["fingerprints"]) < set(candidate.metadata["training"]["fingerprints"])
    before, after = weights_of(package), weights_of(candidate)
    assert all((before["localizer"][name] == after["localizer"][name]).all() for name in before["localizer"])
    assert any((before["segmenter"][name] != after["segmenter"][name]).any() for name in before["segmenter"])


def test_a_patient_of_the_replay_whom_the_package_does_not_know_is_stated(package, clinic, toy_data, tmp_path):
    """A replay set that holds a test patient would otherwise be a leak that the gate cannot see."""
    candidate = retrain_package(Retraining(package, toy_data, replay=(clinic,), steps=1), tmp_path / "run", Job())
    names = tuple(package.structures)
    replayed = read_dataset(DataConfig(str(clinic), names, validation_patients=0), Job()).training
    prints = {sample_fingerprint(sample) for sample in replayed}
    assert len(prints) == 2
    assert not prints & set(package.metadata["training"]["fingerprints"])
    assert prints <= set(candidate.metadata["training"]["fingerprints"])


def test_twice_in_a_row(package, clinic, tmp_path):
    first = retrain_package(Retraining(package, clinic, steps=2), tmp_path / "one", Job())
    second = retrain_package(Retraining(read_package(first.path), clinic, steps=2), tmp_path / "two", Job())
    assert second.version == f"{package.version}+2"
    assert len(second.metadata["training"]["retrained"]) == 2


def test_a_stopped_retraining_goes_on_to_the_same_result(package, clinic, tmp_path):
    plan = Retraining(package, clinic, steps=4)
    straight = retrain_package(plan, tmp_path / "straight", Job())
    with pytest.raises(Cancelled):
        retrain_package(plan, tmp_path / "broken", StopAfter(4))
    continued = retrain_package(plan, tmp_path / "broken", Job())
    one, other = weights_of(straight)["segmenter"], weights_of(continued)["segmenter"]
    assert all((one[name] == other[name]).all() for name in one)


def test_a_folder_of_another_retraining_is_refused(package, clinic, tmp_path):
    retrain_package(Retraining(package, clinic, steps=1), tmp_path / "run", Job())
    with pytest.raises(TrainingError, match="AC-TR-023"):
        retrain_package(Retraining(package, clinic, steps=2), tmp_path / "run", Job())


@pytest.mark.parametrize("change", ["contours", "replay", "seed"])
def test_a_run_is_not_continued_with_what_has_changed_meanwhile(change, package, clinic, toy_data, tmp_path):
    """Corrected contours of the same CTs would otherwise be learnt from in the remaining steps only, or not at all."""
    data = tmp_path / "clinic"
    shutil.copytree(clinic, data)
    plan = Retraining(package, data, replay=(toy_data,), steps=4)
    with pytest.raises(Cancelled):
        retrain_package(plan, tmp_path / "run", StopAfter(14))  # 11 patients are read first
    assert (tmp_path / "run" / "segmenter" / "checkpoint.pt").exists()
    if change == "contours":
        with np.load(data / "train" / "c0.npz") as stored:
            arrays = dict(stored)
        arrays["labels"] = np.where(arrays["labels"] == 2, 4, arrays["labels"]).astype(np.uint16)
        np.savez_compressed(data / "train" / "c0.npz", **arrays)
    elif change == "replay":
        shutil.copytree(toy_data, tmp_path / "other")
        index = json.loads((tmp_path / "other" / "index.json").read_text())
        index["patients"][0]["voxels"].pop(STRUCTURES[0])
        (tmp_path / "other" / "index.json").write_text(json.dumps(index))
        plan = replace(plan, replay=(tmp_path / "other",))
    else:
        plan = replace(plan, seed=2)
    with pytest.raises(TrainingError, match="AC-TR-023"):
        retrain_package(plan, tmp_path / "run", Job())


def test_the_pull_back_limits_how_far_the_weights_go(package, clinic, tmp_path):
    def distance(anchor, folder):
        plan = Retraining(package, clinic, steps=8, manner=replace(CLINIC, anchor=anchor))
        candidate = retrain_package(plan, tmp_path / folder, Job())
        before, after = weights_of(package)["segmenter"], weights_of(candidate)["segmenter"]
        return sum(float(np.square(after[name].astype(float) - before[name]).sum()) for name in before) ** 0.5

    assert distance(0.5, "held") < 0.7 * distance(0.0, "free")


@pytest.fixture
def smaller(package, tmp_path):
    """The package without its last structure."""
    metadata = json.loads(json.dumps(package.metadata))
    metadata["structures"] = metadata["structures"][:2]
    metadata["site"] = {"anchors": ["Brainstem"], "minimum": 1}
    weights = weights_of(package)
    for role, stage in metadata["stages"].items():
        stage["network"]["out_channels"] = 2
        heads = [name for name in weights[role] if name.startswith("head")]
        assert heads
        for name in heads:
            weights[role][name] = weights[role][name][:2]
    from autocontour.models.package.package import write_package

    return write_package(tmp_path / "smaller", metadata, weights)


def test_a_structure_is_added_and_the_others_keep_their_outputs(smaller, clinic, tmp_path):
    candidate = retrain_package(Retraining(smaller, clinic, added=("Parotid_L",), steps=1), tmp_path / "run", Job())
    assert list(candidate.structures) == ["Brainstem", "Parotid_R", "Parotid_L"]
    assert candidate.stages["localizer"].network["out_channels"] == 3
    head = next(name for name in weights_of(candidate)["segmenter"] if name.startswith("head") and "weight" in name)
    before, after = (weights_of(one)["segmenter"][head] for one in (smaller, candidate))
    assert after.shape[0] == 3
    np.testing.assert_allclose(after[:2], before, atol=5e-3)


def test_an_added_structure_can_be_learnt_although_the_weights_are_pulled_back(smaller, clinic, tmp_path):
    """Its output began at random and was pulled back to it: it could move by 0.025, and nothing was ever drawn."""
    steps, manner = 6, replace(CLINIC, anchor=0.5)
    plan = Retraining(smaller, clinic, added=("Parotid_L",), steps=steps, manner=manner)
    straight = retrain_package(plan, tmp_path / "straight", Job())
    with pytest.raises(Cancelled):
        retrain_package(plan, tmp_path / "broken", StopAfter(6))
    continued = retrain_package(plan, tmp_path / "broken", Job())
    for role, stage in straight.stages.items():
        before, after, again = (weights_of(one)[role] for one in (smaller, straight, continued))
        for name in head_names(stage.network):
            began = 0.0 if name.endswith("weight") else BACKGROUND
            assert float(np.abs(after[name][2] - began).max()) > 5 * steps * CLINIC.learning_rate
            assert float(np.abs(after[name][:2].astype(float) - before[name]).max()) < 3e-3
            np.testing.assert_array_equal(after[name], again[name])


@pytest.mark.parametrize("name", ["Brainstem", "Eye_L"])
def test_a_structure_that_cannot_be_added_is_named(package, clinic, tmp_path, name):
    with pytest.raises(TrainingError, match=f"AC-TR-022.*{name}"):
        retrain_package(Retraining(package, clinic, added=(name,)), tmp_path / "run", Job())


def test_without_the_package_s_patients_the_list_of_fingerprints_is_left_out(package, clinic, tmp_path):
    """The gate then refuses: a list with the new cases alone would hide that an old one is among the test patients."""
    silent = shutil.copytree(package.path, tmp_path / "silent")
    metadata = json.loads(json.dumps(package.metadata))
    metadata["training"].pop("fingerprints")
    rewrite_metadata(read_package(silent), metadata)
    candidate = retrain_package(Retraining(read_package(silent), clinic, steps=1), tmp_path / "run", Job())
    assert "fingerprints" not in candidate.metadata["training"]


def test_a_case_that_is_in_the_replay_too_counts_as_new(package, toy_data, tmp_path):
    candidate = retrain_package(Retraining(package, toy_data, replay=(toy_data,), steps=1), tmp_path / "run", Job())
    assert candidate.metadata["training"]["retrained"][0]["replayed"] == 0


def test_with_the_package_as_teacher_it_keeps_what_no_label_states(package, clinic, toy_data, tmp_path):
    """Row: an organ that new cases do not have drifts while others are learnt."""
    kept = replace(CLINIC, anchor=0.0, teacher=True, replay_labels=0.0, learning_rate=5e-3)

    def drift(manner, folder):
        data = shutil.copytree(clinic, tmp_path / folder / "clinic")
        index = json.loads((data / "index.json").read_text())
        for entry in index["patients"]:
            entry["voxels"] = {"Brainstem": entry["voxels"].get("Brainstem", 0)}
        (data / "index.json").write_text(json.dumps(index))
        plan = Retraining(package, data, replay=(toy_data,), steps=12, manner=manner)
        candidate = retrain_package(plan, tmp_path / folder / "run", Job())
        image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 24)).astype(np.float32)
        drawn = [next(iter(open_runner(one, "segmenter", "torch-cpu")([image])))[1:] for one in (package, candidate)]
        return float(np.abs(np.subtract(*drawn)).mean())

    assert drift(kept, "teacher") < 0.8 * drift(replace(kept, teacher=False), "labels")


def test_the_labels_of_the_clinic_s_earlier_cases_go_on_being_learnt(package, clinic, toy_data, tmp_path):
    """Row: corrections of an earlier round that a later one forgets."""
    first = retrain_package(Retraining(package, clinic, steps=1), tmp_path / "first", Job())
    plan = Retraining(first, toy_data, replay=(clinic,), manner=replace(CLINIC, replay_labels=0.0))
    dataset, cases = _read(plan, Job())
    assert all(sample.trust is None for sample in dataset.training)
    swapped = replace(plan, data=clinic, replay=(toy_data,))
    dataset, cases = _read(swapped, Job())
    original = set(package.metadata["training"]["fingerprints"])
    for sample in dataset.training[len(cases) :]:
        assert (sample.trust is None) == (sample_fingerprint(sample) not in original)
        assert sample.trust is None or sample.trust.max() == 0
    assert all(sample.trust is None for sample in cases)


def test_structures_that_are_not_drawn_and_that_no_case_has_count_less(package, clinic, toy_data):
    every = {name: replace(one, drawn=True) for name, one in package.structures.items()}
    package = replace(package, structures=every)
    hidden = replace(package, structures={**every, "Parotid_L": replace(every["Parotid_L"], drawn=False)})
    manner = replace(CLINIC, research_weight=0.1)
    plan = Retraining(hidden, clinic, replay=(toy_data,), manner=manner)
    cases = _read(plan, Job())[1]
    assert _configure(plan, cases).stages["segmenter"].loss_weights == {}
    absent = [replace(one, known=one.known & [True, True, False]) for one in cases]
    stage = _configure(plan, absent).stages["segmenter"]
    assert stage.loss_weights == stage.sampling_weights == {"Parotid_L": 0.1}
    assert _configure(replace(plan, package=package), absent).stages["segmenter"].loss_weights == {}


def test_the_replay_gets_its_share_of_the_patches(toy):
    from autocontour.models.training.patches import PatchSampler

    config, dataset = toy
    shares = [0.5, *[0.5 / (len(dataset.training) - 1)] * (len(dataset.training) - 1)]
    sampler = PatchSampler(dataset.training, STRUCTURES, config.stages["segmenter"], shares=shares)
    which = [sampler._draw_place(np.random.default_rng(seed)).which for seed in range(400)]
    assert 0.42 < np.mean(np.array(which) == 0) < 0.58


def test_a_structure_without_any_label_is_not_trained_silently(toy, tmp_path):
    config, _ = toy
    data = replace(config.data, structures=("Brainstem", "Parotid_R", "Parotid_X"))
    with pytest.raises(TrainingError, match=r"AC-TR-025.*Parotid_X"):
        train_run(replace(config, data=data), tmp_path / "run", Job())


def test_versions_count_up():
    assert next_version("1.2.0") == "1.2.0+1"
    assert next_version("1.2.0+9") == "1.2.0+10"


def test_the_fingerprint_is_the_patient_s_whatever_air_is_around(toy):
    config, dataset = toy
    prints = [sample_fingerprint(sample) for sample in dataset.training]
    images = {sample.hu.tobytes() for sample in dataset.training}  # some toys are alike
    assert len(set(prints)) == len(images) > 1
    again = read_dataset(config.data, Job())
    assert prints == [sample_fingerprint(sample) for sample in again.training]
    padded = replace(dataset.training[0], margins_yx=((5, 1), (0, 9)))
    assert sample_fingerprint(padded) == prints[0]


def test_the_command_says_that_the_candidate_must_pass_the_gate(package, clinic, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["retrain", str(package.path), str(clinic), "-o", str(run), "--steps", "1"]) == 0
    assert "models gate" in capsys.readouterr().out
    assert main(["retrain", str(package.path), str(clinic), "-o", str(run), "--steps", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == f"{package.version}+1"
    assert torch.get_num_threads() >= 1


def test_the_command_states_which_patients_and_structures_nothing_was_learnt_from(smaller, clinic, tmp_path, capsys):
    command = ["retrain", str(smaller.path), str(clinic), "-o", str(tmp_path / "run"), "--steps", "1"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "2 new and 0 earlier patients; contoured in the new ones: Brainstem, Parotid_R." in shown
    assert "WARN  AC-TR-040 1 patient could not be read" in shown
    assert "INFO  AC-AD-010 Nothing is learnt from Parotid_L" in shown
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {"AC-TR-040", "AC-AD-010"} == {one["code"] for one in found}


def test_damaged_patients_of_the_replay_are_stated(package, clinic, toy_data, tmp_path):
    """They were left out without a word, and with them what the package should keep."""
    plan = Retraining(package, toy_data, replay=(clinic,), steps=1)
    candidate = retrain_package(plan, tmp_path / "run", Job())
    assert list(candidate.metadata["training"]["retrained"][-1]["quarantined"]) == [f"{clinic.name}/c2"]
    assert "AC-TR-040" in [one.code for one in about_retraining(plan, candidate)]

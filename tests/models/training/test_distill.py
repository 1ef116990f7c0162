"""Distillation and pruning: a smaller package that learns from a larger one, and states from whom."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from autocontour.base.errors import Cancelled, ModelError, TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.inference.runtime import open_runner
from autocontour.models.networks import build_network
from autocontour.models.package.ensemble import Joining, join_packages
from autocontour.models.package.history import is_retrained
from autocontour.models.package.package import read_package, rewrite_metadata, verify_package, write_package
from autocontour.models.training import prune
from autocontour.models.training.distill import Distillation, distill_package, read_split
from autocontour.models.training.loss import soft_loss
from autocontour.models.training.packaging import read_best
from autocontour.models.training.patches import Patches
from autocontour.models.training.teacher import Teacher, TeacherOfUnlabelled
from tests.models.toy_patients import train_package


class StopTraining(Job):
    """Cancels at the second step of the training."""

    steps = 0

    def advance(self, stage, fraction):
        self.steps += stage.startswith("training")
        if self.steps == 3:
            self.cancel()
        super().advance(stage, fraction)


@pytest.fixture(scope="module")
def single(toy_data, tmp_path_factory):
    """A package of one network that has learnt a little."""
    return train_package(toy_data, tmp_path_factory.mktemp("run"), 3)


@pytest.fixture(scope="module")
def package(single, tmp_path_factory):
    """A mean of two networks, of which only the second draws the left parotid."""
    weights = {role: single.read_weights(role) for role in single.stages}
    rng = np.random.default_rng(0)
    weights["segmenter"] = {
        name: value + rng.normal(0, 0.05, value.shape).astype(value.dtype)
        for name, value in weights["segmenter"].items()
    }
    other = write_package(tmp_path_factory.mktemp("other") / "p", {**single.metadata, "version": "2"}, weights)
    joining = Joining([single, other], "3", {"Parotid_L": (0, 1)}, 1)
    return write_package(tmp_path_factory.mktemp("joined") / "p", *join_packages(joining))


def test_one_network_learns_from_several_and_states_from_whom(package, toy_data, tmp_path):
    plan = Distillation(package, toy_data, number=1, steps=2)
    candidate = distill_package(plan, tmp_path / "run", Job())
    verify_package(candidate)
    assert candidate.networks("segmenter") == 1
    assert candidate.version == "3+1"
    assert list(candidate.structures) == list(package.structures)
    assert candidate.drawn_names == package.drawn_names
    learnt = candidate.metadata["training"]["distilled"]
    assert len(learnt) == 1
    assert learnt[0]["from"] == f"toy 3 ({package.checksum})"
    assert learnt[0]["teacher"]["ensemble"][0]["checksum"] == package.metadata["training"]["ensemble"][0]["checksum"]
    split = read_split(plan, Job())
    assert learnt[0]["cases"] == sorted(map(sample_fingerprint, split.training))
    assert set(learnt[0]["cases"]) <= set(candidate.metadata["training"]["fingerprints"])
    assert is_retrained(candidate)
    training = candidate.metadata["training"]
    assert training["begun_with"] == f"network 2 of toy 3 ({package.checksum})"
    assert training["stages"]["segmenter"] == {"step": 2}
    assert training["patients"] == len(training["fingerprints"])
    localizer = package.read_weights("localizer")
    assert all((candidate.read_weights("localizer")[name] == value).all() for name, value in localizer.items())


def weights_of(package, role="segmenter"):
    return package.read_weights(role)


def same(first, second):
    return all((first[name] == second[name]).all() for name in first)


def test_the_teacher_weighs_each_structure_as_the_package_does(package):
    """Row: the weights of an ensemble ignored. The left parotid is the second network's alone."""
    image = torch.rand(2, 1, 16, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = Teacher(package, "segmenter", 0.5, "torch-cpu").probabilities(image)
    first, second = open_runner(package, "segmenter", "torch-cpu").members
    for number in range(2):
        one, other = (torch.from_numpy(next(iter(run([image[number].numpy()]))).copy()) for run in (first, second))
        assert torch.allclose(found[number, 2], other[2])
        assert torch.allclose(found[number, :2], (one[:2] + other[:2]) / 2)


def test_labels_in_another_order_teach_the_same(package, toy_data, tmp_path):
    """Row: a student with labels in another order."""
    other = tmp_path / "data"
    shutil.copytree(toy_data, other)
    index = json.loads((other / "index.json").read_text())
    names = index["structures_by_bit"]
    turned = names[::-1]
    for path in other.glob("train/*.npz"):
        arrays = dict(np.load(path))
        labels = np.zeros_like(arrays["labels"])
        for bit, name in enumerate(names):
            labels |= ((arrays["labels"] >> bit & 1) << turned.index(name)).astype(labels.dtype)
        np.savez(path, **{**arrays, "labels": labels})
    (other / "index.json").write_text(json.dumps({**index, "structures_by_bit": turned}))
    found = [
        distill_package(Distillation(package, data, steps=1), tmp_path / name, Job())
        for data, name in ((toy_data, "a"), (other, "b"))
    ]
    assert same(weights_of(found[0]), weights_of(found[1]))


def test_patients_held_out_stay_held_out_under_another_name_too(package, toy_data, tmp_path):
    held = package.metadata["training"]["validation_patients"]
    data = tmp_path / "data"
    shutil.copytree(toy_data, data)
    index = json.loads((data / "index.json").read_text())
    entry = next(one for one in index["patients"] if one["patient"] == held[0])
    shutil.copy(data / "train" / f"{held[0]}.npz", data / "train" / "copy.npz")
    index["patients"].append({**entry, "patient": "copy"})
    (data / "index.json").write_text(json.dumps(index))
    split = read_split(Distillation(package, data), Job())
    assert not {one.patient for one in split.training} & {*held, "copy"}
    assert {one.patient for one in split.held_out} == {*held, "copy"}


def test_a_patient_whom_the_teacher_has_seen_is_not_held_out(package, toy_data, tmp_path):
    """Row: a teacher that saw the test patients."""
    training = {**package.metadata["training"]}
    names = [one.patient for one in read_split(Distillation(package, toy_data), Job()).training]
    changed = tmp_path / "package"
    shutil.copytree(package.path, changed)
    named = {**training, "validation_patients": [*training["validation_patients"], names[0]]}
    liar = rewrite_metadata(read_package(changed), {**package.metadata, "training": named})
    plan = Distillation(liar, toy_data, steps=1)
    assert names[0] in {one.patient for one in read_split(plan, Job()).training}
    candidate = distill_package(plan, tmp_path / "run", Job())
    assert names[0] not in candidate.metadata["training"]["validation_patients"]


def test_a_teacher_that_does_not_state_its_patients_leaves_the_list_out(package, toy_data, tmp_path):
    """Part of a list would pass the gate as the whole."""
    changed = tmp_path / "package"
    shutil.copytree(package.path, changed)
    unknown = {key: value for key, value in package.metadata["training"].items() if key == "seed"}
    teacher = rewrite_metadata(read_package(changed), {**package.metadata, "training": unknown})
    candidate = distill_package(Distillation(teacher, toy_data, steps=1), tmp_path / "run", Job())
    assert "fingerprints" not in candidate.metadata["training"]
    assert candidate.metadata["training"]["validation_patients"] == []
    levels = [one.threshold for one in candidate.structures.values()]
    assert levels == [one.threshold for one in teacher.structures.values()]


def test_nobody_left_to_learn_from(package, toy_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(toy_data, data)
    index = json.loads((data / "index.json").read_text())
    held = package.metadata["training"]["validation_patients"]
    patients = [one for one in index["patients"] if one["patient"] in held]
    (data / "index.json").write_text(json.dumps({**index, "patients": patients}))
    with pytest.raises(TrainingError, match="AC-TR-003"):
        read_split(Distillation(package, data), Job())


def test_a_stopped_run_goes_on_to_the_same_result_and_never_with_another_teacher(package, single, toy_data, tmp_path):
    """Row: an interrupted run that mixes two teachers."""
    plan = Distillation(package, toy_data, steps=4)
    whole = distill_package(plan, tmp_path / "whole", Job())
    with pytest.raises(Cancelled):
        distill_package(plan, tmp_path / "run", StopTraining())
    checkpoint = tmp_path / "run" / "segmenter" / "checkpoint.pt"
    assert torch.load(checkpoint)["step"] == 2
    other = replace(plan, package=single, number=0)
    for wrong in (other, replace(plan, steps=5), replace(plan, start="random")):
        with pytest.raises(TrainingError, match="AC-TR-023"):
            distill_package(wrong, tmp_path / "run", Job())
    continued = distill_package(plan, tmp_path / "run", Job())
    assert same(weights_of(whole), weights_of(continued))


def test_a_folder_of_a_retraining_is_refused(package, toy_data, tmp_path):
    """The checkpoint there would be continued: it is of the same network."""
    folder = tmp_path / "run" / "segmenter"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"of another run")
    with pytest.raises(TrainingError, match="AC-TR-023"):
        distill_package(Distillation(package, toy_data, steps=1), tmp_path / "run", Job())


def test_the_mean_of_the_weights_is_a_start_too(package, toy_data, tmp_path):
    """One step with a rate of nearly 0 leaves the start as it is."""
    candidate = distill_package(Distillation(package, toy_data, start="mean", steps=1), tmp_path / "run", Job())
    first, second = package.read_networks("segmenter")
    found = weights_of(candidate)
    assert all(np.allclose(found[name], (first[name] / 2 + second[name] / 2), atol=0.02) for name in found)


def test_a_narrower_network_starts_from_random_weights(package, toy_data, tmp_path):
    plan = Distillation(package, toy_data, start="random", width=0.5, steps=1)
    candidate = distill_package(plan, tmp_path / "run", Job())
    assert candidate.stages["segmenter"].network["growth"] == 4
    assert candidate.metadata["training"]["begun_with"] == ""
    assert candidate.stages["localizer"].network == package.stages["localizer"].network


def test_a_network_that_cannot_be_that_narrow_is_refused(package, toy_data, tmp_path):
    with pytest.raises(ModelError, match="AC-MD-022"):
        distill_package(Distillation(package, toy_data, start="random", width=0.99), tmp_path / "run", Job())


def test_only_networks_that_exist_are_taken(package, toy_data, tmp_path):
    with pytest.raises(TrainingError, match="AC-TR-036"):
        distill_package(Distillation(package, toy_data, number=2), tmp_path / "run", Job())


def test_a_published_model_is_refused(package, toy_data, tmp_path):
    published = replace(package, procedure=object())
    with pytest.raises(TrainingError, match="AC-TR-035"):
        distill_package(Distillation(published, toy_data), tmp_path / "run", Job())


def test_every_network_of_a_localizer_is_distilled_into_one(single, toy_data, tmp_path):
    joining = Joining([single, single], "3")
    teacher = write_package(tmp_path / "p", *join_packages(joining))
    candidate = distill_package(Distillation(teacher, toy_data, steps=1), tmp_path / "run", Job())
    assert (candidate.networks("localizer"), candidate.networks("segmenter")) == (1, 1)


@pytest.fixture(scope="module")
def pruned(package, toy_data, tmp_path_factory):
    """A pruned package, and the folder of its run."""
    run = tmp_path_factory.mktemp("pruned") / "run"
    plan = Distillation(package, toy_data, start="channels", width=0.5, steps=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prune, "PATCHES", 2)
        return distill_package(plan, run, Job()), run


def test_pruning_removes_channels(package, pruned):
    candidate, _ = pruned
    before, after = package.plan("segmenter").weight_shapes(), candidate.plan("segmenter").weight_shapes()
    assert sum(map(np.prod, after.values())) < 0.35 * sum(map(np.prod, before.values()))
    assert "pruned to 0.5" in candidate.metadata["changelog"]["3+1"]


def test_openvino_agrees_with_torch_in_float16_and_with_the_weights_trained(pruned):
    """Rows: parity of the exported network, and rounding to float16."""
    candidate, run = pruned
    window = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 24)).astype(np.float32)
    torch_found = next(iter(open_runner(candidate, "segmenter", "torch-cpu")([window]))).copy()
    openvino_found = next(iter(open_runner(candidate, "segmenter", "cpu")([window]))).copy()
    assert np.abs(torch_found - openvino_found).max() < 0.02  # OpenVINO computes in bf16
    network = build_network(candidate.stages["segmenter"].network)
    network.load_state_dict(read_best(run / "segmenter")["average"])
    with torch.inference_mode():
        trained = torch.sigmoid(network.eval()(torch.from_numpy(window[None])))[0].numpy()
    assert np.abs(torch_found - trained).max() < 2e-3


def test_research_structures_stay_and_count_less(package, toy_data, tmp_path):
    """Row: target structures lost."""
    changed = tmp_path / "package"
    shutil.copytree(package.path, changed)
    structures = [{**one, "drawn": one["name"] != "Parotid_L"} for one in package.metadata["structures"]]
    teacher = rewrite_metadata(read_package(changed), {**package.metadata, "structures": structures})
    candidate = distill_package(Distillation(teacher, toy_data, steps=1), tmp_path / "run", Job())
    assert list(candidate.structures) == list(teacher.structures)
    assert candidate.drawn_names == teacher.drawn_names == ("Brainstem", "Parotid_R")


def test_the_loss_against_a_teacher_is_least_where_the_probabilities_are_equal():
    """A Dice without squares would pull probabilities to 0 and 1, and thresholds would mean something else."""
    logits = torch.linspace(-3, 3, 64).reshape(1, 1, 4, 4, 4).requires_grad_()
    loss = soft_loss(logits, torch.sigmoid(logits).detach(), torch.ones(1))
    (gradient,) = torch.autograd.grad(loss, [logits])
    assert gradient.abs().max() < 1e-6
    assert soft_loss(logits + 0.5, torch.sigmoid(logits), torch.ones(1)) > loss


def test_the_loss_against_a_teacher_counts_only_what_has_no_label():
    """Row: a teacher that pulls a corrected structure back to what the package drew."""
    generator = torch.Generator().manual_seed(1)
    logits, theirs = (torch.randn(2, 3, 4, 4, 4, generator=generator) for _ in range(2))
    counted = torch.tensor([[True, False, False], [True, False, True]])
    weights = torch.tensor([1.0, 0.5, 2.0])
    logits.requires_grad_()
    loss = soft_loss(logits, torch.sigmoid(theirs), weights, counted)
    (gradient,) = torch.autograd.grad(loss, [logits])
    assert (gradient.abs().amax((2, 3, 4)) > 0).equal(counted)
    only = [(logits[:, :1], theirs[:, :1]), (logits[1:, 2:], theirs[1:, 2:])]
    parts = [float(soft_loss(mine, torch.sigmoid(one), torch.ones(1)).detach()) for mine, one in only]
    assert float(loss) == pytest.approx((parts[0] + 2 * parts[1]) / 3, rel=1e-5)


def test_a_teacher_of_what_has_no_label_leaves_added_structures_out(package):
    teacher = TeacherOfUnlabelled(package, "segmenter", "torch-cpu")
    size = 1, len(package.structures) + 1, 16, 16, 24
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(*size, generator=generator, requires_grad=True)
    image = torch.rand(1, 1, 16, 16, 24, generator=generator) * 2 - 1
    known = torch.zeros(size)
    known[:, 0] = 1
    loss_weight = torch.ones(size[1])
    patches = Patches(image, torch.zeros(size), known)
    loss = teacher.add_to(torch.zeros(()), logits, patches, loss_weight)
    (gradient,) = torch.autograd.grad(loss, [logits])
    assert (gradient.abs().amax((0, 2, 3, 4)) > 0).tolist() == [False, True, True, False]
    labelled = Patches(image, torch.zeros(size), torch.ones(size))
    assert float(teacher.add_to(torch.tensor(0.3), logits, labelled, loss_weight)) == pytest.approx(0.3)


def test_the_loss_against_a_teacher_of_an_absent_structure_is_finite():
    logits = torch.full((1, 2, 4, 4, 4), -8.0)
    assert torch.isfinite(soft_loss(logits, torch.zeros_like(logits), torch.tensor([1.0, 0.2])))


def test_the_command_states_what_was_gained_and_that_the_gate_decides(package, toy_data, tmp_path, capsys):
    words = ["models", "distill", str(package.path), str(toy_data), "-o", str(tmp_path / "run"), "--steps", "1"]
    assert main([*words, "--start", "2"]) == 0
    text = capsys.readouterr().out
    assert "models gate" in text
    assert "DSC before" in text
    assert main([*words, "--start", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    before, after = (report["comparison"][when] for when in ("before", "after"))
    assert after["weights"] < before["weights"]
    assert after["window_s"].keys() == {"localizer", "segmenter"}
    assert report["learnt_from"]["from"].endswith(f"({package.checksum})")
    assert {one["structure"] for one in report["comparison"]["structures"]} <= set(package.structures)


def test_the_command_prunes(single, toy_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(prune, "PATCHES", 1)
    changed = tmp_path / "package"
    shutil.copytree(single.path, changed)
    training = {**single.metadata["training"], "validation_patients": []}
    rewrite_metadata(read_package(changed), {**single.metadata, "training": training})
    words = ["models", "prune", str(changed), str(toy_data), "-o", str(tmp_path / "run"), "--keep", "0.7", "--steps"]
    assert main([*words, "1"]) == 0
    assert "No patient was held out" in capsys.readouterr().out
    assert read_package(tmp_path / "run" / "package").stages["segmenter"].network["group_channels"] == 6


@pytest.mark.parametrize(
    "words",
    [
        ["distill", "--start", "0"],
        ["distill", "--start", "x"],
        ["distill", "--start", "2", "--width", "0.5"],
        ["distill", "--width", "2"],
        ["distill", "--minutes", "0"],
        ["distill", "--steps", "0"],
        ["prune", "--keep", "1"],
        ["prune", "--keep", "nan"],
        ["prune", "--keep", "0.5", "--start", "mean"],
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(words, tmp_path, capsys):
    action, *options = words
    assert main(["models", action, "nothing", "nowhere", "-o", str(tmp_path / "run"), *options]) != 0
    assert "AC-US-068" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("words", "start"), [(["--start", "mean"], "mean"), (["--width", "0.5"], "random")])
def test_the_start_that_was_asked_for(words, start, package, toy_data, tmp_path, capsys, monkeypatch):
    plans = []

    def remember(plan, run, job):
        plans.append(plan)
        raise TrainingError("AC-TR-003")

    monkeypatch.setattr("autocontour.models.training.distill.distill_package", remember)
    assert main(["models", "distill", str(package.path), str(toy_data), "-o", str(tmp_path / "run"), *words]) != 0
    assert plans[0].start == start
    assert plans[0].minutes == 40
    assert "AC-TR-003" in capsys.readouterr().err

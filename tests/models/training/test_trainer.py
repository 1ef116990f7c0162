"""What the trainer can do beside a plain step: levels, precisions, compilation, several processes, event files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.networks import build_network
from autocontour.models.training import parallel
from autocontour.models.training.config import AugmentConfig, read_config
from autocontour.models.training.loop import Trainer
from autocontour.models.training.parallel import Processes, join_processes
from autocontour.models.training.patches import Patches
from autocontour.models.training.precision import LossScale, choose_precision
from autocontour.models.training.supervision import Supervision, _coarser
from tests.models.toy_patients import config_text

CPU = torch.device("cpu")
DEEP = {
    "architecture": "fc_densenet", "in_channels": 1, "out_channels": 3, "growth": 8, "block_layers": [1, 1],
    "bottleneck_layers": 1, "strides_zyx": [[2, 2, 2], [2, 2, 2]], "stem_channels": 8, "refine_channels": 8,
}  # fmt: skip


def trainer(toy, folder, *, processes=None, events=False, **changes):
    config, dataset = toy
    stages = {**config.stages, "segmenter": replace(config.stages["segmenter"], **changes)}
    config = replace(config, stages=stages)
    return Trainer("segmenter", config, dataset, folder, processes=processes, events=events)


def patches(shape=(16, 16, 24), batch=1):
    target = torch.zeros(batch, 3, *shape)
    target[:, 0, :8] = 1
    return Patches(torch.randn(batch, 1, *shape), target, torch.ones(batch, 3, *shape))


def test_levels_are_the_last_values_of_the_coarser_resolutions():
    network = build_network(DEEP)
    assert [level.step_zyx for level in network.levels] == [(2.0, 2.0, 2.0), (4.0, 4.0, 4.0)]
    image = torch.randn(1, 1, 16, 16, 24)
    logits, values = network.forward_levels(image, [level.number for level in network.levels])
    assert torch.equal(logits, network(image))
    assert [tuple(value.shape[2:]) for value in values] == [(8, 8, 12), (4, 4, 6)]
    assert [value.shape[1] for value in values] == [level.channels for level in network.levels]


def test_levels_of_a_recomputed_network_are_the_same():
    torch.manual_seed(0)
    plain = build_network(DEEP)
    again = build_network({**DEEP, "checkpointing": True})
    again.load_state_dict(plain.state_dict())
    image, numbers = torch.randn(1, 1, 16, 16, 24), [level.number for level in plain.levels]
    values = (network.forward_levels(image, numbers)[1] for network in (plain, again))
    for one, other in zip(*values, strict=True):
        assert torch.allclose(one, other)


def test_coarser_levels_learn_the_reference_at_their_resolution():
    """Of a perfect output of every level nothing remains to be learnt."""
    supervision = Supervision(build_network(DEEP), 3, (16, 16, 24), 0.5)
    assert supervision.weights == [0.5, 0.25]
    some = patches()
    logits = [some.target * 40 - 20]
    for size in ((8, 8, 12), (4, 4, 6)):
        target, known = _coarser(some, torch.Size(size))
        assert known.all()
        logits.append(target * 40 - 20)
    even = torch.ones(3)
    assert supervision.loss(logits, some, even) < 1e-3
    logits[2] = -logits[2]
    assert supervision.loss(logits, some, even) > 0.1


def test_what_is_unknown_in_part_is_unknown_at_a_coarser_level():
    some = patches()
    some.weight[:, 1] = 0
    some.weight[:, :, 3] = 0
    _, known = _coarser(some, torch.Size((8, 8, 12)))
    assert not known[:, 1].any()
    assert not known[:, 0, 1].any()
    assert known[:, 0, 2:].all()


def test_a_window_with_too_few_voxels_has_no_coarse_output():
    assert len(Supervision(build_network(DEEP), 3, (8, 16, 24), 0.5).heads) == 1
    assert Supervision(build_network(DEEP), 3, (16, 16, 24), 0.0).numbers == ()


def test_deep_supervision_trains_and_is_no_part_of_the_package(toy, tmp_path):
    deep = trainer(toy, tmp_path, steps=2, deep_supervision=0.5)
    before = [head.weight.detach().clone() for head in deep.supervision.heads]
    assert before
    deep.run(Job())
    assert all(not torch.equal(old, head.weight) for old, head in zip(before, deep.supervision.heads, strict=True))
    best = torch.load(tmp_path / "best.pt", weights_only=True)["average"]
    assert set(best) == set(build_network(deep.stage.network).state_dict())
    again = trainer(toy, tmp_path, steps=2, deep_supervision=0.5)
    assert all(
        torch.equal(one.weight, other.weight)
        for one, other in zip(again.supervision.heads, deep.supervision.heads, strict=True)
    )


def test_a_checkpoint_without_levels_is_continued_with_them(toy, tmp_path):
    trainer(toy, tmp_path, steps=1).run(Job())
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for name in ("supervision", "loss_scale"):
        del state[name]  # as written by an earlier version
    torch.save(state, tmp_path / "checkpoint.pt")
    assert trainer(toy, tmp_path, steps=2).step == 1


AUGMENT = AugmentConfig(metal_probability=1, cut_probability=1, circle_probability=1, blur_probability=1)


@pytest.mark.parametrize("changes", [{"deep_supervision": 0.5}, {"precision": "fp16"}, {"precision": "fp32"}])
def test_no_tensor_of_a_step_is_made_without_the_trainers_device(toy, tmp_path, changes):
    training = trainer(toy, tmp_path, steps=2, augment=AUGMENT, **changes)
    with torch.device("meta"):  # holds in this thread only
        assert torch.isfinite(training._compute_gradients(range(2)).loss)
        training._learn()
    assert not any(parameter.is_meta for parameter in training.parameters)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_gradients_agree_in_every_precision(toy, tmp_path, precision):
    def gradients(name):
        training = trainer(toy, tmp_path / name, steps=2, precision=name)
        found = training._compute_gradients(range(1))
        scale = training.loss_scale.value
        return torch.cat([one.reshape(-1) / scale for one in found.gradients])

    exact, found = gradients("fp32"), gradients(precision)
    assert torch.nn.functional.cosine_similarity(exact, found, dim=0) > 0.98
    assert found.norm() == pytest.approx(exact.norm().item(), rel=0.1)


def test_a_gpu_without_bf16_trains_in_float16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert choose_precision("auto", torch.device("cuda")) == torch.float16
    assert choose_precision("bf16", torch.device("cuda")) == torch.bfloat16
    assert choose_precision("auto", CPU) == torch.bfloat16


def test_the_scale_of_the_loss_falls_after_an_overflow_and_grows_later():
    scale = LossScale(torch.float16, CPU)
    first = scale.value.item()
    scale.update(torch.tensor(False))
    assert scale.value.item() == first / 2
    for _ in range(2000):
        scale.update(torch.tensor(True))
    assert scale.value.item() == first
    other = LossScale(torch.float16, CPU)
    other.load_state_dict(scale.state_dict())
    assert other.value.item() == first
    plain = LossScale(torch.bfloat16, CPU)
    plain.update(torch.tensor(False))
    plain.load_state_dict(scale.state_dict())
    assert plain.value.item() == 1


def test_a_step_whose_gradients_overflow_changes_no_weight_but_the_scale(toy, tmp_path):
    training = trainer(toy, tmp_path, steps=2, precision="fp16", weight_decay=0.0)
    before = [parameter.detach().clone() for parameter in training.parameters]
    scale = training.loss_scale.value.item()
    training._descend([torch.full_like(parameter, float("inf")) for parameter in training.parameters])
    assert all(torch.equal(old, new) for old, new in zip(before, training.parameters, strict=True))
    assert training.loss_scale.value.item() == scale / 2


@pytest.mark.slow
def test_a_compiled_network_takes_the_same_steps(toy, tmp_path, monkeypatch):
    """On the CPU, by a backend that needs no compiler."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    changes = {"steps": 2, "precision": "fp32", "deep_supervision": 0.5}
    plain, compiled = trainer(toy, tmp_path / "a", **changes), trainer(toy, tmp_path / "b", compile=True, **changes)
    for training in (plain, compiled):
        training._learn()
    for one, other in zip(plain.parameters, compiled.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_part_of_the_batch_for_each_process(toy, tmp_path):
    assert [list(Processes(rank, 2).part_of(5)) for rank in range(2)] == [[0, 2, 4], [1, 3]]
    with pytest.raises(TrainingError, match="AC-TR-033"):
        trainer(toy, tmp_path, batch=3, processes=Processes(0, 2))


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_processes() == (Processes(), "")
    assert Processes().of_first(2.5, CPU) == 2.5


def test_more_processes_than_gpus_are_refused(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match="AC-TR-032"):
        join_processes()


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    """The path of several GPUs, without any: nccl, one device for each process."""
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    seen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", seen.append)
    monkeypatch.setattr(parallel.dist, "is_initialized", lambda: False)
    monkeypatch.setattr(parallel.dist, "init_process_group", lambda backend, timeout: seen.append(backend))
    monkeypatch.setattr(parallel.dist, "get_rank", lambda: 1)
    monkeypatch.setattr(parallel.dist, "get_world_size", lambda: 2)
    assert join_processes() == (Processes(1, 2), "cuda:1")
    assert seen == [1, "nccl"]


def test_gradients_are_averaged_over_the_processes(monkeypatch):
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda flat: flat.mul_(3))  # the other one has twice these
    monkeypatch.setattr(parallel.dist, "broadcast", lambda shared, source: shared.fill_(7))
    monkeypatch.setattr(parallel.dist, "barrier", lambda: None)
    one, other = Processes(0, 2).average([torch.ones(2, 2), torch.full((3,), 2.0)])
    assert torch.equal(one, torch.full((2, 2), 1.5))
    assert torch.equal(other, torch.full((3,), 3.0))
    assert Processes(1, 2).of_first(1.0, CPU) == 7
    Processes(1, 2).wait()


def test_only_the_first_process_writes(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel.dist, "barrier", lambda: None)
    second = trainer(toy, tmp_path / "none", processes=Processes(1, 2), batch=2, events=True)
    second.save()
    second._log(kind="train")
    second._validate()
    assert second.events is None
    assert not (tmp_path / "none").exists()


def test_event_files_hold_the_log(toy, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    training = trainer(toy, tmp_path, steps=1, events=True)
    training.run(Job())
    training.events.close()
    (line,) = (json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines())
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (score,) = events.Scalars("validate/score")
    assert (score.step, score.value) == (1, pytest.approx(line["score"]))
    assert {tag for tag in events.Tags()["scalars"] if "DSC" in tag} == {
        f"validate DSC/{name}" for name in toy[0].data.structures
    }


def test_event_files_need_tensorboard(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(TrainingError, match="AC-TR-034"):
        trainer(toy, tmp_path, events=True)


def test_new_settings_are_checked(toy_data, tmp_path):
    path = tmp_path / "toy.toml"
    path.write_text(config_text(toy_data) + 'deep_supervision = 2\nprecision = "fp8"\n')
    with pytest.raises(TrainingError) as refusal:
        read_config(path)
    assert [finding.code for finding in refusal.value.problems] == ["AC-CFG-009", "AC-CFG-010"]


@pytest.mark.slow
def test_two_processes_train_as_one(toy_data, tmp_path):
    """With gloo on the CPU: the same weights as from one process with the same batch."""
    path = tmp_path / "toy.toml"
    path.write_text(config_text(toy_data, 3) + 'precision = "fp32"\n')
    one, two = tmp_path / "one", tmp_path / "two"
    words = [str(path), "--stage", "segmenter", "--json", "-o"]
    assert main(["train", *words, str(one)]) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*command, "-m", "autocontour.cli", "train", *words, str(two)], check=True, env=environment, timeout=300
    )
    states = [torch.load(run / "segmenter" / "checkpoint.pt", weights_only=True) for run in (one, two)]
    assert states[0]["step"] == states[1]["step"] == 3
    for name, value in states[0]["network"].items():
        np.testing.assert_allclose(value.numpy(), states[1]["network"][name].numpy(), atol=2e-5, err_msg=name)

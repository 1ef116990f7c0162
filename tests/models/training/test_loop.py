"""The training of a stage: continued after a kill, validated on whole patients."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autocontour.base.errors import Cancelled, TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.training.config import AugmentConfig
from autocontour.models.training.loop import Trainer, _Report
from autocontour.models.training.metadata import describe_package
from autocontour.models.training.patches import PatchSampler
from autocontour.models.training.validate import TrainingRunner, dice_of_sample, predict_sample
from autocontour.models.training.volumes import Part, Volumes
from tests.models.toy_patients import STRUCTURES


def trainer(toy, folder, **changes):
    config, dataset = toy
    stages = {**config.stages, "segmenter": replace(config.stages["segmenter"], **changes)}
    return Trainer("segmenter", replace(config, stages=stages), dataset, folder)


def states(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same_state(one, other):
    for part in ("network", "average"):
        for name, value in one[part].items():
            assert torch.equal(value, other[part][name]), name


class StopAfter(Job):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, stage, fraction):
        if self.left == 0:
            self.cancel()
        self.left -= 1
        super().advance(stage, fraction)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(toy, tmp_path):
    trainer(toy, tmp_path / "straight").run(Job())
    with pytest.raises(Cancelled):
        trainer(toy, tmp_path / "broken").run(StopAfter(3))
    assert states(tmp_path / "broken")["step"] == 3
    trainer(toy, tmp_path / "broken").run(Job())
    assert_same_state(states(tmp_path / "broken"), states(tmp_path / "straight"))


@pytest.mark.slow
def test_kill_9_leaves_a_checkpoint_that_continues(toy, toy_config, tmp_path):
    trainer(toy, tmp_path / "straight", steps=40).run(Job())
    config, run = toy_config(40), tmp_path / "run"
    command = [sys.executable, "-m", "autocontour.cli", "train", config, "-o", run, "--stage", "segmenter", "--json"]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    checkpoint = run / "segmenter" / "checkpoint.pt"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = states(run / "segmenter")["step"]
    assert main(["train", str(config), "-o", str(run), "--stage", "segmenter", "--json"]) == 0
    assert 0 < before < 40
    assert_same_state(states(run / "segmenter"), states(tmp_path / "straight"))


def test_a_checkpoint_of_another_network_is_refused(toy, tmp_path):
    trainer(toy, tmp_path, steps=1).run(Job())
    with pytest.raises(TrainingError) as refusal:
        trainer(toy, tmp_path, spacing_zyx_mm=(3.0, 3.0, 3.0))
    assert refusal.value.code == "AC-TR-004"


def test_prediction_lies_on_the_patient_s_own_grid(toy):
    config, dataset = toy
    sample = dataset.validation[0]

    class Bright(torch.nn.Module):
        def forward(self, image):
            return torch.cat([(image - level) * 50 for level in (0.0, 0.3, 0.6)], 1)

    stages = {**config.stages, "segmenter": replace(config.stages["segmenter"], spacing_zyx_mm=(3.0, 3.0, 3.0))}
    package = describe_package(replace(config, stages=stages), Path())
    drawn = predict_sample(TrainingRunner(Bright(), torch.device("cpu")), sample, package, "segmenter")
    assert {mask.shape for mask in drawn.values()} == {sample.to_ct().hu.shape}
    only_last = replace(sample, known=np.array([False, False, True]))
    scores = dice_of_sample(dict.fromkeys(STRUCTURES, drawn["Parotid_L"]), only_last, package)
    assert np.isnan(scores[:2]).all()
    assert scores[2] > 0.6


def test_no_tensor_of_a_step_is_made_without_the_trainers_device(toy, tmp_path):
    """Every tensor made without a device is on "meta" here, and cannot be computed with those of the trainer.

    On a GPU such a tensor would be on the CPU, and the step would fail there only.
    """
    augment = AugmentConfig(
        metal_probability=1, cut_probability=1, circle_probability=1, low_resolution_probability=1, blur_probability=1,
        mirror_probability=1, gamma=0.3,
    )  # fmt: skip
    training = trainer(toy, tmp_path, steps=2, augment=augment, anchor=0.1)
    report = _Report(len(STRUCTURES), 2, training.device)
    with torch.device("meta"):  # holds in this thread only
        assert torch.isfinite(training._compute_gradients(range(2)).loss)
        report.add(*training._learn())
        report.add(*training._learn())
        assert np.isfinite(report.take()["loss"])
    assert not any(parameter.is_meta for parameter in training.network.parameters())


def test_patches_of_a_gpu_are_made_where_the_volumes_are(toy):
    """The path of a GPU, on the CPU: the volumes of all patients at once, a batch in one go."""
    config, dataset = toy
    sampler = PatchSampler(dataset.training, STRUCTURES, config.stages["segmenter"])
    sampler.volumes = Volumes([Part.whole(sample) for sample in dataset.training], sampler.device)
    with torch.device("meta"):
        patches = sampler.draw([np.random.default_rng(seed) for seed in range(3)])
    assert patches.image.shape[0] == 3
    assert not patches.image.is_meta

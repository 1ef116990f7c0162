"""Training and use are one inference: the same CT gives the same probabilities."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from autocontour.base.jobs import Job
from autocontour.models import find_package
from autocontour.models.inference.localizer import find_patient, locate_structures
from autocontour.models.inference.runtime import Ensemble, open_runner
from autocontour.models.inference.segmenter import segment_boxes
from autocontour.models.package.weights import load_network, plan_stage
from autocontour.models.training import validate as validation
from autocontour.models.training.loop import Trainer
from autocontour.models.training.validate import TrainingRunner, validate
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom
from tests.models.toy_patients import STRUCTURES

ORGANS = ("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Bone_Mandible")
MEAN_TOLERANCE, TOLERANCE = 0.005, 0.2
"""Of a probability: both compute in bf16 (8 bits), in another order of operations."""
VOLUME_TOLERANCE = 0.03


@pytest.mark.slow
def test_training_and_use_give_the_same_probabilities_on_the_same_ct():
    """Silent fault: limits were calibrated on one sliding window and compared with another, 0.04 apart."""
    package = find_package("head-and-neck")
    phantom = build_phantom("head-neck", 3, spacing_zyx_mm=(3.0, 3.0, 3.0), shape_zyx=(110, 134, 190))
    patient = find_patient(CTVolume(phantom.hu, phantom.geometry))
    boxes = locate_structures(patient, package, open_runner(package, "localizer", "cpu"), Job()).boxes_mm
    boxes = {name: boxes[name] for name in ORGANS}
    stage = package.stages["segmenter"]
    plan = plan_stage(stage, len(package.structures), "segmenter")
    networks = [load_network(stage, plan, weights) for weights in package.read_networks("segmenter")]
    in_use = open_runner(package, "segmenter", "cpu")
    in_training = [TrainingRunner(network, torch.device("cpu")) for network in networks]
    both = in_use, Ensemble(in_training, in_use.weights) if len(networks) > 1 else in_training[0]
    use, training = (segment_boxes(patient, package, runner, boxes, Job()) for runner in both)
    for name in ORGANS:
        assert use[name].grid == training[name].grid
        apart = np.abs(use[name].uncleaned - training[name].uncleaned)
        assert apart.mean() < MEAN_TOLERANCE
        assert apart.max() < TOLERANCE
        volumes = [(one[name].probability >= package.structures[name].threshold).sum() for one in (use, training)]
        assert volumes[1] == pytest.approx(volumes[0], rel=VOLUME_TOLERANCE)


@pytest.mark.parametrize("role", ["localizer", "segmenter"])
def test_validation_runs_the_inference_of_use(toy, role, tmp_path, monkeypatch):
    """What is seen by the runner in validation is what inference gives to any runner."""
    config, dataset = toy
    seen = []

    class Runner(TrainingRunner):
        def __call__(self, windows):
            for window in windows:
                seen.append(window)
                yield np.zeros((len(STRUCTURES), *window.shape[1:]), np.float32)

    monkeypatch.setattr(validation, "TrainingRunner", Runner)
    trainer = Trainer(role, config, dataset, tmp_path)
    rows = validate(trainer.average, trainer.validation, trainer.package, role, trainer.device)
    assert rows.shape == (2, len(STRUCTURES))
    assert {window.shape for window in seen} == {(1, *config.stages[role].window_zyx)}
    known = [[sample.reference(k) is not None for k in range(len(STRUCTURES))] for sample in trainer.validation]
    np.testing.assert_array_equal(rows == 0, known)


def test_no_tensor_is_made_without_the_trainers_device(monkeypatch):
    """Silent fault: validation mixed devices, so that a run on a GPU could not finish."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.devices = []

        def forward(self, image):
            self.devices.append(image.device.type)
            return torch.zeros(1, 3, *image.shape[2:])

    mixed = []
    monkeypatch.setattr(torch, "autocast", lambda device, _: mixed.append(device) or nullcontext())
    network = Network()
    (probability,) = TrainingRunner(network, torch.device("meta"))([np.zeros((2, 4, 4, 4), np.float32)])
    assert network.devices == mixed == ["meta"]
    assert (probability == 0.5).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_run_on_a_gpu_finishes(toy, tmp_path):
    config, dataset = toy
    trainer = Trainer("segmenter", config, dataset, tmp_path, device="cuda")
    trainer.run(Job())
    assert trainer.best >= 0

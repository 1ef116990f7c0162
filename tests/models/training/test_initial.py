"""A training that begins with the weights of a package."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models import write_package
from autocontour.models.networks import build_network
from autocontour.models.package.library import BUNDLED
from autocontour.models.package.package import read_package
from autocontour.models.training.config import read_config
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.run import DATA, begun_with, train_run

CONFIG = Path(__file__).parents[3] / "models/training/configs/head_and_neck.toml"
STRUCTURES = ["Larynx", "PTV_Elsewhere", "Brainstem"]


@pytest.fixture(scope="module")
def package():
    return read_package(BUNDLED / "head-and-neck")


@pytest.fixture(scope="module")
def stage():
    config = read_config(CONFIG)
    stage = config.stages["localizer"]
    return replace(stage, network={**stage.network, "out_channels": len(STRUCTURES)})


def test_outputs_are_matched_by_name_and_the_rest_is_taken_over(package, stage):
    weights = initial_weights(package, "localizer", stage, STRUCTURES, seed=5)
    learnt = package.read_weights("localizer")
    for name in set(learnt) - {"head.weight", "head.bias"}:
        np.testing.assert_array_equal(weights[name].numpy(), learnt[name])
    for channel in (0, 2):
        source = package.channel(STRUCTURES[channel])
        np.testing.assert_array_equal(weights["head.weight"][channel].numpy(), learnt["head.weight"][source])
        assert weights["head.bias"][channel] == learnt["head.bias"][source]


def test_an_output_the_package_has_not_begins_at_random(package, stage):
    one, other = (initial_weights(package, "localizer", stage, STRUCTURES, seed)["head.weight"] for seed in (1, 2))
    assert not torch.equal(one[1], other[1])
    assert torch.equal(one[0], other[0])


def test_another_network_is_refused(package, stage):
    wider = replace(stage, network={**stage.network, "growth": 8})
    with pytest.raises(TrainingError) as refusal:
        initial_weights(package, "localizer", wider, STRUCTURES, seed=1)
    assert refusal.value.code == "AC-TR-008"


def test_a_stage_the_package_has_not_is_refused(package, stage):
    with pytest.raises(TrainingError):
        initial_weights(package, "third", stage, STRUCTURES, seed=1)


def test_a_run_keeps_to_what_it_began_with(package, tmp_path):
    config = read_config(CONFIG)
    assert begun_with(tmp_path) == ""
    (tmp_path / DATA).write_text(json.dumps({"begun_with": "head-and-neck 0.9.0 (abc)"}))
    assert begun_with(tmp_path) == "head-and-neck 0.9.0 (abc)"
    for other in (package, None):
        with pytest.raises(TrainingError) as refusal:
            train_run(config, tmp_path, Job(), source=other)
        assert refusal.value.code == "AC-TR-009"
    assert begun_with(tmp_path) == "head-and-neck 0.9.0 (abc)"


def test_the_bundled_package_names_its_origin(package):
    assert package.metadata["training"]["begun_with"].startswith("head-and-neck 1.1.0 (")


def test_the_outputs_of_a_unet_are_matched_by_name_too(stage, toy_metadata, tmp_path):
    """silent.md D: ``--from`` a U-Net copied outputs by position, which swaps left and right."""
    unet = {"architecture": "unet", "in_channels": 2, "out_channels": 3, "features": [4, 4, 8, 8, 8, 4]}
    metadata = toy_metadata | {"stages": {"segmenter": toy_metadata["stages"]["segmenter"] | {"network": unet}}}
    metadata["stages"]["segmenter"]["window_zyx"] = [32, 32, 32]
    torch.manual_seed(3)
    weights = {"segmenter": build_network(unet).state_dict()}
    package = write_package(tmp_path / "unet", metadata, weights)
    swapped = ["Parotid_L", "Parotid_R", "Bone_Mandible"]
    found = initial_weights(package, "segmenter", replace(stage, network=unet), swapped, seed=5)
    for name in ("final_conv.weight", "final_conv.bias"):
        assert torch.equal(found[name], weights["segmenter"][name][[1, 0, 2]])

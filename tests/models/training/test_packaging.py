"""A package from given weights: of a run, of another package, of both."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from autocontour.cli import main
from autocontour.models import read_package, write_package
from autocontour.models.networks import build_network
from autocontour.models.training.config import read_config
from autocontour.models.training.loop import stage_identity
from autocontour.models.training.metadata import Calibration, build_metadata


@pytest.fixture
def source(toy_config, tmp_path):
    """A package of the toy's networks with random weights."""
    config = read_config(toy_config())
    torch.manual_seed(2)
    weights = {role: build_network(stage.network).state_dict() for role, stage in config.stages.items()}
    return write_package(tmp_path / "source", build_metadata(config, Calibration()), weights)


def package(toy_config, tmp_path, *options):
    path = str(toy_config())
    return main(["train", path, "-o", str(tmp_path / "run"), "--package", "--json", *map(str, options)])


@pytest.mark.slow
def test_an_empty_run_calibrates_a_package_again_with_the_same_weights(toy_config, source, tmp_path):
    assert package(toy_config, tmp_path, "--from", source.path) == 0
    again = read_package(tmp_path / "run" / "package")
    for role in ("localizer", "segmenter"):
        before, after = source.read_weights(role), again.read_weights(role)
        assert set(before) == set(after)
        for name, value in before.items():
            np.testing.assert_array_equal(after[name], value)
            assert after[name].dtype == value.dtype
    named = f"toy 1 ({source.checksum})"
    assert again.metadata["training"]["begun_with"] == named
    assert {stage["from"] for stage in again.metadata["training"]["stages"].values()} == {named}
    assert set(again.metadata["findings"]) == {"AC-MD-102", "AC-MD-104", "AC-MD-105", "AC-MD-107"}


@pytest.mark.slow
def test_a_trained_segmenter_is_packaged_with_the_localizer_of_a_package(toy_config, source, tmp_path):
    """Of a run only best.pt is needed, as every version of the program wrote it."""
    config = read_config(toy_config())
    torch.manual_seed(9)
    trained = build_network(config.stages["segmenter"].network).state_dict()
    folder = tmp_path / "run" / "segmenter"
    folder.mkdir(parents=True)
    torch.save({"average": trained, "step": 77, "score": 0.61}, folder / "best.pt")
    assert package(toy_config, tmp_path, "--from", source.path) == 0
    made = read_package(tmp_path / "run" / "package")
    for name, value in made.read_weights("segmenter").items():
        np.testing.assert_array_equal(value, trained[name].numpy().astype(np.float16))
    stages = made.metadata["training"]["stages"]
    assert stages["segmenter"] == {"step": 77, "validation_score": 0.61}
    assert stages["localizer"]["from"].startswith("toy 1 (")


def test_a_stage_without_weights_is_refused(toy_config, tmp_path, capsys):
    assert package(toy_config, tmp_path) == 8
    assert "AC-TR-007" in capsys.readouterr().err


def test_a_package_without_one_of_the_structures_is_refused(toy_config, source, tmp_path, capsys):
    metadata = json.loads((source.path / "metadata.json").read_text())
    metadata["structures"][1]["name"] = "Cochlea_R"
    weights = {role: source.read_weights(role) for role in source.stages}
    other = write_package(tmp_path / "other", metadata, weights)
    assert package(toy_config, tmp_path, "--from", other.path) == 8
    error = capsys.readouterr().err
    assert "AC-TR-011" in error
    assert "Parotid_R" in error


def trained(toy_config, tmp_path):
    """A run of which every stage has weights and says which structures it was trained for."""
    config = read_config(toy_config())
    for role, stage in config.stages.items():
        folder = tmp_path / "run" / role
        folder.mkdir(parents=True)
        state = {"average": build_network(stage.network).state_dict(), "step": 1, "score": 0.5}
        torch.save(state, folder / "best.pt")
        (folder / "structures.json").write_text(json.dumps(config.data.structures))
        identity = stage_identity(stage, config.data.structures)
        torch.save({"identity": identity}, folder / "checkpoint.pt")
    return config


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Parotid_R", "Parotid_L"]', '"Parotid_L", "Parotid_R"]'),
        ("spacing_zyx_mm = [4, 4, 4]", "spacing_zyx_mm = [4, 4, 3]"),
        ("[[-200, 300]]", "[[-200, 400]]"),
    ],
)
def test_weights_of_other_structures_or_another_grid_are_refused(toy_config, tmp_path, capsys, old, new):
    """Silent fault: a package of a run whose configuration was edited since would swap left and right."""
    trained(toy_config, tmp_path)
    path = toy_config()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert main(["train", str(path), "-o", str(tmp_path / "run"), "--package", "--json"]) == 8
    assert "AC-TR-004" in capsys.readouterr().err


def test_a_whole_number_is_the_same_with_and_without_a_point(toy_config):
    config = read_config(toy_config())
    stage = config.stages["segmenter"]
    assert stage_identity(stage, config.data.structures) == stage_identity(
        replace(stage, spacing_zyx_mm=(4, 4, 4), intensity_windows_hu=((-200, 300),)), config.data.structures
    )

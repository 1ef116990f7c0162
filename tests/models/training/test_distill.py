"""Distillation and pruning: a smaller package that learns from a larger one, and states from whom."""

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.package.ensemble import Joining, join_packages
from autocontour.models.package.history import is_retrained
from autocontour.models.package.package import verify_package, write_package
from autocontour.models.training.config import read_config
from autocontour.models.training.distill import Distillation, distill_package, read_split
from autocontour.models.training.packaging import package_run
from autocontour.models.training.run import train_run
from tests.models.toy_patients import config_text


@pytest.fixture(scope="module")
def single(toy_data, tmp_path_factory):
    """A package of one network that has learnt a little."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "toy.toml"
    path.write_text(config_text(toy_data, 3))
    config = read_config(path)
    train_run(config, folder / "run", Job())
    return package_run(config, folder / "run", Job(), device="torch-cpu")


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
    localizer = package.read_weights("localizer")
    assert all((candidate.read_weights("localizer")[name] == value).all() for name, value in localizer.items())

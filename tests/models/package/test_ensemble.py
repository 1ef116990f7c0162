"""Packages with several networks: their mean, their checks, and how they are joined."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models import read_package, segment_structures, write_package
from autocontour.models.inference.ensemble import predict_stage
from autocontour.models.inference.runtime import Ensemble, open_runner
from autocontour.models.package.ensemble import Joining, join_packages
from autocontour.models.package.package import verify_package
from autocontour.patient.geometry import Box
from tests.models.conftest import STRUCTURES, build_metadata
from tests.models.package.test_library import change, seal

WEIGHTS = {"Parotid_L": (1.0, 0.0), "Bone_Mandible": (1.0, 3.0)}
CHANNEL = {name: k for k, name in enumerate(STRUCTURES)}


def other_weights(weights, seed):
    generator = np.random.default_rng(seed)
    noise = lambda value: value.numpy() * generator.normal(1, 0.2, value.shape).astype(np.float32)  # noqa: E731
    return {role: {key: noise(value) for key, value in state.items()} for role, state in weights.items()}


@pytest.fixture(scope="module")
def pair(toy_weights, tmp_path_factory):
    """Two packages with the same structures and other weights, trained on patients of which some are the same."""
    folder = tmp_path_factory.mktemp("pair")
    made = []
    for k, prints in enumerate((["a", "b"], ["b", "c"])):
        training = {"fingerprints": prints, "validation_patients": ["v", f"w{k}"], "patients": 2}
        metadata = build_metadata(version=f"1.{k}", training=training)
        metadata["structures"][0]["threshold"] = (0.4, 0.6)[k]
        metadata["structures"][1]["threshold"] = (0.4, 0.6)[k]
        made.append(write_package(folder / f"p{k}", metadata, other_weights(toy_weights, k)))
    return made


@pytest.fixture(scope="module")
def joined(pair, tmp_path_factory):
    parts = join_packages(Joining(pair, "2.0.0", WEIGHTS, localizer=1, note="chosen for a test"))
    return write_package(tmp_path_factory.mktemp("joined") / "toy", *parts)


def probabilities(package, window, role="segmenter"):
    return next(open_runner(package, role, "torch-cpu")([window])).copy()


@pytest.fixture(scope="module")
def window():
    return np.random.default_rng(0).normal(0, 1, (2, 24, 24, 24)).astype(np.float32)


def test_the_mean_is_that_of_the_packages(pair, joined, window):
    first, second = (probabilities(package, window) for package in pair)
    mean = probabilities(joined, window)
    assert mean[CHANNEL["Parotid_R"]] == pytest.approx((first[0] + second[0]) / 2, abs=2e-3)
    assert mean[CHANNEL["Parotid_L"]] == pytest.approx(first[1], abs=2e-3)
    assert mean[CHANNEL["Bone_Mandible"]] == pytest.approx((first[2] + 3 * second[2]) / 4, abs=2e-3)


def test_openvino_gives_the_mean_too(joined, window):
    runner = open_runner(joined, "segmenter", "cpu")
    assert isinstance(runner, Ensemble)
    assert runner.device.endswith("2 networks")
    assert next(runner([window])) == pytest.approx(probabilities(joined, window), abs=0.03)


def test_thresholds_patients_and_origin(pair, joined):
    structures = joined.structures
    assert structures["Parotid_R"].threshold == pytest.approx(0.5)
    assert structures["Parotid_L"].threshold == pytest.approx(0.4)  # of the only package with a weight
    training = joined.metadata["training"]
    assert training["fingerprints"] == ["a", "b", "c"]
    assert training["validation_patients"] == ["v"]  # held out from both
    assert [one["checksum"] for one in training["ensemble"]] == [package.checksum for package in pair]
    assert training["history"] == "chosen for a test"
    assert joined.metadata["format"] == 2
    assert joined.networks("segmenter") == 2
    assert joined.networks("localizer") == 1


def test_the_fingerprints_of_a_part_are_not_those_of_the_whole(pair, tmp_path):
    """The gate would let patients of the silent package's training pass as unseen."""
    silent = change(shutil.copytree(pair[1].path, tmp_path / "silent"), training={})
    metadata, _ = join_packages(Joining([pair[0], read_package(silent)], "2.0.0"))
    assert "fingerprints" not in metadata["training"]
    assert metadata["training"]["validation_patients"] == []


def test_a_network_without_weight_is_not_run(joined, window):
    calls = {0: 0, 1: 0}

    def counted(number, runner):
        def run(windows):
            for one in windows:
                calls[number] += 1
                yield next(runner([one]))

        return run

    runner = open_runner(joined, "segmenter", "torch-cpu")
    runner.members = tuple(counted(number, one) for number, one in enumerate(runner.members))
    stage, box = joined.stages["segmenter"], Box((0, 0, 0), (24, 24, 24))
    hu = np.random.default_rng(0).normal(40, 200, (24, 24, 24)).astype(np.float32)
    read = lambda part: hu[part.slices]  # noqa: E731
    alone = predict_stage(runner, stage, read, {CHANNEL["Parotid_L"]: box}, Job(), "")
    assert calls == {0: 1, 1: 0}
    assert alone.agreement == {}
    both = predict_stage(runner, stage, read, {CHANNEL["Parotid_L"]: box, CHANNEL["Parotid_R"]: box}, Job(), "")
    assert calls == {0: 2, 1: 1}
    assert np.array_equal(both.probabilities[1], alone.probabilities[1])
    assert set(both.agreement) <= {CHANNEL["Parotid_R"]}


class Constant:
    device = "CPU"

    def __init__(self, mask):
        self.result = np.where(mask, 0.9, 0.1).astype(np.float32)[None]

    def __call__(self, windows):
        return (self.result for _ in windows)


@pytest.mark.parametrize(("second", "expected"), [(slice(0, 12), 1.0), (slice(6, 18), 0.5), (slice(0, 0), 0.0)])
def test_agreement_is_the_dsc_of_the_networks(joined, second, expected):
    masks = np.zeros((2, 24, 24, 24), bool)
    masks[0, 0:12] = masks[1, second] = True
    runner = Ensemble([Constant(mask) for mask in masks], np.full((2, 1), 0.5, np.float32))
    box, hu = Box((0, 0, 0), (24, 24, 24)), np.zeros((24, 24, 24), np.float32)
    found = predict_stage(runner, joined.stages["segmenter"], lambda _: hu, {0: box}, Job(), "")
    assert found.agreement[0] == pytest.approx(expected)
    assert found.probabilities[0][0, 0, 0] == pytest.approx(0.9 if expected == 1 else 0.5)


def test_two_networks_that_find_nothing_have_no_agreement(joined):
    runner = Ensemble([Constant(np.zeros((24, 24, 24), bool))] * 2, np.full((2, 1), 0.5, np.float32))
    box, hu = Box((0, 0, 0), (24, 24, 24)), np.zeros((24, 24, 24), np.float32)
    assert predict_stage(runner, joined.stages["segmenter"], lambda _: hu, {0: box}, Job(), "").agreement == {}


def test_contours_of_a_joined_package(joined, neck):
    segmentation = segment_structures(neck, joined, device="cpu")
    assert segmentation.device in ("", "CPU OpenVINO bf16, 2 networks", "CPU OpenVINO f32, 2 networks")


def test_a_joined_package_is_joined_again_with_the_same_mean(pair, joined, window, tmp_path):
    parts = join_packages(Joining([joined, pair[0]], "3.0.0", {"Parotid_R": (2, 1)}))
    again = write_package(tmp_path / "again", *parts)
    assert again.networks("segmenter") == 3
    assert again.networks("localizer") == 2
    before, first = probabilities(joined, window), probabilities(pair[0], window)
    assert probabilities(again, window)[0] == pytest.approx((2 * before[0] + first[0]) / 3, abs=2e-3)


DIFFERENT = {
    "structures": lambda metadata: metadata["structures"].reverse(),
    "licence": lambda metadata: metadata.update(license="CC BY-NC 4.0"),
    "grid": lambda metadata: metadata["stages"]["segmenter"].update(spacing_zyx_mm=[2.0, 2.0, 2.0]),
    "rules": lambda metadata: metadata["structures"][0].update(margin_mm=3.0),
    "habits": lambda metadata: metadata["structures"][0].update(habit={"superior_mm": 5.0, "cases": 6}),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_package_that_does_not_fit_is_refused(pair, tmp_path, kind):
    folder = shutil.copytree(pair[1].path, tmp_path / "other")
    metadata = json.loads((folder / "metadata.json").read_text())
    DIFFERENT[kind](metadata)
    other = read_package(change(folder, **metadata))
    with pytest.raises(ModelError, match=f"AC-MD-068.*{kind}"):
        join_packages(Joining([pair[0], other], "2.0.0"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {"Parotid_R": (1.0,)}},
        {"weights": {"Parotid_R": (0.0, 0.0)}},
        {"weights": {"Parotid_R": (-1.0, 2.0)}},
        {"weights": {"Parotid_R": (float("nan"), 2.0)}},
        {"weights": {"Brain": (1.0, 1.0)}},
        {"localizer": 3},
    ],
)
def test_wrong_weights_are_refused(pair, wrong):
    with pytest.raises(ModelError, match="AC-MD-069"):
        join_packages(Joining(pair, "2.0.0", **wrong))


def test_one_package_or_too_many_are_refused(pair):
    for count in (1, 17):
        with pytest.raises(ModelError, match="AC-MD-069"):
            join_packages(Joining([pair[0]] * count, "2.0.0"))


def damaged(joined, tmp_path, **stage):
    folder = shutil.copytree(joined.path, tmp_path / "damaged")
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["stages"]["segmenter"].update(stage)
    return change(folder, stages=metadata["stages"])


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([{"name": "a", "weights": {"Brain": 1.0}}, {"name": "b"}], "AC-CFG-019"),
        ([{"name": "a", "weights": {"Parotid_R": 0}}, {"name": "b", "weights": {"Parotid_R": 0}}], "AC-CFG-037"),
        ([{"name": "a"}, {"name": "a"}], "AC-CFG-015"),
        ([{"name": "a", "weights": {"Parotid_R": -1}}, {"name": "b"}], "AC-CFG-009"),
    ],
)
def test_metadata_of_members_are_checked(joined, tmp_path, members, code):
    with pytest.raises(ModelError, match="AC-MD-010") as refusal:
        read_package(damaged(joined, tmp_path, members=members))
    assert code in [finding.code for finding in refusal.value.problems]


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_verify_compares_the_networks_with_the_members(joined, tmp_path, names):
    """One member fewer than networks: a network would never be run, without a word."""
    package = read_package(damaged(joined, tmp_path, members=[{"name": name} for name in names]))
    with pytest.raises(ModelError, match="AC-MD-014"):
        verify_package(package)


def test_memory_is_that_of_all_networks(joined, monkeypatch):
    from autocontour.models.networks import limits

    one = limits.required_bytes(joined.plan("segmenter"), "segmenter")
    monkeypatch.setattr(limits, "machine_bytes", lambda: int(1.5 * one))
    with pytest.raises(ModelError, match="AC-MD-021"):
        read_package(joined.path)


def test_the_command_joins_shows_and_verifies(pair, tmp_path, capsys):
    first = shutil.copytree(pair[0].path, tmp_path / "licensed")
    (first / "LICENSE").write_text("as it is")
    paths = [str(seal(first)), str(pair[1].path)]
    out = str(tmp_path / "out")
    assert main(["models", "ensemble", *paths, "-o", out, "--weights", "Parotid_L=1,0", "--localizer", "1"]) == 0
    assert "models gate" in capsys.readouterr().out
    assert (tmp_path / "out" / "LICENSE").read_text() == "as it is"
    assert main(["models", "verify", out]) == 0
    assert main(["models", "show", out]) == 0
    printed = capsys.readouterr().out
    assert "averaged: toy-neck 1.0" in printed
    assert "averaged: toy-neck 1.1, not for Parotid_L" in printed
    assert main(["models", "ensemble", *paths, "-o", out]) != 0
    assert "AC-OUT-002" in capsys.readouterr().err
    assert main(["models", "ensemble", *paths, "-o", f"{out}2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == {"localizer": 2, "segmenter": 2}
    assert main(["models", "ensemble", *paths, "-o", f"{out}3", "--weights", "Parotid_L=a"]) != 0
    assert "AC-MD-069" in capsys.readouterr().err

"""Training of the network that follows corrected slices, on the toy patients."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.follow.channels import CHANNELS, NETWORK, REACH_MM, WINDOW_ZYX
from autocontour.models.follow.network import OpenVinoNetwork, read_weights
from autocontour.models.networks import build_network
from autocontour.models.training.follow import run as follow_run
from autocontour.models.training.follow.config import FollowConfig, FollowStage
from autocontour.models.training.follow.loop import FollowTrainer, start_unchanged
from autocontour.models.training.follow.patients import (
    Prepared,
    plane_distances,
    read_prepared,
    write_prepared,
)
from autocontour.models.training.follow.simulate import (
    REGION_ZYX,
    Region,
    Simulator,
    correct_slices,
    derive_structure,
    enlarge_errors,
    invent_structure,
    vary_automatic,
)
from autocontour.models.training.metadata import describe_package

STRUCTURES = ("Brainstem", "Parotid_R", "Parotid_L")
CONFIG = """
kind = "follow"
name = "follow"
version = "1.0.0"
data = "{data}"
validation_patients = 2
seed = 3

[stage]
structures = ["Brainstem", "Parotid_R", "Parotid_L"]
minutes = 0.001
sampling_weights = {{ Parotid_R = 0.5 }}
"""


def ball(radius: float = 6.0, shape: tuple[int, int, int] = (40, 48, 48)) -> np.ndarray:
    z, y, x = (np.arange(n) - n // 2 for n in shape)
    field = radius - np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    return np.clip(field + 0.5, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def patient() -> Prepared:
    stored = plane_distances(ball(), 0.5, (3.906, 3.906))
    smaller = plane_distances(ball(5), 0.5, (3.906, 3.906))
    assert stored is not None
    assert smaller is not None
    hu = (ball() * 80).astype(np.int16)
    return Prepared("p", hu, np.ones(len(hu), bool), {"A": stored, "B": stored}, {"A": smaller})


@pytest.fixture
def stage() -> FollowStage:
    return FollowStage(("A", "B"), minutes=0.02, checkpoint_minutes=0.0)


def test_distances_are_those_within_the_slice() -> None:
    stored = plane_distances(ball(), 0.5, (3.906, 3.906))
    assert stored is not None
    found = stored.whole((40, 48, 48))[20]
    y, x = np.indices((48, 48)) - 24
    expected = (3.906 * (6 - np.hypot(y, x))).clip(-REACH_MM, REACH_MM)
    near = np.abs(expected) < 10
    assert np.abs(found - expected)[near].max() < 1.0
    assert (stored.whole((40, 48, 48))[5] == -REACH_MM).all()
    assert plane_distances(np.zeros((3, 8, 8), np.float32), 0.5, (1, 1)) is None


def test_a_prepared_patient_is_read_as_written(tmp_path: Path, patient: Prepared) -> None:
    write_prepared(tmp_path / "p.npz", patient)
    read = read_prepared(tmp_path / "p.npz")
    assert (read.hu == patient.hu).all()
    assert set(read.references) == {"A", "B"}
    assert set(read.automatic) == {"A"}
    assert (read.automatic["A"].tenths == patient.automatic["A"].tenths).all()
    assert read.automatic["A"].start_zyx == patient.automatic["A"].start_zyx
    assert read.is_seen
    write_prepared(tmp_path / "p.npz", replace(patient, is_seen=False))
    assert not read_prepared(tmp_path / "p.npz").is_seen


def test_examples_are_reproducible_and_complete(patient: Prepared, stage: FollowStage) -> None:
    simulator = Simulator([patient], stage)
    with_automatic = 0
    for seed in range(14):
        one, again = (simulator.draw(np.random.default_rng(seed)) for _ in range(2))
        assert one.channels.shape == (CHANNELS, *WINDOW_ZYX)
        assert (one.channels == again.channels).all()
        assert np.isfinite(one.channels).all()
        assert 0 <= one.target.min() <= one.target.max() <= 1
        assert (one.target > 0.5).sum() > 50
        with_automatic += bool(one.channels[3].any())
    assert 2 < with_automatic < 14


def test_a_corrected_slice_is_drawn_as_the_reference(patient: Prepared, stage: FollowStage) -> None:
    exact = replace(stage, hand_mm=0.0, stroke_probability=0.0, wrong_probability=0.0)
    reference = np.full(REGION_ZYX, -REACH_MM, np.float32)
    reference[20:60, 10:20, 10:20] = 5
    automatic = np.roll(reference, 4, axis=1)
    region = Region(np.zeros_like(reference), np.ones(len(reference), bool), reference, automatic)
    counts = set()
    for seed in range(40):
        corrected, slices = correct_slices(region, np.random.default_rng(seed), exact)
        counts.add(len(slices))
        assert corrected.automatic_mm is not None
        places = corrected.positions_mm / 2.5
        assert np.abs(places - slices).max() <= 0.5
        for place, drawn in zip(places, corrected.drawn_mm, strict=True):
            if abs(place - round(place)) < 1e-9:
                assert (drawn == reference[round(place)]).all()
    assert {1, 2, 3} <= counts


def test_strokes_and_wrong_slices_occur(patient: Prepared, stage: FollowStage) -> None:
    reference = np.full(REGION_ZYX, -REACH_MM, np.float32)
    reference[20:60, 10:20, 10:20] = 5
    region = Region(np.zeros_like(reference), np.ones(len(reference), bool), reference, np.roll(reference, 4, axis=1))
    partly = replace(stage, hand_mm=0.0, stroke_probability=1.0, wrong_probability=0.0)
    corrected, _ = correct_slices(region, np.random.default_rng(1), partly)
    assert ((corrected.drawn_mm > 0) != (reference[30] > 0)).any()
    wrong = replace(partly, stroke_probability=0.0, wrong_probability=1.0)
    corrected, slices = correct_slices(region, np.random.default_rng(1), wrong)
    assert (np.abs(corrected.drawn_mm - reference[slices]) > 1).any()


def automatic_of_a_patient(*, seen: bool) -> np.ndarray:
    """Contours too small by 2 mm, as they are used for an example without any other error."""
    reference = np.full(REGION_ZYX, -REACH_MM, np.float32)
    y, x = np.indices(REGION_ZYX[1:]) - 20
    reference[20:60] = np.clip(24 - 3.906 * np.hypot(y, x), -REACH_MM, REACH_MM)
    region = Region(np.zeros_like(reference), np.ones(len(reference), bool), reference, reference - 2, seen)
    calm = FollowStage(("A",), nothing_probability=0, invented_probability=0, error_growth=1.0)
    found = vary_automatic(region, np.random.default_rng(3), calm).automatic
    assert found is not None
    return found


def test_errors_are_enlarged_where_they_are() -> None:
    reference = np.array([-REACH_MM, -3.0, 1.0, 5.0, REACH_MM], np.float32)
    automatic = np.array([-REACH_MM, -1.0, 1.0, 3.0, 6.0], np.float32)
    assert enlarge_errors(automatic, reference, 0.5).tolist() == [-REACH_MM, 0.0, 1.0, 2.0, 3.0]
    assert (enlarge_errors(automatic, reference, 0.0) == automatic).all()


@pytest.mark.usefixtures("oracle")
def test_a_patient_is_drawn_by_a_package_that_was_not_trained_on_it(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = follow_run.find_package("")
    stage = FollowStage(STRUCTURES, automatic="all", folds=("other",), minutes=0.001)
    config = FollowConfig("follow", "1", "follow", str(toy_data), stage)
    follow_run.prepare_patients(config, tmp_path / "unknown", Job())
    known = json.loads((tmp_path / "unknown" / follow_run.FINGERPRINTS).read_text())
    every = {"all": sorted(known.values()), "other": [known["p1"]]}
    asked = []

    def package_of(name: str):
        asked.append(name)
        training = {**first.metadata.get("training", {}), "fingerprints": every[name]}
        return replace(first, metadata={**first.metadata, "training": training})

    monkeypatch.setattr(follow_run, "find_package", package_of)
    follow_run.prepare_patients(config, tmp_path / "folds", Job())
    assert asked == ["all", "other"]
    seen = {name: read_prepared(tmp_path / "folds" / f"{name}.npz").is_seen for name in known}
    assert {name for name, was in seen.items() if was} == {name for name in known if known[name] == known["p1"]}
    assert not all(seen.values())
    assert all(read_prepared(tmp_path / "unknown" / f"{name}.npz").is_seen for name in known)


def test_automatic_contours_vary(stage: FollowStage) -> None:
    reference = np.full(REGION_ZYX, -REACH_MM, np.float32)
    reference[20:60, 10:20, 10:20] = 5
    region = Region(np.zeros_like(reference), np.ones(len(reference), bool), reference, reference.copy())
    results = [vary_automatic(region, np.random.default_rng(seed), stage).automatic for seed in range(40)]
    assert any(one is None for one in results)
    assert any(one is not None and (one == reference).all() for one in results)
    assert (automatic_of_a_patient(seen=False) == automatic_of_a_patient(seen=False)).all()
    assert (automatic_of_a_patient(seen=True) > 0).sum() < (automatic_of_a_patient(seen=False) > 0).sum()
    assert any(one is not None and not (one == reference).all() for one in results)
    nothing = Region(region.hu, region.solid, reference, np.full_like(reference, -REACH_MM))
    assert vary_automatic(nothing, np.random.default_rng(4), replace(stage, nothing_probability=0.0)).automatic is None


def test_unknown_structures_are_invented() -> None:
    rng = np.random.default_rng(5)
    hu = np.zeros(REGION_ZYX, np.float32)
    found = [invent_structure(hu, rng) for _ in range(4)]
    assert sum((one > 0).any() for one in found) >= 3
    assert (invent_structure(np.full(REGION_ZYX, -1000, np.float32), rng) == -REACH_MM).all()
    reference = np.where(ball(8, REGION_ZYX) > 0.5, np.float32(5), np.float32(-5))
    made = [derive_structure(reference, np.random.default_rng(seed)) for seed in range(6)]
    assert any((one > 0).sum() < (reference > 0).sum() for one in made)
    assert all(one.shape == reference.shape for one in made)


def test_training_continues_from_its_checkpoint(tmp_path: Path, patient: Prepared, stage: FollowStage) -> None:
    trainer = FollowTrainer([patient], stage, tmp_path, 1)
    trainer._learn()
    trainer.save()
    again = FollowTrainer([patient], stage, tmp_path, 1)
    assert again.step == 1
    assert all(
        torch.equal(a, b)
        for a, b in zip(trainer.network.state_dict().values(), again.network.state_dict().values(), strict=True)
    )
    again.run(Job())
    assert again.progress == 1
    assert again.step > 1


def test_an_untrained_network_adds_nothing() -> None:
    network = start_unchanged(build_network(NETWORK))
    with torch.inference_mode():
        assert not network(torch.randn(1, CHANNELS, 8, 8, 8)).any()


@pytest.fixture
def oracle(toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy's package, whose networks know the HU of every structure."""
    package = describe_package(toy[0], tmp_path)

    def run(windows):
        for image in windows:
            levels = (np.array([100, 180, 260]) + 200) / 250 - 1
            yield (np.abs(image - levels[:, None, None, None]) < 0.15).astype(np.float32)

    monkeypatch.setattr(follow_run, "find_package", lambda _: package)
    monkeypatch.setattr(follow_run, "open_runner", lambda *_: run)


@pytest.mark.usefixtures("oracle")
def test_the_command_trains_from_a_configuration(toy_data: Path, tmp_path: Path, capsys) -> None:
    path, output = tmp_path / "follow.toml", tmp_path / "run"
    path.write_text(CONFIG.format(data=toy_data))
    assert main(["train", str(path), "-o", str(output), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["patients"] == 6
    assert len(report["held_out"]) == 2
    card = read_weights(output / "weights").card
    assert card["training"]["patients"] == 6
    assert len(card["training"]["fingerprints"]) == 6
    prepared = read_prepared(output / "patients" / "p1.npz")
    assert set(prepared.references) == set(STRUCTURES)
    assert prepared.automatic
    changed = OpenVinoNetwork(read_weights(output / "weights"))(np.zeros((CHANNELS, *WINDOW_ZYX), np.float32))
    assert changed.shape == WINDOW_ZYX
    assert main(["train", str(path), "-o", str(output), "--package", "--data", str(toy_data)]) == 0
    assert "weights" in capsys.readouterr().out


def test_wrong_settings_are_named(tmp_path: Path, toy_data: Path) -> None:
    path = tmp_path / "follow.toml"
    path.write_text(
        CONFIG.format(data=toy_data).replace("Parotid_R = 0.5", "Liver = 1").replace("minutes = 0.001", "minutes = -1")
    )
    assert follow_run.is_follow_config(path)
    with pytest.raises(TrainingError) as refused:
        follow_run.read_follow_config(path)
    assert {one.where for one in refused.value.problems} == {"stage.minutes"}
    path.write_text(CONFIG.format(data=toy_data).replace("Parotid_R = 0.5", "Liver = 1"))
    with pytest.raises(TrainingError) as refused:
        follow_run.read_follow_config(path)
    assert [one.code for one in refused.value.problems] == ["AC-CFG-019"]
    assert not follow_run.is_follow_config(tmp_path / "none.toml")


def test_a_run_without_a_checkpoint_has_no_weights(tmp_path: Path, toy_data: Path) -> None:
    config = FollowConfig("follow", "1", "follow", str(toy_data), FollowStage(STRUCTURES))
    with pytest.raises(TrainingError) as refused:
        follow_run.write_follow_weights(config, tmp_path)
    assert refused.value.code == "AC-TR-007"

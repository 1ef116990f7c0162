"""A configuration made from the data: complete, explained, and trainable."""

import json
import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.models.training.config import read_config
from autocontour.models.training.planning import PlanRequest, choose_window, plan_training
from tests.models.toy_patients import STRUCTURES, write_patient


def test_the_plan_is_a_configuration_that_can_be_read(toy_data, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(plan_training(PlanRequest(toy_data, "toy", minutes=60), Job()))
    config = read_config(path)
    assert config.data.structures == tuple(STRUCTURES)
    assert config.stages["segmenter"].spacing_zyx_mm == (4, 4, 4)
    assert config.stages["segmenter"].minutes + config.stages["localizer"].minutes == pytest.approx(60)
    low, high = config.stages["segmenter"].intensity_windows_hu[1]
    assert low <= 100
    assert high >= 260  # the brightest toy structure


def test_every_number_has_its_reason(toy_data):
    text = plan_training(PlanRequest(toy_data, "toy"), Job())
    lines = text.splitlines()
    for setting in ("spacing_zyx_mm", "window_zyx", "intensity_windows_hu", "validation_patients", "anchors ="):
        for number, line in enumerate(lines):
            if line.startswith(setting) and "localizer" not in "".join(lines[max(0, number - 6) : number]):
                assert any(one.startswith("#") for one in lines[max(0, number - 3) : number]), line


def test_less_memory_gives_a_smaller_window(toy_data):
    def voxels(memory):
        text = plan_training(PlanRequest(toy_data, "toy", memory_gb=memory), Job())
        return np.prod(tomllib.loads(text)["stages"]["segmenter"]["window_zyx"])

    assert voxels(0.3) < voxels(1.5)


def test_structures_of_few_patients_are_left_out_and_named(tmp_path):
    (tmp_path / "train").mkdir()
    patients = [write_patient(tmp_path, f"p{n}", 0, missing=("Parotid_R",) if n > 1 else ()) for n in range(6)]
    (tmp_path / "index.json").write_text(json.dumps({"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}))
    text = plan_training(PlanRequest(tmp_path, "toy"), Job())
    assert tomllib.loads(text)["data"]["structures"] == ["Brainstem", "Parotid_L"]
    assert "Parotid_R (2)" in text


def test_what_every_scan_has_shows_no_body_site(tmp_path):
    """Silent fault: with External as an anchor, a package would draw its organs in scans of other body sites."""
    (tmp_path / "train").mkdir()
    patients = [write_patient(tmp_path, f"p{n}", 0) for n in range(6)]
    names = ["PTV", "External", *STRUCTURES[1:]]
    for patient in patients:
        patient["voxels"] = {"External" if n == STRUCTURES[0] else n: v for n, v in patient["voxels"].items()}
    (tmp_path / "index.json").write_text(json.dumps({"structures_by_bit": names, "patients": patients}))
    plan = tomllib.loads(plan_training(PlanRequest(tmp_path, "toy"), Job()))
    assert "External" in plan["data"]["structures"]
    assert plan["package"]["anchors"] == STRUCTURES[1:]


def test_a_data_set_with_too_few_patients_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    patients = [write_patient(tmp_path, f"p{n}", 0) for n in range(3)]
    (tmp_path / "index.json").write_text(json.dumps({"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}))
    with pytest.raises(TrainingError, match="AC-TR-026"):
        plan_training(PlanRequest(tmp_path, "toy"), Job())


@given(
    st.lists(st.floats(1, 300), min_size=3, max_size=3),
    st.sampled_from([(8, 8, 8), (16, 8, 8)]),
    st.floats(60_000, 400_000),
)
def test_a_window_fits_the_network_and_the_budget(extent, multiple, voxels):
    window = choose_window(np.array(extent), multiple, voxels)
    assert all(size % step == 0 and size >= 2 * step for size, step in zip(window, multiple, strict=True))
    least = np.prod([2 * step for step in multiple])
    assert np.prod(window) <= max(voxels, 8 * least) * 4


def test_the_command_writes_the_plan_and_trains_it(toy_data, tmp_path, capsys):
    path = tmp_path / "plan.toml"
    assert main(["train", "--plan", str(toy_data), "-o", str(path), "--name", "toy", "--memory", "0.2"]) == 0
    assert "anchors_minimum" in capsys.readouterr().out
    assert main(["train", "--plan", str(toy_data), "-o", str(path), "--name", "toy"]) != 0
    assert "exists" in capsys.readouterr().err


def test_a_plan_that_cannot_be_used_leaves_no_file(toy_data, tmp_path, capsys):
    path = tmp_path / "plan.toml"
    command = ["train", "--plan", str(toy_data), "-o", str(path), "--name", "toy", "--memory", "0.2"]
    assert main([*command, "--minutes", "-3"]) == 8
    assert "AC-TR-001" in capsys.readouterr().err
    assert not path.exists()

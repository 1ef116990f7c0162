"""A run as a whole: it learns, becomes a package, refuses in words."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from autocontour.base.errors import TrainingError
from autocontour.cli import main
from autocontour.models import training
from autocontour.models.networks import build_network, window_multiple_zyx
from autocontour.models.package.package import read_package, verify_package
from autocontour.models.training.config import read_config
from autocontour.models.training.curves import draw_curves, read_log
from autocontour.models.training.follow.run import is_follow_config, read_follow_config
from tests.models.toy_patients import STRUCTURES, config_text


@pytest.mark.slow
def test_it_learns_and_becomes_a_package(toy_config, tmp_path, capsys):
    path, run = toy_config(120), tmp_path / "run"
    assert main(["train", str(path), "-o", str(run), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["segmenter"]["steps"] == 120
    fold = [line["dice"] for line in read_log(run / "segmenter" / "log.jsonl") if line["kind"] == "validate"]
    assert max(fold[-1]) > 0.5
    assert (run / "curves.png").stat().st_size > 1000
    package = read_package(run / "package")
    verify_package(package)
    assert list(package.structures) == STRUCTURES
    assert package.structures["Parotid_L"].rules.side == "left"
    best = torch.load(run / "segmenter" / "best.pt", weights_only=True)["average"]
    for name, value in package.read_weights("segmenter").items():
        np.testing.assert_array_equal(value, best[name].numpy().astype(np.float16))
    assert package.site_anchors == ("Brainstem", "Parotid_L")
    assert not set(package.metadata["training"]["validation_patients"]) - {f"p{n}" for n in range(8)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 3", "sead = 3"),
        ('name = "toy"', ""),
        ("[stages.localizer]", "[stages.localizer"),
        ("steps = 3", "steps = 3\nstups = 1"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_in_words(tmp_path, old, new):
    path = tmp_path / "bad.toml"
    path.write_text(config_text("x").replace(old, new))
    with pytest.raises(TrainingError) as refusal:
        read_config(path)
    assert refusal.value.code == "AC-TR-001"


def test_refusals_of_the_command(toy_config, tmp_path, capsys):
    path = str(toy_config())
    assert main(["train", path, "-o", str(tmp_path / "run"), "--data", str(tmp_path)]) == TrainingError.exit_code
    assert "AC-TR-002" in capsys.readouterr().err
    assert main(["train", path, "-o", str(tmp_path / "run"), "--stage", "third"]) == TrainingError.exit_code
    assert "AC-TR-006" in capsys.readouterr().err
    assert main(["train", path, "-o", str(tmp_path / "none"), "--curves"]) == TrainingError.exit_code
    assert "AC-TR-005" in capsys.readouterr().err


def test_the_report_has_no_lists(toy_config, tmp_path, capsys):
    assert main(["train", str(toy_config()), "-o", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert "6 patients for training, 2 patients for validation" in shown
    assert "segmenter: 6 steps in" in shown
    assert f"package: {tmp_path / 'run' / 'package'}" in shown
    assert not set("[]{}") & set(shown)


@pytest.mark.parametrize("change", ["contours", "validation", "nothing", "older"])
def test_a_run_is_not_continued_with_what_has_changed_meanwhile(change, toy_config, toy_data, tmp_path, capsys):
    """Row: labels corrected during a training are learnt from in the remaining steps only."""
    config, data, run = toy_config(1), tmp_path / "data", tmp_path / "run"
    shutil.copytree(toy_data, data)
    command = ["train", str(config), "-o", str(run), "--data", str(data), "--stage", "segmenter"]
    assert main(command) == 0
    text = config.read_text()
    if change in ("contours", "older"):
        path = min((data / "train").glob("*.npz"))
        with np.load(path) as stored:
            arrays = dict(stored)
        arrays["labels"] = np.where(arrays["labels"] == 2, 4, arrays["labels"]).astype(np.uint16)
        np.savez(path, **arrays)
    elif change == "validation":  # a patient already trained on would select the checkpoint
        text = text.replace("validation_patients = 2", "validation_patients = 3")
    if change == "older":  # its data.json does not state the contents
        summary = json.loads((run / "data.json").read_text())
        summary.pop("contents")
        (run / "data.json").write_text(json.dumps(summary))
    config.write_text(text.replace("steps = 1\n", "steps = 2\n"))
    refused = change in ("contours", "validation")
    assert main(command) == (TrainingError.exit_code if refused else 0)
    assert ("AC-TR-037" in capsys.readouterr().err) is refused
    steps = read_log(run / "segmenter" / "log.jsonl")[-1]["step"]
    assert steps == (1 if refused else 2)


def test_a_log_cut_short_by_a_kill_is_still_read(tmp_path):
    folder = tmp_path / "segmenter"
    folder.mkdir()
    line = {"kind": "train", "elapsed_s": 1.0, "loss": 1.0, "dice": [0.1]}
    fold = {"kind": "validate", "elapsed_s": 2.0, "score": 0.5, "dice": [0.5]}
    (folder / "structures.json").write_text('["Brainstem"]')
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(fold) + "\n" + '{"kind": "tr')
    assert len(read_log(folder / "log.jsonl")) == 2
    assert draw_curves(tmp_path).exists()


@pytest.mark.parametrize(
    "path", sorted(Path(training.__file__).parent.glob("configs/*.toml")), ids=lambda path: path.stem
)
def test_the_shipped_configurations_are_sound(path):
    if is_follow_config(path):
        assert read_follow_config(path).license == "Apache-2.0"
        return
    config = read_config(path)
    for stage in config.stages.values():
        assert all(n % step == 0 for n, step in zip(stage.window_zyx, window_multiple_zyx(stage.network), strict=True))
        with torch.device("meta"):
            network = build_network(stage.network)
            logits = network(torch.zeros(1, len(stage.intensity_windows_hu), *stage.window_zyx))
        assert logits.shape[1] == len(config.data.structures)
    assert set(config.package.rules) <= set(config.data.structures)
    assert set(config.package.anchors) <= set(config.data.structures)
    assert not Path(config.data.folder).is_absolute()


def test_the_report_of_excluded_patients_and_of_the_network_that_follows(capsys):
    from autocontour.cli.train import _print_report

    _print_report({"training": ["a"], "validation": ["b"], "quarantined": {"c": "damaged"}, "begun_with": "toy 1 (ab)"})
    shown = capsys.readouterr().out
    assert "1 patients for training, 1 patients for validation, 1 excluded (see data.json)." in shown
    assert "Started from toy 1 (ab)." in shown
    _print_report({"patients": 3, "held_out": ["a", "b"], "steps": 7, "weights": "RUN"})
    assert capsys.readouterr().out == "3 patients for training, 2 held out, 7 steps.\nweights: RUN\n"

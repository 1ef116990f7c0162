"""A training configuration is checked whole before anything starts: silent.md D, every member of the row."""

import re
import tomllib
from pathlib import Path

import pytest

from autocontour.base.errors import TrainingError
from autocontour.cli import main
from autocontour.models import training
from autocontour.models.training.config import read_config

SHIPPED = (Path(training.__file__).parent / "configs" / "head_and_neck.toml").read_text(encoding="utf-8")


def refused(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError) as refusal:
        read_config(path)
    assert refusal.value.code == "AC-TR-001"
    assert "mine.toml" in refusal.value.message
    return {problem.where: problem.code for problem in refusal.value.problems}


def setting(name, value, text=SHIPPED):
    """The shipped configuration with the last `name = …` replaced: that of the segmenter where stages have it."""
    *_, last = re.finditer(rf"^{name} = .*$", text, re.MULTILINE)
    return f"{text[: last.start()]}{name} = {value}{text[last.end() :]}"


SEGMENTER = "stages.segmenter"


@pytest.mark.parametrize(
    ("name", "value", "where", "code"),
    [
        ("batch", '"one"', f"{SEGMENTER}.batch", "AC-CFG-005"),
        ("batch", "0", f"{SEGMENTER}.batch", "AC-CFG-009"),
        ("batch", "1.5", f"{SEGMENTER}.batch", "AC-CFG-005"),
        ("batch", "true", f"{SEGMENTER}.batch", "AC-CFG-005"),
        ("focus", '"bodi"', f"{SEGMENTER}.focus", "AC-CFG-010"),
        ("spacing_zyx_mm", "[2.5, 3.9]", f"{SEGMENTER}.spacing_zyx_mm", "AC-CFG-029"),
        ("spacing_zyx_mm", "[2.5, 3.9, nan]", f"{SEGMENTER}.spacing_zyx_mm[2]", "AC-CFG-006"),
        ("spacing_zyx_mm", "[2.5, 3.9, 0]", f"{SEGMENTER}.spacing_zyx_mm[2]", "AC-CFG-009"),
        ("minutes", "0", f"{SEGMENTER}.minutes", "AC-CFG-009"),
        ("minutes", "inf", f"{SEGMENTER}.minutes", "AC-CFG-006"),
        ("learning_rate", "-1e-3", f"{SEGMENTER}.learning_rate", "AC-CFG-009"),
        ("ema_decay", "1", f"{SEGMENTER}.ema_decay", "AC-CFG-009"),
        ("validate_patients", "0", f"{SEGMENTER}.validate_patients", "AC-CFG-009"),
        ("sampling_weights", "{ Heart = 1 }", f"{SEGMENTER}.sampling_weights.Heart", "AC-CFG-019"),
        ("loss_weights", "{ Larynx = -1 }", f"{SEGMENTER}.loss_weights.Larynx", "AC-CFG-009"),
        ("augment", "{ mirror = 1 }", f"{SEGMENTER}.augment.mirror", "AC-CFG-002"),
        ("augment", "{ mirror_probability = 2 }", f"{SEGMENTER}.augment.mirror_probability", "AC-CFG-009"),
        ("seed", "-1", "data.seed", "AC-CFG-009"),
        ("split", '"../elsewhere"', "data.split", "AC-CFG-013"),
        ("split", '""', "data.split", "AC-CFG-013"),
        ("folder", "3", "data.folder", "AC-CFG-007"),
        ("name", '"../../x"', "name", "AC-CFG-013"),
        ("version", '"1/0"', "package.version", "AC-CFG-013"),
        ("body_site", '""', "package.body_site", "AC-CFG-011"),
        ("anchors", '["Heart", "Larynx"]', "package.anchors[0]", "AC-CFG-019"),
        ("anchors_minimum", "6", "package.anchors_minimum", "AC-CFG-009"),
        ("research", '["Heart"]', "package.research[0]", "AC-CFG-019"),
        ("Larynx", '{ side = "up" }', "package.rules.Larynx.side", "AC-CFG-010"),
        ("Larynx", "{ minimum = 1 }", "package.rules.Larynx.minimum", "AC-CFG-002"),
        ("localizer_threshold", "0", "package.localizer_threshold", "AC-CFG-009"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_with_its_path(tmp_path, name, value, where, code):
    assert refused(tmp_path, setting(name, value)) == {where: code}


def test_a_negative_number_of_patients_does_not_train_on_the_rest(tmp_path):
    (where,) = refused(tmp_path, re.sub(r"(\w*_patients) = 20\nseed", r"\1 = -3\nseed", SHIPPED))
    assert where.startswith("data.")
    assert where.endswith("_patients")


@pytest.mark.parametrize("patch", ["[0, 56, 48]", "[64, 56]", "[512, 56, 4096]", "[63, 56, 48]", "[64.0, 56, 48]"])
def test_a_patch_that_no_network_can_take(tmp_path, patch):
    name = next(key for key in tomllib.loads(SHIPPED)["stages"]["segmenter"] if key in ("patch_zyx", "window_zyx"))
    (where,) = refused(tmp_path, setting(name, patch))
    assert where.startswith(f"{SEGMENTER}.{name}")


@pytest.mark.parametrize("stage", ['"../../x"', '"/tmp/x"', '""', "third"])
def test_a_stage_is_no_path(tmp_path, stage):
    found = refused(tmp_path, SHIPPED.replace("[stages.localizer]", f"[stages.{stage}]"))
    assert list(found.values()) == ["AC-CFG-010"]


def test_a_run_without_a_segmenter_does_not_start(tmp_path):
    assert refused(tmp_path, SHIPPED[: SHIPPED.index("[stages.segmenter]")]) == {SEGMENTER: "AC-CFG-017"}


def test_a_structure_twice_none_or_more_than_the_most(tmp_path):
    line = next(line for line in SHIPPED.splitlines() if line.startswith("structures = "))
    twice = refused(tmp_path, SHIPPED.replace(line, line.replace('"PTV_Low"', '"brainstem"')))
    assert twice["data.structures[7]"] == "AC-CFG-015"
    assert refused(tmp_path, SHIPPED.replace(line, "structures = []"))["data.structures"] == "AC-CFG-014"
    many = [f"Structure_{number}" for number in range(257)]
    assert refused(tmp_path, SHIPPED.replace(line, f"structures = {many}"))["data.structures"] == "AC-CFG-014"


def test_no_weight_above_zero(tmp_path):
    names = tomllib.loads(SHIPPED)["data"]["structures"]
    nothing = "{ " + ", ".join(f"{name} = 0" for name in names) + " }"
    assert refused(tmp_path, setting("sampling_weights", nothing)) == {f"{SEGMENTER}.sampling_weights": "AC-CFG-024"}


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("out_channels = 10", "out_channels = 9", "network.out_channels"),
        ("in_channels = 2", "in_channels = 1", "network.in_channels"),
        ("growth = 16", "growth = 0", "network"),
        ('"fc_densenet"', '"resnet"', "network"),
        ("strides_zyx = [[2, 2, 2], [2", "strides_zyx = [[0, 2, 2], [2", "network"),
        ("growth = 16", "growth = 100000", "network.growth"),
        ("growth = 16", "depth = 16", "network"),
    ],
)
def test_a_network_that_cannot_be_built_or_does_not_fit(tmp_path, old, new, where):
    head, tail = SHIPPED.split("[stages.segmenter]")
    (found,) = refused(tmp_path, f"{head}[stages.segmenter]{tail.replace(old, new)}")
    assert found == f"{SEGMENTER}.{where}"


def test_all_problems_are_listed_at_once_in_both_languages(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(setting("batch", "0", setting("focus", '"bodi"', setting("seed", "-1"))), encoding="utf-8")
    assert main(["train", str(path), "-o", str(tmp_path / "run")]) == TrainingError.exit_code
    printed = capsys.readouterr().err
    assert "3 problems" in printed
    assert all(where in printed for where in (f"{SEGMENTER}.batch", f"{SEGMENTER}.focus", "data.seed"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(TrainingError) as refusal:
        read_config(path)
    sentence, remedy = refusal.value.in_language("ko")
    assert "3건" in sentence
    assert f"{SEGMENTER}.batch: " in sentence
    assert remedy


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[stages", b"x = " + b"[" * 3000, b""])
def test_what_is_not_a_configuration(tmp_path, data):
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(TrainingError, match="AC-TR-001"):
        read_config(path)


def test_a_configuration_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(TrainingError, match="AC-TR-020"):
            read_config(path)


def test_a_run_without_patients_for_validation_does_not_start(tmp_path, monkeypatch):
    from autocontour.base.jobs import Job
    from autocontour.models.data.dataset import Dataset
    from autocontour.models.training import run

    path = tmp_path / "mine.toml"
    path.write_text(re.sub(r"(\w*_patients) = 20\nseed", r"\1 = 0\nseed", SHIPPED), encoding="utf-8")
    monkeypatch.setattr(run, "read_run_data", lambda *_: Dataset((), (), {}))
    with pytest.raises(TrainingError, match="AC-TR-021"):
        run.train_run(read_config(path), tmp_path / "run", Job())
    assert not (tmp_path / "run").exists()


def test_a_fold_that_does_not_exist_is_refused(tmp_path):
    for setting, path in (("folds = 1", "data.folds"), ("folds = 5\nfold = 5", "data.fold"), ("fold = 1", "data.fold")):
        text = SHIPPED.replace("validation_patients = 20", f"validation_patients = 20\n{setting}", 1)
        assert refused(tmp_path, text)[path] == "AC-CFG-009"

import json
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
from autocontour.models import training
from autocontour.models.data.dataset import AIR_HU, read_dataset
from autocontour.models.networks import build_network, window_multiple_zyx
from autocontour.models.package.package import read_package, verify_package
from autocontour.models.training.config import AugmentConfig, read_config
from autocontour.models.training.curves import draw_curves, read_log
from autocontour.models.training.loop import Trainer
from autocontour.models.training.loss import masked_loss, soft_dice
from autocontour.models.training.metadata import describe_package
from autocontour.models.training.patches import PatchSampler, mirrored_channels
from autocontour.models.training.validate import TrainingRunner, dice_of_sample, predict_sample

STRUCTURES = ["Brainstem", "Parotid_R", "Parotid_L"]
CENTRES = {"Brainstem": (14, 12, 12), "Parotid_R": (8, 9, 6), "Parotid_L": (8, 9, 18)}
STILL = AugmentConfig(
    rotation_zyx_deg=(0, 0, 0), scale=0, shift_zyx_mm=(0, 0, 0), elastic_mm=0, mirror_probability=0, hu_shift=0,
    hu_scale=0, noise_hu=0, blur_probability=0, cut_probability=0, metal_probability=0,
)  # fmt: skip
NETWORK = (
    '{{ architecture = "fc_densenet", in_channels = 1, out_channels = 3, growth = 8, block_layers = [{layers}], '
    "bottleneck_layers = {layers}, strides_zyx = [[2, 2, 2]], stem_stride_zyx = [{stem}], stem_channels = 8, "
    "refine_channels = 8 }}"
)
CONFIG = """
name = "toy"

[data]
folder = "{folder}"
structures = ["Brainstem", "Parotid_R", "Parotid_L"]
validation_patients = 2
seed = 3

[package]
body_site = "HEAD AND NECK"
license = "Apache-2.0"
anchors = ["Brainstem", "Parotid_L"]

[package.rules]
Parotid_L = {{ side = "left" }}

[stages.localizer]
network = {coarse}
spacing_zyx_mm = [6, 6, 6]
window_zyx = [16, 16, 16]
intensity_windows_hu = [[-200, 300]]
steps = 3
focus = "body"

[stages.segmenter]
network = {fine}
spacing_zyx_mm = [4, 4, 4]
window_zyx = [16, 16, 24]
intensity_windows_hu = [[-200, 300]]
steps = {steps}
learning_rate = 1e-2
ema_decay = 0.9
checkpoint_minutes = 0
augment = {{ rotation_zyx_deg = [5, 5, 5], shift_zyx_mm = [4, 4, 4], elastic_mm = 1 }}
"""


def config_text(folder, steps=1):
    coarse, fine = NETWORK.format(layers=1, stem="2, 2, 2"), NETWORK.format(layers=2, stem="1, 1, 1")
    return CONFIG.format(folder=folder, steps=steps, coarse=coarse, fine=fine)


def write_patient(folder, name, shift, missing=()):
    """A box of soft tissue with a bright ball for every structure; the last two slices hold labels but no CT."""
    places = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), axis=-1)
    hu = np.full((24, 24, 24), AIR_HU, np.int16)
    hu[:22, 2:22, 2:22] = 0
    labels = np.zeros(hu.shape, np.uint16)
    for bit, structure in enumerate(STRUCTURES):
        ball = ((places - np.array(CENTRES[structure]) - shift) ** 2).sum(-1) <= 9
        hu[ball & (hu > AIR_HU)] = 100 + 80 * bit
        if structure not in missing:
            labels[ball] |= 1 << (bit + 1)
    labels[22:, 12, 12] |= 2
    np.savez(folder / "train" / f"{name}.npz", hu=hu, labels=labels, spacing_zyx_mm=np.float32([4, 4, 4]))
    voxels = {structure: 100 for structure in STRUCTURES if structure not in missing}
    return {"patient": name, "split": "train", "voxels": voxels, "solid_slices": [[0, 22]]}


@pytest.fixture(scope="module")
def toy_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / "train").mkdir()
    rng = np.random.default_rng(0)
    patients = [write_patient(folder, f"p{n}", rng.integers(-1, 2, 3)) for n in range(7)]
    patients.append(write_patient(folder, "p7", 0, missing=("Parotid_R",)))
    index = {"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def toy_config(toy_data, tmp_path):
    def write(steps=6):
        path = tmp_path / "toy.toml"
        path.write_text(config_text(toy_data, steps))
        return path

    return write


@pytest.fixture
def toy(toy_config):
    config = read_config(toy_config())
    return config, read_dataset(config.data, Job())


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


def random_case(structures=3):
    torch.manual_seed(0)
    logits = torch.randn(2, structures, 4, 5, 6, requires_grad=True)
    target = (torch.rand(2, structures, 4, 5, 6) > 0.7).float()
    return logits, target


def test_what_is_not_contoured_teaches_nothing():
    logits, target = random_case()
    weight = torch.ones_like(target)
    weight[0, 1] = 0
    weight[:, :, 2] = 0
    masked_loss(logits, target, weight, torch.ones(3)).backward()
    assert (logits.grad[weight == 0] == 0).all()
    assert (logits.grad[weight == 1] != 0).all()


def test_a_structure_with_half_a_share_pulls_half_as_hard_as_its_neighbour():
    torch.manual_seed(0)
    one = torch.randn(2, 1, 4, 5, 6)
    logits = one.repeat(1, 2, 1, 1, 1).requires_grad_()
    target = (torch.rand(2, 1, 4, 5, 6) > 0.7).float().repeat(1, 2, 1, 1, 1)
    masked_loss(logits, target, torch.ones_like(target), torch.tensor([1.0, 0.5])).backward()
    torch.testing.assert_close(logits.grad[:, 1], logits.grad[:, 0] / 2)


def test_nothing_known_is_no_loss_and_no_nan():
    logits, target = random_case()
    masked_loss(logits, target, torch.zeros_like(target), torch.ones(3)).backward()
    assert (logits.grad == 0).all()


def test_soft_dice_agrees_with_monai_where_all_is_known():
    from monai.losses import DiceLoss

    logits, target = random_case()
    dice, present = soft_dice(logits, target, torch.ones_like(target))
    peer = DiceLoss(sigmoid=True, batch=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)(logits, target)
    assert present.all()
    torch.testing.assert_close(dice, 1 - peer.flatten())


def test_a_small_structure_pushed_to_nothing_wakes_again():
    logits = torch.full((1, 1, 32, 32, 32), -8.0, requires_grad=True)
    target = torch.zeros_like(logits)
    target[..., 10:13, 10:13, 10:13] = 1
    masked_loss(logits, target, torch.ones_like(target), torch.ones(1)).backward()
    inside, outside = logits.grad[target == 1].sum(), logits.grad[target == 0].sum()
    assert -inside > 0.05
    assert -inside > 5 * outside.abs()


def test_data_are_cut_to_the_body_and_to_solid_slices(toy):
    _, dataset = toy
    samples = dataset.training + dataset.validation
    assert {sample.hu.shape for sample in samples} == {(22, 20, 20)}
    assert {sample.patient: list(sample.known) for sample in samples}["p7"] == [True, False, True]
    assert all(sample.mask(0).any() and not (sample.labels & 8).any() for sample in samples)


def test_fold_is_kept_apart_and_decided_by_the_seed(toy):
    config, dataset = toy
    fold = [sample.patient for sample in dataset.validation]
    assert len(fold) == 2
    assert not set(fold) & {sample.patient for sample in dataset.training}
    again = read_dataset(config.data, Job())
    assert [sample.patient for sample in again.validation] == fold


def test_bad_patients_are_quarantined_with_the_reason(toy_data, tmp_path):
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    patients = [write_patient(folder, name, 0) for name in ("good", "cut", "odd", "flat", "empty", "gone", "pickle")]
    path = folder / "train" / "cut.npz"
    path.write_bytes(path.read_bytes()[:-200])
    sound = dict(np.load(folder / "train" / "good.npz"))
    np.savez(folder / "train" / "odd.npz", **{**sound, "labels": sound["labels"][:5]})
    np.savez(folder / "train" / "flat.npz", **{**sound, "spacing_zyx_mm": np.float32([0, 4, 4])})
    np.savez(folder / "train" / "empty.npz", **{**sound, "labels": sound["labels"] * 0})
    np.savez(folder / "train" / "pickle.npz", hu=np.array([{}], dtype=object))
    (folder / "train" / "gone.npz").unlink()
    index = {"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}
    (folder / "index.json").write_text(json.dumps(index))
    path = tmp_path / "toy.toml"
    path.write_text(config_text(folder).replace("validation_patients = 2", "validation_patients = 0"))
    dataset = read_dataset(read_config(path).data, Job())
    assert [sample.patient for sample in dataset.training] == ["good"]
    assert set(dataset.quarantined) == {"cut", "odd", "flat", "empty", "gone", "pickle"}
    assert all(dataset.quarantined.values())


def test_patches_repeat_from_their_generator(toy):
    config, dataset = toy
    sampler = PatchSampler(dataset.training, STRUCTURES, config.stages["segmenter"])
    first, second, other = (sampler.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.target, second.target)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_left_stays_left_when_mirrored(toy, mirror):
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=replace(STILL, mirror_probability=mirror))
    patch = PatchSampler(dataset.training, STRUCTURES, stage).draw(np.random.default_rng(0))
    columns = torch.arange(patch.target.shape[-1])
    _, right, left = ((part.sum((0, 1)) * columns).sum() / part.sum() for part in patch.target)
    assert right < left


def test_mirror_moves_what_is_known_with_its_structure(toy):
    config, dataset = toy
    samples = [sample for sample in dataset.training + dataset.validation if sample.patient == "p7"]
    stage = replace(config.stages["segmenter"], augment=replace(STILL, mirror_probability=1.0))
    patch = PatchSampler(samples, STRUCTURES, stage).draw(np.random.default_rng(0))
    assert (patch.weight[2] == 0).all()
    assert patch.weight[1].any()
    assert patch.target[1].any()


def test_mirrored_channels():
    assert mirrored_channels(["Eye_L", "SpinalCord", "Eye_R", "Lens_L"]) == [2, 1, 0, 3]


def test_image_and_labels_move_together(toy):
    config, dataset = toy
    lively = replace(STILL, rotation_zyx_deg=(20, 20, 20), scale=0.2, elastic_mm=1, shift_zyx_mm=(5, 5, 5))
    stage = replace(config.stages["segmenter"], augment=lively, intensity_windows_hu=((0.0, 100.0),))
    sampler = PatchSampler(dataset.training, ["Brainstem"], replace(stage, anywhere_probability=0))
    for seed in range(5):
        patch = sampler.draw(np.random.default_rng(seed))
        sure = (patch.target[0] > 0.99) & (patch.weight[0] > 0)
        assert sure.any()
        assert patch.image[0][sure].min() > 0.9


def test_without_variation_a_patch_is_the_patient(toy):
    config, dataset = toy
    window = (-1024.0, 1024.0)
    stage = replace(config.stages["segmenter"], augment=STILL, window_zyx=(5, 9, 9), intensity_windows_hu=(window,))
    sample = replace(dataset.training[0], labels=(dataset.training[0].labels & 1))
    centre = np.argwhere(sample.mask(0))
    middle = (centre.min(0) + centre.max(0)) // 2
    patch = PatchSampler([sample], STRUCTURES, stage).draw(np.random.default_rng(0))
    y, x = (slice(n - 4, n + 5) for n in middle[1:])
    hu, mask = sample.hu[:, y, x] / 1024, sample.mask(0)[:, y, x]
    starts = [z for z in range(len(hu) - 4) if np.allclose(hu[z : z + 5], patch.image[0], atol=1e-3)]
    assert any(np.allclose(mask[z : z + 5], patch.target[0], atol=1e-3) for z in starts)


def test_a_cut_scan_teaches_nothing_beyond_its_end(toy):
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=replace(STILL, cut_probability=1.0))
    sampler = PatchSampler(dataset.training, STRUCTURES, stage)
    for seed in range(4):
        patch = sampler.draw(np.random.default_rng(seed))
        gone = patch.weight.amax((0, 2, 3)) == 0
        assert gone[0] or gone[-1]
        assert (patch.image[:, gone] == -1).all()


def test_metal_stays_within_the_scanner_s_range(toy):
    config, dataset = toy
    augment = replace(STILL, metal_probability=1.0)
    stage = replace(config.stages["segmenter"], augment=augment, intensity_windows_hu=((-1024.0, 3071.0),))
    bone = replace(dataset.training[0], hu=np.where(dataset.training[0].mask(0), 800, dataset.training[0].hu))
    patch = PatchSampler([bone], STRUCTURES, stage).draw(np.random.default_rng(0))
    assert patch.image.max() == 1
    assert torch.isfinite(patch.image).all()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(toy, tmp_path):
    trainer(toy, tmp_path / "straight").run(Job())
    with pytest.raises(Cancelled):
        trainer(toy, tmp_path / "broken").run(StopAfter(3))
    assert states(tmp_path / "broken")["step"] == 3
    trainer(toy, tmp_path / "broken").run(Job())
    assert_same_state(states(tmp_path / "broken"), states(tmp_path / "straight"))


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

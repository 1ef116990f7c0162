"""Patches: varied, repeatable, labels along with the image."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autocontour.models.training.config import AugmentConfig
from autocontour.models.training.patches import PatchSampler, mirrored_channels
from tests.models.toy_patients import STRUCTURES

STILL = AugmentConfig(
    rotation_zyx_deg=(0, 0, 0), scale=0, shift_zyx_mm=(0, 0, 0), elastic_mm=0, mirror_probability=0, hu_shift=0,
    hu_scale=0, noise_hu=0, blur_probability=0, cut_probability=0, metal_probability=0,
)  # fmt: skip


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
    sample = replace(dataset.training[0], planes=(dataset.training[0].planes[0], None, None))
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

"""Patches: varied, repeatable, labels along with the image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from autocontour.models.data.dataset import Plane, Sample
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.training.config import AugmentConfig
from autocontour.models.training.patches import Patches, PatchSampler, mirrored_channels, to_channels
from autocontour.models.training.volumes import Part, Volumes
from tests.models.toy_patients import STRUCTURES

STILL = AugmentConfig(
    rotation_zyx_deg=(0, 0, 0), scale=0, shift_zyx_mm=(0, 0, 0), elastic_mm=0, mirror_probability=0, hu_shift=0,
    hu_scale=0, noise_hu=0, blur_probability=0, cut_probability=0, metal_probability=0,
)  # fmt: skip


def draw(sampler, seed):
    """Return the only patch of a batch of one."""
    patches = sampler.draw([np.random.default_rng(seed)])
    return Patches(patches.image[0], patches.target[0], patches.weight[0])


def test_patches_repeat_from_their_generator(toy):
    config, dataset = toy
    sampler = PatchSampler(dataset.training, STRUCTURES, config.stages["segmenter"])
    first, second, other = (draw(sampler, seed) for seed in (1, 1, 2))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.target, second.target)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_left_stays_left_when_mirrored(toy, mirror):
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=replace(STILL, mirror_probability=mirror))
    patch = draw(PatchSampler(dataset.training, STRUCTURES, stage), 0)
    columns = torch.arange(patch.target.shape[-1])
    _, right, left = ((part.sum((0, 1)) * columns).sum() / part.sum() for part in patch.target)
    assert right < left


def test_mirror_moves_what_is_known_with_its_structure(toy):
    config, dataset = toy
    samples = [sample for sample in dataset.training + dataset.validation if sample.patient == "p7"]
    stage = replace(config.stages["segmenter"], augment=replace(STILL, mirror_probability=1.0))
    patch = draw(PatchSampler(samples, STRUCTURES, stage), 0)
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
        patch = draw(sampler, seed)
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
    patch = draw(PatchSampler([sample], STRUCTURES, stage), 0)
    y, x = (slice(n - 4, n + 5) for n in middle[1:])
    hu, mask = sample.hu[:, y, x] / 1024, sample.mask(0)[:, y, x]
    starts = [z for z in range(len(hu) - 4) if np.allclose(hu[z : z + 5], patch.image[0], atol=1e-3)]
    assert any(np.allclose(mask[z : z + 5], patch.target[0], atol=1e-3) for z in starts)


def test_a_cut_scan_teaches_nothing_beyond_its_end(toy):
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=replace(STILL, cut_probability=1.0))
    sampler = PatchSampler(dataset.training, STRUCTURES, stage)
    for seed in range(4):
        patch = draw(sampler, seed)
        gone = patch.weight.amax((0, 2, 3)) == 0
        assert gone[0] or gone[-1]
        assert (patch.image[:, gone] == -1).all()


def test_metal_stays_within_the_scanner_s_range(toy):
    config, dataset = toy
    augment = replace(STILL, metal_probability=1.0)
    stage = replace(config.stages["segmenter"], augment=augment, intensity_windows_hu=((-1024.0, 3071.0),))
    bone = replace(dataset.training[0], hu=np.where(dataset.training[0].mask(0), 800, dataset.training[0].hu))
    patch = draw(PatchSampler([bone], STRUCTURES, stage), 0)
    assert patch.image.max() == 1
    assert torch.isfinite(patch.image).all()


def test_a_batch_on_another_device_is_the_patches_one_by_one(toy):
    """On a GPU all patients are copied there once; on a CPU the box that a patch reaches is read."""
    config, dataset = toy
    still = replace(config.stages["segmenter"].augment, noise_hu=0, metal_probability=0)  # the device's own noise
    sampler = PatchSampler(dataset.training, STRUCTURES, replace(config.stages["segmenter"], augment=still))
    seeds = range(6)
    single = [draw(sampler, seed) for seed in seeds]
    sampler.volumes = Volumes([Part.whole(sample) for sample in dataset.training], sampler.device)
    batch = sampler.draw([np.random.default_rng(seed) for seed in seeds])
    for name in ("image", "target", "weight"):
        one_by_one = torch.stack([getattr(patch, name) for patch in single])
        assert torch.allclose(getattr(batch, name), one_by_one, atol=1e-4), name


def test_volumes_of_any_sizes_and_many_structures_interpolate_linearly():
    rng, structures = np.random.default_rng(4), 35
    samples = [toy_sample(rng, shape, structures) for shape in ((5, 7, 6), (9, 4, 8))]
    volumes = Volumes([Part.whole(sample) for sample in samples], torch.device("cpu"))
    points = torch.from_numpy(rng.uniform(-2, 10, (2, 3, 4, 5, 3)).astype(np.float32))
    hu, labels, known = volumes.interpolate(torch.tensor([1, 0]), points, structures)
    for row, sample in enumerate((samples[1], samples[0])):
        at = points[row].permute(3, 0, 1, 2).numpy()
        raised = ndimage.map_coordinates(sample.hu + 1024.0, at, order=1, mode="grid-constant", cval=0)
        np.testing.assert_allclose(hu[row], raised - 1024, atol=0.02)
        for k in (0, 31, 32, 34):
            mask = ndimage.map_coordinates(sample.mask(k).astype(float), at, order=1, mode="grid-constant", cval=0)
            np.testing.assert_allclose(labels[row, k], mask, atol=1e-4)
        solid = np.broadcast_to(sample.solid[:, None, None].astype(float), sample.hu.shape)
        whole = ndimage.map_coordinates(solid, at, order=1, mode="grid-constant", cval=0) > 0.99
        np.testing.assert_array_equal(known[row].numpy() > 0, whole)


def toy_sample(rng, shape, structures):
    masks = rng.random((structures, *shape)) < 0.3
    planes = tuple(Plane.of(mask) for mask in masks)
    solid = rng.random(shape[0]) < 0.7
    return Sample("p", rng.integers(-1024, 3000, shape).astype(np.int16), planes, masks.any(), solid, np.ones(3))


def test_channels_are_those_of_inference():
    hu = np.random.default_rng(0).uniform(-1100, 2000, (3, 4, 5)).astype(np.float32)
    windows = ((-160.0, 240.0), (-1000.0, 1600.0))
    ours = to_channels(torch.from_numpy(hu)[None], windows)[0]
    np.testing.assert_allclose(ours, scale_intensity(hu, windows), atol=1e-6)


def test_a_circular_field_of_view_removes_image_and_weight_together(toy):
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=replace(STILL, circle_probability=1.0))
    sampler = PatchSampler(dataset.training, STRUCTURES, stage)
    for seed in range(6):
        patch = draw(sampler, seed)
        gone = patch.weight.amax((0, 1)) == 0
        assert (patch.image[:, :, gone] == -1).all()
        assert gone.any()


def test_gamma_and_low_resolution_change_the_image_alone(toy):
    config, dataset = toy
    plain = replace(config.stages["segmenter"], augment=STILL)
    varied = replace(plain, augment=replace(STILL, gamma=0.5, low_resolution_probability=1.0))
    before, after = (draw(PatchSampler(dataset.training, STRUCTURES, stage), 3) for stage in (plain, varied))
    assert torch.equal(before.target, after.target)
    assert not torch.allclose(before.image, after.image, atol=0.05)
    assert after.image.min() >= -1
    assert after.image.max() <= 1


def test_labels_that_are_trusted_less_are_used_less_often(toy):
    """A structure approved as it was drawn has a trust below 1: most patches leave its labels out of the loss."""
    config, dataset = toy
    stage = replace(config.stages["segmenter"], augment=STILL)
    trust = np.array([1.0, 0.3, 1.0], np.float32)
    samples = [replace(sample, trust=trust) for sample in dataset.training if sample.known.all()]
    sampler = PatchSampler(samples, STRUCTURES, stage)
    used = np.array([[draw(sampler, seed).weight[k].any().item() for k in range(3)] for seed in range(120)])
    assert used[:, 0].all()
    assert 0.15 < used[:, 1].mean() < 0.45


def test_voxels_that_cannot_be_written_are_read_without_a_warning(toy, recwarn):
    """A memory-mapped data set: torch warned on the terminal of every training."""
    config, dataset = toy
    for sample in dataset.training:
        sample.hu.flags.writeable = False
    sampler = PatchSampler(dataset.training, STRUCTURES, config.stages["segmenter"])
    sampler.draw([np.random.default_rng(0)])
    assert not [one for one in recwarn if "not writable" in str(one.message)]

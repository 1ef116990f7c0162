"""Time to sample and augment a training patch, compared with a chain of equivalent MONAI transforms.

python benchmarks/patches.py --data ../shared/data/openkbp
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from monai.transforms import (
    Compose,
    Rand3DElasticd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
)

from autocontour.base.jobs import Job
from autocontour.models.data.dataset import AIR_HU, Sample, read_dataset
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.training import config as training_config
from autocontour.models.training.config import StageConfig, read_config
from autocontour.models.training.patches import PatchSampler

CONFIG = Path(training_config.__file__).parent / "configs" / "head_and_neck_unet.toml"
SIGMA_VOXELS = 12.0  # as smooth as our grid of five knots a patch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--patches", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)  # as in training: one patch a core
    config = read_config(CONFIG)
    stage, structures = config.stages["segmenter"], config.data.structures
    samples = read_dataset(replace(config.data, folder=str(args.data)), Job()).training
    sampler = PatchSampler(samples, structures, stage)
    chain = monai_chain(stage)
    chosen = [samples[k] for k in np.random.default_rng(0).integers(len(samples), size=args.patches)]
    own = seconds_of(lambda k: sampler.draw([np.random.default_rng(k)]), args.patches)
    peer = seconds_of(lambda k: monai_patch(chain, chosen[k], len(structures), stage), args.patches)
    print(f"a patch: ours {1000 * own:.0f} ms, MONAI {1000 * peer:.0f} ms, {peer / own:.1f} × as long (medians)")


def seconds_of(draw: Callable[[int], object], count: int) -> float:
    times = []
    for k in range(count):
        start = time.perf_counter()
        draw(k)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def monai_chain(stage: StageConfig) -> Compose:
    """Crop with room for rotation, then one interpolation for affine and elastic, then grey values."""
    augment = stage.augment
    room = [int(n * (1 + augment.scale) * 1.2) for n in stage.window_zyx]
    z, y, x = np.radians(augment.rotation_zyx_deg)
    both, image = ("image", "labels"), ("image",)
    return Compose(
        [
            RandSpatialCropd(both, room, random_size=False),
            Rand3DElasticd(
                both,
                sigma_range=(SIGMA_VOXELS, SIGMA_VOXELS),
                magnitude_range=(0, 200),
                spatial_size=stage.window_zyx,
                prob=1,
                rotate_range=(float(z), float(y), float(x)),
                scale_range=[augment.scale] * 3,
                padding_mode="border",
            ),
            RandScaleIntensityd(image, augment.hu_scale, prob=1),
            RandShiftIntensityd(image, augment.hu_shift, prob=1),
            RandGaussianNoised(image, prob=1, std=augment.noise_hu),
        ]
    )


def monai_patch(chain: Compose, sample: Sample, structures: int, stage: StageConfig) -> torch.Tensor:
    short = np.maximum(np.array(stage.window_zyx) * 2 - sample.hu.shape, 0)
    margins = [(n // 2, n - n // 2) for n in short]
    hu = np.pad(sample.hu, margins, constant_values=AIR_HU).astype(np.float32)
    masks = np.stack([sample.mask(k) for k in range(structures)])
    labels = np.pad(masks, ((0, 0), *margins)).astype(np.float32)
    patch = chain({"image": hu[None], "labels": labels})
    return torch.from_numpy(scale_intensity(patch["image"][0].numpy(), stage.intensity_windows_hu))


if __name__ == "__main__":
    main()

"""Sample slices of a training: the CT with the reference and what the network draws, at intervals, for a person."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autocontour.base.files import write_atomically
from autocontour.models.data.sample import Sample
from autocontour.models.training.config import AugmentConfig, StageConfig
from autocontour.models.training.patches import PatchSampler

FOLDER = "samples"
MOST_PATIENTS = 3
PLAIN = AugmentConfig(
    rotation_zyx_deg=(0.0, 0.0, 0.0),
    scale=0.0,
    shift_zyx_mm=(0.0, 0.0, 0.0),
    elastic_mm=0.0,
    mirror_probability=0.0,
    hu_shift=0.0,
    hu_scale=0.0,
    noise_hu=0.0,
    blur_probability=0.0,
    cut_probability=0.0,
    metal_probability=0.0,
)


class SampleSlices:
    """The same slice of a few patients, written into ``FOLDER/samples/STEP.npz`` at equal intervals of the training.

    A file holds ``ct`` (patients, y, x) −1 to 1, ``reference`` and ``drawn`` (patients, structures, y, x) in 255ths,
    ``known`` (patients, structures), ``structures`` and ``spacing_yx_mm``. It holds no name of a patient.

    Parameters
    ----------
    folder
        Of the stage.
    samples
        The patients; the first `MOST_PATIENTS` are shown.
    structures, stage
        Of the training.
    device
        Of the network.
    count
        How often a file is written, besides one at the start.
    """

    def __init__(
        self,
        folder: Path,
        samples: Sequence[Sample],
        structures: Sequence[str],
        stage: StageConfig,
        device: torch.device,
        count: int,
    ) -> None:
        self.folder, self.structures, self.stage, self.count = folder / FOLDER, tuple(structures), stage, count
        plain = replace(stage, augment=PLAIN, anywhere_probability=0.0)
        images, self._references, self._known, self._slices = [], [], [], []
        for sample in samples[:MOST_PATIENTS]:
            patches = PatchSampler([sample], structures, plain, device).draw([np.random.default_rng(1)])
            target = patches.target[0]
            z = int(target.flatten(2).sum((0, 2)).argmax())
            images.append(patches.image)
            self._references.append(target[:, z].cpu().numpy())
            self._known.append(sample.known)
            self._slices.append(z)
        self._image = torch.cat(images) if images else None
        self._written = -1

    def write_if_due(self, network: nn.Module, step: int, progress: float) -> None:
        """Write a file if the next interval has begun."""
        due = int(progress * self.count)
        if due > self._written and self._image is not None:
            self._written = due
            self._write(network, step)

    @torch.no_grad()
    def _write(self, network: nn.Module, step: int) -> None:
        assert self._image is not None
        was_training = network.training
        network.eval()
        drawn, ct = [], []
        for image, z in zip(self._image, self._slices, strict=True):
            drawn.append(torch.sigmoid(network(image[None]).float())[0, : len(self.structures), z].cpu().numpy())
            ct.append(image[0, z].cpu().numpy())
        network.train(was_training)
        file = io.BytesIO()
        np.savez_compressed(
            file,
            ct=np.array(ct, np.float16),
            reference=_as_bytes(self._references),
            drawn=_as_bytes(drawn),
            known=np.array(self._known),
            structures=np.array(self.structures),
            spacing_yx_mm=np.array(self.stage.spacing_zyx_mm[1:], np.float64),
        )
        write_atomically(self.folder / f"{step:08d}.npz", file.getvalue())


def _as_bytes(fractions: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Return fractions from 0 to 1 in 255ths."""
    found: NDArray[np.uint8] = np.round(255 * np.clip(np.array(fractions), 0, 1)).astype(np.uint8)
    return found

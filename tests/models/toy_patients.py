"""A toy training: bright balls in a box of soft tissue."""

import json

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.models.data.dataset import AIR_HU, read_dataset
from autocontour.models.training.config import read_config

STRUCTURES = ["Brainstem", "Parotid_R", "Parotid_L"]


CENTRES = {"Brainstem": (14, 12, 12), "Parotid_R": (8, 9, 6), "Parotid_L": (8, 9, 18)}


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


@pytest.fixture(scope="session")
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


def train_package(data, folder, steps):
    """Return the package of a training of a few steps, in `folder`."""
    from autocontour.models.training.packaging import package_run
    from autocontour.models.training.run import train_run

    path = folder / "toy.toml"
    path.write_text(config_text(data, steps))
    config = read_config(path)
    train_run(config, folder / "run", Job())
    return package_run(config, folder / "run", Job(), device="torch-cpu")

"""A package whose networks are never run."""

from __future__ import annotations

import pytest

from autocontour.models import write_package
from autocontour.models.networks import build_network

STRUCTURES = ["Parotid_R", "Parotid_L", "Bone_Mandible"]


@pytest.fixture(scope="module")
def toy_package(tmp_path_factory):
    """A package whose networks are never run."""
    import torch

    network = {
        "architecture": "fc_densenet", "in_channels": 1, "out_channels": 3, "growth": 4, "block_layers": [1],
        "bottleneck_layers": 1, "strides_zyx": [[2, 2, 2]], "stem_channels": 8, "refine_channels": 8,
    }  # fmt: skip
    stage = {
        "network": network,
        "spacing_zyx_mm": [4, 4, 4],
        "window_zyx": [8, 8, 8],
        "intensity_windows_hu": [[-160, 240]],
    }
    metadata = {
        "format": 1,
        "name": "toy",
        "version": "1",
        "body_site": "HEAD AND NECK",
        "license": "MIT",
        "structures": [{"name": name} for name in STRUCTURES],
        "stages": {"segmenter": stage},
    }
    torch.manual_seed(0)
    weights = {"segmenter": build_network(network).state_dict()}
    return write_package(tmp_path_factory.mktemp("package") / "toy", metadata, weights)

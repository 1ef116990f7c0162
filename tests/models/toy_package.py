"""A package of one untrained network."""

from autocontour.models.networks import build_network
from autocontour.models.package.package import write_package

NETWORK = {
    "architecture": "fc_densenet", "in_channels": 1, "growth": 4, "block_layers": [1], "bottleneck_layers": 1,
    "strides_zyx": [[2, 2, 2]], "stem_channels": 8, "refine_channels": 8,
}  # fmt: skip


def write_untrained(path, structures, spacing_mm, window_hu, **metadata):
    """Write a package called toy, with random weights, and return it."""
    import torch

    network = NETWORK | {"out_channels": len(structures)}
    stage = {
        "network": network,
        "spacing_zyx_mm": [spacing_mm] * 3,
        "window_zyx": [8, 8, 8],
        "intensity_windows_hu": [window_hu],
    }
    about = {"format": 1, "name": "toy", "version": "1.0", "license": "MIT", "stages": {"segmenter": stage}}
    torch.manual_seed(0)
    return write_package(
        path, about | metadata | {"structures": structures}, {"segmenter": build_network(network).state_dict()}
    )

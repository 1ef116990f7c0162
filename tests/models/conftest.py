"""A toy package, and the made-up scan that its oracle knows: a neck with two glands and a jaw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from tests.models.toy_patients import toy, toy_config, toy_data

__all__ = ["toy", "toy_config", "toy_data"]  # fixtures

GLAND_MM = {"Parotid_L": (10.0, 0.0, 50.0), "Parotid_R": (10.0, 0.0, -50.0)}
GLAND_RADIUS_MM = 16.0
JAW_MM = ((0.0, -60.0, -30.0), (20.0, -40.0, 30.0))
STRUCTURES = ("Parotid_R", "Parotid_L", "Bone_Mandible")
WINDOWS_HU = [[-160.0, 240.0], [-1000.0, 1600.0]]
FINE_MM, COARSE_MM = [3.0, 3.0, 3.0], [6.0, 6.0, 6.0]


def paint_neck(geometry: VolumeGeometry, *, noise_hu: float = 8.0, glands_hu: float = 180.0) -> CTVolume:
    """Scan the made-up neck on any grid: patient z from −90 to 90 mm, couch below."""
    u, v = (np.arange(n, dtype=np.float64) for n in (geometry.columns, geometry.rows))
    u, v = u * geometry.pixel_spacing_vu_mm[1], v * geometry.pixel_spacing_vu_mm[0]
    hu = np.full(geometry.shape_zyx, -1000.0)
    for k, origin in enumerate(geometry.slice_origins_lps_mm):
        plane = origin + u[None, :, None] * geometry.direction[:, 0] + v[:, None, None] * geometry.direction[:, 1]
        px, py, pz = plane[..., 0], plane[..., 1], plane[..., 2]
        hu[k][(py > 95) & (py < 98)] = -100
        hu[k][((px / 85) ** 2 + (py / 80) ** 2 < 1) & (np.abs(pz) < 90)] = 40
        for center in GLAND_MM.values():
            away = (pz - center[0]) ** 2 + (py - center[1]) ** 2 + (px - center[2]) ** 2
            hu[k][away < GLAND_RADIUS_MM**2] = glands_hu
        low, high = JAW_MM
        inside = [(low[a] < p) & (p < high[a]) for a, p in enumerate((pz, py, px))]
        hu[k][inside[0] & inside[1] & inside[2]] = 900
    hu += np.random.default_rng(0).normal(0, noise_hu, hu.shape)
    return CTVolume(hu.astype(np.int16), geometry)


def neck_geometry(spacing_zyx_mm=(3.0, 1.5, 1.5), shape_zyx=(70, 140, 140), origin=(-105.0, -105.0, -103.5)):
    return VolumeGeometry.regular(shape_zyx, spacing_zyx_mm, origin)


def build_metadata(**changes) -> dict:
    """The toy's metadata.json."""
    network = {
        "architecture": "fc_densenet",
        "in_channels": 2,
        "out_channels": 3,
        "growth": 4,
        "block_layers": [1],
        "bottleneck_layers": 1,
        "strides_zyx": [[2, 2, 2]],
        "stem_channels": 8,
        "refine_channels": 8,
    }
    gland = {"volume_cc": [12.0, 24.0]}
    stage = {"network": network, "window_zyx": [24, 24, 24], "intensity_windows_hu": WINDOWS_HU}
    return {
        "format": 1,
        "name": "toy-neck",
        "version": "1.0.0",
        "body_site": "HEAD AND NECK",
        "license": "Apache-2.0",
        "task": "Contours glands and jaw of a made-up neck",
        "structures": [
            {"name": "Parotid_R", "rules": {"side": "right"}, "statistics": gland},
            {"name": "Parotid_L", "rules": {"side": "left"}, "statistics": gland},
            {"name": "Bone_Mandible", "statistics": {"volume_cc": [18.0, 30.0]}},
        ],
        "stages": {
            "localizer": stage | {"spacing_zyx_mm": COARSE_MM},
            "segmenter": stage | {"spacing_zyx_mm": FINE_MM},
        },
        "site": {"anchors": list(STRUCTURES), "minimum": 2},
    } | changes


class Oracle:
    """A runner that knows the made-up neck by its HU; both glands answer to both channels: the rules tell sides."""

    device = "CPU oracle"

    def __init__(self):
        self.windows = 0

    def __call__(self, windows):
        return map(self.run, windows)

    def run(self, window):
        self.windows += 1
        soft, wide = window
        bone = ndimage.binary_dilation(wide > 0.12, iterations=2)
        gland = 1 / (1 + np.exp(-(soft - 0.35) / 0.08)) * ~bone
        jaw = 1 / (1 + np.exp(-(wide - 0.13) / 0.06))
        return np.stack([gland, gland, jaw]).astype(np.float32)


@pytest.fixture
def oracle(monkeypatch):
    """Every network is the oracle."""
    from autocontour.models.inference import infer as inference

    runner = Oracle()
    monkeypatch.setattr(inference, "open_runner", lambda *_: runner)
    return runner


@pytest.fixture
def toy_metadata():
    """A copy to change."""
    return build_metadata()


@pytest.fixture(scope="session")
def toy_weights():
    """Random ones: what they draw means nothing, how they are read and run does."""
    import torch

    from autocontour.models.networks import build_network

    torch.manual_seed(1)
    stages = build_metadata()["stages"]
    return {role: build_network(stage["network"]).state_dict() for role, stage in stages.items()}


@pytest.fixture(scope="session")
def toy_package(toy_weights, tmp_path_factory):
    """The toy package on the disk, read back."""
    from autocontour.models import write_package

    return write_package(tmp_path_factory.mktemp("packages") / "toy-neck", build_metadata(), toy_weights)


@pytest.fixture(scope="session")
def neck():
    return paint_neck(neck_geometry())


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Translated networks go into a folder of the tests' own."""
    from autocontour.models.inference import runtime

    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "user_cache_path", lambda _: cache)
        yield


@pytest.fixture(autouse=True)
def own_library(tmp_path_factory, monkeypatch):
    """Packages that a test installs are gone after it: other tests must not find them."""
    from autocontour.models.package import library

    data = tmp_path_factory.mktemp("data")
    monkeypatch.setattr(library, "user_data_path", lambda _: data)


@pytest.fixture(scope="session")
def make_neck():
    return paint_neck


@pytest.fixture(scope="session")
def neck_grid():
    return neck_geometry

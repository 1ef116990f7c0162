"""Published networks: two small MONAI bundles trained by MONAI's own trainer, imported, and compared voxel by voxel.

A SegResNet and a UNet are trained on phantoms by ``SupervisedTrainer``, saved as bundles, run by MONAI's own parser,
transforms and inferer on a phantom held out, imported, and run here in the profile ``exact``. Needs a separate
environment:

    python -m venv monai && monai/bin/pip install monai pytorch-ignite nibabel -e ".[train]"
    monai/bin/python benchmarks/published_monai.py [--iterations 150] [--only SegResNet]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.inference.published.segment import exact_labels
from autocontour.models.package.importers.monai_bundle import import_monai
from autocontour.models.package.importers.writing import write_imported
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom

ORGANS = ("Lung_R", "Lung_L", "Heart", "SpinalCanal")
TRAINING, HELD_OUT = range(1, 7), 11
SPACING_MM, SHAPE = (6.0, 6.0, 6.0), (48, 56, 74)
COMMON = {"spatial_dims": 3, "in_channels": 1, "out_channels": len(ORGANS) + 1}
NETWORKS: dict[str, dict[str, Any]] = {
    "SegResNet": {"_target_": "SegResNet", **COMMON, "init_filters": 8, "blocks_down": [1, 1, 2], "blocks_up": [1, 1]},
    "UNet": {"_target_": "UNet", **COMMON, "channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1},
}
WINDOW = [32, 32, 24]
SCALING = {"a_min": -800, "a_max": 400, "b_min": 0, "b_max": 1, "clip": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    for name in args.only:
        with tempfile.TemporaryDirectory() as temporary:
            folder, started = Path(temporary), time.perf_counter()
            bundle = write_bundle(folder / "bundle", NETWORKS[name])
            train(folder, bundle, args.iterations)
            trained = time.perf_counter() - started
            theirs, ours, truth = compare(folder, bundle)
        counts = np.bincount(theirs.ravel(), minlength=len(ORGANS) + 1)[1:].tolist()
        dice = [dsc(theirs == value, truth == value) for value in range(1, len(ORGANS) + 1)]
        shown = ", ".join(f"{organ} {one:.3f}" for organ, one in zip(ORGANS, dice, strict=True))
        different = int((theirs != ours).sum())
        print(f"{name:10} trained in {trained:4.0f} s; {different} of {theirs.size} voxels differ; {counts}")
        print(f"    DSC with the truth: {shown}", flush=True)


def write_bundle(folder: Path, network: dict[str, Any]) -> Path:
    """Write a bundle's configurations; its weights are written by `train`."""
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    before = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        {"_target_": "Spacingd", "keys": "image", "pixdim": [7.0, 7.0, 7.0], "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", **SCALING},
        {"_target_": "EnsureTyped", "keys": "image"},
    ]
    after = [
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "image",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    ]
    config = {
        "network_def": network,
        "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": WINDOW,
            "sw_batch_size": 1,
            "overlap": 0.5,
            "mode": "gaussian",
        },
        "postprocessing": {"_target_": "Compose", "transforms": after},
    }
    channels = {"0": "background", **{str(value): name.lower() for value, name in enumerate(ORGANS, 1)}}
    metadata = {
        "name": f"Small {network['_target_']}",
        "license": "Apache-2.0",
        "network_data_format": {"outputs": {"pred": {"channel_def": channels}}},
    }
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    return folder


def write_case(folder: Path, seed: int) -> tuple[dict[str, str], CTVolume, NDArray[np.uint8]]:
    """Write a phantom's CT and labels as NIfTI; return the files, the CT and the labels."""
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=SPACING_MM, shape_zyx=SHAPE)
    labels = np.zeros(phantom.hu.shape, np.uint8)
    for value, name in enumerate(ORGANS, 1):
        labels[mask_from_contours(phantom.truth.get(name, {}), phantom.geometry)] = value
    z, y, x = SPACING_MM
    files = {}
    for key, array in (("image", phantom.hu), ("label", labels)):
        path = folder / f"{key}{seed}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([-x, -y, z, 1.0])), path)
        files[key] = str(path)
    return files, CTVolume(phantom.hu, VolumeGeometry.regular(phantom.hu.shape, SPACING_MM)), labels


def train(folder: Path, bundle: Path, iterations: int) -> None:
    """Train the bundle's network by MONAI's trainer and save its weights."""
    import torch
    from monai import transforms
    from monai.data import CacheDataset, DataLoader
    from monai.engines import SupervisedTrainer
    from monai.inferers import SimpleInferer
    from monai.losses import DiceCELoss
    from monai.utils import set_determinism

    set_determinism(0)
    network = parse(bundle).get_parsed_content("network_def")
    both = ["image", "label"]
    steps = transforms.Compose(
        [
            transforms.LoadImaged(both),
            transforms.EnsureChannelFirstd(both),
            transforms.Orientationd(both, axcodes="RAS"),
            transforms.Spacingd(both, pixdim=[7.0, 7.0, 7.0], mode=("bilinear", "nearest")),
            transforms.ScaleIntensityRanged("image", **SCALING),
            transforms.RandCropByPosNegLabeld(both, label_key="label", spatial_size=WINDOW, num_samples=2),
        ]
    )
    cases = [write_case(folder, seed)[0] for seed in TRAINING]
    data = CacheDataset(cases, steps, num_workers=0, progress=False)
    loader = DataLoader(data, batch_size=1, shuffle=True, num_workers=0)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=max(1, iterations // len(cases)),
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 3e-3),
        loss_function=DiceCELoss(to_onehot_y=True, softmax=True),
        inferer=SimpleInferer(),
    )
    trainer.run()
    torch.save(network.state_dict(), bundle / "models" / "model.pt")


def parse(bundle: Path) -> Any:  # noqa: ANN401  (of another environment)
    """Return MONAI's own parser of the bundle's configuration."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    return parser


def compare(folder: Path, bundle: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the label images of MONAI and of the imported package, and the true one."""
    import torch

    files, ct, truth = write_case(folder, HELD_OUT)
    parser = parse(bundle)
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    data = parser.get_parsed_content("preprocessing")({"image": files["image"]})
    with torch.inference_mode():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network.eval())[0]
    found = parser.get_parsed_content("postprocessing")(data)["pred"][0]
    theirs = np.asarray(found).transpose(2, 1, 0).astype(np.uint8)
    package, _ = write_imported(import_monai(bundle), folder / "package")
    ours, _, _ = exact_labels(ct, package, Job(), "cpu")
    return theirs, ours, truth


def dsc(drawn: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * int((drawn & truth).sum()) / max(int(drawn.sum()) + int(truth.sum()), 1)


if __name__ == "__main__":
    main()

"""The networks compared with nnU-Net v2's predictor on the same CT, with the same spacing and number of structures.

nnU-Net plans its default 3D network (``3d_fullres``, 8 GB) for a dataset of the segmenter's spacing and a neck's size,
and predicts with random weights: speed does not depend on them. Needs a separate environment:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2 -e ".[train]"
    nnunet/bin/python benchmarks/nnunet.py [--package NAME] [--mirroring]

``--mirroring`` is nnU-Net's default test-time augmentation, eight passes; without it nnU-Net does one. The processor
time is printed as well; it depends less on other load.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage, find_package, segment_structures
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom

SPACING_ZYX_MM = (3.0, 0.9765625, 0.9765625)
DATASET = "Dataset001_HeadNeck"
PLANS = "nnUNetPlans"
NECK_MM = (400.0, 500.0, 500.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--mirroring", action="store_true")
    args = parser.parse_args()
    package = find_package(args.package)
    phantom = build_phantom("head-neck", 3, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=(134, 512, 512))
    ct = CTVolume(phantom.hu, VolumeGeometry.regular(phantom.hu.shape, SPACING_ZYX_MM))
    segment_structures(ct, package, job=Job(), device="cpu")  # the first run translates the networks
    ours = timed(lambda: segment_structures(ct, package, job=Job(), device="cpu"))
    with tempfile.TemporaryDirectory() as folder, environment(Path(folder)):
        predict = build_predictor(Path(folder), package, mirroring=args.mirroring)
        image = ct.hu[None].astype(np.float32)
        theirs = timed(lambda: predict(image, {"spacing": list(SPACING_ZYX_MM)}))
    passes = "with mirroring" if args.mirroring else "without mirroring"
    print(f"autocontour, CT to contours:   {ours[0]:8.1f} s, processor {ours[1]:8.1f} s")
    print(f"nnU-Net v2, CT to labels, {passes}: {theirs[0]:8.1f} s, processor {theirs[1]:8.1f} s")
    print(f"ratio: {theirs[0] / ours[0]:.1f} by the clock, {theirs[1] / ours[1]:.1f} by the processor")


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Give nnU-Net its folders, which it reads from the environment when it is first imported."""
    for name in ("raw", "preprocessed", "results"):
        (folder / name).mkdir()
        os.environ[f"nnUNet_{name}"] = str(folder / name)
    yield


def build_predictor(folder: Path, package: ModelPackage, *, mirroring: bool) -> Callable[..., Any]:
    """Plan nnU-Net's default network and return its predictor, with random weights, on the CPU."""
    import torch

    write_dataset(folder / "raw" / DATASET, package)
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    extract_fingerprints([1], num_processes=1)
    plan_experiments([1])
    plans = PlansManager(str(folder / "preprocessed" / DATASET / f"{PLANS}.json"))
    configuration = plans.get_configuration("3d_fullres")
    dataset = json.loads((folder / "raw" / DATASET / "dataset.json").read_text())
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        plans.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
    print(f"nnU-Net plans patches of {configuration.patch_size} at {configuration.spacing} mm")
    predictor = nnUNetPredictor(
        use_mirroring=mirroring, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.manual_initialization(
        network, plans, configuration, [network.state_dict()], dataset, "nnUNetTrainer", (0, 1, 2)
    )
    predict: Callable[..., Any] = predictor.predict_single_npy_array
    return predict


def write_dataset(folder: Path, package: ModelPackage) -> None:
    """Write two cases of the segmenter's spacing and a neck's size, from which nnU-Net plans."""
    spacing = package.stages["segmenter"].spacing_zyx_mm
    shape = [round(length / step) for length, step in zip(NECK_MM, spacing, strict=True)]
    labels = {"background": 0, **{name: k for k, name in enumerate(package.structures, 1)}}
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for case in range(2):
        hu = rng.normal(0, 200, shape).astype(np.int16)
        truth = np.zeros(shape, np.uint8)
        for k in range(1, len(labels)):
            truth[k * 8 : k * 8 + 6, 40:60, 40:60] = k
        for array, where in ((hu, f"imagesTr/case{case}_0000"), (truth, f"labelsTr/case{case}")):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing([float(step) for step in spacing[::-1]])
            sitk.WriteImage(image, str(folder / f"{where}.nii.gz"))
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(dataset))


if __name__ == "__main__":
    main()

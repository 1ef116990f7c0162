"""Published networks: every voxel of the profile ``exact`` compared with nnU-Net v2's own predictor.

Small networks with random weights, whose labels change from voxel to voxel, are saved in nnU-Net's format, predicted by
nnU-Net, imported and predicted here. Needs a separate environment:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2 -e ".[train]"
    nnunet/bin/python benchmarks/published.py [--ct FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models.inference.published.segment import exact_labels
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom

LABELS = {"background": 0, "liver": 1, "spleen": 2, "kidney_left": 3}
REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "rest": [3]}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "two folds, mirrored": {"folds": 2, "mirror": (0, 1, 2)},
    "separate axis, padded": {"spacing": [20.0, 6.5, 6.5], "patch": [12, 40, 40], "order_z": 1, "separate": None},
    "regions, mirrored in two axes": {"labels": REGIONS, "mirror": (0, 2)},
    "transposed": {"transpose": [2, 0, 1], "spacing": [6.2, 7.5, 6.6]},
    "residual encoder": {"residual": True},
    "z-score of what is not zero": {"scheme": "ZScoreNormalization", "mask": True},
    "step 0.8": {"step": 0.8},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct", type=Path, help="folder of a CT series; its middle is used besides a phantom")
    args = parser.parse_args()
    for place, ct in cts(args.ct):
        for number, (name, settings) in enumerate(CASES.items()):
            with tempfile.TemporaryDirectory() as folder:
                different, size, seconds = compare(Path(folder), ct, settings, number)
            times = f"{seconds[0]:5.1f} s, {seconds[1]:5.1f} s"
            print(f"{place:8} {name:32} {different:8d} of {size} voxels differ; {times}", flush=True)


def cts(folder: Path | None) -> Iterator[tuple[str, CTVolume]]:
    phantom = build_phantom("thorax", 3, spacing_zyx_mm=(7.0, 6.0, 6.0), shape_zyx=(22, 48, 64))
    yield "phantom", CTVolume(phantom.hu, VolumeGeometry.regular(phantom.hu.shape, (5.0, 4.0, 4.0)))
    if folder is not None:
        from autocontour.dicom.ct import read_ct
        from autocontour.dicom.scan import planning_cts, scan_folder
        from autocontour.patient.geometry import Box

        ct = read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())
        middle = len(ct.hu) // 2
        box = Box((middle - 15, 180, 120), (middle + 15, 340, 320))
        yield "CT", CTVolume(ct.hu[box.slices].copy(), ct.geometry.cropped(box))


def compare(folder: Path, ct: CTVolume, settings: Mapping[str, Any], seed: int) -> tuple[int, int, tuple[float, float]]:
    """Return the number of voxels that differ, that of all, and the seconds of both."""
    model = write_model(folder, seed=seed, **{key: value for key, value in settings.items() if key != "step"})
    step = float(settings.get("step", 0.5))
    started = time.perf_counter()
    theirs = predict(model, ct, step)
    between = time.perf_counter()
    package, _ = write_imported(import_nnunet(model, orientation="LPS", step=step), folder / "package")
    ours, _, _ = exact_labels(ct, package, Job(), "cpu")
    values = np.unique(theirs)
    if len(values) < 3:
        print(f"  only the values {values.tolist()}")
    return int((ours != theirs).sum()), theirs.size, (between - started, time.perf_counter() - between)


def predict(
    model: Path,
    ct: CTVolume,
    step: float,
    change: Callable[[Any], object] = lambda _: None,
    folds: Sequence[str] | None = None,
) -> NDArray[np.integer[Any]]:
    """Return the label image of nnU-Net's own predictor; `change` is called with its network first."""
    import torch
    from nnunetv2.inference import predict_from_raw_data
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.training.nnUNetTrainer.variants.data_augmentation import nnUNetTrainerNoMirroring as plain

    # Its search imports all trainers, some of which need packages that its own installation breaks on a CPU.
    trainers = {"nnUNetTrainer": nnUNetTrainer, "nnUNetTrainerNoMirroring": plain.nnUNetTrainerNoMirroring}
    predict_from_raw_data.recursive_find_trainer_class_by_name = trainers.__getitem__
    predictor = nnUNetPredictor(
        tile_step_size=step, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(model), folds, "checkpoint_final.pth")
    change(predictor.network)
    image, spacing = ct.hu[None].astype(np.float32), list(ct.geometry.spacing_zyx_mm)
    labels: NDArray[np.integer[Any]] = predictor.predict_single_npy_array(image, {"spacing": spacing})
    return labels


def write_model(
    folder: Path,
    *,
    seed: int = 0,
    folds: int = 1,
    labels: Mapping[str, Any] = LABELS,
    mirror: tuple[int, ...] | None = None,
    spacing: list[float] | None = None,
    patch: list[int] | None = None,
    transpose: list[int] | None = None,
    residual: bool = False,
    scheme: str = "CTNormalization",
    mask: bool = False,
    order_z: int = 0,
    separate: bool | None = None,
    features: Sequence[int] = (6, 12, 16),
) -> Path:
    """Write a model with random weights as nnU-Net's trainer does; each stage after the first halves the grid."""
    for name in ("raw", "preprocessed", "results"):
        os.environ.setdefault(f"nnUNet_{name}", str(folder))
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    forward = transpose or [0, 1, 2]
    blocks, stages = "n_blocks_per_stage" if residual else "n_conv_per_stage", len(features)
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet."
        + ("ResidualEncoderUNet" if residual else "PlainConvUNet"),
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": list(features),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * stages,
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
            blocks: [1, *[2] * (stages - 1)] if stages == 3 else [2] * stages,
            "n_conv_per_stage_decoder": [1, 2] if stages == 3 else [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    resampling = {"is_seg": False, "order_z": order_z, "force_separate_z": separate}
    configuration = {
        "data_identifier": "x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": patch or [16, 32, 36],
        "spacing": spacing or [7.5, 6.6, 6.2],
        "normalization_schemes": [scheme],
        "use_mask_for_norm": [mask],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {**resampling, "order": 3},
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
        "architecture": architecture,
        "batch_dice": False,
    }
    plans = {
        "dataset_name": "Dataset001_Random",
        "plans_name": "nnUNetPlans",
        "transpose_forward": forward,
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "image_reader_writer": "SimpleITKIO",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 3000.0,
                "mean": 20.5,
                "median": 30.0,
                "min": -1000.0,
                "percentile_00_5": -950.0,
                "percentile_99_5": 900.0,
                "std": 320.25,
            }
        },
    }
    dataset = {"channel_names": {"0": "CT"}, "labels": dict(labels), "numTraining": 1, "file_ending": ".nii.gz"}
    if labels is REGIONS:
        dataset["regions_class_order"] = [1, 2, 3]
    model = folder / "Dataset001_Random" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    for fold in range(folds):
        torch.manual_seed(10 * seed + fold)
        network = get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            1,
            len(labels) - (labels is REGIONS),
            deep_supervision=True,
        )
        (model / f"fold_{fold}").mkdir(parents=True)
        arguments = {"plans": plans, "configuration": "3d_fullres", "fold": fold, "dataset_json": dataset}
        content = {
            "network_weights": network.state_dict(),
            "optimizer_state": {"state": {}, "param_groups": []},
            "grad_scaler_state": None,
            "logging": {"mean_fg_dice": [np.float64(0.5)], "epoch_start_timestamps": [1.5]},
            "_best_ema": np.float64(0.5),
            "current_epoch": 2,
            "init_args": arguments | {"device": torch.device("cpu")},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": mirror,
        }
        torch.save(content, model / f"fold_{fold}" / "checkpoint_final.pth")
    (model / "plans.json").write_text(json.dumps(plans))
    (model / "dataset.json").write_text(json.dumps(dataset))
    return model


if __name__ == "__main__":
    main()

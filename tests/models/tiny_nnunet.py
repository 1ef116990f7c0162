"""Tiny models in nnU-Net's format, with random weights."""

from __future__ import annotations

import copy
import json

import numpy as np

LABELS = {"background": 0, "liver": 1, "kidney_left": 2, "kidney_right": 3}
REGIONS = {"background": 0, "whole": [1, 2], "core": [2]}
KWARGS = {
    "n_stages": 2,
    "features_per_stage": [4, 6],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
PROPERTIES = {"mean": 20.0, "std": 300.0, "percentile_00_5": -950.0, "percentile_99_5": 900.0}
KEPT = {"is_seg": False, "order_z": 0, "force_separate_z": None}


def configuration(**changes):
    return {
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": [12, 16, 16],
        "spacing": [4.0, 4.0, 4.0],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {**KEPT, "order": 3},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**KEPT, "order": 1},
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": copy.deepcopy(KWARGS),
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    } | changes


def plans(**changes):
    return {
        "dataset_name": "Dataset007_Tiny",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"base": configuration(), "3d_fullres": {"inherits_from": "base"}},
        "label_manager": "LabelManager",
        "image_reader_writer": "SimpleITKIO",
        "foreground_intensity_properties_per_channel": {"0": dict(PROPERTIES)},
    } | changes


def dataset(labels=LABELS, **changes):
    return {"channel_names": {"0": "CT"}, "labels": labels} | changes


def state(heads=4, seed=0):
    """Weights by nnU-Net's names, with the second names of its modules and the heads of deep supervision."""
    import torch

    from autocontour.models.networks import build_network

    torch.manual_seed(seed)
    described = {
        "architecture": "conv_unet",
        "in_channels": 1,
        "out_channels": heads,
        "features": [4, 6],
        "kernels_zyx": [[3, 3, 3]] * 2,
        "strides_zyx": [[1, 1, 1], [2, 2, 2]],
        "blocks": [1, 1],
        "decoder_blocks": [1],
    }
    weights = build_network(described).state_dict()
    for name, value in list(weights.items()):
        for part, number in ((".conv.", 0), (".norm.", 1)):
            if part in name:
                weights[name.replace(part, f".all_modules.{number}.")] = value
    return weights | {f"decoder.{name}": value for name, value in weights.items() if name.startswith("encoder.")}


def content(weights=None, *, stated=None, described=None, mirror=None, **changes):
    import torch

    arguments = {"plans": stated or plans(), "configuration": "3d_fullres", "fold": 0}
    return {
        "network_weights": state() if weights is None else weights,
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "lrs": [0.01]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 3,
        "init_args": arguments | {"dataset_json": described or dataset(), "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": mirror,
    } | changes


def write(folder, *, stated=None, described=None, folds=("0",), checkpoint=None, **changes):
    """Write a model; the checkpoints agree with the two files unless `checkpoint` says otherwise."""
    import torch

    stated, described = stated or plans(), described or dataset()
    for number, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir(parents=True)
        heads = 2 if described["labels"] is REGIONS else len(described["labels"])
        one = content(state(heads, number), stated=stated, described=described) | changes
        torch.save(checkpoint or one, folder / f"fold_{fold}" / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(stated))
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder
